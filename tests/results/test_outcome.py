"""The adapter against the best prompt: which rows count, which changed, and what is kept of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.errors import NotFound
from app.privacy.decisions import Decision
from app.privacy.kinds import EMAIL
from app.results import service, store
from app.results.service import Outcome
from app.training.tables import TrainingRow

BEST, ADAPTER = "few_shot_nearest", "adapter/1"


def outcome(engine: Engine) -> Outcome:
    with reading(engine) as session:
        return service.outcome(session, 1)


def rows_of(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return list(session.scalars(select(ExampleRow.id).where(ExampleRow.split == "test").order_by(ExampleRow.id)))


def answered(session: Session, arm: str, rows: list[int], **values: Any) -> None:
    """Change an arm's answers to these rows."""
    arm_id = select(ArmRow.id).where(ArmRow.name == arm).scalar_subquery()
    session.execute(
        update(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.example_id.in_(rows)).values(**values)
    )


def test_each_row_is_compared_with_itself(engine: Engine) -> None:
    rows = rows_of(engine)

    found = outcome(engine)

    assert found.best is not None
    assert found.compared is not None
    assert found.best.name == BEST
    assert (found.compared.rows, found.left_out) == (220, 0)
    assert (found.compared.before, found.compared.after) == (150 / 220, 190 / 220)
    assert found.compared.delta == pytest.approx(40 / 220)
    assert found.compared.broken == tuple(rows[140:150])
    assert found.compared.fixed == tuple(rows[150:200])
    assert found.compared.verdict == "improved"


def test_a_row_that_one_of_them_could_not_answer_is_no_evidence(engine: Engine) -> None:
    rows = rows_of(engine)
    with writing(engine) as session:
        answered(session, ADAPTER, rows[148:152], status="error", score=None)  # two that it broke, two that it fixed
        answered(session, BEST, [rows[0], rows[199]], status="error", score=None)

    found = outcome(engine)

    assert found.compared is not None
    assert (found.compared.rows, found.left_out) == (214, 6)
    assert found.compared.broken == tuple(rows[140:148])
    assert found.compared.fixed == tuple(rows[152:199])


def test_answers_on_other_rows_and_of_other_arms_do_not_count(engine: Engine) -> None:
    with writing(engine) as session:
        for name, row in ((ADAPTER, 1051), ("zero_shot", rows_of(engine)[0])):  # the best arm has dev answers already
            arm = session.scalars(select(ArmRow.id).where(ArmRow.name == name)).one()
            split = "dev" if row == 1051 else "test"
            session.add(AnswerRow(arm_id=arm, split=split, example_id=row, status="ok", score=0.0, created_at=utcnow()))

    found = outcome(engine)

    assert found.compared is not None
    assert found.compared.rows == 220
    assert found.compared.delta == pytest.approx(40 / 220)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (TrainingRow, {"arm_id": None}),
        (AnswerRow, {"status": "error", "score": None}),
    ],
    ids=["no adapter arm", "no answer at all"],
)
def test_where_nothing_can_be_compared_nothing_is_claimed(
    engine: Engine, table: type[TrainingRow], values: dict[str, Any]
) -> None:
    with writing(engine) as session:
        session.execute(update(table).values(**values))

    with reading(engine) as session:
        found = service.outcome(session, 1)
        assert found.compared is None
        assert service.summary(found) is None
        assert list(service.changed(session, found, "fixed", 0, 10)) == []


@pytest.mark.parametrize(("target", "reaches"), [(190 / 220, True), (0.8637, False), (None, None)])
def test_the_target_is_reached_at_its_very_value(engine: Engine, target: float | None, reaches: bool | None) -> None:
    with writing(engine) as session:
        session.execute(update(BaselineRow).values(target=target))

    assert outcome(engine).reaches_target is reaches


def test_there_is_no_outcome_of_a_run_that_is_not_there(engine: Engine) -> None:
    with reading(engine) as session, pytest.raises(NotFound):
        service.outcome(session, 99)


