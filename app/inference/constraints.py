"""What an answer may look like: a JSON schema, a regular expression, or one of a closed list of labels. Pure.

A constraint is kept by the model's runner (`constrained`), or by a server that was seen to keep it
(`server_constraints`). Here is what one is, whether it can be used at all, in words for the person who wrote it, and
whether a text keeps it: the same check counts valid answers of variants that were free to say anything.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast, get_args

import jsonschema_rs
import re2

from app.inference import schemas
from app.inference.schemas import DEEPEST, REASON, expression_fault
from app.json_types import JsonObject

Kind = Literal["json_schema", "regex", "labels"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST = 64 << 10  # characters of a constraint
MOST_LABELS, LONGEST_LABEL = 1_000, 200
HALF = "It holds half of a surrogate pair (\\ud800 to \\udfff), which is no character. Take it out."


class Unusable(ValueError):
    """A constraint that cannot be used; `faults` are sentences for the person who wrote it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Constraint:
    """What an answer may look like. text: the schema as JSON, the expression, or the labels one a line."""

    kind: Kind
    text: str

    @property
    def sha256(self) -> str:
        """Of kind and text: two constraints with one digest allow the same answers."""
        return hashlib.sha256(f"{self.kind}\n{self.text}".encode()).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.text.split("\n"))

    @cached_property
    def schema(self) -> dict[str, object]:
        """The JSON schema, keys in the order in which they are written: answers keep that order."""
        schema: dict[str, object] = json.loads(self.text)
        return schema

    def to_json(self) -> dict[str, str]:
        """As the settings of an arm hold it."""
        return {"kind": self.kind, "text": self.text, "sha256": self.sha256}

    @staticmethod
    def from_json(stored: JsonObject) -> "Constraint":
        return Constraint(cast("Kind", stored["kind"]), str(stored["text"]))

    @cached_property
    def check(self) -> "Check":
        """What tells whether a text keeps this constraint; made once."""
        return Check(self)


def checked(kind: str, text: str) -> Constraint:
    """A constraint as somebody typed it, in its one form: labels without repeats, a schema neatly indented.

    Raises:
        Unusable: it cannot be used, with all that is wrong.
    """
    if kind not in KINDS:
        raise Unusable([f"Use one of the kinds {', '.join(KINDS)}."])
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\ufeff\n")
    if not text.strip():
        raise Unusable(["Write what an answer may look like."])
    if len(text) > LONGEST:
        raise Unusable([f"At most {LONGEST:,} characters are possible; this has {len(text):,}."])
    if "\x00" in text:
        raise Unusable(["Take the zero character out."])
    if _half_of_a_pair(text):
        raise Unusable([HALF])
    match kind:
        case "json_schema":
            return _schema(text)
        case "regex":
            return _expression(text)
        case _:
            return _labels(text)


def _half_of_a_pair(text: str) -> bool:
    """Whether a text holds what is no character, which nothing could store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


# ---------------------------------------------------------------- labels


def _labels(text: str) -> Constraint:
    labels = list(dict.fromkeys(label for line in text.split("\n") if (label := line.strip())))
    faults = []
    if len(labels) < 2:
        faults.append("Write at least two labels, one a line.")
    if len(labels) > MOST_LABELS:
        faults.append(f"At most {MOST_LABELS:,} labels are possible; these are {len(labels):,}.")
    if long := next((label for label in labels if len(label) > LONGEST_LABEL), ""):
        faults.append(f"A label has at most {LONGEST_LABEL} characters; this is longer: {long[:40]}…")
    if faults:
        raise Unusable(faults)
    return Constraint("labels", "\n".join(labels))


# ---------------------------------------------------------------- expressions


def _expression(text: str) -> Constraint:
    if fault := expression_fault(text):
        raise Unusable([fault])
    if all(re2.fullmatch(text, sample) for sample in ("ready", "A short sentence.\nAnd one more!", "{}")):
        raise Unusable(["This expression allows any text, so it constrains nothing."])
    return Constraint("regex", text)


# ---------------------------------------------------------------- schemas


def _schema(text: str) -> Constraint:
    try:
        schema = json.loads(text, parse_constant=_no_json, object_pairs_hook=_once)
    except RecursionError:
        raise Unusable([f"It is nested deeper than {DEEPEST} levels."]) from None
    except ValueError as error:
        where = (
            f"line {error.lineno}, column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else str(error)
        )
        raise Unusable([f"This is not JSON ({where})."]) from None
    if not isinstance(schema, dict):
        raise Unusable(["A JSON schema is an object, like {“type”: “object”, “properties”: {…}}."])
    if faults := list(dict.fromkeys(schemas.faults(schema)))[:20]:
        raise Unusable(faults)
    try:
        written = json.dumps(schema, ensure_ascii=False, indent=2)
    except RecursionError:
        raise Unusable([f"It is nested deeper than {DEEPEST} levels."]) from None
    if _half_of_a_pair(written):
        raise Unusable([HALF])
    try:
        jsonschema_rs.meta.validate(schema)  # it would ask for a “$schema” that it does not know: none is left here
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "the schema"
        raise Unusable([f"At {place}: {error.message[:REASON]}"]) from None
    if not schemas.says_a_kind(schema):
        raise Unusable(["Say what an answer is: give the schema a “type”, “enum”, “const”, “anyOf” or “$ref”."])
    constraint = Constraint("json_schema", written)
    try:
        _validator(constraint.schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise Unusable([f"The schema cannot be used: {str(error).splitlines()[0][:REASON]}"]) from None
    return constraint


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read: dict[str, object] = {}
    for name, value in pairs:
        if name in read:
            raise ValueError(f"the key “{name}” stands twice in one object")
        read[name] = value
    return read


# ---------------------------------------------------------------- checking texts


def _validator(schema: dict[str, object]) -> jsonschema_rs.Validator:
    # offline: a schema is a stranger's text, and must not make this server ask other ones.
    return jsonschema_rs.validator_for(
        schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


class Check:
    """Tells whether texts keep a constraint. Blank space at both ends of a text never counts."""

    def __init__(self, constraint: Constraint) -> None:
        self._kind = constraint.kind
        self._labels = frozenset(constraint.labels) if constraint.kind == "labels" else frozenset()
        self._expression = re2.compile(constraint.text) if constraint.kind == "regex" else None
        self._validator = _validator(constraint.schema) if constraint.kind == "json_schema" else None

    def keeps(self, text: str) -> bool:
        return not self.fault(text)

    def fault(self, text: str) -> str:
        """Why a text does not keep the constraint, as a short phrase; empty where it does."""
        text = text.strip()
        if self._kind == "labels":
            return "" if text in self._labels else "not one of the labels"
        if self._expression is not None:
            return "" if self._expression.fullmatch(text) else "does not match the expression"
        try:
            value = json.loads(text, parse_constant=_no_json)
        except (ValueError, RecursionError):
            return "not JSON"
        try:
            error = next(iter(self._validator.iter_errors(value)), None)  # type: ignore[union-attr]  # only asked for a schema
        except (ValueError, OverflowError):  # a number beyond all bounds
            return "holds a value that cannot be checked"
        if error is None:
            return ""
        place = "/".join(map(str, error.instance_path))
        return (f"{place}: " if place else "") + str(error.message)[:REASON]
