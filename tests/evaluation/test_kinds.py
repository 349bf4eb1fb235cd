"""The metrics that look at form, fields, words and sections: small texts with the score that a person would give."""

import json
import time
from typing import Any

import pytest

from app.errors import Invalid
from app.evaluation import form, metrics
from app.evaluation.kinds import limits

SCHEMA = json.dumps({
    "type": "object",
    "properties": {"due": {"type": "string", "format": "date"}, "amount": {"$ref": "#/$defs/money"}},
    "required": ["due"],
    "additionalProperties": False,
    "$defs": {"money": {"type": "number", "minimum": 0}},
})  # fmt: skip
GOOGLE = "Sum.\n\n  Args:\n    a (int): one\n      more: of it\n    *rest: others\n  Returns:\n    int: x"
NUMPY = "Sum.\n\nParameters\n----------\na, rest : int\n    both\n\nReturns\n-------\nint\n    x"
REST = ":param int a: one\n:param rest: others\n:returns: x"
WANTED = '{"name": "Ann", "address": {"city": "Lund", "zip": "222"}, "tags": ["a", "b"]}'

CASES: list[tuple[str, dict[str, Any], str, str, float]] = [
    # JSON by schema: formats and references inside count, what stands around only when it is allowed.
    ("json_schema", {"schema": SCHEMA}, '{"due": "2026-02-28", "amount": 1.5}', "", 1),
    ("json_schema", {"schema": SCHEMA}, '{"due": "2026-02-30"}', "", 0),
    ("json_schema", {"schema": SCHEMA}, '{"due": "2026-02-28", "amount": -1}', "", 0),
    ("json_schema", {"schema": SCHEMA}, '{"due": "2026-02-28", "more": 1}', "", 0),
    ("json_schema", {"schema": SCHEMA}, '```json\n{"due": "2026-02-28"}\n```', "", 0),
    ("json_schema", {"schema": SCHEMA, "fence": True}, '```json\n{"due": "2026-02-28"}\n```', "", 1),
    ("json_schema", {"schema": SCHEMA}, "not JSON", "", 0),
    # Field by field: four fields are expected; a list is one value.
    ("json_fields", {}, WANTED, WANTED, 1),
    ("json_fields", {}, '{"tags": ["a", "b"], "address": {"zip": "222", "city": "Oslo"}, "name": "Ann"}', WANTED, 0.75),
    ("json_fields", {}, '{"name": "Ann", "address": "Lund 222"}', WANTED, 0.25),
    ("json_fields", {}, '{"name": "Ann", "extra": 1}', WANTED, 0.25),
    ("json_fields", {"extra": True}, '{"name": "Ann", "extra": 1}', WANTED, 0.2),
    ("json_fields", {}, "no JSON", WANTED, 0),
    ("json_fields", {}, '{"id": 18446744073709551617}', '{"id": 18446744073709551616}', 0),
    ("json_fields", {}, "{}", "{}", 1),
    # Token F1: the example of SQuAD's own evaluation, order and articles apart, and scripts without blanks.
    ("token_f1", {}, "The cat, sat!", "a cat sat down", 0.8),
    ("token_f1", {}, "sat cat", "cat sat", 1),
    ("token_f1", {}, "東京都", "東京", 0.8),
    ("token_f1", {}, "", "cat", 0),
    ("token_f1", {}, "?", "-", 0),
    # Length and form.
    ("length_limits", {"max_words": "3"}, "one two three", "", 1),
    ("length_limits", {"max_words": "3"}, "one two three four", "", 0),
    ("length_limits", {"max_words": "3"}, "東京都庁", "", 0),
    ("length_limits", {"min_characters": "2", "max_characters": "4"}, " abcd ", "", 1),
    ("format_check", {"starts": "Fix:", "ends": "."}, "Fix: it.", "", 1),
    ("format_check", {"starts": "Fix:"}, "**Fix:** it", "", 0),
    ("format_check", {"lines": "2-3", "bullets": True}, "- a\n\n- b", "", 1),
    ("format_check", {"bullets": True}, "Here:\n- a", "", 0),
    ("format_check", {"one_sentence": True}, "Use it, e.g. Here, at 3.5 per cent.", "", 1),
    ("format_check", {"one_sentence": True}, "Use it. Then rest.", "", 0),
    ("format_check", {"one_sentence": True}, "使用。休息。", "", 0),
    ("format_check", {"no_markdown": True}, "2 * 3 * 4 and snake_case_name", "", 1),
    ("format_check", {"no_markdown": True}, "It is **bold**", "", 0),
    ("format_check", {"no_markdown": True}, "", "", 0),
    # Refusals: right where the expected answer refuses, too.
    ("refusal", {}, "I\u2019m sorry, but I can\u2019t help with that.", "Press the button.", 0),
    ("refusal", {}, "Dabei kann ich Ihnen nicht helfen.", "Drücken Sie den Knopf.", 0),
    ("refusal", {}, "抱歉\uff0c我无法提供。", "请按按钮。", 0),
    ("refusal", {}, "I cannot assist with this.", "I'm unable to help with it.", 1),
    ("refusal", {}, "Sorry, your card cannot be charged.", "Try another card.", 1),
    ("refusal", {}, "Als Kind war er klein.", "Er war klein.", 1),
    ("refusal", {"phrases": "computer says no"}, "Computer says no.", "Yes.", 0),
    # Docstrings in three styles say the same; a name that is missing, or invented, does not.
    ("docstring", {}, NUMPY, GOOGLE, 1),
    ("docstring", {}, REST, GOOGLE, 1),
    ("docstring", {}, f'def f():\n    """{GOOGLE}\n    """', GOOGLE, 1),
    ("docstring", {}, GOOGLE.replace("*rest", "other"), GOOGLE, 0),
    ("docstring", {}, f"{GOOGLE}\n  Raises:\n    ValueError: no", GOOGLE, 0),
    ("docstring", {}, "Sum.", "Adds.", 1),
    ("docstring", {}, "", "Adds.", 0),
]


