"""Arms for labels: scored by a real model, learnt on real embeddings, offered where they can be run."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.baselines import answer_store, arms, catalogue, classifier, job, runs, store, sureness
from app.baselines.offers import Context, Offer
from app.baselines.outlines import Known
from app.baselines.prompts import Shot
from app.baselines.tables import ArmRow
from app.chat import Message
from app.datasets import store as dataset_store
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.inference import folders
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from tests.support.commands import ORDERS, command
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of

ASSETS = Path(os.environ.get("TUNEGATE_ASSETS", "assets"))


@pytest.fixture
def case(make: Make, engine: Engine) -> Case:
    made = a_case(make, engine, None, train=60, dev=24, test=30)
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=made.dataset.id):
            asked, example.target = command(example.line)
            example.messages = [{"role": "user", "content": asked}]
    return made


def offered(engine: Engine, case: Case, settings: Settings) -> dict[str, Offer]:
    with reading(engine) as session:
        examples = {split: dataset_store.rows(session, case.dataset.id, split) for split in ("train", "dev", "test")}
        context = Context(session, case.assessment, case.dataset, examples, case.order(), settings)
        return {offer.arm.name: offer for offer in catalogue.offers(context)}


def test_they_are_offered_where_answers_are_labels_and_the_model_can_score(
    case: Case, engine: Engine, settings: Settings, make: Make
) -> None:
    there, gone = settings.model_copy(update={"assets": ASSETS}), settings.model_copy(update={"assets": Path("none")})
    here = offered(engine, case, there)
    kept = here["label_scoring"].arm.settings
    without = offered(engine, case, gone)["embedding_classifier"]
    with writing(engine) as session:
        row = session.get(ModelRow, case.model.id)
        assert row is not None
        row.kind, row.base_url, row.reference = "endpoint", "http://127.0.0.1:9/v1", "m"
    far = offered(engine, case, there)["label_scoring"]
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
            example.target = f"{example.target} {example.line}"
    no_labels = offered(engine, case, there)

    assert here["label_scoring"].proposed
    assert kept["labels"] == {"number": 3, "sha256": classifier.label_set_sha256(sorted(ORDERS))}
    assert here["label_scoring/nearest"].arm.settings["shots"] == "nearest"
    assert not here["label_scoring/nearest"].proposed
    assert (here["embedding_classifier"].proposed, here["embedding_classifier"].arm.free) == (True, True)
    assert (without.proposed, "the operator installs" in without.against) == (False, True)
    assert (far.proposed, "doesn't tell how likely" in far.against) == (False, True)
    assert not {"label_scoring", "embedding_classifier", "small_classifier"} & no_labels.keys()


@pytest.mark.deep  # two processes load real models, one after the other
@pytest.mark.torch
def test_a_model_scores_labels_and_embeddings_are_learnt_on_the_same_rows(
    case: Case,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    tiny_model: Path,
    warm_children: None,
) -> None:
    with writing(engine) as session:
        row = session.get(ModelRow, case.model.id)
        assert row is not None
        row.reference, row.files = str(tiny_model), folders.hashes(tiny_model)
    settings = settings.model_copy(update={"assets": ASSETS, "threads": 1})
    chosen = ("label_scoring", "embedding_classifier")
    with writing(engine) as session:
        jobs.bind(session, queue)
        order = case.order(arms=chosen, max_tokens=4, racing=False)
        run = runs.start(session, case.assessment.id, order, by=case.author, known=Known(settings))
    claim = claim_of(engine, settings, queue, run.id)
    job.measure(claim)

    baseline = baseline_of(engine, run.id)
    by_name = {arm.name: arm for arm in baseline.arms}
    scored, learnt = by_name["label_scoring"], by_name["embedding_classifier"]
    with reading(engine) as session:
        answers = answer_store.answers(session, scored.id, "dev")
        vectors = answer_store.answers(session, learnt.id, "test")
        sure = sureness.of(session, store.arm(session, learnt.id), "dev")
        unsure = sureness.of(session, store.arm(session, by_name["nearest_answer"].id), "dev")
    assert {answer.status for answer in answers} == {"ok"}
    assert {answer.output for answer in answers} <= set(ORDERS)
    for answer in answers:
        chances = (answer.details or {})["chances"]
        assert set(chances) == set(ORDERS)
        assert sum(chances.values()) == pytest.approx(1, abs=1e-3)
        assert answer.output == max(chances, key=chances.__getitem__)
    assert all((answer.details or {})["chances"] for answer in vectors)
    assert learnt.test is not None
    assert learnt.test.score > 0.8
    assert len(learnt.settings["embedder"]["sha256"]) == 64
    assert sure is not None
    assert sure.rows == 24
    assert sure.confirmed is not None
    assert unsure is None


def shots(targets: Sequence[str]) -> list[Shot]:
    return [Shot(number, number, (Message("user", command(number)[0]),), text) for number, text in enumerate(targets)]


def test_new_instructions_leave_the_scoring_as_it_is() -> None:
    best = arms.Arm("label_scoring", "label_scoring", {"scoring": "labels", "labels": {"number": 3, "sha256": "x"}})
    new = arms.revised("Sort it.", best, 1)

    assert new.settings == {**best.settings, "instructions": "Sort it."}


def test_other_labels_than_the_arm_began_with_are_not_scored(make: Make, engine: Engine, case: Case) -> None:
    from app.baselines import asking

    kept = {"number": 2, "sha256": classifier.label_set_sha256(["a", "b"])}
    row = make.baseline(case.assessment, case.dataset, case.model, case.author)
    arm = ArmRow(family="label_scoring", name="x", title="", settings={"scoring": "labels", "labels": kept})
    arm.baseline = row

    assert asking.preparation(arm, shots(["b", "a ", "a", "a"])).choices == ("a", "b")
    with pytest.raises(ValueError, match="not those that it began with"):
        asking.preparation(arm, shots(["a", "c"]))
