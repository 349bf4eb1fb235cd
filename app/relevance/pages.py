"""What the pages of right passages show, as values: a row to mark with its candidates, and rows that were missed."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.errors import NotFound
from app.relevance import ranking, service, store
from app.relevance.ranking import PASSAGES
from app.relevance.service import Known
from app.relevance.tables import RetrievalCheckRow
from app.retrieval import service as retrieval
from app.retrieval.service import Passage
from app.users import store as user_store

READ_AT_ONCE = 700  # characters of a passage before the rest is folded
MOST_MISSED = 50  # rows listed
QUESTION = 300  # characters of a question in a list


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may be the right one. parts: its text in pieces, each with whether it is the expected answer."""

    id: int
    title: str
    parts: Sequence[tuple[str, bool]]
    rest: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ToMark:
    """One row on the marking page. place: among those asked about, from 1, 0 for another one; done, total: of these.

    following, preceding: rows beside it. marked_by: who decided it, empty for nobody; absent: it was said to be in none
    of the documents. beside: passages that whoever marks sought in words of their own.
    """

    check: RetrievalCheckRow
    row: int
    line: int
    question: str
    target: str
    candidates: Sequence[Candidate]
    place: int
    done: int
    total: int
    following: int | None
    preceding: int | None
    marked_by: str = ""
    marked_at: datetime | None = None
    absent: bool = False
    beside: Sequence[Candidate] = ()


def to_mark(
    session: Session, blobs: Blobs, check: RetrievalCheckRow, row: int | None, beside: Sequence[Passage] = ()
) -> ToMark | None:
    """The row with this id, or the first that nobody decided; None where everything is decided.

    beside: passages that somebody sought by hand for it.

    Raises:
        NotFound: the row is none that was searched for.
    """
    what = service.known(session, check)
    rows = service.to_mark(session, check, what)
    open_rows = [example for example in rows if example.id not in what.marked]
    if row is None:
        example = open_rows[0] if open_rows else None
        if example is None:
            return None
    else:
        every = dataset_store.rows(session, check.dataset_id, "dev") if str(row) in check.hits else []
        example = next((one for one in every if one.id == row), None)
        if example is None:
            raise NotFound("This is none of the dev rows that were searched for.")
    one = _to_mark(session, blobs, check, what, rows, example)
    there = {candidate.id for candidate in one.candidates}
    more = [_candidate(passage, example.target, set()) for passage in beside if passage.id not in there]
    return replace(one, beside=more)


def _candidate(passage: Passage, target: str, chosen: Collection[int]) -> Candidate:
    text = passage.text
    return Candidate(
        passage.id, passage.title, parts(text[:READ_AT_ONCE], target), text[READ_AT_ONCE:], passage.id in chosen
    )


def _to_mark(
    session: Session, blobs: Blobs, check: RetrievalCheckRow, what: Known, rows: Sequence[Example], example: Example
) -> ToMark:
    masker = masked_rows.masker_for_measurements(dataset_store.get(session, check.dataset_id))
    chosen = set(what.gold[example.id].passages) if example.id in what.gold else set()
    ids = [one.id for one in rows]
    at = ids.index(example.id) if example.id in ids else None
    mark = store.marks(session, check.assessment_id).get(service.key_of(example))
    passages = service.candidates(session, blobs, check, example.id)
    if beyond := chosen - {passage.id for passage in passages}:
        passages += retrieval.passages(session, blobs, check.index_id, sorted(beyond)).values()
    return ToMark(
        check=check,
        row=example.id,
        line=example.line,
        question=masker.text("\n".join(turn.content for turn in example.messages if turn.role != "system")),
        target=masker.text(example.target),
        candidates=[_candidate(passage, example.target, chosen) for passage in passages],
        place=0 if at is None else at + 1,
        done=sum(one in what.marked for one in ids),
        total=len(ids),
        following=None if at is None or at + 1 >= len(ids) else ids[at + 1],
        preceding=None if not at else ids[at - 1],
        marked_by=user_store.names(session, [mark.marked_by]).get(mark.marked_by, "") if mark else "",
        marked_at=mark.marked_at if mark else None,
        absent=example.id in what.absent,
    )


def parts(text: str, answer: str) -> list[tuple[str, bool]]:
    """A text cut where the expected answer stands in it, whatever its capitals and blanks are."""
    words = answer.split()
    if not words or len(answer) > READ_AT_ONCE:
        return [(text, False)]
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    pieces: list[tuple[str, bool]] = []
    end = 0
    for match in pattern.finditer(text):
        pieces += [(text[end : match.start()], False), (match[0], True)]
        end = match.end()
    return [piece for piece in (*pieces, (text[end:], False)) if piece[0]]


@dataclass(frozen=True, slots=True)
class Missed:
    """A dev row whose right passage is not among the first ones of the best way. rank: where it is, None beyond ten."""

    row: int
    line: int
    question: str
    rank: int | None


def missed(session: Session, quality: service.Quality) -> list[Missed]:
    """The rows that the best way misses among the first five, those that it finds last at the end."""
    if quality.best is None:
        return []
    way = quality.best.way
    ranks = {
        judged.row: ranking.rank(judged.gold, judged.hits[way])
        for judged in service.judged(quality.check, quality.known)
    }
    late: Mapping[int, int | None] = {row: place for row, place in ranks.items() if not place or place > PASSAGES}
    masker = masked_rows.masker_for_measurements(dataset_store.get(session, quality.check.dataset_id))
    rows = dataset_store.examples_of(session, late)
    listed = [
        Missed(row, rows[row].line, masker.text(_asked(rows[row].messages))[:QUESTION], place)
        for row, place in late.items()
    ]
    return sorted(listed, key=lambda one: (one.rank or 0, one.line))[:MOST_MISSED]


def _asked(messages: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(turn["content"] for turn in messages if turn["role"] != "system")
