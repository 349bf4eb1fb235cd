"""A constraint proposed from the answers of the training rows: a JSON schema, or a closed list of labels. Pure.

Libraries that infer a schema (`genson`, say) keep kinds and keys, and no counts: neither which key is there in what
share of rows nor which values come again and again, and those are the two things that people have to decide on.

Whether a list of values is closed is judged by Good and Turing's estimate (Good 1953): the share of values still to
come is about the share of rows whose value was seen once.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.inference.constraints import LONGEST_LABEL, MOST_LABELS, Kind
from app.inference.schemas import DEEPEST
from app.json_types import JsonDict
from app.wording import percent, plural

SAMPLE = 20_000  # answers that are looked at
MOSTLY = 0.95  # least share of answers that are JSON objects or lists before a schema is proposed
UNSEEN = 0.01  # most that values still to come may be, for a list to be closed
REPEATED = 10  # rows a value, on average, for a list to be closed
MOST_VALUES = 50  # of a field
LONGEST_VALUE = 80  # characters
MOST_KEYS = 100  # of an object; more are data, not names, and so are keys that may not be shown
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair; one without the other is no character
ROOT = "answer"  # what the whole is called where fields have paths


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person decided, by the path of a field; None: as proposed. required: fields that have to be there. closed:
    fields with a closed list of values."""

    required: frozenset[str] | None = None
    closed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the answers. path: keys from the root, `slots/artist`; share: of the objects that could have it.

    values: how many different ones; listable: whether they could be a closed list.
    """

    path: str
    kinds: str
    share: float
    required: bool
    values: int
    listable: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """text: as a constraint of that kind. basis: what it was inferred from, a sentence."""

    kind: Kind
    text: str
    basis: str
    fields: tuple[Field, ...] = ()


@dataclass(slots=True)
class _Node:
    """Everything seen at one place. seen: how often something stood there."""

    seen: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    keys: "dict[str, _Node]" = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)  # sum of the positions of a key
    items: "_Node | None" = None
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, value: object, depth: int = 0) -> None:
        self.seen += 1
        self.kinds[_kind(value)] += 1
        if isinstance(value, str):
            if value in self.texts or len(self.texts) <= MOST_VALUES:
                self.texts[value] += 1
        elif isinstance(value, dict) and depth < DEEPEST - 1:
            for at, (key, inner) in enumerate(value.items()):
                self.keys.setdefault(key, _Node()).add(inner, depth + 1)
                self.places[key] = self.places.get(key, 0) + at
        elif isinstance(value, list) and depth < DEEPEST - 1:
            self.items = self.items or _Node()
            for inner in value:
                self.items.add(inner, depth + 1)

    @property
    def objects(self) -> int:
        return self.kinds["object"]

    def ordered(self) -> list[str]:
        """Keys by the place at which they stand, on average: answers are written in the order of the schema."""
        return sorted(self.keys, key=lambda key: (self.places[key] / self.keys[key].seen, key))


def propose(answers: Sequence[str], hide: Callable[[str], str], choices: Choices = Choices()) -> Proposal | None:
    """A constraint for answers like these; None where they are neither JSON nor from a closed list.

    hide: takes out of a text what may not be shown; a value that it changes gets into no list, and no key has a name
    that it changes.
    """
    answers = [answer.strip() for answer in answers[:SAMPLE] if answer.strip()]
    if not answers:
        return None
    return _schema(answers, hide, choices) or _labels(answers, hide)


def _labels(answers: Sequence[str], hide: Callable[[str], str]) -> Proposal | None:
    counted = Counter(answers)
    usable = all("\n" not in label and len(label) <= LONGEST_LABEL and hide(label) == label for label in counted)
    if len(counted) > MOST_LABELS or len(counted) < 2 or not usable or not _closed(counted):
        return None
    basis = f"{plural(len(counted), 'label')} in {plural(len(answers), 'training answer')}"
    return Proposal("labels", "\n".join(sorted(counted)), basis)


def _closed(counted: Counter[str]) -> bool:
    rows = counted.total()
    once = sum(number == 1 for number in counted.values())
    return rows >= REPEATED * len(counted) and once <= UNSEEN * rows


def _schema(answers: Sequence[str], hide: Callable[[str], str], choices: Choices) -> Proposal | None:
    values = [value for answer in answers if isinstance(value := _read(answer), dict | list)]
    if len(values) < MOSTLY * len(answers):
        return None
    root = _Node()
    for value in values:
        root.add(value)
    fields: list[Field] = []
    schema = _of(root, "", hide, choices, fields)
    basis = f"{plural(len(values), 'JSON answer')} of {plural(len(answers), 'training answer')}"
    if len(values) < len(answers):
        basis += f" ({percent(len(values) / len(answers), 1)})"
    if _is_open(schema):
        basis += ", too few to know all keys, so others are allowed too"
    return Proposal("json_schema", json.dumps(schema, ensure_ascii=False, indent=2), basis, tuple(fields))


def _read(answer: str) -> object:
    try:
        value: object = json.loads(answer)
        if HALF.search(answer):
            json.dumps(value, ensure_ascii=False).encode()  # nothing could show or store it
    except (ValueError, RecursionError):
        return None
    return value


NAMES: tuple[tuple[type, str], ...] = (  # a truth value is a number to Python, so it is asked first
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _kind(value: object) -> str:
    return next((name for kind, name in NAMES if isinstance(value, kind)), "null")


def _of(node: _Node, path: str, hide: Callable[[str], str], choices: Choices, fields: list[Field]) -> JsonDict:
    """The schema of what was seen at a place; fields below it are noted."""
    alternatives: list[JsonDict] = []
    plain = [kind for kind in ("string", "integer", "number", "boolean", "null") if node.kinds[kind]]
    if "number" in plain and "integer" in plain:
        plain.remove("integer")
    if node.objects:
        alternatives.append(_object(node, path, hide, choices, fields))
    if node.kinds["array"]:
        inner = node.items
        items = {"items": _of(inner, path, hide, choices, fields)} if inner is not None and inner.seen else {}
        alternatives.append({"type": "array", **items})
    if "string" in plain and _is_closed(node, path, hide, choices):
        plain.remove("string")
        alternatives.append({"enum": sorted(node.texts)})
    if plain:
        alternatives.append({"type": plain[0] if len(plain) == 1 else plain})
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _object(node: _Node, path: str, hide: Callable[[str], str], choices: Choices, fields: list[Field]) -> JsonDict:
    if len(node.keys) > MOST_KEYS or any(hide(key) != key for key in node.keys):
        merged = _Node()
        for inner in node.keys.values():
            _merge(merged, inner)
        return {"type": "object", "additionalProperties": _of(merged, f"{path}/*".lstrip("/"), hide, choices, fields)}
    known: JsonDict = {}
    required: list[str] = []
    for key in node.ordered():
        inner, place = node.keys[key], f"{path}/{key}".lstrip("/")
        share = inner.seen / node.objects
        needed = share == 1 if choices.required is None else place in choices.required
        at = len(fields)
        known[key] = _of(inner, place, hide, choices, fields)
        fields.insert(
            at,
            Field(
                place,
                ", ".join(kind for kind, _ in inner.kinds.most_common()),
                share,
                needed,
                len(inner.texts),
                _listable(inner, hide),
                _is_closed(inner, place, hide, choices),
            ),
        )
        if needed:
            required.append(key)
    more = _of_others(node, path, hide) if _has_more_keys(node) else False
    return {"type": "object", "properties": known, "required": required, "additionalProperties": more}


def _has_more_keys(node: _Node) -> bool:
    """Whether so many objects still to come would have a key that was not seen yet that a closed list of keys would
    forbid right answers: as many as have one that was seen once."""
    return sum(inner.seen == 1 for inner in node.keys.values()) > (1 - MOSTLY) * node.objects


def _of_others(node: _Node, path: str, hide: Callable[[str], str]) -> JsonDict:
    """What a key that was not seen yet may hold: a value of the kinds of those that were."""
    merged = _Node()
    for inner in node.keys.values():
        _merge(merged, inner)
    return _of(merged, f"{path}/*".lstrip("/"), hide, Choices(frozenset(), frozenset()), [])


def _is_open(schema: object) -> bool:
    """Whether any object of a schema lists its keys and may have others."""
    if isinstance(schema, list):
        return any(map(_is_open, schema))
    if not isinstance(schema, dict):
        return False
    mine = "properties" in schema and isinstance(schema.get("additionalProperties"), dict)
    return mine or any(map(_is_open, schema.values()))


def _merge(into: _Node, node: _Node) -> None:
    into.seen += node.seen
    into.kinds += node.kinds
    into.texts += node.texts
    for key, inner in node.keys.items():
        _merge(into.keys.setdefault(key, _Node()), inner)
        into.places[key] = into.places.get(key, 0) + node.places[key]
    if node.items is not None:
        into.items = into.items or _Node()
        _merge(into.items, node.items)


def _listable(node: _Node, hide: Callable[[str], str]) -> bool:
    """Whether the texts of a place could be a closed list: few, short, and nothing in them that may not be shown."""
    return 0 < len(node.texts) <= MOST_VALUES and all(
        len(text) <= LONGEST_VALUE and hide(text) == text for text in node.texts
    )


def _is_closed(node: _Node, path: str, hide: Callable[[str], str], choices: Choices) -> bool:
    if not _listable(node, hide):
        return False
    return _closed(node.texts) if choices.closed is None else path in choices.closed
