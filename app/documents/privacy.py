"""Personal data and secrets in documents: the same search as in rows, told by line, never by value."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from app.privacy.detect import find
from app.privacy.kinds import KINDS

LINES = 20  # named for each kind of a document
PLACES = 5  # documents named for each kind of a file


def held(text: str) -> list[dict[str, Any]]:
    """What a text holds: [{kind, count, lines}], lines 1-based and the first of them."""
    found = find(text)
    if not found:
        return []
    ends = [at for at, sign in enumerate(text) if sign == "\n"]
    lines: dict[str, list[int]] = {}
    for one in found:
        lines.setdefault(one.kind, []).append(bisect_left(ends, one.start) + 1)
    return [
        {"kind": kind, "count": len(lines[kind]), "lines": list(dict.fromkeys(lines[kind]))[:LINES]}
        for kind in KINDS
        if kind in lines
    ]


def summed(documents: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """What a file's documents hold together: [{kind, count, documents, places: [[name, lines]]}]."""
    sums: dict[str, dict[str, Any]] = {}
    for name, kinds in documents:
        for one in kinds:
            of = sums.setdefault(one["kind"], {"kind": one["kind"], "count": 0, "documents": 0, "places": []})
            of["count"] += one["count"]
            of["documents"] += 1
            if len(of["places"]) < PLACES:
                of["places"].append([name, one["lines"]])
    return [sums[kind] for kind in KINDS if kind in sums]


def undecided(found: Iterable[Mapping[str, Any]] | None, decisions: Mapping[str, Any]) -> list[str]:
    return [one["kind"] for one in found or () if one["kind"] not in decisions]
