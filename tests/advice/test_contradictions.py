"""Answers that can't all be right are asked again; answers that can are left alone."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.questions import ASKED
from app.advice.verdict import advise
from tests.support.golden import GOLDEN, case

Json = dict[str, Any]
UNMEASURED = ("baseline", "failure_causes", "test_rows", "usable_examples", "uploaded_examples", "agreement_kappa")


def keys(answers: Json, measured: Json | None = None, drop: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [found.keys for found in advise(parse(case(answers, measured, drop))).contradictions]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"recurrence": "once"}, ("recurrence", "calls_per_month")),
        ({"calls_per_month": 0}, ("calls_per_month", "recurrence")),
        ({"sources": "must"}, ("fact_change", "sources")),
        ({"goals": ["style", "facts"], "corpus_tokens": None}, ("fact_change", "goals")),
        ({"corpus_tokens": 80_000}, ("fact_change", "corpus_tokens")),
        ({"rarity": "rare"}, ("fact_change", "rarity")),
        ({"goals": ["style", "facts"], "fact_change": "yearly"}, ("corpus_tokens", "goals")),
        ({"sources": "must", "fact_change": "unknown"}, ("corpus_tokens", "sources")),
        ({"fact_change": "weekly"}, ("corpus_tokens", "fact_change")),
        ({"metric": None}, ("metric", "target")),
        ({"target": 0.0}, ("target",)),
        ({"metric": "json_valid"}, ("metric", "goals")),
        ({"goals": ["classify"], "main_goal": "classify", "metric": "chrf"}, ("metric", "main_goal")),
        ({"goals": ["general", "style"]}, ("goals",)),
        ({"checker_helps": "most"}, ("checker_helps", "goals")),
        (
            {"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 2000},
            ("main_goal", "calls_per_month"),
        ),
    ],
)
def test_two_answers_that_cannot_both_be_right_are_asked_again(answers: Json, expected: tuple[str, ...]) -> None:
    assert keys(answers) == [expected]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"holdout": "no"}, ("holdout", "target")),
        ({"examples_declared": 0}, ("examples_declared", "coverage")),
        ({"label_agreement": "low"}, ("target", "label_agreement")),
        ({"prompting_tried": "met", "target": None}, ("target", "prompting_tried")),
        ({"prompting_tried": "short_small", "target": None}, ("target", "prompting_tried")),
    ],
)
def test_what_a_measurement_settles_is_asked_only_before_it(answers: Json, expected: tuple[str, ...]) -> None:
    assert keys(answers, drop=UNMEASURED) == [expected]
    assert keys(answers) == []


@pytest.mark.parametrize(
    ("answers", "measured"),
    [
        ({}, {}),
        ({"recurrence": "once", "calls_per_month": None}, {}),
        ({}, {"contradiction_rate": 0.08}),
        ({"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 2000, "latency": "tight"}, {}),
        ({"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 2000}, {"cost_case": "pass"}),
        ({"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 10_000}, {}),
        ({"goals": ["facts"], "main_goal": "facts", "fact_change": "weekly"}, {"corpus_tokens": 40_000}),
        ({"sources": "must", "fact_change": "weekly", "corpus_tokens": 40_000}, {}),
        ({"goals": ["classify"], "main_goal": "classify", "metric": "json_match"}, {}),
        ({"goals": None, "main_goal": None, "checker_helps": "most"}, {}),
    ],
)
def test_answers_that_go_together_are_left_alone(answers: Json, measured: Json) -> None:
    assert keys(answers, measured) == []


def test_nothing_known_is_no_contradiction() -> None:
    assert advise(parse({})).contradictions == []


def test_measured_text_contradicts_as_declared_text_does() -> None:
    found = advise(parse(case({}, {"corpus_tokens": 40_000}))).contradictions

    assert [one.keys for one in found] == [("fact_change", "corpus_tokens")]
    assert found[0].text.startswith("40,000 tokens of reference text were uploaded, but")


def test_the_sentence_asks_in_the_words_of_the_questions() -> None:
    found = advise(parse(case({"recurrence": "once"}))).contradictions

    assert found[0].text == (
        "It runs once, but 50,000 calls are expected each month. Is it one batch, or does it come again?"
    )


def test_a_contradiction_decides_nothing() -> None:
    plain, doubted = advise(parse(case())), advise(parse(case({"rarity": "rare"})))

    assert doubted.contradictions
    assert (doubted.approach, doubted.training, doubted.confidence) == (
        plain.approach,
        plain.training,
        plain.confidence,
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_the_questions_named_are_questions(golden: Any) -> None:
    for found in advise(parse(golden.data)).contradictions:
        assert set(found.keys) <= set(ASKED)
        assert found.text.endswith((".", "?"))
