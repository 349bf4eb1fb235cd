"""A kept value is read and written again to the same JSON, whichever version wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from app.strict import Frozen, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Frozen):
    score: float
    from_: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer(Frozen):
    number: int
    absent: str | None
    inner: Inner | None = None
    several: tuple[Inner, ...] | None = None
    named: Mapping[str, Inner] | None = None
    free: Mapping[str, Any] | None = None


@pytest.mark.parametrize(
    "stored",
    [
        {"number": 1, "absent": None},
        {"number": 1, "absent": "x", "inner": {"score": 1}},
        {"number": 1, "absent": None, "inner": None},
        {"number": 1, "absent": None, "inner": {"score": 0.5, "from": "a", "later": [1, {"b": None}]}, "unknown": {}},
        {"number": 1, "absent": None, "several": [{"score": 0.25}], "named": {"a": {"score": 1.0, "from": None}}},
        {"number": 1, "absent": None, "free": {"a": "0.5", "b": [None]}},
    ],
)
def test_what_was_stored_is_written_again(stored: dict[str, Any]) -> None:
    assert Outer.from_json(stored).to_json() == stored


def test_a_number_that_stands_as_text_is_a_number_and_a_whole_one_stays_whole() -> None:
    read = Outer.from_json({"number": 1, "absent": None, "inner": {"score": "0.1"}, "several": [{"score": 1}]})

    assert read.inner == Inner(score=0.1)
    assert repr(read.several[0].score if read.several else None) == "1"


def test_what_is_not_known_is_not_written() -> None:
    assert Outer(number=2, absent=None).to_json() == {"number": 2, "absent": None}


def test_a_value_without_its_fields_is_refused_by_name() -> None:
    with pytest.raises(Unreadable, match="Outer lacks absent, number"):
        Outer.from_json({"inner": None})


def test_a_value_of_another_kind_is_refused_with_its_place() -> None:
    with pytest.raises(Unreadable, match=r"is of another kind at inner\.score, number"):
        Outer.from_json({"number": "many", "absent": None, "inner": {"score": [1]}})
