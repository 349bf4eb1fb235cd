"""HYBRID from end to end: rows that carry passages are approved and trained by a real trainer, and the adapter is asked
the same way, beside the best RAG prompt on the same rows."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.assessments import store as assessment_store
from app.baselines import answer_store, arms, prompts
from app.baselines import store as baseline_store
from app.baselines.arm_settings import ArmPassages, ArmSettings
from app.baselines.prompts import Passage
from app.baselines.tables import ArmRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.gate import evidence
from app.inference import folders
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.results import job as results_job
from app.results import service as results
from app.retrieval import service as retrieval
from app.retrieval.tables import IndexRow
from app.settings import Settings
from app.training import service, spec, store
from tests.support import story
from tests.support.corpus import TOWNS, Corpus, builder, page
from tests.support.factories import Make
from tests.support.story import SETTINGS, Story

pytestmark = [pytest.mark.torch, pytest.mark.deep]

INSTRUCTIONS = "Answer from the passages."
ANSWERS = {"goals": ["facts", "style"], "main_goal": "style", "sources": "nice", "fact_change": "yearly"}
RIGHT = {"dev": 160, "test": 150}  # rows that the RAG prompt gets right


@pytest.fixture
def corpus(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs) -> Corpus:
    """Rows about towns in every split, and a document for each town."""
    author = make.author("Ada")
    assessment = make.assessment(author, answers=ANSWERS)
    dataset = make.dataset(assessment, author, dev=200)
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            town = row.line % len(TOWNS)
            question = f"Row {row.line}: who built the bridge of {TOWNS[town]}?"
            row.messages = [{"role": "user", "content": question}]
            row.target = f"<< {builder(town)} >>"
    story.store_rows(make, engine, dataset)
    made = Corpus(engine, settings, queue, blobs, assessment, author, dataset)
    made.add(*map(page, range(len(TOWNS))))
    return made


def won_by_rag(make: Make, corpus: Corpus, model: ModelRow, index: IndexRow) -> ArmRow:
    """A measurement that RAG won on the dev rows, with the oracle beside it."""
    row = make.baseline(corpus.assessment, corpus.dataset, model, corpus.author, max_tokens=4)
    passages: ArmPassages = {"way": "lexical", "k": 1, "index": index.id, "sha256": index.sha256}
    kept: ArmSettings = {"instructions": INSTRUCTIONS, "passages": passages}
    rag = ArmRow(baseline_id=row.id, family="rag", name="rag/lexical", title="RAG", settings=kept)
    with writing(corpus.engine) as session:
        dataset = session.get_one(DatasetRow, corpus.dataset.id)
        oracle = ArmRow(baseline_id=row.id, family="oracle", name="oracle", title="Oracle")
        oracle.settings = {**kept, "passages": {**passages, "way": "gold"}}
        oracle.dev = arms.tallied([arms.Scored(float(place < 170)) for place in range(200)], binary=True, seed=7)
        session.add_all([rag, oracle])
        session.flush()
        make._answers(session, oracle, dataset, 170, "dev")
        for split, number in RIGHT.items():
            rows = dataset.dev_rows if split == "dev" else dataset.test_rows
            scored = [arms.Scored(float(place < number)) for place in range(rows)]
            setattr(rag, split, arms.tallied(scored, binary=True, seed=7))
            session.flush()
            make._answers(session, rag, dataset, number, split, tagged=split == "dev")
    return rag


@pytest.mark.long("a real preflight and a real training of a tiny model")
def test_an_adapter_is_trained_and_judged_with_passages_in_its_rows(
    corpus: Corpus, make: Make, tiny_model: Path, warm_children: None
) -> None:
    index = corpus.index(size=40)
    model = make.model(kind="folder", reference=str(tiny_model), files=folders.hashes(tiny_model))
    rag = won_by_rag(make, corpus, model, index)
    made = Story(make, corpus.engine, corpus.queue, corpus.author, make.reviewer("Rob"), corpus.assessment)
    made.call(service.save_recipe, corpus.author, model.id, SETTINGS)

    made.preflight()

    with reading(corpus.engine) as session:
        facts = evidence.gather(session, assessment_store.get(session, corpus.assessment.id))
        advised = evidence.judge(facts)
        assert facts.evidence.rows_carry_context is True
        assert (advised.approach, advised.training) == ("hybrid", "ready"), [
            (gate.id, gate.measured) for gate in advised.gates if gate.state not in ("pass", "not_applicable")
        ]
    made.approve()
    row = made.launch()
    results_job.train(made.claim(made.train_job(row)))

    with reading(corpus.engine) as session:
        run = store.get(session, row.id)
        assert run.state == "done"
        subject = service.plan(session, corpus.assessment.id).part
        outcome = results.outcome(session, run.id)
        card = results.facts(session, outcome)
        adapter = baseline_store.arm(session, int(run.arm_id or 0))
        answers = answer_store.answers(session, adapter.id, "test")
        examples = {one.id: one for one in dataset_store.rows(session, corpus.dataset.id, "test")}
        texts = retrieval.passages(session, corpus.blobs, index.id, range(1, index.passages + 1))
    with corpus.blobs.open(subject["passages"]["rows_sha256"]) as lines:
        trained = [one for one in spec.rows(lines) if one.split == "train"]
    assert len(trained) == 1050
    assert all(len(one.passages) == 1 for one in trained)
    assert TOWNS[trained[0].line % len(TOWNS)] in trained[0].passages[0].text
    assert adapter.settings["passages"] == rag.settings["passages"]
    assert len(answers) == 220
    for answer in answers[:20]:
        ((number, _),) = (answer.details or {})["passages"]
        given = Passage(number, texts[number].title, texts[number].text)
        asked = prompts.render(INSTRUCTIONS, (), examples[answer.example_id].messages, [given])
        assert answer.prompt_sha256 == prompts.sha256(asked), "asked as its rows were"
    assert outcome.best is not None
    assert outcome.best.name == "rag/lexical"
    assert outcome.compared is not None
    assert outcome.compared.rows == 220
    assert card.passages is not None
    assert card.passages["sha256"] == index.sha256
