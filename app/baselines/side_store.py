"""Queries on the rows that two arms were both asked: counted, page by page, and looked through for words.

No more answers than a page shows are held at a time: filters are the database's work, and where a text has to be read
to decide, its row's id is all that is kept.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.baselines.side_filter import MARKS, WHICH, Mark, Which
from app.baselines.tables import AnswerRow
from app.chat import messages_from_json
from app.datasets import row_search
from app.datasets.tables import ExampleRow

A, B = aliased(AnswerRow, name="a"), aliased(AnswerRow, name="b")
Rows = Select[*tuple[Any, ...]]
AT_ONCE = 200  # rows whose texts are read at a time
MOST_FOUND = 1_000  # rows that words are looked up for; whoever has more narrows the search
MOST_READ = 20_000  # rows whose texts are read for words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Which rows of two arms. passing: the score from which an answer counts as right.

    targets: expected answers as they are stored, one of which the row has to want; rows: ids to stay within; None for
    any. decorated: ids of the rows of which an answer is right only without what stood around it.
    """

    a: int
    b: int
    split: str
    passing: float
    which: Which = "all"
    marks: tuple[Mark, ...] = ()
    targets: frozenset[str] | None = None
    rows: frozenset[int] | None = None
    decorated: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Texts:
    """One row with both answers as they are stored; a score is None for an error."""

    example_id: int
    question: str
    target: str
    a: str
    b: str
    a_score: float | None
    b_score: float | None


def page(
    session: Session, pairs: Pairs, *, after: int = 0, before: int | None = None, limit: int
) -> list[tuple[AnswerRow, AnswerRow]]:
    """Both answers, row by row: those above the row id `after`, or the last ones below `before`."""
    query = _narrowed(select(A, B), pairs)
    if before is not None:
        rows = session.execute(query.where(A.example_id < before).order_by(A.example_id.desc()).limit(limit)).all()
        return [(row[0], row[1]) for row in reversed(rows)]
    rows = session.execute(query.where(A.example_id > after).order_by(A.example_id).limit(limit)).all()
    return [(row[0], row[1]) for row in rows]


def pair(session: Session, pairs: Pairs, example_id: int) -> tuple[AnswerRow, AnswerRow] | None:
    """Both answers to one row, whatever else is chosen; None where one of the two was not asked."""
    found = session.execute(_joined(select(A, B), pairs).where(A.example_id == example_id)).first()
    return None if found is None else (found[0], found[1])


