"""A finished result is fixed and kept, whatever is tried on the same measurement afterwards."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select

from app.baselines import runs, standing
from app.baselines import store as baseline_store
from app.baselines.arms import ArmResult
from app.baselines.tables import AnswerRow, ArmRow
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.evaluation.kept_result import KeptResult
from app.evaluation.statistics import GRADED, mean_interval
from app.json_types import JsonObject
from app.results import card, evaluation_file, job
from app.results import service as results
from app.training import store as trainings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.gated import Gated, gated_installation, settings

__all__ = ["gated_installation", "settings"]

RIGHT = 190  # of 220 test rows: what the adapter gets right


@pytest.fixture
def done(make: Make, people: Callable[[UserRow], TestClient], engine: Engine) -> Gated:
    """A run that is over: the adapter answered the test rows, and was compared."""
    gated = Gated(make, people, engine)
    gated.approved()
    assert gated.launch().status_code == 201
    with writing(engine) as session:
        run = trainings.of_assessment(session, gated.id)[0]
        arm = runs.add_adapter_arm(session, run.baseline_id, training_id=run.id, title="Adapter", instructions="x")
        run.arm_id = arm.id
        answer(session, arm, RIGHT)
        job.conclude(session, run)
        trainings.close(session, run.id, "done")
    return gated


def answer(session: Any, arm: ArmRow, right: int) -> None:
    """Have an arm answer every test row, the first ones right."""
    rows = session.scalars(select(ExampleRow.id).where(ExampleRow.split == "test").order_by(ExampleRow.id)).all()
    scores = [float(number < right) for number in range(len(rows))]
    session.execute(
        insert(AnswerRow),
        [
            {"arm_id": arm.id, "split": "test", "example_id": row, "status": "ok", "output": "?", "score": score,
             "created_at": utcnow()}
            for row, score in zip(rows, scores, strict=True)
        ],
    )  # fmt: skip
    interval = mean_interval(scores, binary=True, seed=7)
    score, low, high = right / len(rows), interval.low, interval.high
    arm.test = ArmResult(score=score, low=low, high=high, n=len(rows), errors=0, passed=right)


def everything_on(gated: Gated) -> tuple[Any, str, JsonObject]:
    """What page, API, card and bundle say."""
    with reading(gated.engine) as session:
        run = trainings.of_assessment(session, gated.id)[0]
        found = results.outcome(session, run.id)
        facts = results.facts(session, found)
        return results.summary(found), card.card(facts), evaluation_file.evaluation(facts)


def test_a_revision_that_is_running_takes_nothing_back(done: Gated) -> None:
    before = everything_on(done)
    assert before[0]["compared_with"] == "few_shot_nearest"
    with reading(done.engine) as session:
        baseline = baseline_store.current(session, done.id)
    assert baseline is not None

    answered = done.post(f"/api/v1/baselines/{baseline.id}/revisions", json={"instructions": "Better."})

    assert answered.status_code == 202, answered.text
    assert everything_on(done) == before


def test_intervals_of_another_day_keep_their_numbers(done: Gated) -> None:
    """Graded scores: a result that was stored before intervals were worked out as they are today is told as it was."""
    with writing(done.engine) as session:
        run = trainings.of_assessment(session, done.id)[0]
        baseline_store.get(session, run.baseline_id).metric = "chrf"
        kept: KeptResult = run.result or {}
        stored: KeptResult = {**kept, "verdict": "improved", "words": "As on the day.", "low": 0.011, "high": 0.222}
        run.result = stored

    with reading(done.engine) as session:
        found = results.outcome(session, run.id).compared

    assert found is not None
    assert (found.verdict, found.words, found.low, found.high) == ("improved", "As on the day.", 0.011, 0.222)
    with writing(done.engine) as session:
        trainings.get(session, run.id).result = {**stored, "graded": GRADED}
    with reading(done.engine) as session:
        assert results.outcome(session, run.id).compared != found


def test_a_revision_that_leads_changes_no_result(done: Gated) -> None:
    before = everything_on(done)
    with writing(done.engine) as session:
        baseline = baseline_store.current(session, done.id)
        assert baseline is not None
        arm = ArmRow(family="revised_prompt", name="revised_prompt/2", title="Revised", settings={"instructions": "B"})
        baseline.arms.append(arm)
        session.flush()
        first = baseline.arms[0].dev
        assert first is not None
        arm.dev = replace(first, score=0.99)
        answer(session, arm, 215)

    with reading(done.engine) as session:
        baseline = baseline_store.current(session, done.id)
        assert baseline is not None
        leading = standing.best(baseline)
    assert leading is not None
    assert leading.name == "revised_prompt/2"
    assert everything_on(done) == before


def test_what_is_kept_is_what_is_told(done: Gated) -> None:
    with reading(done.engine) as session:
        run = trainings.of_assessment(session, done.id)[0]
    assert run.result == everything_on(done)[0]


def test_answers_that_an_adapter_was_judged_by_are_not_asked_again(done: Gated) -> None:
    with writing(done.engine) as session:
        baseline = baseline_store.current(session, done.id)
        assert baseline is not None
        arm = next(arm for arm in baseline.arms if arm.name == "few_shot_nearest")
        assert arm.test is not None
        arm.test = replace(arm.test, errors=1)

    answered = done.post(f"/api/v1/baselines/{baseline.id}/go-on")

    assert answered.status_code == 409
    assert "An adapter was evaluated against these answers" in answered.text
