"""Constrained decoding in our own loop, with a real model: what comes is allowed, and nothing else changes."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.inference.constraints import Constraint, checked
from app.inference.generator import Request
from app.inference.local import LocalModel
from app.inference.local_protocol import asked as as_asked
from tests.support.local_asking import TOLD, ask, naive, never

pytestmark = pytest.mark.torch

ORDER = {
    "type": "object",
    "properties": {
        "intent": {"enum": ["play music", "book a table", "weather"]},
        "when": {"type": ["string", "null"], "maxLength": 12},
        "people": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 12}, "maxItems": 3},
        "slots": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 8}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
    "required": ["intent", "people", "slots"],
    "additionalProperties": False,
}
SCHEMA = checked("json_schema", json.dumps(ORDER))
DATE = checked("regex", r"(19|20)\d\d-(0[1-9]|1[0-2])")
LABELS = checked("labels", 'refund\nrefund request\nWhere is "it"?\na\\b/c\nÜberweisung')
ANYTHING = Constraint("regex", r"(?s:.*)")


def answered(model: Path, requests: list[Request], **changes: Any) -> dict[str, Any]:
    from app.inference import loading, local_child

    loaded = replace(loading.load(model, None, "float32"), **changes)
    sent = [as_asked(request) for request in requests]
    return {answer["id"]: answer for answer in local_child.answer(loaded, sent, threading.Event())}


def test_every_answer_is_allowed_and_a_cut_one_is_cut(tiny_model: Path, torch_here: None) -> None:
    """One batch of all kinds, with rows that leave it at different times, and rows that are free."""
    of = {"schema": SCHEMA, "date": DATE, "label": LABELS, "free": None}
    requests = [
        replace(request, id=f"{name} {number}", constraint=constraint, max_tokens=200)
        for name, constraint in of.items()
        for number, request in enumerate(ask(6))
    ]
    short = [replace(request, id=f"cut {request.id}", max_tokens=7) for request in requests[:6]]
    answers = answered(tiny_model, [*requests, *short])

    for name, constraint in of.items():
        mine = [answers[f"{name} {number}"] for number in range(6)]
        assert not any(answer["error"] for answer in mine)
        if constraint is not None:
            assert [constraint.check.fault(answer["text"]) for answer in mine] == [""] * 6
            assert {answer["finish"] for answer in mine} == {"stop"}
    assert {answers[request.id]["finish"] for request in short} == {"length"}
    free = [replace(request, max_tokens=200) for request in ask(6)]
    plain = naive(tiny_model, free)
    assert [answers[f"free {number}"]["text"] for number in range(6)] == [plain[f"row {number}"] for number in range(6)]


def test_a_grammar_that_allows_everything_changes_nothing(tiny_model: Path, torch_here: None) -> None:
    requests = ask(9, room=40)
    held = answered(tiny_model, [replace(request, constraint=ANYTHING) for request in requests])

    assert {name: answer["text"] for name, answer in held.items()} == naive(tiny_model, requests)


def test_every_token_that_stops_may_end_an_answer_and_no_other_one(tiny_model: Path, torch_here: None) -> None:
    """With the model's second stop token as the likeliest of all: allowed where the grammar is through, not before."""
    import torch

    from app.inference import constrained, loading

    loaded = loading.load(tiny_model, None, "float32")
    loaded.model.generation_config.eos_token_id = [2, 0]
    keeper = constrained.Constraints(loaded)
    guide = keeper.asked({"kind": "labels", "text": "refund\nrefund request"})
    assert guide is not None
    ids = loaded.tokenizer("refund", add_special_tokens=False)["input_ids"]
    before = torch.zeros((1, loaded.model.config.vocab_size + 0))
    keeper.mask(before, [guide])
    for end in range(len(ids)):
        keeper.took(guide, ids[: end + 1])
    behind = torch.zeros_like(before)
    keeper.mask(behind, [guide])

    possible = {
        when: set(torch.isfinite(logits[0]).nonzero().flatten().tolist())
        for when, logits in (("before", before), ("behind", behind))
    }
    assert not possible["before"] & loaded.stops
    assert loaded.stops == {0, 2} <= possible["behind"]
    assert all(loaded.tokenizer.decode([token]).startswith(" ") for token in possible["behind"] - loaded.stops)


def test_logits_that_are_wider_than_the_tokenizer(tiny_model: Path, torch_here: None) -> None:
    """Padding of the vocabulary is never an answer, even where it is the likeliest."""
    import torch

    from app.inference import loading, local_child

    loaded = loading.load(tiny_model, None, "float32")
    loaded.model.resize_token_embeddings(len(loaded.tokenizer) + 61)
    with torch.no_grad():
        loaded.model.get_output_embeddings().weight[len(loaded.tokenizer) :] *= 50
    sent = [as_asked(replace(request, constraint=DATE, max_tokens=30)) for request in ask(3)]

    answers = list(local_child.answer(loaded, sent, threading.Event()))

    assert [DATE.check.fault(answer["text"]) for answer in answers] == [""] * 3


def test_thinking_is_free_until_its_mark_closes_it(tiny_model: Path, torch_here: None) -> None:
    from app.inference import constrained, loading

    loaded = loading.load(tiny_model, None, "float32")
    keeper = constrained.Constraints(loaded)
    guide = keeper.asked({"kind": LABELS.kind, "text": LABELS.text}, opened="<think>")
    assert guide is not None
    assert guide.closes == "</think>"
    generated: list[int] = []
    for token in loaded.tokenizer("alpha beta</think>re", add_special_tokens=False)["input_ids"]:
        generated.append(token)
        keeper.took(guide, generated)
    assert (guide.closes, guide.fault, guide.over) == ("", "", False)
    for token in loaded.tokenizer("fund", add_special_tokens=False)["input_ids"]:
        keeper.took(guide, [token])
    assert guide.matcher.is_accepting()


def test_a_child_keeps_constraints_and_says_what_it_cannot_keep(tiny_model: Path, warm_children: None) -> None:
    unkept = Constraint("json_schema", '{"type": "array", "uniqueItems": true}')
    requests = [replace(ask(1)[0], id=name, constraint=each) for name, each in (("no", unkept), ("yes", LABELS))]
    with LocalModel(tiny_model, threads=1, dtype="float32") as child:
        answers = {answer.id: answer for answer in child.answer([*requests, Request("free", (TOLD,), 4)], never)}

    assert answers["no"].error == 'Answers cannot be kept to this: Unimplemented keys: ["uniqueItems"].'
    assert LABELS.check.keeps(answers["yes"].text)
    assert answers["yes"].finish == "stop"
    assert answers["free"].error is None
