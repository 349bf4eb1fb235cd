"""The seven steps: what each says, and in which tone, for every state that the concepts below can be in."""

from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from app.assessments import store as assessments
from app.assessments.tables import AssessmentRow
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets.tables import DatasetRow
from app.db import reading, utcnow, writing
from app.gate.tables import DecisionRow, ReviewRow
from app.recipes.tables import RecipeRow
from app.standing import service
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from app.web.protocols import Step
from tests.support.factories import Make
from tests.support.installed import unguard
from tests.support.trained import approved_run

KEYS = ["describe", "data", "measure", "verdict", "plan", "review", "run"]


def steps(engine: Engine, assessment_id: int = 1) -> dict[str, Step]:
    with reading(engine) as session:
        return {step.slug: step for step in service.steps(session, assessments.get(session, assessment_id))}


def state_and_tone(engine: Engine, key: str) -> tuple[str, str]:
    """Word and tone of a step of the assessment 1."""
    step = steps(engine)[key]
    return step.state, step.tone


def changed(engine: Engine, table: type[Any], **values: Any) -> None:
    with writing(engine) as session:
        unguard(session, table.__tablename__)
        session.execute(update(table).values(**values))


def test_an_assessment_that_was_just_begun_has_seven_steps_and_nothing_done(engine: Engine, make: Make) -> None:
    other = make.assessment(make.user(name="Kim", email="kim@example.org"))
    with writing(engine) as session:
        session.get_one(AssessmentRow, other.id).answers = {}

    found = steps(engine, other.id)

    assert list(found) == KEYS
    assert {step.url for step in found.values()} == {f"/assessments/{other.id}/{key}" for key in KEYS}
    assert found["describe"].state == "0 of 24"
    assert {key for key in KEYS if found[key].state} == {"describe"}
    assert {key: step.locked for key, step in found.items() if step.locked} == {
        "measure": "needs a frozen split",
        "plan": "needs baselines",
        "review": "needs a verdict",
        "run": "needs an approval",
    }
    assert "pass" not in {step.tone for step in found.values()}
    assert not any(step.done for step in found.values())


def test_at_the_end_every_step_has_its_word(engine: Engine) -> None:
    assert {key: (step.state, step.tone) for key, step in steps(engine).items()} == {
        "describe": ("24 of 24", "pass"),
        "data": ("1,150 usable, frozen", "pass"),
        "measure": ("best prompt 68.2 %", ""),
        "verdict": ("Fine-tune: allowed", "pass"),
        "plan": ("config saved", ""),
        "review": ("launched", "pass"),
        "run": ("improved, short of target", "open"),
    }
    assert not any(step.locked for step in steps(engine).values())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"state": "checking"}, ("checking", "info")),
        ({"state": "rejected"}, ("rejected", "fail")),
        ({"state": "ready", "frozen_at": None}, ("1,150 usable", "")),
        ({"usable_rows": 0}, ("0 usable, frozen", "pass")),
    ],
)
def test_the_data_says_how_far_its_check_is(engine: Engine, values: dict[str, Any], expected: tuple[str, str]) -> None:
    changed(engine, DatasetRow, **values)

    assert state_and_tone(engine, "data") == expected


def test_a_measurement_without_a_best_prompt_says_that_it_failed(engine: Engine) -> None:
    changed(engine, ArmRow, dev=None)
    assert state_and_tone(engine, "measure") == ("failed", "fail")

    changed(engine, BaselineRow, archived_at=utcnow())
    assert state_and_tone(engine, "measure") == ("2 variants", ""), (
        "put aside for one without a result, it goes on to count"
    )


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"owner": None}, "unknown"),
        ({"goals": ["facts"], "main_goal": "facts"}, ""),
    ],
)
def test_the_verdict_tells_not_yet_from_not_at_all(engine: Engine, answers: dict[str, Any], expected: str) -> None:
    with writing(engine) as session:
        row = assessments.get(session, 1)
        row.answers = {**row.answers, **answers}

    word, tone = state_and_tone(engine, "verdict")

    assert tone == expected
    assert (word == "not yet") == (tone == "unknown")
    assert "_" not in word


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"state": "open"}, ("waiting", "info")),
        ({"state": "approved"}, ("approved", "pass")),
        ({"state": "changes_requested"}, ("changes requested", "fail")),
        ({"state": "withdrawn"}, ("", "")),
        ({"state": "superseded"}, ("", "")),
        ({"state": "consumed"}, ("launched", "pass")),
        ({"state": "open", "revision": 0}, ("outdated", "unknown")),
        ({"state": "approved", "revision": 0}, ("outdated", "unknown")),
        ({"state": "consumed", "revision": 0}, ("launched", "pass")),
    ],
)
def test_a_review_counts_for_what_it_was_asked_for(
    engine: Engine, values: dict[str, Any], expected: tuple[str, str]
) -> None:
    changed(engine, ReviewRow, **values)

    assert state_and_tone(engine, "review") == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("queued", ("queued", "info")),
        ("running", ("running", "info")),
        ("evaluating", ("evaluating", "info")),
        ("done", ("trained", "pass")),
        ("cancelled", ("cancelled", "fail")),
        ("failed", ("failed", "fail")),
        ("refused", ("refused", "fail")),
    ],
)
def test_a_run_says_its_state_until_it_has_a_result(engine: Engine, state: str, expected: tuple[str, str]) -> None:
    changed(engine, TrainingRow, state=state, result=None)

    step = steps(engine)["run"]

    assert (step.state, step.tone) == expected
    assert step.done == (state == "done")
    assert not step.locked


