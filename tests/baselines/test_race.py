"""Arms that are dropped on the dev rows, and other models beside the run's own: the job against a real server."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from app.baselines import answer_store, arms, facts, job, race, runs, standing
from app.baselines.arms import NEEDED
from app.baselines.outlines import Known
from app.baselines.tables import AnswerRow
from app.db import reading, writing
from app.economics import service as economics
from app.errors import Invalid
from app.gate import evidence, subject_builder
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Stopping
from app.settings import Settings
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, finish_job, number_of, started, target
from tests.support.model_server import ModelServer, Raw, last_user, serving

DEV, TEST = 50, 24
RATES = {0: 0.05, 3: 0.3, 5: 0.85}  # of right answers, by the number of examples; the larger model is always right


def graded_by_examples(body: dict[str, Any]) -> str:
    number = number_of(last_user(body))
    examples = sum(turn["role"] == "assistant" for turn in body["messages"])
    luck = hashlib.sha256(str(number).encode()).digest()[0] / 256
    right = body["model"] == "large" or luck < RATES[examples]
    return target(number) if right else f"wrong-{number}"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(graded_by_examples) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=40, dev=DEV, test=TEST)


@pytest.fixture
def large(make: Make, server: ModelServer, case: Case) -> ModelRow:
    return make.model(name="Large", kind="endpoint", base_url=server.url, reference="large", files={})


def dropped_of(engine: Engine, baseline_id: int) -> dict[str, int]:
    return {arm.name: arm.dropped.after for arm in baseline_of(engine, baseline_id).arms if arm.dropped}


def test_losers_are_dropped_keep_their_answers_and_count_as_tried(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)

    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    after = dropped_of(engine, baseline.id)
    assert set(after) == {"zero_shot", *(f"few_shot_random/{draw}" for draw in (1, 2, 3))}
    assert all(20 <= rows < DEV for rows in after.values())
    asked = 5 * DEV - race.saved(baseline)
    assert race.saved(baseline) == sum(DEV - rows for rows in after.values())
    assert len(server.calls) == asked + TEST
    with reading(engine) as session:
        for arm in baseline.arms:
            rows = answer_store.answered(session, arm.id, "dev")
            assert len(rows) == after.get(arm.name, DEV)
        zero = next(arm for arm in baseline.arms if arm.name == "zero_shot")
        assert zero.dropped is not None
        assert zero.dropped.against == "few_shot_nearest"
        assert zero.dropped.e >= zero.dropped.limit == 100
        assert zero.test is None
        found = facts.measured(session, case.assessment.id)
        assert found.baseline is not None
        assert set(found.baseline.arms) == set(NEEDED) - {"revised_prompt"}
        assert found.best_arm == "few_shot_nearest"
        assert not list(facts.misstated(session, baseline))
        frozen = subject_builder.build_subject(session, *_judged(session, case))
        assert frozen.baseline is not None
        kept = {arm.name: arm.dev.dropped for arm in frozen.baseline.arms if arm.dev and arm.dev.dropped}
        assert kept.keys() == after.keys()
    again = arms.best([(standing.value(arm), arm.dev) for arm in baseline.arms if arm.dev and arm.dropped])
    assert again is None, "what was dropped never leads, not even alone"


def _judged(session: Any, case: Case) -> tuple[Any, Any]:
    gathered = evidence.gather(session, case.assessment)
    return gathered, evidence.judge(gathered)


def test_a_race_that_was_interrupted_ends_as_if_it_had_not_been(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    whole = claim_of(engine, settings, queue, started(engine, queue, case).id)
    job.measure(whole)
    finish_job(engine, whole)
    undisturbed = dropped_of(engine, whole.subject_id)
    calls = len(server.calls)

    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)

    def stops(body: dict[str, Any]) -> str:
        if len(server.calls) - calls in (50, 130):
            claim.stopping.set()
        return graded_by_examples(body)

    server.reply = stops
    for _ in range(3):
        claim.stopping.clear()
        try:
            job.measure(claim)
            break
        except Stopping:
            continue

    assert dropped_of(engine, claim.subject_id) == undisturbed
    finish_job(engine, claim)
    with writing(engine) as session:
        jobs.bind(session, queue)
        with pytest.raises(Exception, match="Everything has been asked"):
            runs.resume(session, claim.subject_id, by=case.author)


def test_nobody_is_dropped_where_that_was_switched_off(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    claim = claim_of(engine, settings, queue, started(engine, queue, case, racing=False).id)

    job.measure(claim)

    assert not dropped_of(engine, claim.subject_id)
    assert sum(call.body["model"] == "loopback-1" for call in server.calls) == 5 * DEV + TEST


def test_another_model_is_the_teacher_and_never_the_winner(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client, large: ModelRow
) -> None:
    names = ("zero_shot", "few_shot_nearest", f"stronger_model/{large.id}/zero_shot", f"stronger_model/{large.id}/best")
    with writing(engine) as session, pytest.raises(Invalid) as refusal:
        runs.start(session, case.assessment.id, case.order(arms=names), by=case.author)
    assert [error.field for error in refusal.value.errors] == ["consents"]
    with writing(engine) as session:
        row = session.get_one(type(case.assessment), case.assessment.id)
        row.answers = {**row.answers, "goals": ["efficiency"], "main_goal": "efficiency"}
    claim = claim_of(engine, settings, queue, started(engine, queue, case, arms=names, consents=(large.id,)).id)

    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    by_name = {arm.name.rpartition("/")[2]: arm for arm in baseline.arms if arm.family == "stronger_model"}
    assert by_name["best"].settings["followed"] == "few_shot_nearest"
    assert by_name["best"].settings["k"] == 5
    assert by_name["best"].label == "Best prompt on Large"
    best = standing.best(baseline)
    assert best is not None
    assert best.name == "few_shot_nearest"
    tested = [arm for arm in by_name.values() if arm.test]
    assert len(tested) == 1
    assert tested[0].test is not None
    assert tested[0].test.passed == TEST
    assert str(baseline.test_looks[-1]["why"]).startswith("another model")
    with reading(engine) as session:
        assessment = session.get_one(type(case.assessment), case.assessment.id)
        teacher = economics.measured(session, assessment).teacher
        assert teacher is not None
        assert (teacher.passed, teacher.total) == (TEST, TEST)
        found = facts.measured(session, case.assessment.id)
        assert found.best_arm == "few_shot_nearest"
        assert found.arms is not None
        assert "stronger_model" in found.arms


def test_a_broken_other_model_costs_its_own_arms_only_and_resume_asks_it_again(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client, large: ModelRow
) -> None:
    def broken(body: dict[str, Any]) -> str | Raw:
        return Raw(b"{}", status=401) if body["model"] == "large" else graded_by_examples(body)

    server.reply = broken
    names = ("few_shot_nearest", f"stronger_model/{large.id}/zero_shot")
    claim = claim_of(engine, settings, queue, started(engine, queue, case, arms=names, consents=(large.id,)).id)

    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    assert baseline.concluded_at is not None
    assert standing.best(baseline) is not None
    theirs = next(arm for arm in baseline.arms if arm.family == "stronger_model")
    assert theirs.dev is not None
    assert (theirs.dev.n, theirs.dev.errors) == (0, DEV)
    with reading(engine) as session:
        row = session.query(AnswerRow).filter_by(arm_id=theirs.id).first()
        assert row is not None
        assert "does not accept the key" in str(row.error)

    finish_job(engine, claim)
    server.reply = graded_by_examples
    with writing(engine) as session:
        jobs.bind(session, queue)
        runs.resume(session, baseline.id, by=case.author)
    job.measure(claim_of(engine, settings, queue, baseline.id))
    theirs = next(arm for arm in baseline_of(engine, baseline.id).arms if arm.family == "stronger_model")
    assert theirs.test is not None
    assert theirs.test.passed == TEST


@pytest.mark.deep
def test_nearest_by_embedding_and_many_shot_are_asked_with_training_rows_alone(
    case: Case, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    """A real embedding model, in its process."""
    with writing(engine) as session:
        session.get_one(ModelRow, case.model.id).context_window = 1_700
    server.reply = lambda body: target(number_of(last_user(body)))
    known = Known(settings)
    names = ("few_shot_nearest/minilm", "many_shot")
    with writing(engine) as session:
        jobs.bind(session, queue)
        order = case.order(arms=names, dev_rows=20, test_rows=20)
        baseline_id = runs.start(session, case.assessment.id, order, by=case.author, known=known).id

    job.measure(claim_of(engine, settings, queue, baseline_id))

    by_name = {arm.name: arm for arm in baseline_of(engine, baseline_id).arms}
    nearest, many = by_name["few_shot_nearest/minilm"], by_name["many_shot"]
    assert len(nearest.settings["embedder"]["sha256"]) == 64, "which model it was is part of what is reviewed"
    assert nearest.dev is not None
    assert many.dev is not None
    assert (nearest.dev.n, many.dev.n) == (20, 20)
    shown = [sum(turn["role"] == "assistant" for turn in call.body["messages"]) for call in server.calls]
    assert set(shown) == {5, many.settings["k"]}
    assert many.settings["k"] >= 20
    for call in server.calls:
        examples = [turn["content"] for turn in call.body["messages"][1:-1] if turn["role"] == "user"]
        assert {number_of(text) for text in examples} <= set(range(1, 41))
