"""Looking for words in the rows of a version, as people and programs may read them.

The database narrows the rows down by what is stored; whether a row holds the words is then said of its text with hidden
values hidden. So nobody finds out by searching what a page would not show.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from app.datasets import masked_rows, store
from app.datasets.masked_rows import MaskedRow
from app.datasets.store import RowFilter
from app.datasets.tables import ExampleRow
from app.privacy.masking import Masker

MOST = 1000  # rows that are found; whoever has more narrows the search
ROWS = 20_000  # rows whose text is read; 100,000 short rows are narrowed down to fewer in 50 ms
CHARACTERS = 20_000_000  # of text that is read: half a second
BATCH = 100  # rows at a time, for one may be a megabyte
_PIECE = re.compile(r"[A-Za-z0-9 ]{2,}")


@dataclass(frozen=True, slots=True)
class Search:
    """ids: of the rows that hold the words, in the order of the upload, `MOST` at most. looked: rows that were read.

    whole: every row was looked at; else there may be more, after the row with the id `last`.
    """

    ids: Sequence[int]
    looked: int
    whole: bool
    last: int


def holds(row: MaskedRow, words: str) -> bool:
    """Whether question or answer of a row, as it may be read, hold the words; capitals do not matter."""
    low = words.lower()
    return low in row.target.lower() or any(low in turn["content"].lower() for turn in row.messages)


def search(
    session: Session,
    dataset_id: int,
    only: RowFilter,
    words: str,
    masker: Masker,
    *,
    after: int = 0,
    most: int = MOST,
    look_at: int = ROWS,
) -> Search:
    """The rows that a filter lets through and that hold these words, after the row with the id `after`.

    most: rows that are found at most; look_at: whose text is read at most.
    """
    ids: list[int] = []
    looked = characters = 0
    last = after
    for stored in _candidates(session, dataset_id, only, words, after, look_at + 1):
        if looked >= look_at or characters >= CHARACTERS or len(ids) >= most:
            return Search(ids, looked, whole=False, last=last)
        looked += 1
        last = stored.id
        row = masked_rows.row(stored, masker)
        characters += row.characters
        if holds(row, words):
            ids.append(stored.id)
    return Search(ids, looked, whole=True, last=last)


def page_of(session: Session, search: Search, *, skip: int, limit: int) -> list[ExampleRow]:
    """A page of what was found."""
    found = store.by_ids(session, search.ids[skip : skip + limit])
    return [found[row_id] for row_id in search.ids[skip : skip + limit]]


def _candidates(
    session: Session, dataset_id: int, only: RowFilter, words: str, after: int, most: int
) -> Iterator[ExampleRow]:
    """Rows whose stored text may hold the words, `most` of them, in the order of the upload.

    Their ids are looked for in one go: to go on after a batch, the database would go over all texts once more.
    """
    texts = (cast(ExampleRow.messages, String), ExampleRow.target)
    may_hold = or_(*(text.ilike(pattern, escape="\\") for pattern in patterns(words) for text in texts))
    query = store.narrowed(select(ExampleRow.id), dataset_id, only).where(ExampleRow.id > after, may_hold)
    ids = session.scalars(query.order_by(ExampleRow.id).limit(most)).all()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        rows = store.by_ids(session, batch)
        yield from (rows[row_id] for row_id in batch)


def patterns(words: str) -> list[str]:
    """What `ilike`, with a backslash as its escape, finds in every stored text with these words, one of them."""
    return [_like(piece) for piece in _pieces(words)]


def _pieces(words: str) -> list[str]:
    """What the stored text of a row with these words holds for sure, one of them; nothing where that can't be said.

    The questions are stored as JSON, in which letters beyond ASCII, quotes and line breaks are written otherwise; so
    the longest piece without any is asked for. Words without such a piece are asked for as they may be written.
    """
    plain = max(_PIECE.findall(words), key=len, default="")
    if plain:
        return [plain]
    spelt = dict.fromkeys((words, words.lower(), words.upper(), words.capitalize()))
    written = (json.dumps(word, ensure_ascii=ascii_only)[1:-1] for word in spelt for ascii_only in (True, False))
    return list(dict.fromkeys((*spelt, *written)))


def _like(piece: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", piece) + "%"