def test_what_is_kept_with_the_run_is_what_the_answers_say(engine: Engine) -> None:
    found = outcome(engine)

    kept = found.training.result

    assert kept == service.summary(found) == json.loads(json.dumps(kept))
    assert kept is not None
    assert (kept["fixed"], kept["broken"], kept["rows"], kept["left_out"]) == (50, 10, 220, 0)
    assert (kept["compared_with"], kept["reaches_target"]) == (BEST, False)
    assert kept["low"] < kept["delta"] < kept["high"]


@pytest.mark.parametrize(
    ("which", "first", "number", "expected"),
    [
        ("fixed", 0, 10, slice(150, 160)),
        ("fixed", 45, 10, slice(195, 200)),
        ("fixed", 50, 10, slice(0, 0)),
        ("broken", 0, 4, slice(140, 144)),
        ("broken", 8, 4, slice(148, 150)),
    ],
)
def test_changed_rows_come_a_page_at_a_time(
    engine: Engine, which: str, first: int, number: int, expected: slice
) -> None:
    rows = rows_of(engine)

    with reading(engine) as session:
        shown = service.changed(session, service.outcome(session, 1), which, first, number)

    assert [one.id for one in shown] == rows[expected]
    right = "after_score" if which == "fixed" else "before_score"
    assert all(getattr(one, right) == 1.0 for one in shown)
    assert all((one.after if which == "fixed" else one.before) == one.target for one in shown)


def test_rows_are_given_in_the_order_that_was_asked_for(engine: Engine) -> None:
    rows = rows_of(engine)
    found = outcome(engine)
    assert found.best is not None
    assert found.adapter is not None

    with reading(engine) as session:
        shown = store.examples(session, found.best.id, found.adapter.id, [rows[7], rows[3], 1, rows[5]])

    assert [one.id for one in shown] == [rows[7], rows[3], rows[5]]


@pytest.mark.parametrize("decided", [False, True])
def test_what_nobody_has_decided_on_is_hidden_in_rows_and_answers(engine: Engine, decided: bool) -> None:
    """A row's own value, and the same value said by the models."""
    row = rows_of(engine)[150]
    value = "dana@example.org"
    with writing(engine) as session:
        dataset = session.scalars(select(DatasetRow)).one()
        dataset.report_json = {**dataset.report_json, "identifiers": {"kinds": [{"kind": EMAIL, "rows": 1}]}}
        dataset.decisions = {EMAIL: Decision("attest")} if decided else {}
        session.execute(
            update(ExampleRow)
            .where(ExampleRow.id == row)
            .values(messages=[{"role": "user", "content": f"Write to {value}"}], target=f"Dear {value}")
        )
        for arm in (BEST, ADAPTER):
            answered(session, arm, [row], output=f"Hello {value}")

    with reading(engine) as session:
        [shown] = service.changed(session, service.outcome(session, 1), "fixed", 0, 1)

    said = (shown.messages[0]["content"], shown.target, shown.before, shown.after)
    assert [value in text for text in said] == [decided] * 4


def test_the_facts_are_those_that_were_approved(engine: Engine) -> None:
    """Instructions, rows and digests come from the frozen subject, whatever the assessment says by now."""
    with writing(engine) as session:
        session.execute(update(BaselineRow).values(instructions="Changed afterwards"))
        session.execute(update(DatasetRow).values(train_rows=1, rows_sha256="f" * 64))
        session.execute(update(TrainingRow).values(finished_at=datetime(2026, 3, 1, tzinfo=UTC)))

    with reading(engine) as session:
        found = service.outcome(session, 1)
        facts = service.facts(session, found)

    assert (facts.instructions, facts.train_rows) == ("Write the comment.", 1050)
    assert facts.data_sha256 != "f" * 64
    assert facts.digest == found.training.digest
    assert facts.made_on == "2026-03-01"
    assert [arm.name for arm in facts.arms] == [BEST]
    assert facts.adapter is not None
    assert (facts.adapter.rows, facts.adapter.errors) == (220, 0)
    assert facts.adapter.score == pytest.approx(190 / 220)