def number_of(session: Session, pairs: Pairs, *, up_to: int | None = None) -> int:
    """How many rows are chosen; up_to: those with this id or a lower one."""
    query = _narrowed(select(func.count()), pairs)
    return session.scalar(query if up_to is None else query.where(A.example_id <= up_to)) or 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows each link would lead to, with all else that is chosen. rows: that both were asked at all."""

    which: dict[Which, int]
    marks: dict[Mark, int]
    rows: int


def counted(session: Session, pairs: Pairs) -> Counts:
    """Everything that can be chosen, counted in one query."""
    flags = {f"is_{which}": _is(which, pairs) for which in WHICH}
    flags |= {f"has_{mark}": _has(mark, pairs) for mark in MARKS}
    flags["inside"] = and_(*_inside(pairs)) if _inside(pairs) else A.id == A.id
    columns = [case((condition, 1), else_=0).label(name) for name, condition in flags.items()]
    seen = _joined(select(*columns), pairs).subquery()

    def number(*names: str) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((and_(*(seen.c[name] == 1 for name in names)), 1), else_=0)), 0)

    chosen = [f"has_{mark}" for mark in pairs.marks]
    asked = [number("inside", f"is_{which}", *chosen) for which in WHICH]
    asked += [number("inside", f"is_{pairs.which}", *{*chosen, f"has_{mark}"}) for mark in MARKS]
    *numbers, rows = session.execute(select(*asked, func.count()).select_from(seen)).one()
    values = [int(one) for one in numbers]
    which = dict(zip(WHICH, values[: len(WHICH)], strict=True))
    marks = dict(zip(MARKS, values[len(WHICH) :], strict=True))
    return Counts(which, marks, int(rows))


def targets(session: Session, pairs: Pairs, keep: Callable[[str], bool]) -> frozenset[str]:
    """The different expected answers of these rows that `keep` takes."""
    bare = replace(pairs, targets=None, rows=None)
    query = _joined(select(ExampleRow.target).distinct(), bare).join(ExampleRow, ExampleRow.id == A.example_id)
    return frozenset(target for target in session.scalars(query).yield_per(AT_ONCE) if keep(target))


def right_texts(session: Session, pairs: Pairs) -> Iterator[Texts]:
    """Rows of which one of the two answers is right, one after the other."""
    query = _texts(pairs).where(or_(A.score >= pairs.passing, B.score >= pairs.passing))
    return _read(session, query)


@dataclass(frozen=True, slots=True)
class Holding:
    """ids: of the rows with these words. whole: every row was looked at, and there are no more."""

    ids: frozenset[int]
    whole: bool


def holding(session: Session, pairs: Pairs, words: str, holds: Callable[[Texts], bool]) -> Holding:
    """The rows of which the database says that they may hold these words, and `holds` that they do."""
    patterns = row_search.patterns(words)
    columns = (cast(ExampleRow.messages, String), ExampleRow.target, A.output, B.output)
    may_hold = or_(*(column.ilike(pattern, escape="\\") for column in columns for pattern in patterns))
    ids: set[int] = set()
    for number, row in enumerate(_read(session, _texts(pairs).where(may_hold)), start=1):
        if number > MOST_READ or len(ids) >= MOST_FOUND:
            return Holding(frozenset(ids), whole=False)
        if holds(row):
            ids.add(row.example_id)
    return Holding(frozenset(ids), whole=True)


# ------------------------------------------------------------------ inside


def _joined(query: Rows, pairs: Pairs) -> Rows:
    """Every row that both arms were asked."""
    same = (B.example_id == A.example_id) & (B.split == A.split) & (B.arm_id == pairs.b)
    return query.select_from(A).join(B, same).where(A.arm_id == pairs.a, A.split == pairs.split)


def _narrowed(query: Rows, pairs: Pairs) -> Rows:
    return _joined(query, pairs).where(
        _is(pairs.which, pairs), *(_has(mark, pairs) for mark in pairs.marks), *_inside(pairs)
    )


def _inside(pairs: Pairs) -> list[ColumnElement[bool]]:
    """What the row itself has to be."""
    conditions: list[ColumnElement[bool]] = []
    if pairs.rows is not None:
        conditions.append(_among(pairs.rows))
    if pairs.targets is not None:
        wanting = select(ExampleRow.id).where(ExampleRow.id == A.example_id, ExampleRow.target.in_(pairs.targets))
        conditions.append(wanting.exists())
    return conditions


def _among(ids: Collection[int]) -> ColumnElement[bool]:
    return A.example_id.in_(sorted(ids))


def _is(which: Which, pairs: Pairs) -> ColumnElement[bool]:
    first, second = A.score >= pairs.passing, B.score >= pairs.passing
    not_first, not_second = A.score < pairs.passing, B.score < pairs.passing
    match which:
        case "fixed":
            return and_(not_first, second)
        case "broken":
            return and_(first, not_second)
        case "both_wrong":
            return and_(not_first, not_second)
        case "both_right":
            return and_(first, second)
    return A.id == A.id


def _has(mark: Mark, pairs: Pairs) -> ColumnElement[bool]:
    """Whether one of the two answers is such a one."""
    match mark:
        case "error":
            return or_(A.status == "error", B.status == "error")
        case "cut":
            return or_(A.finish == "length", B.finish == "length")
        case "thinking":
            return or_(A.raw.is_not(None), B.raw.is_not(None))
        case "cache":
            return or_(A.taken_from.is_not(None), B.taken_from.is_not(None))
    return _among(pairs.decorated)


def _texts(pairs: Pairs) -> Rows:
    columns = (A.example_id, ExampleRow.messages, ExampleRow.target, A.output, B.output, A.score, B.score)
    return _joined(select(*columns), pairs).join(ExampleRow, ExampleRow.id == A.example_id).order_by(A.example_id)


def _read(session: Session, query: Rows) -> Iterator[Texts]:
    for example_id, messages, *rest in session.execute(query.execution_options(yield_per=AT_ONCE)):
        asked = "\n".join(turn.content for turn in messages_from_json(messages))
        yield Texts(example_id, asked, *rest)
