import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from app.errors import Invalid
from app.evaluation import metrics

ARGS = r"(?m)^(Args|Returns):|^[ \t]+(\w+)(?: \([^)]*\))?:"


@pytest.mark.parametrize(
    ("name", "output", "target", "expected"),
    [
        ("exact_match", " refund\n", "refund", 1),
        ("exact_match", "Refund", "refund", 0),
        ("normalised_match", "  “Refund”!  ", "refund", 1),
        ("normalised_match", "\uff32\uff25\uff26\uff35\uff2e\uff24", "refund", 1),
        ("normalised_match", "Straße", "STRASSE", 1),
        ("normalised_match", "a  b\nc", "a b c", 1),
        ("normalised_match", "a-b", "ab", 0),
        ("normalised_match", "...", "!", 0),
        ("normalised_match", "", "refund", 0),
        ("json_valid", ' {"a": 1} ', "whatever", 1),
        ("json_valid", "{'a': 1}", "whatever", 0),
        ("json_valid", "NaN", "whatever", 0),
        ("json_valid", "```json\n{}\n```", "whatever", 0),
        ("json_valid", "", "whatever", 0),
        ("json_match", '{"a": 1, "b": [true, null]}', '{"b": [true, null], "a": 1.0}', 1),
        ("json_match", '{"a": 1}', '{"a": true}', 0),
        ("json_match", '{"a": 0}', '{"a": false}', 0),
        ("json_match", "[1, 2]", "[2, 1]", 0),
        ("json_match", '{"a": 1, "b": 2}', '{"a": 1}', 0),
        ("json_match", "not json", "not json", 0),
        ("chrf", "abcdef", "abcdef", 1),
        ("chrf", "", "abcdef", 0),
        ("chrf", "", "", 1),
        ("rouge_l", "", "", 1),
        ("rouge_l", "a", "", 0),
        ("rouge_l", "Ä é 漢", "ä É 漢", 1),
    ],
)
def test_a_metric_scores_as_it_says(name: str, output: str, target: str, expected: float) -> None:
    assert metrics.score(name, output, target, {}) == pytest.approx(expected)


def test_a_fence_is_read_only_when_asked_for() -> None:
    fenced = '```json\n{"a": 1}\n```'

    assert metrics.score("json_valid", fenced, "", {"fence": True}) == 1
    assert metrics.score("json_match", fenced, '{"a": 1}', {"fence": True}) == 1


@pytest.mark.parametrize("name", ["json_valid", "json_match"])
@pytest.mark.parametrize(
    "text", ["[" * 900 + "]" * 900, "[" * 100_000 + "]" * 100_000, '{"a":' * 1000 + "1" + "}" * 1000]
)
def test_deeply_nested_json_does_not_break_the_run(name: str, text: str) -> None:
    assert metrics.score(name, text, text, {}) in (0, 1)
    assert metrics.METRICS[name].view(text, {})


def test_the_pattern_asks_for_everything_in_order_and_nothing_invented() -> None:
    wanted = "Sums up.\n\nArgs:\n  one (int): first\n  two: second\nReturns:\n  the sum"
    options = {"pattern": ARGS}

    def right(text: str) -> bool:
        return metrics.score("pattern", text, wanted, options) == 1

    assert right("Other words.\nArgs:\n    one: x\n    two (str): y\nReturns:\n    z")
    assert not right("Args:\n  two: y\n  one: x\nReturns:\n  z"), "wrong order"
    assert not right("Args:\n  one: y\nReturns:\n  z"), "one missing"
    assert not right("Args:\n  one: x\n  two: y\n  three: z\nReturns:\n  z"), "one invented"
    assert metrics.METRICS["pattern"].view(wanted, options) == "Args\none\ntwo\nReturns"


def test_without_groups_the_whole_finding_counts() -> None:
    assert metrics.score("pattern", "a1 b2", "x a1 y b2", {"pattern": r"[a-z]\d"}) == 1
    assert metrics.score("pattern", "a1 b3", "x a1 y b2", {"pattern": r"[a-z]\d"}) == 0


def test_a_pattern_that_kills_other_engines_takes_linear_time() -> None:
    started = time.process_time()

    metrics.score("pattern", "a" * 50_000 + "!", "b", {"pattern": "(a+)+$"})

    assert time.process_time() - started < 2


def test_pattern_coverage_says_how_often_it_finds_anything() -> None:
    assert metrics.pattern_coverage(r"\d", ["a1", "b", "2", "c"]) == 0.5
    assert metrics.pattern_coverage(r"\d", []) == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "Fill in"),
        ({"pattern": "("}, "not a regular expression"),
        ({"pattern": r"(a)\1"}, "not a regular expression"),
        ({"pattern": "(?=a)"}, "not a regular expression"),
        ({"pattern": "a*"}, "empty text"),
        ({"pattern": "a" * 1001}, "1,001 characters"),
        ({"pattern": 3}, "text"),
        ({"pattern": "a", "flags": "i"}, "no option"),
    ],
)
def test_options_that_cannot_be_used_are_refused_by_name(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked("pattern", options)

    assert reason in " ".join(error.detail for error in refused.value.errors)
    assert all(error.field == "metric_options" for error in refused.value.errors)


def test_options_are_kept_without_the_empty_ones() -> None:
    assert metrics.checked("json_match", {"fence": ""}) == {}
    assert metrics.checked("json_match", {"fence": "on"}) == {"fence": True}
    assert metrics.checked("pattern", {"pattern": r"\d+"}) == {"pattern": r"\d+"}


def test_an_unknown_metric_is_refused_with_the_list() -> None:
    with pytest.raises(Invalid) as refused:
        metrics.get("accuracy")

    assert "exact_match" in refused.value.errors[0].detail


words = st.text(alphabet="abc XY_12.,-\n", max_size=60)


@given(words, words)
def test_rouge_l_is_that_of_rouge_score(output: str, target: str) -> None:
    theirs = rouge_scorer.RougeScorer(["rougeL"]).score(target, output)["rougeL"].fmeasure
    ours = metrics.score("rouge_l", output, target, {})

    if any(character.isalnum() for character in output + target):
        assert ours == pytest.approx(theirs)


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_score_is_between_0_and_1_and_the_wanted_text_is_right(output: str, target: str) -> None:
    filled: dict[str, dict[str, Any]] = {
        "pattern": {"pattern": r"\w+"},
        "number_match": {"decimal": "."},
        "json_schema": {"schema": '{"type": "object"}'},
        "format_check": {"no_markdown": True, "one_sentence": True, "bullets": True},
        "length_limits": {"max_words": "9"},
    }
    for metric in (metric for metric in metrics.METRICS.values() if not metric.executed):
        options = filled.get(metric.name, {})
        score = metric.score(output, target, options)

        assert 0 <= score <= 1
        assert not metric.binary or score in (0, 1)
        if not metric.name.startswith("json") and metric.name not in ("format_check", "length_limits"):
            assert metric.score(target, target, options) == pytest.approx(1)
        metric.view(output, options)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_the_same_json_written_differently_matches(value: Any) -> None:
    compact, wide = json.dumps(value, sort_keys=True), json.dumps(value, indent=3)

    assert metrics.score("json_match", compact, wide, {}) == 1
