"""Frozen values whose JSON is kept: one reader and one writer for all of them.

A digest may be taken of the text of such a value, so reading it and writing it again gives the same text, whichever
version wrote it. Three rules see to that:

- A field that has a default and holds None isn't written: it was not known then.
- What was written down as null although it has a default is in `null`, and is written as null again.
- Names that this version does not know are kept as they are, in `more`.

A name that Python keeps for itself has an underscore behind it here, and none in the text (`from_`).

In a reviewed subject floating point numbers stand as text (`gate/subject.py`). A field of type float takes such a text
for its number, and nothing else is changed on the way in: a whole number stays one.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, partial
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

Read = Callable[[Any], Any]
OUR_OWN = ("null", "more")


class Unreadable(ValueError):
    """A stored text is not the value that it should be; the sentence says what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What every kept value has; see the module for `null` and `more`."""

    null: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        kind: Any = type(self)
        written: dict[str, Any] = {}
        for name, item in _known(kind).items():
            value = getattr(self, item.name)
            if value is not None or item.required or name in self.null:
                written[name] = _json(value)
        return written | dict(self.more)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Raises: Unreadable: a field without a default is missing."""
        kind: Any = cls  # mypy takes the class of a mutable value for unhashable
        known = _known(kind)
        values: dict[str, Any] = {}
        null: list[str] = []
        more: dict[str, Any] = {}
        for written, value in stored.items():
            item = known.get(written)
            if item is None:
                more[written] = value
            elif value is None and not item.required:
                null.append(written)
            else:
                values[item.name] = item.read(value)
        lacking = sorted(item.name for item in known.values() if item.required and item.name not in values)
        if lacking:
            raise Unreadable(f"A stored {cls.__name__} lacks {', '.join(lacking)}.")
        return cls(**values, null=tuple(null), more=more)


@dataclass(frozen=True, slots=True)
class _Item:
    """A field: its name here, how its value is read, and whether it has to be there."""

    name: str
    read: Read
    required: bool


def _written(name: str) -> str:
    return name.removesuffix("_")


def _required(item: Any) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _json(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Frozen):
        return value.to_json()
    if isinstance(value, Mapping):
        return {name: _json(part) for name, part in value.items()}
    return [_json(part) for part in value] if isinstance(value, tuple | list) else value


@cache
def _known(cls: type[Frozen]) -> Mapping[str, _Item]:
    """The fields of a class by the names that are written."""
    kinds = get_type_hints(cls)
    return {
        _written(item.name): _Item(item.name, _reader(kinds[item.name]), _required(item))
        for item in fields(cls)
        if item.name not in OUR_OWN
    }


def _reader(kind: Any) -> Read:
    """How a value of a field of this type is read."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (inner,) = (part for part in parts if part is not type(None))
        return partial(_or_none, _reader(inner))
    if origin is tuple:
        return partial(_tuple, _reader(parts[0]))
    if origin is Mapping:
        return partial(_mapping, _reader(parts[1]))
    if isinstance(kind, type) and issubclass(kind, Frozen):
        return kind.from_json
    return _number if kind is float else _as_it_is


def _or_none(read: Read, value: Any) -> Any:
    return None if value is None else read(value)


def _tuple(read: Read, value: Any) -> tuple[Any, ...]:
    return tuple(read(part) for part in value)


def _mapping(read: Read, value: Any) -> dict[str, Any]:
    return {name: read(part) for name, part in value.items()}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _as_it_is(value: Any) -> Any:
    return value
