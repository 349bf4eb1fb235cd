"""What pydantic found wrong, at its place and with what was expected there."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from app.strict import Expected, Fault, faults

Small = Annotated[int, Field(strict=True, ge=0, le=9), Expected("a digit")]


@dataclass(frozen=True)
class Inner:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    digit: Small
    sure: Annotated[bool, Field(strict=True)] = False


@dataclass(frozen=True)
class Outer:
    inner: Inner | None = None
    named: dict[Literal["a", "b"], Inner] | None = None
    some: list[Literal["x", "y"]] | None = None


def only(data: object) -> Fault:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Outer).validate_python(data)
    (fault,) = faults(caught.value, Outer)
    return fault


@pytest.mark.parametrize(
    ("data", "place", "kind", "expected", "choices"),
    [
        ([], (), "wrong", "an object", ()),
        ({"inner": 3}, ("inner",), "wrong", "an object", ()),
        ({"inner": {}}, ("inner", "digit"), "missing", "a digit", ()),
        ({"inner": {"digit": 10}}, ("inner", "digit"), "wrong", "a digit", ()),
        ({"inner": {"digit": True}}, ("inner", "digit"), "wrong", "a digit", ()),
        ({"inner": {"digit": 1, "sure": 1}}, ("inner", "sure"), "wrong", "true or false", ()),
        ({"inner": {"digit": 1, "more": 1}}, ("inner", "more"), "unknown", "", ("digit", "sure")),
        ({"named": {"c": {"digit": 1}}}, ("named", "c"), "unknown", "", ("a", "b")),
        ({"named": {"a": {"digit": "1"}}}, ("named", "a", "digit"), "wrong", "a digit", ()),
        ({"some": "x"}, ("some",), "wrong", "a list", ()),
        ({"some": ["x", "z"]}, ("some", 1), "wrong", "", ("x", "y")),
    ],
)
def test_a_fault_has_its_place_and_what_was_expected(
    data: object, place: tuple[object, ...], kind: str, expected: str, choices: tuple[str, ...]
) -> None:
    fault = only(data)

    assert (fault.place, fault.kind, fault.expected, fault.choices) == (place, kind, expected, choices)
