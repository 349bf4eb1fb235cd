"""Every act that the app records reads as a sentence."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.audit import sentences
from app.economics import prices

APP = Path(sentences.__file__).parents[1]
ACT = re.compile(r"[a-z]+\.[a-z_]+")
RECORDING = {"record", "_record", "_note"}
# Acts whose name is put together where they are recorded, by what stands before the variable.
PUT_TOGETHER = {"review.": {"approve", "request_changes"}, "economics.": {"costs", "target"}}


def _recording(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in RECORDING:
                yield node


@cache
def recorded_acts() -> frozenset[str]:
    """Names of acts in the code: those handed to `record`, and constants of that form in a function that records."""
    acts: set[str] = set()
    for path in APP.rglob("*.py"):
        source = path.read_text()
        if not any(f"{name}(" in source for name in RECORDING):
            continue
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef) or not any(_recording(ast.Module([function], []))):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                    start = str(node.values[0].value)
                    acts |= {start + end for end in PUT_TOGETHER.get(start, ())}
                elif isinstance(node, ast.Constant) and ACT.fullmatch(str(node.value)):
                    acts.add(str(node.value))
    return frozenset(acts)


def test_the_acts_are_found_in_the_code() -> None:
    """A walk that finds none would prove nothing."""
    found = recorded_acts()

    assert len(found) >= 55
    assert {"price.change", "review.approve", "economics.target", "baseline.tag", "user.sign_in_failed"} <= found


def test_each_act_of_the_code_has_a_sentence() -> None:
    assert recorded_acts() - set(sentences.TEMPLATES) == set()


def test_each_sentence_is_of_an_act_of_the_code() -> None:
    assert set(sentences.TEMPLATES) - recorded_acts() == set()


@pytest.mark.parametrize("act", sorted(sentences.TEMPLATES))
def test_a_sentence_stands_without_details(act: str) -> None:
    """Entries are kept for ever, and older ones hold fewer details."""
    said = sentences.sentence(act, "Ben", act.partition(".")[0], 3, {})

    assert said[0].isupper()
    assert not re.search(r"[{}\[\]]", said)


@pytest.mark.parametrize(
    ("act", "detail", "name", "said"),
    [
        ("dataset.freeze", {"assessment": 1, "version": 2}, "train.jsonl v2", "Ben froze the split of train.jsonl v2"),
        ("dataset.upload", {"file": "train.jsonl", "version": 2}, "", "Ben uploaded train.jsonl v2"),
        ("dataset.freeze", {"version": 2}, "", "Ben froze the split of data 3"),
        (
            "assessment.answers",
            {"what": "answers", "changed": ["metric", "target", "team_size"], "metric": [None, "exact_match"],
             "target": [0.5, 0.85]},
            "Route messages",
            "Ben set the metric to Exact match and the target score to 85.0 % in Route messages, and edited 1 answer",
        ),
        ("assessment.answers", {"changed": ["a", "b"]}, "Route messages", "Ben edited 2 answers of Route messages"),
        (
            "dataset.decide",
            {"decisions": {"email": "mask", "phone": "attest"}},
            "train.jsonl v1",
            "Ben decided on personal data in train.jsonl v1: mask email and keep phone",
        ),
        (
            "price.change",
            {
                "from": {"name": "gpt", "unit": "token", "price": 1.0, "currency": "EUR"},
                "to": {"name": "gpt", "unit": "token", "price": 2.0, "currency": "EUR"},
            },
            "",
            "Ben changed the price of gpt from 1.0 EUR per token to 2.0 EUR per token",
        ),
        (
            "price.add",
            {"name": "gpt", "unit": "output_tokens", "price": 15.0, "currency": "EUR"},
            "",
            "Ben added the price of gpt: 15.0 EUR per 1M output tokens",
        ),
        ("baseline.tag", {"arm": "revised_prompt/1", "answers": 1}, "", "Ben tagged 1 failure of Prompt v2"),
        ("test.old_act", {}, "", "Ben: test old act, thing 3"),
    ],
)  # fmt: skip
def test_sentences(act: str, detail: dict[str, object], name: str, said: str) -> None:
    subject = "thing" if act.startswith("test") else act.partition(".")[0]

    assert sentences.sentence(act, "Ben", subject, 3, detail, name) == said


def test_a_price_of_tokens_is_for_a_million_as_in_the_list() -> None:
    assert {unit: prices.UNITS[unit] for unit in sentences.UNITS} == dict(sentences.UNITS)


def test_values_of_others_are_no_templates() -> None:
    """Who names a price `{what}` gets that name, and not the object's."""
    said = sentences.parts("token.add", "{what}", "token", 1, {"name": "[scope]", "scope": "{who}"}, "")

    assert [(part.kind, part.text) for part in said] == [
        ("who", "{what}"),
        ("text", " created the API token "),
        ("text", "[scope]"),
        ("text", " with the scope "),
        ("text", "{who}"),
    ]


def test_details_are_told_in_the_labels_of_the_forms() -> None:
    detail = {
        "model": 2,
        "settings": {"sweep": "three", "max_row_tokens": 2048, "learning_rate": 0.0002},
        "cause": "facts",
    }

    assert dict(sentences.facts(detail)) == {
        "model": "2",
        "settings": "Learning-rate sweep: 3 rates: half, once, twice the learning rate; Max sequence length: 2,048; "
        "Learning rate: 0.0002",
        "cause": "Missing fact",
    }
