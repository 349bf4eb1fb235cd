"""Personal data and secrets in documents: the same search as in rows, told by line and by hints, never by value."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, Protocol, TypeAlias, TypedDict

from app.privacy.decisions import KEEP_AS_IS, MASK, Decision
from app.privacy.detect import find
from app.privacy.hints import hint
from app.privacy.kinds import KINDS

LINES = 20  # named for each kind of a document
PLACES = 5  # documents named for each kind of a file
HINTS = 6  # different ones shown for each kind, the commonest first; see `hints.hint`


Hint: TypeAlias = tuple[str, int]
"""A hint at a value (`hints.hint`), and how often it is there; a list of two as JSON."""


class InText(TypedDict):
    """One kind that a text holds, as JSON. lines: 1-based, the first of them; hints: none in older readings."""

    kind: str
    count: int
    lines: list[int]
    hints: NotRequired[list[Hint]]


class InFile(TypedDict):
    """One kind that a file's documents hold together, as JSON. documents: how many hold it; places: [name, lines]."""

    kind: str
    count: int
    documents: int
    places: list[tuple[str, list[int]]]
    hints: NotRequired[list[Hint]]


def held(text: str) -> list[InText]:
    """What a text holds, by kind."""
    findings = find(text)
    if not findings:
        return []
    ends = [at for at, sign in enumerate(text) if sign == "\n"]
    lines: dict[str, list[int]] = {}
    hints_of: dict[str, Counter[str]] = {}
    for finding in findings:
        lines.setdefault(finding.kind, []).append(bisect_left(ends, finding.start) + 1)
        hints_of.setdefault(finding.kind, Counter())[hint(finding.kind, text[finding.start : finding.end])] += 1
    return [
        {
            "kind": kind,
            "count": len(lines[kind]),
            "lines": list(dict.fromkeys(lines[kind]))[:LINES],
            "hints": _commonest(hints_of[kind]),
        }
        for kind in KINDS
        if kind in lines
    ]


def summed(documents: Iterable[tuple[str, Iterable[InText]]]) -> list[InFile]:
    """What a file's documents hold together, by kind. documents: with their names."""
    sums: dict[str, InFile] = {}
    hints_of: dict[str, Counter[str]] = {}
    for name, kinds in documents:
        for held_kind in kinds:
            total = sums.setdefault(
                held_kind["kind"], {"kind": held_kind["kind"], "count": 0, "documents": 0, "places": []}
            )
            total["count"] += held_kind["count"]
            total["documents"] += 1
            if len(total["places"]) < PLACES:
                total["places"].append((name, held_kind["lines"]))
            hints_of.setdefault(held_kind["kind"], Counter()).update(dict(held_kind["hints"]))
    return [{**sums[kind], "hints": _commonest(hints_of[kind])} for kind in KINDS if kind in sums]


def _commonest(counted: Counter[str]) -> list[Hint]:
    return counted.most_common(HINTS)


class File(Protocol):
    """What is read of a file of documents."""

    @property
    def state(self) -> str: ...
    @property
    def private(self) -> Sequence[InFile] | None: ...
    @property
    def decisions(self) -> Mapping[str, Decision]: ...


@dataclass(frozen=True, slots=True)
class HeldKind:
    """One kind of personal data in all files together.

    count: values; files: that hold it, by id, of them `open` without a decision; masked, kept: files by decision.
    hints: [hint, times], the commonest first. File ids are of files that have been read.
    """

    kind: str
    count: int
    files: Sequence[int]
    open: Sequence[int]
    masked: int
    kept: int
    hints: Sequence[Hint]

    @property
    def concerned(self) -> Sequence[int]:
        """The files that a decision for all is about: those without one; where there is none, all of them."""
        return self.open or self.files


def by_kind(files: Iterable[tuple[int, File]]) -> list[HeldKind]:
    """What all files hold, by kind; files with their ids. Those that are not read (again) yet are left out."""
    read = [(file_id, file) for file_id, file in files if file.state == "ready" and file.private]
    return [one for kind in KINDS if (one := _held_kind(kind, read)).files]


def _held_kind(kind: str, read: Sequence[tuple[int, File]]) -> HeldKind:
    count = 0
    hints_of: Counter[str] = Counter()
    ids: list[int] = []
    undecided_ids: list[int] = []
    actions: Counter[str] = Counter()
    for file_id, file in read:
        for one in file.private or ():
            if one["kind"] != kind:
                continue
            count += one["count"]
            hints_of.update(dict(one.get("hints", ())))  # older readings have none
            ids.append(file_id)
            if kind in file.decisions:
                actions[file.decisions[kind].action] += 1
            else:
                undecided_ids.append(file_id)
    return HeldKind(kind, count, ids, undecided_ids, actions[MASK], actions[KEEP_AS_IS], _commonest(hints_of))


def undecided(private: Iterable[InFile] | None, decisions: Container[str]) -> list[str]:
    return [held_kind["kind"] for held_kind in private or () if held_kind["kind"] not in decisions]
