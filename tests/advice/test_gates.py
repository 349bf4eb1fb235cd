"""Each gate at its edges, and that what is unknown locks."""

import random
from typing import Any

import pytest

from app.advice.case import parse
from app.advice.facts import rows_to_settle, standing
from app.advice.gates.finding import Finding
from app.advice.policy_file import POLICY
from app.advice.schema import Result
from app.advice.sentences.gates import Gate
from app.advice.verdict import advise
from app.wording import Statement, state
from tests.support.golden import USUAL, case
from tests.support.states import STATES

Json = dict[str, Any]


def gate(name: str, data: Json) -> Gate:
    return next(found for found in advise(parse(data)).gates if found.id == name)


@pytest.mark.parametrize(("name", "answers", "measured", "state"), STATES)
def test_the_state_of_a_gate(name: str, answers: Json, measured: Json, state: str) -> None:
    assert gate(name, case(answers, measured)).state == state


WITHOUT = [*USUAL["measured"], "goals", "owner", "training_rights", "recurrence", "calls_per_month", "metric", "target"]
HARMLESS = {
    "uploaded_examples",
    "agreement_kappa",
    "contradiction_rate",
    "teacher",
    "winning_prompt_tokens",
    "cost_case",
}
BACKED_UP = {"oracle_gain", "rows_carry_context"}  # no outside facts are needed, people said


@pytest.mark.parametrize("key", [key for key in WITHOUT if key not in HARMLESS | BACKED_UP])
def test_what_is_not_known_locks(key: str) -> None:
    assert advise(parse(case())).training == "ready"
    drop = (key, "main_goal") if key == "goals" else (key,)

    assert advise(parse(case(drop=drop))).training == "locked"


def test_how_a_value_is_known_is_said() -> None:
    hows = {found.id: found.how for found in advise(parse(case())).gates}

    assert {name for name, how in hows.items() if how == "declared"} == {"G3", "G4", "G10", "G11"}


def finding(name: str, data: Json) -> Finding:
    return advise(parse(data)).findings[name]


def test_a_finding_counts_what_is_missing() -> None:
    found = finding("G1", case(measured={"uploaded_examples": 1200, "usable_examples": 720}))

    assert found.observed == (state("usable", usable=720, uploaded=1200),)
    assert found.actions == (state("short", missing=280),)


def test_a_gate_is_said_in_four_lines() -> None:
    found = gate("G1", case(measured={"uploaded_examples": 1200, "usable_examples": 720}))

    assert found.measured == "720 usable examples of 1,200 uploaded, test rows not counted."
    assert "About 280 more examples" in found.change
    assert "Best so far: instructions with the nearest examples, 74.0 %." in found.meanwhile


@pytest.mark.parametrize(
    ("name", "measured", "observed", "change"),
    [
        ("G1", {"usable_examples": 999}, "999 usable examples", "About 1 more example that differs"),
        ("G4", {"test_rows": 199}, "199 test rows", "Add 1 test row."),
        ("G4", {"test_overlap_rows": 1}, "1 overlapping", "Remove the 1 test row that also occurs"),
        ("G5", {"baseline": {"arms": ["few_shot_nearest"]}}, "1 arm run, one round", "Run"),
        ("G9", {"failure_causes": {"behaviour": 1}, "failures": 1}, "1 failure tagged.", "failed on 1 dev row only"),
    ],
)
def test_one_is_said_in_the_singular(name: str, measured: Json, observed: str, change: str) -> None:
    found = gate(name, case(measured=measured))

    assert observed in found.measured
    assert change in found.change


@pytest.mark.parametrize(
    ("failures", "action"), [(29, state("few_failed", failed=29)), (30, state("few")), (None, state("few"))]
)
def test_nobody_is_asked_to_read_more_failures_than_there_are(failures: int | None, action: Statement) -> None:
    found = finding("G9", case({}, {"failure_causes": {"behaviour": 3}, "failures": failures}))

    assert found.actions == (action,)


def test_an_unclear_result_says_how_many_rows_would_settle_it() -> None:
    found = finding("G6", case({"target": 0.85}, {"baseline": {"passed": 48, "total": 60}}))
    best, unclear = found.observed

    assert best.values["score"] == pytest.approx((0.8, 0.682, 0.882, 60), abs=1e-3)
    assert unclear == state("unclear")
    assert found.actions == (state("unclear_by", rows=800),)


def test_the_number_of_rows_that_settles_it_does_so_with_the_chance_that_is_said() -> None:
    """Futures drawn one by one: a true rate from what 60 rows leave possible, then that many further rows."""
    policy, chance = POLICY, random.Random(3)
    settled = rows_to_settle(Result(passed=48, total=60), 0.85, policy)
    assert settled is not None
    assert settled.chance >= 0.8
    tries, clear = 1000, 0
    for _ in range(tries):
        rate = chance.betavariate(48.5, 12.5)
        right = 48 + sum(chance.random() < rate for _ in range(settled.rows - 60))
        clear += standing(Result(passed=right, total=settled.rows), 0.85, policy) != "unclear"
    assert clear / tries == pytest.approx(settled.chance, abs=0.04)
    assert rows_to_settle(Result(passed=5100, total=6000), 0.85, policy) is None, "nobody measures that many rows"


def test_the_message_order_is_by_cost_for_the_user() -> None:
    advice = advise(parse({}))

    assert [blocker.id for blocker in advice.blockers][:3] == ["G7", "G5", "G6"]
