"""Strict reading of JSON and TOML with pydantic, and what is wrong with it, at its place.

A type says what it takes for people, too: `Expected` stands among the annotations of a field, beside pydantic's bounds.
`faults` turns pydantic's errors into `Fault`s; how a fault is said is the reader's business, since a case file, a
policy and a form speak to different people.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

Place = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a value has to be, as the end of "must be": `a whole number from 0 to 10`."""

    what: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. unknown: a key that is not known; missing: one that has to be there; else the value is wrong.

    expected: what it has to be, where the type says so. choices: what it may be, or which keys are known.
    """

    place: Place
    kind: Literal["unknown", "missing", "wrong"]
    expected: str
    choices: tuple[str, ...]
    value: Any


def faults(error: ValidationError, root: Any) -> Iterator[Fault]:
    """Every fault of a reading, in pydantic's order. root: the type that was read."""
    for details in error.errors(include_url=False, include_context=False):
        place: Place = details["loc"]
        if details["type"] in ("unexpected_keyword_argument", "extra_forbidden", "invalid_key"):
            yield Fault(place, "unknown", "", _known(type_at(root, place[:-1])), details["input"])
        elif place[-1:] == ("[key]",):
            yield Fault(place[:-1], "unknown", "", _known(type_at(root, place[:-2])), details["input"])
        else:
            kind: Literal["missing", "wrong"] = "missing" if details["type"] == "missing" else "wrong"
            expected, choices = _expectation(type_at(root, place))
            yield Fault(place, kind, expected, choices, details["input"])


def type_at(root: Any, place: Place) -> Any:
    """The type of what stands at a place, with its annotations."""
    for step in place:
        kind = _bare(root)
        if _has_fields(kind):
            root = _hints(kind)[str(step)]
        elif get_origin(kind) is dict:
            root = get_args(kind)[1]
        else:
            root = get_args(kind)[0]
    return root


def _has_fields(kind: Any) -> bool:
    return is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel))


def _bare(kind: Any) -> Any:
    """The type without `Annotated` and without None."""
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            kind = get_args(kind)[0]
        elif origin in (Union, UnionType):
            kind = next(one_of for one_of in get_args(kind) if one_of is not type(None))
        else:
            return kind


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def annotation(kind: Any, wanted: type) -> Any:
    """The first annotation of a class among those of a type; None if there is none."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *notes = get_args(kind)
        return next((note for note in notes if isinstance(note, wanted)), None) or annotation(inner, wanted)
    if origin in (Union, UnionType):
        return next((note for inner in get_args(kind) if (note := annotation(inner, wanted)) is not None), None)
    return None


def choices(kind: Any) -> tuple[str, ...]:
    """What a type may be, if it is one of a few; the same for what is in a tuple or a list of it."""
    kind = _bare(kind)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (tuple, list):
        return choices(get_args(kind)[0])
    return ()


def _expectation(kind: Any) -> tuple[str, tuple[str, ...]]:
    expected = annotation(kind, Expected)
    bare = _bare(kind)
    if expected is not None:
        return expected.what, ()
    if _has_fields(bare) or get_origin(bare) is dict:
        return "an object", ()
    if get_origin(bare) in (tuple, list):
        return "a list", ()
    if bare is bool:
        return "true or false", ()
    return "", choices(kind)


def _known(kind: Any) -> tuple[str, ...]:
    """The keys of an object."""
    bare = _bare(kind)
    if _has_fields(bare):
        return tuple(bare.model_fields) if not is_dataclass(bare) else tuple(field.name for field in fields(bare))
    return choices(get_args(bare)[0])
