"""A constraint is inferred from answers: kinds, keys, lists; what people decide; nothing private in a list."""

import json

import pytest

from app.constraints import fit, inferring
from app.constraints.inferring import Choices, Proposal
from app.inference.constraints import checked
from app.privacy.masking import mask

INTENTS = ("play", "book", "weather")
CITIES = [f"city {number}" for number in range(200)]


def answers(number: int = 400) -> list[str]:
    rows = []
    for at in range(number):
        slots: dict[str, object] = {"city": CITIES[at % 200]}
        if at % 4 == 0:
            slots["people"] = at % 7
        if at % 8 == 0:
            slots["tags"] = ["a", None]
        rows.append(json.dumps({"intent": INTENTS[at % 3], "slots": slots, "score": 1 if at % 2 else 0.5}))
    return rows


def proposed(rows: list[str], choices: Choices | None = None) -> Proposal:
    proposal = inferring.propose(rows, str, choices or Choices())
    assert proposal is not None
    return proposal


def test_a_schema_from_json_answers() -> None:
    proposal = proposed(answers())
    schema = json.loads(proposal.text)

    assert schema == {
        "type": "object",
        "properties": {
            "intent": {"enum": ["book", "play", "weather"]},
            "slots": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "people": {"type": "integer"},
                    "tags": {"type": "array", "items": {"anyOf": [{"enum": ["a"]}, {"type": "null"}]}},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
            "score": {"type": "number"},
        },
        "required": ["intent", "slots", "score"],
        "additionalProperties": False,
    }
    constraint = checked(proposal.kind, proposal.text)
    assert all(constraint.check.keeps(answer) for answer in answers())
    shares = {field.path: field.share for field in proposal.fields}
    assert (shares["slots/people"], shares["slots/tags"]) == (0.25, 0.125)
    assert proposal.basis == "400 JSON answers of 400 training answers"


def test_keys_that_few_answers_cannot_know_are_left_open() -> None:
    """As many answers to come have a new key as those so far that have one which was seen once."""
    slots_of = [{("artist", "album")[at % 2]: "x", f"rare {at}": "y"} for at in range(20)]
    few = [json.dumps({"intent": "play", "slots": slots}) for slots in slots_of]
    proposal = proposed(few)
    slots = json.loads(proposal.text)["properties"]["slots"]

    assert slots["additionalProperties"] == {"type": "string"}
    assert "others are allowed too" in proposal.basis
    constraint = checked(proposal.kind, proposal.text)
    assert constraint.check.keeps('{"intent": "play", "slots": {"artist": "x", "genre": "z"}}')
    assert not constraint.check.keeps('{"intent": "play", "slots": {"artist": "x", "genre": 3}}')


def test_people_decide_which_keys_are_required_and_which_lists_are_closed() -> None:
    choices = Choices(required=frozenset({"intent", "slots/people"}), closed=frozenset())
    schema = json.loads(proposed(answers(), choices).text)

    assert schema["required"] == ["intent"]
    assert schema["properties"]["slots"]["required"] == ["people"]
    assert schema["properties"]["intent"] == {"type": "string"}


@pytest.mark.parametrize("of", ["a field", "the whole answer"])
def test_what_may_not_be_shown_gets_into_no_list(of: str) -> None:
    names = [INTENTS[at % 3] if at % 5 else "ada@example.org" for at in range(400)]
    rows = [json.dumps({"to": name}) for name in names] if of == "a field" else names
    proposal = inferring.propose(rows, lambda text: text.replace("ada@example.org", "[email]"))

    if of == "a field":
        assert proposal is not None
        assert json.loads(proposal.text)["properties"]["to"] == {"type": "string"}
        assert not proposal.fields[0].listable
    else:
        assert proposal is None


def test_labels_are_a_closed_list_only_where_hardly_any_is_still_to_come() -> None:
    closed = [f"label {at % 20}" for at in range(400)]
    assert proposed(closed).kind == "labels"
    assert proposed(closed).text.count("\n") == 19
    assert inferring.propose([*closed, *(f"seen once {at}" for at in range(9))], str) is None
    assert inferring.propose([f"sentence {at}" for at in range(400)], str) is None
    assert inferring.propose([], str) is None


def test_keys_that_are_data_are_no_names() -> None:
    rows = [json.dumps({f"word {at} {n}": n for n in range(3)}) for at in range(60)]
    assert json.loads(proposed(rows).text) == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_a_few_answers_that_are_no_json_are_counted_and_many_end_it() -> None:
    few = [*answers(), *["sorry"] * 8]
    assert proposed(few).basis == "400 JSON answers of 408 training answers (98.0 %)"
    seen = fit.of(checked("json_schema", proposed(few).text), (fit.Wanted("train", at, a) for at, a in enumerate(few)))
    assert (seen.counts, seen.enough, seen.left_out) == ({"train": (400, 408)}, True, 8)
    assert {row.why for row in seen.forbidden} == {"not JSON"}
    assert inferring.propose([*answers(), *["sorry"] * 60], str) is None


def test_answers_with_keys_in_another_order_are_allowed_and_counted() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {}, "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/pair"}]}},
        "$defs": {"pair": {"type": "array", "items": {"type": "object", "properties": {"x": {}, "y": {}}}}},
    }
    rows = [
        '{"a": 1, "b": null}',
        '{"b": null, "a": 1}',
        '{"b": [{"x": 1, "y": 2}, {"y": 2, "x": 1}]}',
        '{"c": 1, "b": []}',
    ]
    seen = fit.of(
        checked("json_schema", json.dumps(schema)), (fit.Wanted("dev", at, row) for at, row in enumerate(rows))
    )

    assert (seen.counts, seen.reordered, seen.reordered_share) == ({"dev": (4, 4)}, 2, 0.5)


def test_keys_that_may_not_be_shown_are_no_names() -> None:
    """Answers that map e-mail addresses to something: the addresses are data, and the schema goes to servers."""
    answers = [json.dumps({f"someone{number}@example.com": number}) for number in range(3)] * 20
    proposal = inferring.propose(answers, mask)

    assert proposal is not None
    assert "@" not in proposal.text
    assert json.loads(proposal.text)["additionalProperties"] == {"type": "integer"}
    assert all("@" not in field.path for field in proposal.fields)


def test_an_answer_with_half_of_a_surrogate_pair_gets_into_no_proposal() -> None:
    whole = [json.dumps({"mood": word}) for word in ("fine", "sad \U0001f600")] * 100
    proposal = inferring.propose([*whole, '{"mood": "\\ud83d"}'], str)

    assert proposal is not None
    assert "sad \U0001f600" in proposal.text
    proposal.text.encode()