@pytest.mark.parametrize(
    ("review", "revision", "locked"),
    [
        ("approved", None, ""),
        ("approved", 0, "needs an approval"),
        ("open", None, "needs an approval"),
        ("consumed", None, "needs an approval"),
    ],
)
def test_without_a_run_an_approval_opens_the_last_step(
    engine: Engine, review: str, revision: int | None, locked: str
) -> None:
    with writing(engine) as session:
        session.execute(delete(TrainingRow))
    changed(engine, ReviewRow, state=review, **({} if revision is None else {"revision": revision}))

    step = steps(engine)["run"]

    assert (step.state, step.tone, step.locked) == ("", "", locked)


@pytest.mark.parametrize(
    ("recipe", "answers", "expected"),
    [
        ({"preflight": {"blockers": []}}, {}, ("preflight done", "pass", "")),
        ({"preflight": {"blockers": ["too big"]}}, {}, ("preflight blocked", "fail", "")),
        ({"preflight": None}, {}, ("config saved", "", "")),
        (None, {}, ("not saved", "", "")),
        (None, {"owner": None}, ("", "", "")),
        (None, {"goals": ["facts"], "main_goal": "facts"}, ("", "", "not needed")),
    ],
)
def test_a_training_plan_is_offered_where_there_is_something_to_plan(
    engine: Engine, recipe: dict[str, Any] | None, answers: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    with writing(engine) as session:
        row = assessments.get(session, 1)
        row.answers = {**row.answers, **answers}
        if recipe is None:
            session.execute(delete(RecipeRow))
        else:
            session.execute(update(RecipeRow).values(**recipe))

    step = steps(engine)["plan"]

    assert (step.state, step.tone, step.locked) == expected
    assert step.done == (step.tone == "pass")


@pytest.mark.parametrize(
    ("answers", "recipe", "locked"),
    [
        ({}, True, ""),
        ({}, False, "needs a training plan"),
        ({"owner": None}, True, "needs a verdict"),
        ({"goals": ["facts"], "main_goal": "facts"}, False, ""),
    ],
)
def test_a_first_review_needs_something_to_decide_on(
    engine: Engine, answers: dict[str, Any], recipe: bool, locked: str
) -> None:
    with writing(engine) as session:
        unguard(session, "reviews")
        unguard(session, "decisions")
        for table in (TrainingRow, DecisionRow, ReviewRow, *(() if recipe else (RecipeRow,))):
            session.execute(delete(table))
        row = assessments.get(session, 1)
        row.answers = {**row.answers, **answers}

    assert steps(engine)["review"].locked == locked


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"verdict": "improved"}, ("improved", "pass")),
        ({"verdict": "regressed"}, ("regressed", "fail")),
        ({"verdict": "inconclusive"}, ("inconclusive", "unknown")),
        ({"verdict": "not better"}, ("not better", "unknown")),
        (None, ("trained", "pass")),
    ],
)
def test_a_result_has_the_tone_of_its_verdict(
    engine: Engine, result: dict[str, Any] | None, expected: tuple[str, str]
) -> None:
    changed(engine, TrainingRow, result=result)

    assert state_and_tone(engine, "run") == expected


def test_the_newest_run_speaks(engine: Engine, make: Make) -> None:
    """A second approval and a second run, which did not get far: that there is a result already is the tick."""
    with writing(engine) as session:
        people = {name: session.scalars(select(UserRow).where(UserRow.name == name)).one() for name in ("Ada", "Rob")}
        approved_run(session, make, 1, people["Ada"], people["Rob"], state="failed")

    assert state_and_tone(engine, "run") == ("failed", "fail")
    assert steps(engine)["run"].done
