"""Answers with optional keys are held by a schema, and postal codes are no phone numbers."""

import json
import random

import pytest

from app.privacy import detect
from tests.support.examples import judge, questions


def schema_share(rows: list[tuple[str, str]]) -> float | None:
    signals = judge(rows).report.signals
    assert signals is not None
    return signals.schema_share


def test_answers_with_optional_keys_are_held_by_a_schema() -> None:
    draw = random.Random(2)
    fields = ("number", "street", "type", "unit", "floor", "city", "state", "code", "box")
    rows = [
        (asked, json.dumps({name: f"{name} {n}" for name in fields if draw.random() < 0.6} | {"city": f"c{n}"}))
        for n, (asked, _) in enumerate(questions(200))
    ]

    assert schema_share(rows) == 1.0


def test_lists_of_objects_with_optional_keys_are_held_too() -> None:
    rows = [
        (asked, json.dumps([{"kind": f"k{n}", "at": n}, {"kind": f"m{n}"} | ({"to": n} if n % 3 else {})]))
        for n, (asked, _) in enumerate(questions(100))
    ]

    assert schema_share(rows) == 1.0


def test_keys_that_are_values_are_held_by_none() -> None:
    rows = [(asked, json.dumps({f"person {n}": n, f"other {n}": n})) for n, (asked, _) in enumerate(questions(100))]

    assert schema_share(rows) == 0.0


CODES = ("36608-9705", "30303-1234", "94110-0001", "01310-100", "1000-205")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    "text", ["al {}", "12 Oak St, Mobile AL {}", "mobile al {}", "4 Ring {}", "Signal Hill, CA {}"]
)
def test_postal_codes_are_no_phone_numbers(text: str, code: str) -> None:
    assert list(detect.kinds_in_text(text.format(code))) == []


@pytest.mark.parametrize(
    "text",
    ["Mobile: 98765-4321", "mobile number 98765-4321", "tel 98765-4321", "mobile 205-555-0143", "ring 0171 2345678"],
)
def test_phone_numbers_still_are(text: str) -> None:
    assert list(detect.kinds_in_text(text)) == ["phone number"]
