"""Queries on what is kept of each status: for lists, their filters and their counts, each by one index.

A page that lists assessments asks `page` and `counts` and nothing else of an assessment. Rows that are `stale` show
what was true until something changed that reaches many at once; `service.fresh_lines` works them out for the page:

    listed = store.page(db, Wanted("ready", me.id, q), number, size)
    lines, counts = service.fresh_lines(db, listed.lines), store.counts(db, me.id)
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, text, update
from sqlalchemy.orm import Session

from app.assessments.store import text_conditions
from app.assessments.tables import AssessmentRow, ContributionRow
from app.db import ask
from app.standing.tables import StandingRow
from app.web.protocols import Action, Standing

FILTERS: Mapping[str, frozenset[str]] = {
    "in_review": frozenset({"in_review", "changes_requested"}),
    "ready": frozenset({"ready_for_review", "approved"}),
    "trained": frozenset({"improved", "not_better", "regressed", "inconclusive"}),
}
"""Filters of the list and the states that each shows. Besides there are "" (all but the archive), mine, archived."""
ALL_FILTERS = ("", "mine", *FILTERS, "archived")
MOST_COUNTED = 1000
"""Counting goes no further: a reader sees "999+", and no page waits for it."""
FEW = 2000
"""Up to so many of one's own, these are looked up and sorted; with more, the list is walked from the newest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assessments a list shows. list_filter: one of `ALL_FILTERS`. me: whose are mine. text: in title or team."""

    list_filter: str = ""
    me: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One assessment in a list. low, high: the interval of `standing.best`.
    stale, code, valid_until: see `StandingRow`; `service.fresh_lines` looks at them."""

    id: int
    title: str
    team: str
    owner_id: int
    updated_at: datetime
    answered: int
    asked: int
    low: float | None
    high: float | None
    standing: Standing
    stale: bool
    code: str
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """lines: of this page. total: how many there are, or `MOST_COUNTED` beyond this page if there are more still."""

    lines: Sequence[Line]
    total: int


def filter_of(state: str) -> str:
    """The filter that shows a state; empty for those that only the whole list shows."""
    if state == "archived":
        return state
    return next((name for name, states in FILTERS.items() if state in states), "")


def of_row(row: Any) -> Standing:
    """row: a `StandingRow`, or the columns of one that a list has asked for."""
    action = Action(row.action_label, row.action_url)
    return Standing(row.state, row.label, row.sentence, row.why, row.tone, action, row.best, row.target)


# What a line shows, in its order, then what `of_row` reads: no row is loaded for a list.
_LISTED = (
    StandingRow.assessment_id,
    AssessmentRow.title,
    AssessmentRow.team,
    StandingRow.owner_id,
    StandingRow.updated_at,
    StandingRow.answered,
    StandingRow.asked,
    StandingRow.low,
    StandingRow.high,
    StandingRow.stale,
    StandingRow.code,
    StandingRow.valid_until,
    StandingRow.state,
    StandingRow.label,
    StandingRow.sentence,
    StandingRow.why,
    StandingRow.tone,
    StandingRow.action_label,
    StandingRow.action_url,
    StandingRow.best,
    StandingRow.target,
)
_OWN = 9  # columns before the status


def page(session: Session, wanted: Wanted, number: int, size: int) -> Page:
    """One page of the list, last changed first."""
    skipped = (number - 1) * size
    kind = _kind(session, wanted)
    words = text_conditions(wanted.text)
    given = {"me": wanted.me, "size": size, "skipped": skipped, "most": skipped + MOST_COUNTED}
    found: Sequence[Any] = ask(session, _lines(kind).where(*words) if words else _lines(kind), given).all()
    lines = [Line(*(*row[:_OWN], of_row(row), *row[_OWN : _OWN + 3])) for row in found]
    if number == 1 and len(lines) < size:
        return Page(lines, len(lines))
    return Page(lines, ask(session, _number(kind, *words) if words else _number_of(kind), given).scalar_one())


def _kind(session: Session, wanted: Wanted) -> str:
    """The filter, by one of the names that `_condition` knows."""
    if wanted.list_filter != "mine":
        return wanted.list_filter if wanted.list_filter in (*FILTERS, "archived") else ""
    own = select(ContributionRow.assessment_id).where(ContributionRow.user_id == wanted.me).limit(FEW)
    return "few of mine" if len(session.scalars(own).all()) < FEW else "many of mine"


# What every home page asks is put together once: that takes as long as the database does.
@cache
def _lines(kind: str) -> Select[*tuple[Any, ...]]:
    order = (StandingRow.updated_at.desc(), StandingRow.assessment_id.desc())
    query = select(*_LISTED).join(AssessmentRow, AssessmentRow.id == StandingRow.assessment_id).where(*_condition(kind))
    return query.order_by(*order).limit(bindparam("size")).offset(bindparam("skipped"))


def _number(kind: str, *words: ColumnElement[bool]) -> Select[int]:
    query: Select[int] = select(StandingRow.assessment_id).where(*_condition(kind), *words).limit(bindparam("most"))
    if words:
        query = query.join(AssessmentRow, AssessmentRow.id == StandingRow.assessment_id)
    return select(func.count()).select_from(query.subquery())


@cache
def _number_of(kind: str) -> Select[int]:
    return _number(kind)


def _condition(kind: str) -> list[ColumnElement[bool]]:
    """me: of whom something is mine."""
    if kind in FILTERS or kind == "archived":
        return [StandingRow.list_filter == kind]
    there, me = StandingRow.archived.is_(False), ContributionRow.user_id == bindparam("me")
    if kind == "few of mine":
        return [there, StandingRow.assessment_id.in_(select(ContributionRow.assessment_id).where(me))]
    if kind == "many of mine":
        own = select(ContributionRow.user_id).where(me, ContributionRow.assessment_id == StandingRow.assessment_id)
        return [there, own.exists()]
    return [there]


def counts(session: Session, me: int) -> dict[str, int]:
    """How many each filter shows, by its name in `ALL_FILTERS`; `MOST_COUNTED` stands for that many or more."""
    row = ask(session, _COUNTS, {"me": me, "most": MOST_COUNTED}).one()
    return dict(zip(ALL_FILTERS, row, strict=True))


def _counts() -> str:
    """One statement for all filters: the page that shows their numbers asks for them each time."""
    mine = "from contributions c join standings s on s.assessment_id = c.assessment_id where c.user_id = :me"
    which = {"": "from standings s where s.archived = false", "mine": f"{mine} and s.archived = false"}
    parts = [which.get(name, f"from standings s where s.list_filter = '{name}'") for name in ALL_FILTERS]
    counted = [f"(select count(*) from (select 1 {part} limit :most) as few)" for part in parts]  # noqa: S608 - constants
    return f"select {', '.join(counted)}"


_COUNTS = text(_counts())


# ------------------------------------------------------------------ one assessment


def find(session: Session, assessment_id: int) -> StandingRow | None:
    return session.get(StandingRow, assessment_id)


def of_ids(session: Session, ids: Iterable[int]) -> dict[int, StandingRow]:
    rows = session.scalars(select(StandingRow).where(StandingRow.assessment_id.in_(sorted(ids))))
    return {row.assessment_id: row for row in rows}


def in_states(
    session: Session, states: Iterable[str], text: str, before: int | None, limit: int
) -> Sequence[AssessmentRow]:
    """For programs: assessments in these states, the newest first, below that id."""
    query = (
        select(AssessmentRow)
        .join(StandingRow, StandingRow.assessment_id == AssessmentRow.id)
        .where(
            StandingRow.state.in_(sorted(states)),
            AssessmentRow.recorded == "",  # the finished example is in no list
            *text_conditions(text),
        )
    )
    if before is not None:
        query = query.where(StandingRow.assessment_id < before)
    return session.scalars(query.order_by(StandingRow.assessment_id.desc()).limit(limit)).all()


def held(session: Session, ids: Iterable[int]) -> dict[int, StandingRow]:
    """The rows of these assessments, locked in the order of their ids until the transaction ends.

    They are locked last of all, and nothing is waited for afterwards: so two transactions that changed one assessment
    at once come one after the other, and neither waits for the other in a circle.
    """
    rows = session.scalars(
        select(StandingRow)
        .where(StandingRow.assessment_id.in_(sorted(ids)))
        .order_by(StandingRow.assessment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.assessment_id: row for row in rows}


# ------------------------------------------------------------------ what is to be worked out anew


def mark_stale(session: Session, ids: Iterable[int]) -> None:
    ordered = sorted(ids)
    for first in range(0, len(ordered), 500):
        part = ordered[first : first + 500]
        session.execute(  # locked in order, as everywhere
            select(StandingRow.assessment_id)
            .where(StandingRow.assessment_id.in_(part))
            .order_by(StandingRow.assessment_id)
            .with_for_update()
        ).all()
        session.execute(
            update(StandingRow)
            .where(StandingRow.assessment_id.in_(part))
            .values(stale=True)
            .execution_options(synchronize_session=False)
        )


def stale_ids(session: Session, now: datetime, limit: int, without: Collection[int] = ()) -> Sequence[int]:
    """Assessments whose status is to be worked out anew, at most so many, and none of `without`."""
    query = select(StandingRow.assessment_id).limit(limit)
    if without:
        query = query.where(StandingRow.assessment_id.not_in(sorted(without)))
    marked = session.scalars(query.where(StandingRow.stale)).all()
    over = session.scalars(query.where(StandingRow.valid_until <= now)).all()
    return sorted({*marked, *over})[:limit]


def of_other_rules(session: Session, code: str) -> Sequence[int]:
    """What other rules worked out (`rules_version`) and nobody has marked yet."""
    query = select(StandingRow.assessment_id).where(StandingRow.code != code, StandingRow.stale.is_(False))
    return session.scalars(query).all()
