"""The way in: what is refused, in which words, and what counts as unknown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice.case import NotACase, parse
from app.advice.schema import ANSWER_KEYS, MEASURED_KEYS, NOBODY
from app.advice.verdict import advise
from tests.support.golden import USUAL, case


def faults(data: object) -> list[str]:
    with pytest.raises(NotACase) as caught:
        parse(data)
    return caught.value.faults


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "The case must be an object, not a list."),
        (None, "The case must be an object, not null."),
        ({"answer": {}}, "There is no key answer; known are answers, measured."),
        ({"answers": []}, "answers must be an object, not a list."),
        ({"answers": {"gaols": ["style"]}}, "There is no key answers.gaols;"),
        ({"answers": {"goals": "style"}}, 'answers.goals must be a list, not "style".'),
        ({"answers": {"goals": ["speed"]}}, "An entry of answers.goals must be one of facts,"),
        ({"answers": {"goals": ["style"], "main_goal": "facts"}}, "which is not among answers.goals."),
        ({"answers": {"fact_change": "often"}}, "answers.fact_change must be one of none, yearly,"),
        ({"answers": {"recurrence": 3}}, "answers.recurrence must be one of once, months, ongoing, not 3."),
        ({"answers": {"recurrence": ["once"]}}, "answers.recurrence must be one of"),
        ({"answers": {"calls_per_month": -1}}, "answers.calls_per_month must be a whole number from 0"),
        ({"answers": {"calls_per_month": 1.5}}, "answers.calls_per_month must be a whole number from 0"),
        ({"answers": {"calls_per_month": True}}, "answers.calls_per_month must be a whole number from 0"),
        ({"answers": {"calls_per_month": "many"}}, 'not "many".'),
        ({"answers": {"calls_per_month": 10**400}}, "answers.calls_per_month must be a whole number from 0"),
        ({"answers": {"calls_per_month": float("inf")}}, "answers.calls_per_month must be a whole number from 0"),
        ({"answers": {"context_window": 0}}, "answers.context_window must be a whole number from 1"),
        ({"answers": {"target": 90}}, "answers.target must be a number from 0 to 1, not 90."),
        ({"answers": {"target": float("nan")}}, "answers.target must be a number from 0 to 1, not nan."),
        ({"answers": {"target": False}}, "answers.target must be a number from 0 to 1, not false."),
        ({"answers": {"owner": 7}}, "answers.owner must be one line of at most 200 characters, not 7."),
        ({"answers": {"owner": "x" * 201}}, "answers.owner must be one line of at most 200 characters"),
        ({"answers": {"owner": "two\nlines"}}, "answers.owner must be one line of at most 200 characters"),
        ({"measured": {"usable": 3}}, "There is no key measured.usable;"),
        ({"measured": {"usable_examples": "unknown"}}, "measured.usable_examples must be a whole number"),
        ({"measured": {"test_human_checked": 1}}, "measured.test_human_checked must be true or false, not 1."),
        ({"measured": {"contradiction_rate": 1.2}}, "measured.contradiction_rate must be a number from 0 to 1"),
        ({"measured": {"agreement_kappa": -2}}, "measured.agreement_kappa must be a number from -1 to 1"),
        ({"measured": {"cost_case": "good"}}, "measured.cost_case must be one of pass, fail, not_goal"),
        ({"measured": {"failure_causes": {"luck": 3}}}, "There is no key measured.failure_causes.luck;"),
        ({"measured": {"failure_causes": {"facts": -3}}}, "measured.failure_causes.facts must be a whole number"),
        ({"measured": {"baseline": {"arms": ["two_shot"]}}}, "An entry of measured.baseline.arms must be one of"),
        ({"measured": {"baseline": {"passed": 5, "total": 4}}}, "measured.baseline.passed is 5, more than"),
        (
            {"measured": {"baseline": {"passed": 5}}},
            "measured.baseline.passed and measured.baseline.total go together.",
        ),
        ({"measured": {"baseline": {"score": 0.5}}}, "measured.baseline.score, measured.baseline.low and"),
        ({"measured": {"baseline": {"score": 0.5, "low": 0.6, "high": 0.7}}}, "must lie between"),
        (
            {"measured": {"teacher": {"passed": 1, "total": 2, "score": 0.5, "low": 0.1, "high": 0.9}}},
            "measured.teacher gives passed and total or score, low and high, not both.",
        ),
    ],
)
def test_a_fault_is_named(data: object, sentence: str) -> None:
    found = faults(data)

    assert len(found) == 1
    assert sentence in found[0]


def test_all_faults_are_named_at_once() -> None:
    found = faults({"answers": {"target": 2, "calls_per_month": -1}, "measured": {"nonsense": 1}})

    assert len(found) == 3


@pytest.mark.parametrize("nothing", [{}, {"answers": {}}, {"answers": {}, "measured": {}}, {"answers": None}])
def test_an_empty_case_is_a_case(nothing: dict[str, Any]) -> None:
    assert parse(nothing) == parse({})


def test_unknown_null_and_missing_are_the_same_but_for_the_owner() -> None:
    keys = [key for key in USUAL["answers"] if key != "owner"]

    assert parse({"answers": dict.fromkeys(keys, "unknown")}) == parse({})
    assert parse({"answers": dict.fromkeys(keys)}) == parse({})
    assert parse({"answers": {"owner": "unknown"}}) == parse({})
    assert parse({"answers": {"owner": None}}).answers.owner == NOBODY
    assert parse({"answers": {"owner": "  "}}).answers.owner == NOBODY


def test_hourly_counts_as_daily() -> None:
    assert parse({"answers": {"fact_change": "hourly"}}).answers.fact_change == "daily"


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert parse({"answers": {"calls_per_month": 5000.0}}).answers.calls_per_month == 5000


def test_a_main_goal_alone_is_a_goal() -> None:
    assert parse({"answers": {"main_goal": "style"}}).answers.goals == ("style",)


def test_values_that_disagree_across_questions_are_not_faults() -> None:
    parsed = parse(case({"examples_declared": 5000}, {"usable_examples": 9000, "uploaded_examples": 10}))

    assert parsed.answers.examples_declared == 5000
    assert (parsed.measured.usable_examples, parsed.measured.uploaded_examples) == (9000, 10)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["unknown", "style"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from([*ANSWER_KEYS, *MEASURED_KEYS, "arms", "passed", "total", "score", "low", "high", "behaviour"])


@given(
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "answers": st.dictionaries(KEYS, JSON, max_size=5),
            "measured": st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=5), max_size=5),
        },
    )
)
def test_anything_is_a_case_or_is_refused(data: Any) -> None:
    found = []
    try:
        advise(parse(data))
    except NotACase as refusal:
        found = refusal.faults or ["a refusal without a reason"]

    assert all(fault.endswith((".", "…")) for fault in found)


def test_the_best_arm_was_run() -> None:
    baseline = parse({"measured": {"baseline": {"arms": ["rag"], "best_arm": "schema"}}}).measured.baseline

    assert baseline is not None
    assert baseline.arms == ("rag", "schema")


def test_a_hair_of_rounding_is_no_fault() -> None:
    third, above = 1 / 3, 1 / 3 + 1e-16
    graded = parse({"measured": {"teacher": {"score": third, "low": above, "high": 1 + 1e-12}}}).measured.teacher

    assert graded is not None
    assert graded.high == 1
