"""One walk through the records of a file: what they hold is counted, and what was decided is done."""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TypedDict

from app.chat import Record
from app.privacy.decisions import EXCLUDE, MASK
from app.privacy.detect import find
from app.privacy.identifier_report import IdentifierKind, IdentifierReport
from app.privacy.kinds import KINDS
from app.privacy.masking import masked_record
from app.privacy.records import texts_in_record

LINES = 20  # named for each kind


class ScanDump(TypedDict):
    """How far a `Scan` is, as JSON."""

    rows: dict[str, int]
    lines: dict[str, list[int]]
    test_lines: dict[str, list[int]]
    any: int
    left_out: int
    salt: str


class Scan:
    """Goes through the records of a file once: counts what is found, and does what was decided about each kind.

    decided: kind -> mask, exclude or attest.
    """

    def __init__(self, decided: Mapping[str, str]) -> None:
        self.decided = dict(decided)
        self.masked = frozenset(kind for kind, action in decided.items() if action == MASK)
        self.rows: Counter[str] = Counter()
        self.lines: dict[str, list[int]] = {}
        self.test_lines: dict[str, list[int]] = {}
        self.any = self.left_out = 0
        self.salt = secrets.token_bytes(16)  # thrown away with the scan: nobody can try which address a mark stands for

    def see(self, record: Record, file: int) -> tuple[Record | None, Mapping[str, list[str]]]:
        """The record as it goes on (None: left out), and what nobody has decided on: place -> kinds of data there."""
        places: dict[str, list[str]] = {}
        for where, text in texts_in_record(record):
            for finding in find(text):
                places.setdefault(finding.kind, []).append(where)
        if not places:
            return record, {}
        self.any += 1
        for kind in places:
            self.rows[kind] += 1
            lines = (self.test_lines if file else self.lines).setdefault(kind, [])
            if len(lines) < LINES:
                lines.append(record.line)
        if any(self.decided.get(kind) == EXCLUDE for kind in places):
            self.left_out += 1
            return None, {}
        if self.masked & places.keys():
            masked = masked_record(record, self.masked)
            if masked.group != record.group:  # rows of one group stay together, and apart from those of another
                mark = blake2b(record.group.encode(), key=self.salt, digest_size=6).hexdigest()
                masked = replace(masked, group=f"{masked.group} {mark}")
            record = masked
        return record, _by_place({kind: where for kind, where in places.items() if kind not in self.decided})

    def dump(self) -> ScanDump:
        """Everything as a JSON value, for an attempt that goes on later."""
        return {
            "rows": self.rows,
            "lines": self.lines,
            "test_lines": self.test_lines,
            "any": self.any,
            "left_out": self.left_out,
            "salt": self.salt.hex(),
        }

    def load(self, value: ScanDump) -> None:
        """Go on where `dump` was written."""
        self.rows, self.lines, self.test_lines = Counter(value["rows"]), value["lines"], value["test_lines"]
        self.any, self.left_out, self.salt = value["any"], value["left_out"], bytes.fromhex(value["salt"])

    def report(self) -> IdentifierReport:
        """Kinds with how many rows hold them and the first of those lines; no value, ever."""
        kinds = tuple(
            IdentifierKind(
                kind,
                self.rows[kind],
                tuple(self.lines.get(kind, ())),
                tuple(self.test_lines.get(kind, ())),
                self.decided.get(kind, ""),
            )
            for kind in KINDS
            if self.rows[kind]
        )
        every = all(kind in self.decided for kind in self.rows)
        return IdentifierReport(self.any, self.left_out, kinds, self.decided if every else None)


def _by_place(places_of: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """For each place all kinds that stand there."""
    kinds_at: dict[str, list[str]] = {}
    for kind, places in places_of.items():
        for place in dict.fromkeys(places):
            kinds_at.setdefault(place, []).append(kind)
    return kinds_at
