"""HYBRID: training rows carry what the winning arm's index finds, never what gives dev or test rows away, and what
they carry is part of what is approved."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.assessments import store as assessment_store
from app.baselines import job as baseline_job
from app.baselines import prompts, runs, standing, store
from app.baselines.order import BaselineRequest
from app.blobs import Blobs
from app.db import reading, writing
from app.gate import evidence, subject_builder
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.recipes import passages as recipe_passages
from app.settings import Settings
from app.training import service as training
from app.training import spec
from tests.support.corpus import TOWNS, Corpus, a_corpus, page, question, reader, reading_server
from tests.support.factories import Make
from tests.support.model_server import ModelServer, serving

DEV = 12  # a town of a dev row


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(reader) as running:
        yield running


@pytest.fixture
def corpus(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs) -> Corpus:
    made = a_corpus(make, engine, settings, queue, blobs)
    asked = f"# Frequent questions\n\nQ: {question(DEV)} Ask at the town hall of {TOWNS[DEV]}.\n"
    made.add(("faq.md", asked.encode()), page(0))
    return made


def test_rows_carry_passages_that_give_no_dev_or_test_row_away(corpus: Corpus, make: Make, server: ModelServer) -> None:
    index = corpus.index()
    corpus.check()
    with writing(corpus.engine) as session:
        jobs.bind(session, corpus.queue)
        order = BaselineRequest(
            model_id=reading_server(make, server),
            instructions="Answer with the name.",
            arms=("rag/lexical",),
            consent=True,
        )
        number = runs.start(session, corpus.assessment.id, order, by=corpus.author).id
    corpus.run("measure", number, baseline_job.measure)
    make.recipe(corpus.assessment, make.model(name="Base"), corpus.author)

    with reading(corpus.engine) as session:
        facts = evidence.gather(session, assessment_store.get(session, corpus.assessment.id))
        asked = recipe_passages.wanted(facts.baseline, facts.dataset)
        assert asked is not None
        assert facts.evidence.rows_carry_context is False
        plan = training.plan_of(facts)
    assert (asked["way"], asked["k"], asked["index"]) == ("lexical", 5, index.id)
    assert "rows_sha256" not in plan.part["passages"]  # a preflight looks them up
    with pytest.raises(ValueError, match="rows_sha256"):
        spec.from_subject({"training": plan.part, "dataset": {"rows_sha256": "0", "split_sha256": "0"}})

    corpus.lookup(asked)

    with reading(corpus.engine) as session:
        facts = evidence.gather(session, assessment_store.get(session, corpus.assessment.id))
        assert facts.evidence.rows_carry_context is True
        snapshot = subject_builder.snapshot(session, facts.assessment)
        digest_before = plan.digest
        plan = training.plan_of(facts)
        baseline = store.get(session, number)
        adapter_instructions = standing.winning_instructions(baseline)
    assert plan.digest != digest_before
    carried = plan.part["passages"]
    assert snapshot.subject.training is not None
    assert snapshot.subject.training.passages == carried
    assert carried["sha256"] == index.sha256
    assert carried["excluded"] == 1  # the page that asks a dev question word for word

    approved = spec.from_subject(
        {"training": plan.part, "dataset": {"rows_sha256": "0", "split_sha256": str(corpus.dataset.split_sha256)}}
    )
    with corpus.blobs.open(approved.rows_sha256) as lines:
        rows = list(spec.rows(lines))
    by_split = {split: [row for row in rows if row.split == split] for split in ("train", "dev", "test")}
    assert [len(by_split[split]) for split in ("train", "dev", "test")] == [10, 24, 6]
    assert all(row.passages for split in ("train", "dev") for row in by_split[split])
    assert not any(row.passages for row in by_split["test"])
    assert not any("Frequent questions" in passage.title for row in rows for passage in row.passages)
    first = by_split["train"][0]
    rendered = prompts.render(approved.instructions, (), first.messages, first.passages)
    assert rendered[0].content == adapter_instructions
    assert f"The stone bridge of {TOWNS[0]}" in rendered[-1].content

    with writing(corpus.engine) as session:
        arm = runs.add_adapter_arm(
            session, number, training_id=1, title="Adapter", instructions=approved.instructions, passages=carried
        )
        assert arm.settings["passages"] == {"way": "lexical", "k": 5, "index": index.id, "sha256": index.sha256}
