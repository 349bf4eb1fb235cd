"""Strict reading with pydantic: what people and programs send, and what was stored, by one way for both.

Of what is sent, each thing that is wrong is a `Fault` at its place. A type says what it takes for people, too:
`Expected` stands among the annotations of a field, beside pydantic's bounds. How a fault is said is the reader's
business, since a case file, a policy and a form speak to different people.

What was stored is read by `stored`, and is Unreadable if it is not what it should be. A `Frozen` value is one whose
JSON is kept, in whichever version of the program it was written. A digest may be taken of the text of such a value, so
reading it and writing it again gives the same text. Three rules see to that:

- A field that has a default and holds None isn't written: it was not known then.
- What was written down as null although it has a default is in `null`, and is written as null again.
- Names that this version does not know are kept as they are, in `more`.

A name that Python keeps for itself has an underscore behind it here, and none in the text (`from_`).

In a reviewed subject floating point numbers stand as text (`gate/subject.py`). A field of type float takes such a text
for its number, and a whole number stays one: 1 and 1.0 have different digests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from app.json_types import JsonDict, JsonObject

Place = tuple[int | str, ...]
Kind = TypeVar("Kind")
TypeForm: TypeAlias = Any
"""A type as a field has it, with its annotations: Python has no type for those yet."""
Schema: TypeAlias = Any
"""A schema of pydantic's, or a part of one; its own type is a union of fifty."""


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
    value: object


def faults(error: ValidationError, root: TypeForm) -> Iterator[Fault]:
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


def type_at(root: TypeForm, place: Place) -> TypeForm:
    """The type of what stands at a place, with its annotations."""
    for step in place:
        kind = _bare(root)
        if _has_fields(kind):
            root = _hints(kind)[str(step)]
        elif _origin(kind) in (dict, Mapping):
            root = get_args(kind)[1]
        else:
            root = get_args(kind)[0]
    return root


def _origin(kind: TypeForm) -> object:
    """What a type is made of: `list` for `list[int]`; None for what is made of nothing."""
    origin: object = get_origin(kind)
    return origin


def _has_fields(kind: TypeForm) -> bool:
    return is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel))


def _bare(kind: TypeForm) -> TypeForm:
    """The type without `Annotated` and without None."""
    while True:
        origin = _origin(kind)
        if origin is Annotated:
            kind = get_args(kind)[0]
        elif origin in (Union, UnionType):
            kind = next(one_of for one_of in get_args(kind) if one_of is not type(None))
        else:
            return kind


@cache
def _hints(kind: TypeForm) -> Mapping[str, TypeForm]:
    return get_type_hints(kind, include_extras=True)


def annotation(kind: TypeForm, wanted: type[Kind]) -> Kind | None:
    """The first annotation of a class among those of a type; None if there is none."""
    origin = _origin(kind)
    if origin is Annotated:
        inner, *notes = get_args(kind)
        return next((note for note in notes if isinstance(note, wanted)), None) or annotation(inner, wanted)
    if origin in (Union, UnionType):
        return next((note for inner in get_args(kind) if (note := annotation(inner, wanted)) is not None), None)
    return None


def choices(kind: TypeForm) -> tuple[str, ...]:
    """What a type may be, if it is one of a few; the same for what is in a tuple or a list of it."""
    kind = _bare(kind)
    if _origin(kind) is Literal:
        return get_args(kind)
    if _origin(kind) in (tuple, list):
        return choices(get_args(kind)[0])
    return ()


def _expectation(kind: TypeForm) -> tuple[str, tuple[str, ...]]:
    expected = annotation(kind, Expected)
    bare = _bare(kind)
    if expected is not None:
        return expected.what, ()
    if _has_fields(bare) or _origin(bare) is dict:
        return "an object", ()
    if _origin(bare) in (tuple, list):
        return "a list", ()
    if bare is bool:
        return "true or false", ()
    return "", choices(kind)


def _known(kind: TypeForm) -> tuple[str, ...]:
    """The keys of an object."""
    bare = _bare(kind)
    if _has_fields(bare):
        return tuple(bare.model_fields) if not is_dataclass(bare) else tuple(item.name for item in fields(bare))
    return choices(get_args(bare)[0])