@pytest.mark.parametrize("kind", sorted({case[0] for case in CASES}))
def test_a_metric_scores_as_a_person_would(kind: str) -> None:
    for name, options, output, target, expected in CASES:
        if name == kind:
            kept = metrics.checked(name, options)
            assert metrics.score(name, output, target, kept) == pytest.approx(expected), (output, options)
            assert metrics.get(name).view(output, kept) is not None


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("json_schema", {"schema": '{"$ref": "https://example.org/a.json"}'}, "inside the schema"),
        ("json_schema", {"schema": '{"type": 3}'}, "not a JSON schema"),
        ("json_schema", {"schema": '{"pattern": "(?=a)"}'}, "not a JSON schema"),
        ("json_schema", {"schema": "[]"}, "JSON object"),
        ("length_limits", {}, "at least one limit"),
        ("length_limits", {"min_words": "5", "max_words": "4"}, "less than the least"),
        ("length_limits", {"max_words": "many"}, "whole number"),
        ("format_check", {"lines": "5-2"}, "begin at 1"),
        ("format_check", {}, "at least one check"),
        ("sql_result", {"database": "data.db"}, "uploaded databases"),
        ("team_scorer", {}, "Fill in"),
    ],
)
def test_options_that_cannot_be_used_are_refused(name: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(name, options)

    assert reason in " ".join(error.detail for error in refused.value.errors)


def test_what_is_executed_is_not_scored_here_and_saves_nothing() -> None:
    with pytest.raises(RuntimeError, match="child process"):
        metrics.score("sql_result", "select 1", "select 1", {})

    assert metrics.saved("sql_result", "select 1", "select 2", {}) == ""


def test_sentences_are_counted_as_people_do() -> None:
    assert [limits.sentences(text) for text in ("", "One", "One. Two!", "Dr. Who is 3.5 m tall.", "“Yes.” No?")] == [
        0, 1, 2, 1, 2,
    ]  # fmt: skip


def test_each_decoration_rule_says_when_it_was_at_work() -> None:
    examples = {
        "case": "Refund", "blanks": "a  b", "unseen": "re\u00adfund", "minus": "\u22121", "pair": "**refund**",
        "lead": "- refund", "end": "refund.",
    }  # fmt: skip

    assert {name: form.rules_used(text) for name, text in examples.items()} == {name: {name} for name in examples}
    assert form.rules_used("The answer is: refund", prefix=True) == {"case", "prefix"}
    counted = form.decoration(["refund", "**Refund**.", "-1"])
    assert (counted.rows, counted.changed, counted.by_rule["pair"], counted.by_rule["end"]) == (3, 1, 1, 1)
    assert set(counted.by_rule) == set(form.RULES)


@pytest.mark.parametrize("said", ["- " * 20_000, "-\n" * 20_000 + "x.", "(" * 20_000 + "a" + ")" * 20_000])
def test_a_model_that_repeats_itself_holds_nobody_up(said: str) -> None:
    began = time.process_time()
    for name in ("normalised_match", "number_match"):
        metrics.score(name, said, "refund" if name == "normalised_match" else "7", {})

    assert time.process_time() - began < 2
