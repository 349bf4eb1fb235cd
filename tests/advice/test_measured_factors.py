"""Three answers that an arm can tell better than people: coverage, whether a checker helps, a weak model."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.policy_file import POLICY
from app.advice.scoring import checker, coverage, language
from app.advice.verdict import Advice, advise
from tests.support.golden import case

Json = dict[str, Any]


def advised(answers: Json, measured: Json) -> Advice:
    data = case(answers)
    data["measured"] |= measured
    return advise(parse(data))


def reading(advice: Advice, factor: str) -> tuple[str, bool]:
    reason = next(reason for reason in advice.reasons if reason.factor == factor)
    return reason.answer, reason.measured


@pytest.mark.parametrize(
    ("share", "failures", "answer"),
    [(0.5, 30, "most"), (0.49, 30, "partly"), (0.1, 30, "partly"), (0.09, 30, "no"), (0.9, 29, None)],
)
def test_what_a_schema_prevented(share: float, failures: int, answer: str | None) -> None:
    data = case({"checker_helps": "partly"})
    data["measured"] |= {"checker_share": share, "checker_failures": failures}
    assert checker(parse(data), POLICY) == ((answer, True) if answer else ("partly", False))


def test_measured_beats_declared_and_the_difference_is_named() -> None:
    advice = advised({"checker_helps": "most"}, {"checker_share": 0.02, "checker_failures": 60})

    assert reading(advice, "F22") == ("no", True)
    said = next(one for one in advice.disagreements if one.key == "checker_helps")
    assert (said.declared, said.measured) == ("most wrong answers", "2 % prevented")
    assert "a schema prevents 2 % of the failures, which is no wrong answers" in said.text
    assert advice.technique != "schema"


ARMS: Json = {"zero_shot": {"passed": 50, "total": 100}, "few_shot_nearest": {"passed": 60, "total": 100}}


@pytest.mark.parametrize(
    ("passed", "total", "answer"),
    [
        (85, 100, ("weak", True)),
        (69, 100, ("fine", False)),  # too close to tell: the answer that people gave stays
        (600, 1000, ("fine", False)),
        (55, 100, ("fine", True)),
    ],
)
def test_a_stronger_model_on_the_same_rows(passed: int, total: int, answer: tuple[str, bool]) -> None:
    data = case({"language_fit": "fine"})
    data["measured"]["arms"] = ARMS | {"stronger_model": {"passed": passed, "total": total}}
    assert language(parse(data), POLICY) == answer


def test_a_stronger_model_that_is_no_better_says_that_this_one_is_not_weak() -> None:
    advice = advised(
        {"language_fit": "weak"},
        {
            "arms": {
                "few_shot_nearest": {"passed": 600, "total": 1000},
                "stronger_model": {"passed": 610, "total": 1000},
            }
        },
    )
    assert reading(advice, "F24") == ("fine", True)
    assert "not better by much" in next(one for one in advice.disagreements if one.key == "language_fit").text


def test_the_oracle_is_no_prompt_that_a_stronger_model_has_to_beat() -> None:
    data = case({})
    data["measured"]["arms"] = ARMS | {
        "oracle": {"passed": 99, "total": 100},
        "small_classifier": {"passed": 99, "total": 100},
        "stronger_model": {"passed": 85, "total": 100},
    }
    assert language(parse(data), POLICY) == ("weak", True)


def test_own_test_rows_say_when_the_examples_are_not_like_them() -> None:
    data = case({"coverage": "broad"})
    arms = {"few_shot_nearest": {"passed": 95, "total": 100}}
    data["measured"] |= {"arms": arms}  # 74 % of 400 on the test rows
    assert coverage(parse(data), POLICY) == ("broad", False)  # drawn from the same rows: it proves nothing

    data["measured"] |= {"own_test_rows": True}
    assert coverage(parse(data), POLICY) == ("skewed", True)
    assert any(one.key == "coverage" for one in advise(parse(data)).disagreements)

    data["measured"] |= {"arms": {"few_shot_nearest": {"passed": 78, "total": 100}}, "untaught_rows": 3}
    assert coverage(parse(data), POLICY) == ("gaps", True)
    data["measured"] |= {"untaught_rows": 0}
    assert coverage(parse(data), POLICY) == ("broad", False)
