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
    findings = find(text)
    if not findings:
        return []
    ends = [at for at, sign in enumerate(text) if sign == "\n"]
    lines: dict[str, list[int]] = {}
    for finding in findings:
        lines.setdefault(finding.kind, []).append(bisect_left(ends, finding.start) + 1)
    return [
        {"kind": kind, "count": len(lines[kind]), "lines": list(dict.fromkeys(lines[kind]))[:LINES]}
        for kind in KINDS
        if kind in lines
    ]


def summed(documents: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """What a file's documents hold together: [{kind, count, documents, places: [[name, lines]]}]."""
    sums: dict[str, dict[str, Any]] = {}
    for name, kinds in documents:
        for held_kind in kinds:
            total = sums.setdefault(
                held_kind["kind"], {"kind": held_kind["kind"], "count": 0, "documents": 0, "places": []}
            )
            total["count"] += held_kind["count"]
            total["documents"] += 1
            if len(total["places"]) < PLACES:
                total["places"].append([name, held_kind["lines"]])
    return [sums[kind] for kind in KINDS if kind in sums]


def undecided(private: Iterable[Mapping[str, Any]] | None, decisions: Mapping[str, Any]) -> list[str]:
    return [held_kind["kind"] for held_kind in private or () if held_kind["kind"] not in decisions]
