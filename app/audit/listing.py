"""Entries of the record as people read them: a sentence, its object by today's name, and the same as a file.

Whoever tags failures as second person does not read here what others said of them: until they are done, the causes are
left out of what they are shown. The record itself, and the hash of each entry, stay as they are.
"""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

import orjson
from sqlalchemy.orm import Session

from app.audit import sentences, store
from app.audit.filters import Filters
from app.audit.tables import EntryRow
from app.json_types import JsonObject
from app.text import cell
from app.web.protocols import Named, Objects

COLUMNS = (
    "id", "at_utc", "actor_id", "actor", "act", "sentence", "subject", "subject_id", "object", "assessment_id",
    "assessment", "detail", "sha256",
)  # fmt: skip
OF_CAUSES = frozenset({"baseline.tag", "baseline.settle"})  # acts whose details hold the cause of a failure
AT_ONCE = 500  # entries that a download reads at a time


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: its sentence in pieces, and what it was done to; None where nobody knows that any more. detail: its
    details as this reader may see them; withheld: some are left out for now."""

    entry: EntryRow
    parts: Sequence[sentences.Part]
    object: Named | None
    detail: JsonObject
    withheld: bool = False

    @property
    def sentence(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def facts(self) -> list[tuple[str, str]]:
        return sentences.facts(self.detail)


def lines(session: Session, objects: Objects, entries: Sequence[EntryRow], reader: int) -> list[Line]:
    """Entries with the names of today, found in one go. reader: id of the person who is shown them."""
    named = objects.names(session, {(entry.subject, entry.subject_id) for entry in entries if entry.subject_id})
    hidden = objects.hidden_answers(session, reader) if any(entry.act in OF_CAUSES for entry in entries) else {}
    made = []
    for entry in entries:
        of = named.get((entry.subject, entry.subject_id or 0))
        parts = sentences.parts(
            entry.act, entry.actor_name, entry.subject, entry.subject_id, entry.detail, of.name if of else ""
        )
        others = entry.actor_id != reader and entry.act in OF_CAUSES and entry.subject == "baseline"
        detail = _without_causes(entry.detail, hidden.get(entry.subject_id or 0, ())) if others else entry.detail
        made.append(Line(entry, parts, of, detail, withheld=detail != entry.detail))
    return made


def _without_causes(detail: JsonObject, hidden: Collection[int]) -> JsonObject:
    """The details of a tag without the causes of these answers. An earlier version kept several tags in one entry, each
    as a list that begins with the answer."""
    if detail.get("answer") in hidden:
        return {key: value for key, value in detail.items() if key not in ("from", "to")}
    answers = detail.get("answers")
    if not isinstance(answers, list):
        return detail
    return {
        **detail,
        "answers": [one[:1] if isinstance(one, list) and one and one[0] in hidden else one for one in answers],
    }


def as_csv(session: Session, objects: Objects, filters: Filters, reader: int) -> Iterator[bytes]:
    """Everything that fits, the newest first, with a byte order mark, so that spreadsheets read it as UTF-8.

    No cell begins as a formula does (`text.cell`).
    """
    yield "\ufeff".encode() + _row(COLUMNS)
    before: int | None = None
    while entries := store.matching(session, filters, before, AT_ONCE):
        yield b"".join(_row(_values(line)) for line in lines(session, objects, entries, reader))
        before = entries[-1].id
        session.expunge_all()  # a whole record would not fit into memory


def _values(line: Line) -> list[str]:
    entry, of = line.entry, line.object
    values = (
        entry.id, entry.at.astimezone(UTC).isoformat(timespec="seconds"), entry.actor_id, entry.actor_name, entry.act,
        line.sentence, entry.subject, entry.subject_id, of.name if of else "", of.assessment_id if of else None,
        of.assessment if of else "", orjson.dumps(line.detail).decode(), entry.sha256,
    )  # fmt: skip
    return ["" if value is None else str(value) if isinstance(value, int) else cell(value) for value in values]


def _row(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
