"""What people chose about a version: typed in the program, JSON in the database, old forms read in one place each."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.datasets import store
from app.datasets.reading.read_as import GUESS, ReadAs
from app.datasets.split_plan import DroppedTestFile, SplitPlan
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.privacy.decisions import (
    ACTIONS,
    KEEP_AS_IS,
    MASK,
    Decision,
    actions,
    decisions_from_json,
    decisions_to_json,
    kinds_with,
)
from tests.support.examples import Upload, pairs

WORDS = st.text(max_size=5)
READ_AS = st.builds(ReadAs, *[WORDS] * 7, st.booleans(), WORDS)
PLANS = st.builds(
    SplitPlan,
    by=WORDS,
    fresh=st.booleans(),
    shared=st.sampled_from(["", "in", "out"]),
    test_kept=st.none() | st.integers(1, 9),
    test_read_as=st.none() | READ_AS,
    test_dropped=st.none() | st.builds(DroppedTestFile, WORDS, st.integers(1, 9)),
)
DECISIONS = st.dictionaries(
    WORDS,
    st.builds(Decision, st.sampled_from(ACTIONS), WORDS, st.integers(1, 9), WORDS, st.none() | st.integers(1, 9)),
)


@given(READ_AS, PLANS, DECISIONS)
def test_what_was_chosen_comes_back_as_it_was(how: ReadAs, plan: SplitPlan, decisions: dict[str, Decision]) -> None:
    stored = json.loads(json.dumps([how.to_json(), plan.to_json(), decisions_to_json(decisions)]))

    assert ReadAs.from_json(stored[0]) == how
    assert SplitPlan.from_json(stored[1]) == plan
    assert decisions_from_json(stored[2]) == decisions


@pytest.mark.parametrize(
    ("stored", "plan"),
    [
        ({}, SplitPlan()),
        ({"by": "time", "fresh": True}, SplitPlan(by="time", fresh=True)),
        ({"shared": "out", "test_kept": 3, "test_read_as": {}}, SplitPlan("", False, "out", 3, GUESS)),
        ({"test_dropped": {"file": "t", "version": 2}}, SplitPlan(test_dropped=DroppedTestFile("t", 2))),
    ],
)
def test_a_plan_is_stored_as_it_always_was(stored: dict[str, Any], plan: SplitPlan) -> None:
    assert SplitPlan.from_json(stored) == plan
    assert plan.to_json() == stored


def test_rows_that_an_earlier_version_wrote_are_read(checked: Upload, engine: Engine) -> None:
    row = checked(pairs(20))
    old = {
        "decisions": {"card number": {"action": "mask", "reason": "", "by": 1, "at": "2025-01-01T00:00:00+00:00"}},
        "split_plan": {"by": "column"},
        "read_as": {"shape": "columns", "question": "q", "answer": "a"},
    }
    with writing(engine) as session:
        for name, value in old.items():
            query = text(f"update datasets set {name} = :value where id = :id")  # noqa: S608 - our own words
            session.execute(query, {"value": json.dumps(value), "id": row.id})

    with reading(engine) as session:
        read: DatasetRow = store.get(session, row.id)

    assert read.decisions == {"card number": Decision(MASK, "", 1, "2025-01-01T00:00:00+00:00")}
    assert read.split_plan == SplitPlan(by="column")
    assert read.read_as == ReadAs("columns", "q", "a")


def test_a_new_decision_reaches_the_database(checked: Upload, engine: Engine) -> None:
    """A frozen value in its column: what replaces it is written, and stands there as the JSON it always was."""
    row = checked(pairs(20))
    made = Decision(KEEP_AS_IS, "made up", 1, "2025-01-01T00:00:00+00:00", 1)
    with writing(engine) as session:
        store.get(session, row.id).decisions = {"phone number": made}

    with reading(engine) as session:
        stored = session.execute(text("select decisions from datasets where id = :id"), {"id": row.id}).scalar_one()
        read = store.get(session, row.id).decisions

    assert json.loads(stored) == {
        "phone number": {
            "action": "attest",
            "reason": "made up",
            "by": 1,
            "at": "2025-01-01T00:00:00+00:00",
            "version": 1,
        }
    }
    assert (actions(read), kinds_with(KEEP_AS_IS, read)) == ({"phone number": "attest"}, frozenset({"phone number"}))