# ---------------------------------------------------------------------- what was stored


class Unreadable(ValueError):
    """A stored text is not the value that it should be; the sentence says what it lacks."""


def stored(kind: type[Kind], value: object) -> Kind:
    """What was stored of this kind.

    Raises:
        Unreadable: something is missing, or of another kind than it ever was.
    """
    hashable: TypeForm = kind  # mypy takes the class of a mutable value for unhashable
    try:
        made: Kind = _adapter(hashable).validate_python(value)
    except ValidationError as error:
        raise Unreadable(_what_is_wrong(kind.__name__, error)) from error
    return made


@cache
def _adapter(kind: TypeForm) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _what_is_wrong(name: str, error: ValidationError) -> str:
    """The first of both sorts; nothing of the value itself, which may be anybody's."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    places = [(details["type"] == "missing", ".".join(map(str, details["loc"]))) for details in wrong]
    lacking = sorted(place for missing, place in places if missing)
    others = sorted(place for missing, place in places if not missing)
    if lacking:
        return f"A stored {name} lacks {', '.join(lacking)}."
    return f"A stored {name} is of another kind at {', '.join(others)}."


class AsWritten:
    """Among the annotations of a field of a kept value: what is stored there is taken as it is, and its type says what
    every version has written there. Whoever reads a part of it is ready for one that is not there."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What every kept value has; see the module for `null` and `more`."""

    null: tuple[str, ...] = ()
    more: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonDict:
        kind: TypeForm = type(self)
        written: JsonDict = {}
        for name, item in _written_names(kind).items():
            value = getattr(self, item.name)
            if value is not None or item.required or name in self.null:
                written[name] = _json(value)
        return written | dict(self.more)

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """
        Raises:
            Unreadable: a field without a default is missing, or a value is of another kind.
        """
        return stored(cls, value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: TypeForm, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads it: what `to_json` wrote, sorted by the rules of this module."""
        bare: Schema = handler.resolve_ref_schema(handler(source))
        # Its name goes to the schema around it, which is then what pydantic takes where the class stands once more.
        inner: Schema = _as_written({name: part for name, part in bare.items() if name != "ref"})
        return core_schema.no_info_before_validator_function(partial(_sorted, cls), inner, ref=bare["ref"])


OUR_OWN = frozenset(item.name for item in fields(Frozen))


@dataclass(frozen=True, slots=True)
class _Item:
    """A field: its name here, and whether it has to be there."""

    name: str
    required: bool


@cache
def _written_names(kind: type[Frozen]) -> Mapping[str, _Item]:
    """The fields of a kept value by the names that are written."""
    return {
        item.name.removesuffix("_"): _Item(item.name, item.default is MISSING and item.default_factory is MISSING)
        for item in fields(kind)
        if item.name not in OUR_OWN
    }


def _sorted(kind: TypeForm, value: object) -> object:
    """What was written, by the names of the fields."""
    if not isinstance(value, Mapping):
        return value
    known = _written_names(kind)
    values: JsonDict = {}
    null: list[str] = []
    more: JsonDict = {}
    for written, part in value.items():
        item = known.get(written)
        if item is None:
            more[written] = part
        elif part is None and not item.required:
            null.append(written)
        else:
            values[item.name] = part
    return values | {"null": tuple(null), "more": more}


def _as_written(schema: Schema) -> Schema:
    """The schema with its numbers read by `_number`: pydantic would make a float of each whole one."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "float":
            return core_schema.no_info_plain_validator_function(_number)
        return {name: _as_written(part) for name, part in schema.items()}
    return [_as_written(part) for part in schema] if isinstance(schema, list) else schema


def _number(value: object) -> float:
    if isinstance(value, str):
        return float(value)
    if not isinstance(value, int | float):
        raise ValueError("not a number")  # noqa: TRY004 - what pydantic takes for a fault
    return value


def _json(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Frozen):
        return value.to_json()
    if isinstance(value, Mapping):
        return {name: _json(part) for name, part in value.items()}
    return [_json(part) for part in value] if isinstance(value, tuple | list) else value
