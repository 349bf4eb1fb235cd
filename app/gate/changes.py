"""What differs between two frozen subjects, in the words of the pages: labels, never keys, and one line a thing."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TypedDict, cast

from app.gate import labels, subject
from app.json_types import JsonObject

NOTHING = "nothing"
SHORT = 12  # characters of a hash that are enough to see that it is another one
LONGEST = 300  # characters of a value; the whole of it is in the snapshot
STATES = {"pass": "met", "fail": "not met", "unknown": "unknown", "not_applicable": "n/a"}
UNSEEN = ("revision", "questions", "baseline.answers_sha256", "verdict.scores")
"""What follows from other changes, or says nothing to a reader."""


class _Criterion(TypedDict):
    """What is read of a criterion here; `reviewed.Criterion`."""

    id: str
    title: str
    state: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different. label: where, in the words of the page; before, after: short texts."""

    label: str
    before: str
    after: str


def changes(before: JsonObject, after: JsonObject) -> list[Change]:
    """Every difference between two subjects as they are stored, those that people made first."""
    different = subject.differences(before, after)
    telling = [each for each in different if not each[0].startswith(UNSEEN)] or different
    listed = [change for path, old, new in telling for change in _changes(path, old, new)]
    return sorted(listed, key=lambda change: (not change.label.startswith(FIRST), change.label))


FIRST = tuple(f"{labels.PARTS[part]}: " for part in ("answers", "training", "policy", "dataset"))


def _changes(path: str, old: object, new: object) -> Iterator[Change]:
    if path == "verdict.gates" and isinstance(old, Sequence) and isinstance(new, Sequence):
        yield from _criteria(cast("Sequence[_Criterion]", old), cast("Sequence[_Criterion]", new))
    elif isinstance(old, Mapping) or isinstance(new, Mapping):
        yield Change(labels.place(path), _there(old), _there(new))
    elif _is_list_of_parts(old) or _is_list_of_parts(new):
        yield Change(labels.place(path), _number(old), _number(new))
    else:
        yield Change(labels.place(path), _text(path, old), _text(path, new))


def _criteria(old: "Sequence[_Criterion]", new: "Sequence[_Criterion]") -> Iterator[Change]:
    """The criteria whose state is another one; what else is said of one follows from the evidence."""
    states: dict[str, str] = {gate["id"]: gate["state"] for gate in old}
    for gate in new:
        was = states.get(gate["id"])
        if was != gate["state"]:
            label = f"Criterion {gate['id']}: {gate['title']}"
            yield Change(label, STATES.get(str(was), NOTHING), STATES[gate["state"]])


def _there(value: object) -> str:
    return NOTHING if value is None else "there"


def _is_list_of_parts(value: object) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value)


def _number(value: object) -> str:
    return f"{len(value):,}" if isinstance(value, Sized) and len(value) else NOTHING


def _text(path: str, value: object) -> str:
    """A value as people read it. path: where in the subject it stands."""
    given = labels.given(path, value)
    if given in (None, "", [], ()):
        return NOTHING
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, list | tuple):
        return ", ".join(str(one) for one in given)
    text = str(given)
    if len(text) == 64 and all(character in "0123456789abcdef" for character in text):
        return text[:SHORT]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\N{HORIZONTAL ELLIPSIS}"
