"""None of these: what would do without a larger prompt, an index or a training, measured or worth a try."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.verdict import Advice, advise
from app.advice.what_if.alternatives import Alternative
from tests.support.golden import GOLDEN, case

Json = dict[str, Any]
SORTING = {"goals": ["classify"], "main_goal": "classify"}
CHEAPER = {"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 5_000_000}


def advice(answers: Json, measured: Json | None = None) -> Advice:
    return advise(parse(case(answers, measured)))


def instead(answers: Json, measured: Json | None = None) -> dict[str, Alternative]:
    return {found.technique: found for found in advice(answers, measured).alternatives}


def test_a_small_classifier_that_meets_the_target_is_the_advice() -> None:
    found = advice(SORTING, {"arms": {"small_classifier": {"passed": 372, "total": 400, "prompt_tokens": 0}}})

    assert (found.approach, found.technique, found.training) == ("prompt", "small_classifier", "locked")
    assert found.leaning is None
    assert [gate.id for gate in found.blockers] == ["G6"]
    assert "a small classifier reaches 93.0 % (90.1-95.1 %) on 400 rows" in found.blockers[0].measured
    assert found.alternatives[0].measured
    assert found.alternatives[0].text.startswith(
        "Small classifier (no LLM) reaches 93.0 % (90.1-95.1 %) on 400 rows; the target is"
    )


def test_one_that_falls_short_is_neither_advice_nor_named_again() -> None:
    found = advice(SORTING, {"arms": {"small_classifier": {"passed": 300, "total": 400}}})

    assert (found.approach, found.training) == ("fine_tune", "ready")
    assert found.alternatives == []


def test_a_metric_that_a_copied_answer_meets_says_little() -> None:
    found = advice({}, {"arms": {"trivial": {"passed": 400, "total": 400}}})

    assert (found.technique, found.training) == ("trivial", "locked")
    assert "the metric can't tell a good answer from a copied one" in found.alternatives[0].text


@pytest.mark.parametrize(
    ("answers", "measured", "techniques"),
    [
        (SORTING, {}, ["small_classifier"]),
        (SORTING, {"usable_examples": 199}, []),
        ({}, {"signals": {"output_kind": "label", "distinct_answers": 12}}, ["small_classifier"]),
        ({}, {"signals": {"output_kind": "label", "distinct_answers": 400}}, []),
        ({"goals": ["format"], "main_goal": "format", "checker_helps": "most"}, {}, ["schema"]),
        ({"goals": ["format"], "main_goal": "format"}, {"signals": {"output_kind": "json", "schema_share": 0.97}},
         ["schema"]),
        ({"goals": ["format"], "main_goal": "format"}, {"signals": {"output_kind": "prose", "schema_share": 0.97}}, []),
        ({"recurrence": "once"}, {}, ["batch_tier"]),
        ({"recurrence": "once", "latency": "tight"}, {}, []),
        (CHEAPER, {"cost_case": "fail"}, ["batch_tier", "smaller_model"]),
        (CHEAPER, {"cost_case": "pass"}, []),
        ({}, {"winning_prompt_tokens": 6000}, ["prompt_caching"]),
        ({}, {"winning_prompt_tokens": 4000}, []),
        ({}, {}, []),
    ],
)  # fmt: skip
def test_what_the_answers_speak_for_is_named(answers: Json, measured: Json, techniques: list[str]) -> None:
    found = instead(answers, measured)

    assert list(found) == techniques
    assert not any(one.measured for one in found.values())


def test_a_schema_that_meets_the_target_was_measured() -> None:
    baseline = {"arms": ["zero_shot", "schema"], "best_arm": "schema", "passed": 390}

    assert instead({"checker_helps": "most"}, {"baseline": baseline})["schema"].measured


def test_an_arm_of_half_the_length_that_does_it_too_is_named() -> None:
    arms = {
        "zero_shot": {"passed": 340, "total": 400, "prompt_tokens": 120},
        "few_shot_random": {"passed": 388, "total": 400, "prompt_tokens": 900},
        "few_shot_nearest": {"passed": 390, "total": 400, "prompt_tokens": 2200},
    }
    found = instead({}, {"arms": arms, "baseline": {"passed": 390}})

    assert found["shorter_prompt"].measured
    assert "with 900 tokens a call instead of 2,200" in found["shorter_prompt"].text


def test_what_was_measured_comes_first() -> None:
    arms = {"small_classifier": {"passed": 390, "total": 400}}
    found = advice(SORTING | {"checker_helps": "most"}, {"arms": arms, "winning_prompt_tokens": 9000}).alternatives

    assert [one.measured for one in found] == [True, False, False]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_an_alternative_says_what_it_is_in_a_sentence(golden: Any) -> None:
    for found in advise(parse(golden.data)).alternatives:
        assert found.title[0].isupper()
        assert found.text.endswith(".")
