"""What pydantic found wrong with a request, in plain words and at the place in what was sent.

pydantic names the place by the way it took through its own types: where a field may be one of several, the names of the
types stand among the names of the fields, and each type that did not fit is a fault of its own. Whoever sent the
request knows only what they sent. So the place is walked along the body, what is not found there is the name of a type,
and of several types the one that was meant speaks alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic_core import ErrorDetails

from app.errors import FieldError, pointer
from app.json_types import JsonDict, JsonObject
from app.web.params import MOST_NAMED

# Pydantic's error types in words for people; anything else falls back to its own sentence.
WORDS = {
    "missing": "This is needed.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_too_long": "Use at most {max_length} characters.",
    "too_short": "At least {min_length} are needed.",
    "too_long": "At most {max_length} are possible.",
    "greater_than": "Use a number above {gt}.",
    "greater_than_equal": "Use {ge} or more.",
    "less_than": "Use a number below {lt}.",
    "less_than_equal": "Use {le} or less.",
    "int_parsing": "Use a whole number.",
    "int_parsing_size": "Use a smaller number.",
    "int_type": "Use a whole number.",
    "int_from_float": "Use a whole number.",
    "float_parsing": "Use a number.",
    "float_type": "Use a number.",
    "finite_number": "Use a number.",
    "bool_parsing": "Use true or false.",
    "bool_type": "Use true or false.",
    "string_type": "Use text.",
    "string_unicode": "This holds half of a character (a lone surrogate), which cannot be stored.",
    "literal_error": "Use one of: {expected}.",
    "enum": "Use one of: {expected}.",
    "extra_forbidden": "There is no such field here.",
    "json_invalid": "This is not JSON.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "list_type": "Use a list.",
    "tuple_type": "Use a list.",
    "dict_type": "Use an object.",
    "model_type": "Use an object.",
    "model_attributes_type": "Use an object.",
    "date_type": "Use a date, such as 2026-01-31.",
    "date_parsing": "Use a date, such as 2026-01-31.",
    "date_from_datetime_parsing": "Use a date, such as 2026-01-31.",
    "date_from_datetime_inexact": "Use a date without a time, such as 2026-01-31.",
}
NO_BODY = "Send a JSON object as the body."
NO_OBJECT = "Send a JSON object, not another kind of value."
# Another kind of value was expected: of several types that all say so none was meant.
OTHER_KIND = ("_type", "_parsing", "literal_error", "enum", "int_from_float", "none_required")


MOST_WAYS = 64  # in which one place is read; there are two where a field is called like a type


@dataclass(frozen=True, slots=True)
class _Fault:
    """One fault. path: its place in what was sent; tags: names of types on the way, each with how deep it stood."""

    path: tuple[int | str, ...]
    tags: tuple[tuple[int, str], ...]
    kind: str
    sentence: str


def field_errors(errors: Iterable[ErrorDetails], body: object = None) -> list[FieldError]:
    """Pydantic's errors in words, each at its place in the body, or with the name of its parameter or header."""
    named: list[FieldError] = []
    inside: list[_Fault] = []
    for error in islice(errors, MOST_NAMED * 4):
        first, *place = error["loc"] or ("body",)
        if first == "header":
            named.append(FieldError(_header(str(place[0])), _sentence(error), "header"))
        elif first in {"query", "cookie"}:
            named.append(FieldError(str(place[0])[:200], _sentence(error), "parameter"))
        else:
            inside.append(_fault_at(error, place if first == "body" else (first, *place), body))
    sentences = dict.fromkeys((fault.path, fault.sentence) for fault in _meant(inside))
    faults = [FieldError(pointer(*(str(part)[:200] for part in path)), sentence) for path, sentence in sentences]
    return [*named, *faults][:MOST_NAMED]


def _header(name: str) -> str:
    """A header's name as it is usually written."""
    return "-".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def _fault_at(error: ErrorDetails, place: Sequence[int | str], body: object) -> _Fault:
    missing = error["type"] == "missing"
    ways = list(islice(_ways(body, tuple(place), missing=missing, top=True), MOST_WAYS))
    wanted = error.get("input", body)
    # A field may be called like a type. pydantic says which value it looked at; of a missing field, what it is not in.
    last = -2 if missing else -1
    path, tags, _ = next((way for way in ways if len(way[2]) >= -last and way[2][last] is wanted), ways[0])
    return _Fault(path, tags, str(error["type"]), _sentence(error, whole=not place))


Way = tuple[tuple[int | str, ...], tuple[tuple[int, str], ...], tuple[object, ...]]
"""A way to read a place: the path, the names of types left out of it, and the value at each step."""


def _ways(value: object, place: tuple[int | str, ...], *, missing: bool, top: bool = False) -> Iterator[Way]:
    """Every way in which a place can be read along what was sent; the first takes each part for a field if it can."""
    if not place:
        yield (), (), (value,)
        return
    part, rest = place[0], place[1:]
    if isinstance(value, Mapping):
        here = part in value or (missing and not rest)
    elif isinstance(value, list | tuple):
        here = isinstance(part, int)
    else:  # a form, whose fields are at the top
        here = top
    if here:
        for path, tags, values in _ways(_inside(value, part), rest, missing=missing):
            yield (part, *path), tuple((depth + 1, tag) for depth, tag in tags), (value, *values)
    for path, tags, values in _ways(value, rest, missing=missing, top=top):
        yield path, ((0, str(part)), *tags), values


def _inside(value: Any, part: int | str) -> object:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _meant(errors: Sequence[_Fault]) -> Iterator[_Fault]:
    """One fault for each place: of the types that a value could have had, the one that it was closest to."""
    groups: dict[tuple[tuple[int | str, ...], ...], list[_Fault]] = {}
    for error in errors:
        groups.setdefault((error.path[: error.tags[0][0]],) if error.tags else (), []).append(error)
    for key, members in groups.items():
        if not key:
            yield from members
            continue
        place = key[0]
        branches: dict[str, list[_Fault]] = {}
        for error in members:
            inner = _Fault(error.path, error.tags[1:], error.kind, error.sentence)
            branches.setdefault(error.tags[0][1], []).append(inner)
        settled = [list(_meant(branch)) for branch in branches.values()]
        fitting = [
            branch for branch in settled if any(len(error.path) > len(place) or _close(error) for error in branch)
        ]
        if fitting:
            yield from max(fitting, key=lambda branch: max(len(error.path) for error in branch))
        else:
            yield _Fault(place, (), "", _either([error.sentence for branch in settled for error in branch]))


def _close(error: _Fault) -> bool:
    """Whether the kind of value was right, and only something about it was not."""
    return bool(error.kind) and not error.kind.endswith(OTHER_KIND)


def _either(sentences: Sequence[str]) -> str:
    """Several ways to be right as one sentence: "Use a number, or one of: 'unknown'."."""
    first, *others = dict.fromkeys(sentences)
    return ", or ".join([first.rstrip("."), *(sentence.removeprefix("Use ").rstrip(".") for sentence in others)]) + "."


def _sentence(error: ErrorDetails, *, whole: bool = False) -> str:
    if whole and error["type"] == "missing":
        return NO_BODY
    if whole and error["type"] in {"dict_type", "model_type", "model_attributes_type"}:
        return NO_OBJECT
    template = WORDS.get(error["type"])
    return template.format_map(_plain(error.get("ctx", {}))) if template else f"{error['msg'].rstrip('.')}."


def _plain(values: JsonObject) -> JsonDict:
    """Numbers as people write them: 1 and not 1.0."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in values.items()
    }
