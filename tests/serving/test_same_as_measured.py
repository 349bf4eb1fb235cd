"""What is asked under `/v1` is what a measurement asks: the same prompt to the last token, and the same answer."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.baselines import answer_store, asking, prompts, runs
from app.baselines import store as baseline_store
from app.chat import Message
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import reading, writing
from app.inference.local import LocalModel
from app.jobs import engine as job_engine
from app.serving import service
from app.serving.tables import ServedCallRow
from app.training import packing
from app.training.tables import TrainingRow
from tests.support.factories import Make
from tests.support.served import Measured
from tests.support.story import begin
from tests.support.tiny_adapter import adapter_for

pytestmark = pytest.mark.torch


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
