"""Which passages are right for a row, found by program: pure, from texts alone.

Three signs, the surest first; the first that finds anything decides:

- *named*: a column of the upload names the document (or the passage, where each is a document of its own) that the
  answer comes from. Where the answer stands in some of its passages, these are right; else all of them are.
- *context*: the passage stands in the row itself, as a context that the question came with.
- *quotation*: the expected answer stands in the passage word for word, or the passage in the answer. A short answer
  counts where it stands in one place only, for a year or a `yes` stands in many passages by chance.

Words are compared as everywhere (`datasets.checks.leaks.words`), by runs of five.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.datasets.checks.leaks import Words, words
from app.documents.leaks import RUN, runs
from app.text import normal_form

How = Literal["marked", "named", "context", "quotation"]

STANDS = 0.8  # of a text's runs, from which on it stands in another
MOSTLY = 0.5  # of a passage's runs, from which on it is a piece of an answer that was cut into several passages
PIECE = 10  # runs that a piece has at least: a sentence in common is no origin
LETTERS = 4  # that a short answer has at least; `no` and `25` stand anywhere


@dataclass(frozen=True, slots=True)
class Row:
    """What is looked at of a row. sources: what its columns say where the answer is from."""

    id: int
    question: str
    answer: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage with what its document is called (title, file name)."""

    id: int
    document_id: int
    text: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gold:
    """The right passages of a row, and by which sign they are known."""

    passages: tuple[int, ...]
    how: How


def name_keys(name: str) -> frozenset[str]:
    """What a name may be called by: the whole, without its folder, without its ending; in small letters."""
    whole = normal_form("NFKC", name).casefold().strip().rstrip("/")
    last = whole.replace("\\", "/").rsplit("/", 1)[-1].partition("#")[0]
    stem = last.rsplit(".", 1)[0] if "." in last[1:] else last
    return frozenset(key for key in (whole, last, stem) if key)


def find(rows: Sequence[Row], pieces: Iterable[Piece]) -> dict[int, Gold]:
    """The right passages of rows, by the row's id; rows for which nothing speaks are left out.

    Passages are looked at one after the other and none is kept, so 100,000 of them take the memory of the rows.
    """
    index = _Index(rows)
    for piece in pieces:
        index.look(piece)
    return {row.id: gold for row in rows if (gold := index.gold(row))}


@dataclass(frozen=True, slots=True)
class _Quote:
    """That an answer stands in a passage, and whether all of it does."""

    document_id: int
    whole: bool


class _Index:
    """The rows by the runs, short answers and sources that a passage is looked up by, and what was seen so far."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._answer_runs: dict[int, int] = {}
        self._question_runs: dict[int, int] = {}
        self._asked: defaultdict[int, list[int]] = defaultdict(list)
        self._asking: defaultdict[Words, list[int]] = defaultdict(list)
        self._answering: defaultdict[Words, list[int]] = defaultdict(list)
        self._short: defaultdict[str, list[tuple[Words, int]]] = defaultdict(list)  # by the first word
        self._named: defaultdict[str, list[int]] = defaultdict(list)
        self._in_context: defaultdict[int, list[int]] = defaultdict(list)
        self._quoted: defaultdict[int, dict[int, _Quote]] = defaultdict(dict)  # of a row, by passage
        self._of_source: defaultdict[int, list[int]] = defaultdict(list)
        for row in rows:
            asked = set(runs(words(row.question)))
            self._question_runs[row.id] = len(asked)
            for run in asked:
                self._asking[run].append(row.id)
            answer = words(row.answer)
            if mine := set(runs(answer)):
                self._answer_runs[row.id] = len(mine)
                for run in mine:
                    self._answering[run].append(row.id)
            elif sum(map(len, answer)) >= LETTERS:
                self._short[answer[0]].append((answer, row.id))
            for key in {key for source in row.sources for key in name_keys(source)}:
                self._named[key].append(row.id)

    def look(self, piece: Piece) -> None:
        """Note what this passage is to the rows."""
        text = words(piece.text)
        mine = set(runs(text))
        in_questions = Counter(row for run in mine & self._asking.keys() for row in self._asking[run])
        for row, common in in_questions.items():
            if common >= STANDS * len(mine) and len(text) > 2 * RUN:
                self._in_context[row].append(piece.id)
            if common >= STANDS * self._question_runs[row]:
                self._asked[row].append(piece.id)
        in_answers = Counter(row for run in mine & self._answering.keys() for row in self._answering[run])
        for row, common in in_answers.items():
            whole = common >= STANDS * self._answer_runs[row]
            if whole or (common >= PIECE and common >= MOSTLY * len(mine)):
                self._quoted[row][piece.id] = _Quote(piece.document_id, whole)
        self._look_for_short_answers(piece, text)
        for key in {key for name in piece.names for key in name_keys(name)}:
            for row in self._named.get(key, ()):
                self._of_source[row].append(piece.id)

    def _look_for_short_answers(self, piece: Piece, text: Words) -> None:
        for at, word in enumerate(text):
            for answer, row in self._short.get(word, ()):
                if text[at : at + len(answer)] == answer:
                    self._quoted[row][piece.id] = _Quote(piece.document_id, whole=True)

    def gold(self, row: Row) -> Gold | None:
        """What speaks for a row's passages, the surest sign first."""
        quoted = self._quoted[row.id]
        whole = [passage for passage, quote in quoted.items() if quote.whole]
        if source := list(dict.fromkeys(self._of_source[row.id])):
            return Gold(tuple(passage for passage in source if passage in quoted) or tuple(source), "named")
        if context := self._in_context[row.id]:
            return Gold(tuple(passage for passage in context if passage in quoted) or tuple(context), "context")
        if row.id in self._answer_runs:
            return Gold(tuple(whole or quoted), "quotation") if quoted else None
        return Gold(tuple(whole), "quotation") if _one_place(quoted) else None

    def given_away(self) -> set[int]:
        """Passages in which a row's question stands, or its answer of five words and more, whole or in pieces."""
        asked = {passage for passages in self._asked.values() for passage in passages}
        return asked | {passage for row in self._answer_runs for passage in self._quoted[row]}


def given_away(rows: Sequence[Row], pieces: Iterable[Piece]) -> set[int]:
    """The passages that give these rows away: their question stands there word for word, or their answer does.

    What a model learns from must not hold them where the rows are to choose or to judge. A short answer counts for
    nothing here: a name or a year stands in every passage about it.
    """
    index = _Index(rows)
    for piece in pieces:
        index.look(piece)
    return index.given_away()


def _one_place(quoted: Mapping[int, "_Quote"]) -> bool:
    """Whether a short answer stands in one passage only, or in the ends that two neighbours share."""
    ids = sorted(quoted)
    neighbours = len(ids) == 2 and ids[1] - ids[0] == 1 and quoted[ids[0]].document_id == quoted[ids[1]].document_id
    return len(ids) == 1 or neighbours


def carried(golds: Mapping[int, Gold], rows: Sequence[Row]) -> float:
    """Share of the rows, 0 to 1, that bring a passage of the documents with their question."""
    return sum(rows_gold.how == "context" for rows_gold in golds.values()) / len(rows) if rows else 0.0
