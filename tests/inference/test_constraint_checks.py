"""What may be a constraint, in words where it may not; and which texts keep one."""

import json
import socket
from typing import Any

import pytest

from app.inference import grammars
from app.inference.constraints import KINDS, Constraint, Unusable, checked

SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def faults(kind: str, text: str) -> str:
    with pytest.raises(Unusable) as unusable:
        checked(kind, text)
    return " ".join(unusable.value.faults)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"propertes": {}}, "“propertes” is no keyword of JSON Schema"),
        ({"not": {}}, "“not” cannot be kept while an answer is written"),
        ({"$id": "https://example.org/x"}, "“$id” cannot be kept"),
        ({"required": ["b"]}, "“b” is required, and not among the properties"),
        ({"properties": {"a": {"format": "phone"}}}, "At a: the format “phone” is not known"),
        ({"properties": {"a": {"$ref": "https://example.org/x"}}}, "leads out of the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "“#/$defs/b” leads nowhere"),
        ({"properties": {"a": {"pattern": "(?=x)y"}}}, "Look-around"),
        ({"properties": {"a": {"type": "text"}}}, "At properties/a/type"),
        ({"properties": {"a": [1]}}, "this is no schema"),
        ({"properties": {"a": {"$ref": f"#/required/{'9' * 5_000}"}}}, "leads nowhere"),
        ({"required": [{}]}, "At required/0"),
        ({"$schema": "file:///etc/hostname"}, "names no version of JSON Schema"),
        ({"title": "\ud800"}, "no character"),
        (
            {"anyOf": [{"$ref": "#/$defs/b"}], "$defs": {"b": {"anyOf": [{"$ref": "#/$defs/b"}] * 9}}},
            "back to this one",
        ),
        ({"anyOf": [{"$ref": "#"}]}, "back to this one"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_in_words(change: dict[str, object], says: str) -> None:
    assert says in faults("json_schema", json.dumps(SHAPE | change))


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("json_schema", "{", "not JSON (line 1"),
        ("json_schema", '{"type": "object", "type": "array"}', "stands twice"),
        ("json_schema", "[]", "is an object"),
        ("json_schema", '{"title": "anything"}', "Say what an answer is"),
        ("json_schema", '{"items":' * 30 + "{}" + "}" * 30, "deeper than 16 levels"),
        ("json_schema", "[" * 60_000, "deeper than 16 levels"),
        ("json_schema", "x" * 70_000, "At most 65,536 characters"),
        ("labels", "a\ud800\nb", "no character"),
        ("regex", "\ud800", "no character"),
        ("regex", "(", "cannot be read"),
        ("regex", r"(a)\1", "references to groups"),
        ("regex", r"\bword", "edge of a word"),
        ("regex", r"(?s:.*)", "constrains nothing"),
        ("labels", "one", "at least two labels"),
        ("labels", "one\n" + "x" * 300, "at most 200 characters"),
        ("grammar", "x", "Use one of the kinds"),
        ("labels", " \n ", "Write what an answer may look like"),
    ],
)
def test_what_is_no_constraint_is_refused_in_words(kind: str, text: str, says: str) -> None:
    assert says in faults(kind, text)


def test_a_constraint_has_one_form_and_one_digest() -> None:
    messy = checked("labels", "\ufeffrefund \r\n\r\n bug\nrefund\n")

    assert messy.labels == ("refund", "bug")
    assert messy.sha256 == checked("labels", "refund\nbug").sha256
    assert messy.sha256 != checked("regex", "refund\\nbug").sha256
    assert Constraint.from_json(messy.to_json()) == messy
    ordered = checked("json_schema", '{"type":"object","properties":{"z":{"type":"null"},"a":{"type":"null"}}}')
    schema: Any = ordered.schema
    assert list(schema["properties"]) == ["z", "a"], "answers are written in this order"


@pytest.mark.parametrize(
    ("constraint", "kept", "broken"),
    [
        (
            checked("json_schema", json.dumps(SHAPE)),
            ['{"a": "x"}', ' {"a":""}\n'],
            ['{"a": 1}', '{"a": "x", "b": 1}', "x", '```json\n{"a": "x"}\n```', '{"a": NaN}', "[" * 90_000, "9" * 5000],
        ),
        (checked("regex", r"\d+-(a|b)"), ["12-a"], ["12-ab", "x12-a", "\u0661-a"]),
        (checked("labels", "Refund\nbug"), ["bug", " bug\n"], ["refund", "bug."]),
    ],
)
def test_texts_that_keep_it_and_texts_that_do_not(constraint: Constraint, kept: list[str], broken: list[str]) -> None:
    assert [constraint.check.fault(text) for text in kept] == [""] * len(kept)
    assert all(constraint.check.fault(text) for text in broken)


def test_a_schema_makes_this_server_ask_no_other_one() -> None:
    """The check itself refuses references outwards, however they got there."""
    with pytest.raises(Exception, match=r"http://127\.0\.0\.1:9"):
        Constraint("json_schema", '{"$ref": "http://127.0.0.1:9/x"}').check  # noqa: B018 - made when it is asked for


def test_the_grammar_engine_takes_what_the_checks_take() -> None:
    samples = {
        "json_schema": json.dumps(
            SHAPE
            | {
                "properties": {
                    "a": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4},
                    "b": {"anyOf": [{"type": "integer", "minimum": 0}, {"const": None}]},
                    "c": {"type": "array", "items": {"$ref": "#/$defs/c"}, "minItems": 1},
                    "d": {"oneOf": [{"type": "string"}, {"type": "string", "format": "date"}]},
                },
                "$defs": {"c": {"enum": ["x", 1]}},
            }
        ),
        "regex": r"[\w.]+@(ex|test)\.org",
        "labels": 'say "it"\na\\b\nÜ',
    }
    assert set(samples) == set(KINDS)
    assert [grammars.fault(checked(kind, text)) for kind, text in samples.items()] == [""] * 3
    assert "Answers cannot be kept to this" in grammars.fault(Constraint("json_schema", '{"contains": {}}'))


def test_a_schema_does_not_make_this_server_ask_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema"
        for named in (
            address,
            f"{address}#",
            f"{address}/json-schema.org/draft-07/schema",
            "file://json-schema.org/draft-07/schema",
        ):
            assert "names no version" in faults("json_schema", json.dumps(SHAPE | {"$schema": named}))
        with pytest.raises(BlockingIOError):
            server.accept()  # nobody is there


def test_references_that_multiply_are_refused_before_anything_is_checked_with_them() -> None:
    """Eight alternatives, each of which names eight others, twelve times: 69,000,000,000 schemas for one value."""
    steps = {f"d{at}": {"anyOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 8} for at in range(12)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**steps, "d12": {"type": "string"}}}

    assert "more than 10,000 schemas" in faults("json_schema", json.dumps(schema))


def test_a_schema_may_refer_to_itself_from_inside() -> None:
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    }
    kept = checked("json_schema", json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | tree))

    assert kept.check.keeps('{"left": {"right": null}}')
    assert not kept.check.keeps('{"left": {"right": 1}}')
