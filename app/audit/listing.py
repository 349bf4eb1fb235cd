"""Entries of the record as people read them: a sentence, its object by today's name, and the same as a file."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

import orjson
from sqlalchemy.orm import Session

from app.audit import sentences, store
from app.audit.filters import Filters
from app.audit.tables import EntryRow
from app.text import cell
from app.web.protocols import Named, Objects

COLUMNS = (
    "id", "at_utc", "actor_id", "actor", "act", "sentence", "subject", "subject_id", "object", "assessment_id",
    "assessment", "detail", "sha256",
)  # fmt: skip
AT_ONCE = 500  # entries that a download reads at a time


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: its sentence in pieces, and what it was done to; None where nobody knows that any more."""

    entry: EntryRow
    parts: Sequence[sentences.Part]
    object: Named | None

    @property
    def sentence(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def facts(self) -> list[tuple[str, str]]:
        return sentences.facts(self.entry.detail)


def lines(session: Session, objects: Objects, entries: Sequence[EntryRow]) -> list[Line]:
    """Entries with the names of today, found in one go."""
    named = objects.names(session, {(entry.subject, entry.subject_id) for entry in entries if entry.subject_id})
    made = []
    for entry in entries:
        of = named.get((entry.subject, entry.subject_id or 0))
        parts = sentences.parts(
            entry.act, entry.actor_name, entry.subject, entry.subject_id, entry.detail, of.name if of else ""
        )
        made.append(Line(entry, parts, of))
    return made


def as_csv(session: Session, objects: Objects, filters: Filters) -> Iterator[bytes]:
    """Everything that fits, the newest first, with a byte order mark, so that spreadsheets read it as UTF-8.

    No cell begins as a formula does (`text.cell`).
    """
    yield "\ufeff".encode() + _row(COLUMNS)
    before: int | None = None
    while entries := store.matching(session, filters, before, AT_ONCE):
        yield b"".join(_row(_values(line)) for line in lines(session, objects, entries))
        before = entries[-1].id
        session.expunge_all()  # a whole record would not fit into memory


def _values(line: Line) -> list[str]:
    entry, of = line.entry, line.object
    values = (
        entry.id, entry.at.astimezone(UTC).isoformat(timespec="seconds"), entry.actor_id, entry.actor_name, entry.act,
        line.sentence, entry.subject, entry.subject_id, of.name if of else "", of.assessment_id if of else None,
        of.assessment if of else "", orjson.dumps(entry.detail).decode(), entry.sha256,
    )  # fmt: skip
    return ["" if value is None else str(value) if isinstance(value, int) else cell(value) for value in values]


def _row(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
