"""What is asked under `/v1` is what a measurement asks: the same prompt to the last token, and the same answer."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.baselines import answer_store, asking, job, prompts, runs
from app.baselines import store as baseline_store
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Known
from app.blobs import Blobs
from app.chat import Message
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import reading, writing
from app.inference import folders
from app.inference.local import LocalModel
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.serving import service
from app.serving.tables import ServedCallRow
from app.settings import Settings
from app.training import packing
from app.training.tables import TrainingRow
from tests.support import measured
from tests.support.corpus import a_corpus
from tests.support.factories import Make
from tests.support.served import Measured
from tests.support.story import begin
from tests.support.tiny_adapter import adapter_for

pytestmark = pytest.mark.torch

RAG = "rag/lexical/3"  # five, and the usual words about them, are too long for the tiny model
NEAREST = "few_shot_nearest/minilm"


def asked_of(tiny: Measured, name: str) -> list[tuple[Any, Any]]:
    """Each answer of a variant beside what the served name says to the same row."""
    arm, token = tiny.arm(name), tiny.token()
    tiny.serve(name, arm_id=arm.id)
    with reading(tiny.engine) as session:
        answers = answer_store.answers(session, arm.id, "dev")
        rows = {row.id: row for row in dataset_store.rows(session, tiny.baseline.dataset_id, "dev")}
    return [(answer, tiny.chat(name, rows[answer.example_id].messages[0].content, token)) for answer in answers]


def test_instructions_and_examples_are_those_of_the_measurement(tiny: Measured) -> None:
    compared = 0
    for name in ("zero_shot", "few_shot_random/1", "few_shot_nearest"):
        for answer, served in asked_of(tiny, name):
            body = served.json()
            assert served.status_code == 200, body
            assert served.headers["x-tunegate-prompt-sha256"] == answer.prompt_sha256
            assert served.headers["x-tunegate-device"] == "CPU"
            assert body["usage"]["prompt_tokens"] == answer.prompt_tokens
            assert body["usage"]["completion_tokens"] == answer.completion_tokens
            assert body["choices"][0]["message"]["content"] == answer.output
            assert body["choices"][0]["finish_reason"] == answer.finish
            compared += 1

    assert compared == 3 * 8
    with reading(tiny.engine) as session:
        calls = session.scalars(select(ServedCallRow)).all()
    assert len(calls) == compared
    assert {call.user_id for call in calls} == {tiny.author.id}
    assert {call.outcome for call in calls} <= {"length", "stop"}
    assert None not in {call.token_id for call in calls}


@pytest.mark.deep
def test_examples_by_embedding_are_those_of_the_measurement(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, talking_model: Path,
    warm_children: None, web: TestClient,
) -> None:  # fmt: skip
    """A real embedding model, in its process, in measuring and in serving."""
    case = measured.a_case(make, engine, None, train=12, dev=8, test=8)
    laid_here(engine, case.model.id, talking_model)
    with writing(engine) as session:
        jobs.bind(session, queue)
        order = case.order(arms=("zero_shot", NEAREST), max_tokens=6, k_nearest=2, racing=False)
        baseline_id = runs.start(session, case.assessment.id, order, by=case.author, known=Known(settings)).id
    claim = measured.claim_of(engine, settings, queue, baseline_id)
    in_32_bits(engine, baseline_id)
    job.measure(claim)
    tiny = Measured(measured.baseline_of(engine, baseline_id), case.author, make.admin(), engine, web)

    assert same_prompts(asked_of(tiny, NEAREST)) == 8
    with reading(engine) as session:
        assert {len(answer.shots) for answer in answer_store.answers(session, tiny.arm(NEAREST).id, "dev")} == {2}


@pytest.mark.deep
def test_passages_are_those_of_the_measurement(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs, talking_model: Path,
    warm_children: None, web: TestClient,
) -> None:  # fmt: skip
    corpus = a_corpus(make, engine, settings, queue, blobs)
    corpus.index()
    model = make.model(name="Here")
    laid_here(engine, model.id, talking_model)
    with writing(engine) as session:
        jobs.bind(session, queue)
        order = BaselineRequest(
            model_id=model.id, instructions="Name.", arms=("zero_shot", RAG), max_tokens=6, racing=False,
            dev_rows=20, test_rows=0, passage_instructions="Use the passages.",
        )  # fmt: skip
        baseline_id = runs.start(session, corpus.assessment.id, order, by=corpus.author).id
    in_32_bits(engine, baseline_id)
    corpus.run("measure", baseline_id, job.measure)
    tiny = Measured(measured.baseline_of(engine, baseline_id), corpus.author, make.admin(), engine, web)

    asked = asked_of(tiny, RAG)
    assert same_prompts(asked) == 20
    assert all((answer.details or {})["passages"] for answer, _ in asked), "each was asked with passages"


def laid_here(engine: Engine, model_id: int, folder: Path) -> None:
    here = {"kind": "folder", "reference": str(folder), "files": folders.hashes(folder)}
    with writing(engine) as session:
        session.execute(update(ModelRow).where(ModelRow.id == model_id).values(**here))


def in_32_bits(engine: Engine, baseline_id: int) -> None:
    """In 16 bits a row among others may come to another sum than alone."""
    with writing(engine) as session:
        for arm in baseline_store.get(session, baseline_id).arms:
            arm.settings = {**arm.settings, "dtype": "float32"}


def same_prompts(asked: list[tuple[Any, Any]]) -> int:
    """How many answers were asked under `/v1` as they were measured, all of them or none."""
    for answer, served in asked:
        body = served.json()
        assert served.status_code == 200, body
        assert served.headers["x-tunegate-prompt-sha256"] == answer.prompt_sha256
        assert body["usage"]["prompt_tokens"] == answer.prompt_tokens
        assert body["usage"]["completion_tokens"] == answer.completion_tokens
    return len(asked)


def test_the_adapter_answers_with_its_prompt_as_it_was_judged(
    make: Make, engine: Engine, queue: job_engine.Client, tiny_model: Path, torch_here: None, warm_children: None,
    web: Any, tmp_path: Path,
) -> None:  # fmt: skip
    story = begin(make, engine, queue, tiny_model)
    story.check()
    story.approve()
    run = story.launch()
    folder = adapter_for(tiny_model, tmp_path)
    packing.pack(folder, tmp_path / "adapter.zip", {})
    blob = make.blobs.put_bytes((tmp_path / "adapter.zip").read_bytes())
    with writing(engine) as session:
        row = session.get_one(TrainingRow, run.id)
        arm = runs.add_adapter_arm(
            session, row.baseline_id, training_id=row.id, title="Adapter", instructions="Say the first word twice."
        )
        row.state, row.adapter_sha256, row.arm_id = "done", blob.sha256, arm.id
    questions = [Example(n, n, (Message("user", f"alpha beta {n}"),), "") for n in range(4)]
    with reading(engine) as session:
        arm = baseline_store.arm(session, arm.id)
        prepared = asking.preparation(arm, [])
        requests = [prepared.ask(one).request(str(one.id), arm.baseline.max_tokens) for one in questions]
    answers: dict[str, dict[str, Any]] = {}
    for name, adapter in (("base", None), ("adapter", folder)):
        with LocalModel(tiny_model, adapter, threads=1, dtype="float32") as model:
            answers[name] = {answer.id: answer for answer in model.answer(requests, lambda: False)}
    admin = make.admin()
    tiny = Measured(arm.baseline, story.author, admin, engine, web)
    served_name = f"assessment-{story.assessment.id}/adapter-{run.id}"
    with writing(engine) as session:
        service.switch_on(session, served_name, admin)
    token = tiny.token()

    for request in requests:
        served = tiny.chat(served_name, request.messages[-1].content, token)
        assert served.status_code == 200, served.text
        assert served.headers["x-tunegate-prompt-sha256"] == prompts.sha256(request.messages)
        assert served.json()["choices"][0]["message"]["content"] == answers["adapter"][request.id].text
        assert served.json()["usage"]["prompt_tokens"] == answers["adapter"][request.id].prompt_tokens
    assert {one.text for one in answers["base"].values()} != {one.text for one in answers["adapter"].values()}
