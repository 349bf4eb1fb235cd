"""Queries on databases, scorers and watched metrics."""

from collections.abc import Collection, Sequence
from typing import TypedDict

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.scoring.tables import DatabaseRow, ScorerRow, WatchedResultRow, WatchedRow, WatchedScoreRow

# ---------------------------------------------------------------- databases


def databases(session: Session, assessment_id: int) -> Sequence[DatabaseRow]:
    """Those that can be chosen, the newest first."""
    return session.scalars(
        select(DatabaseRow)
        .where(DatabaseRow.assessment_id == assessment_id, DatabaseRow.removed_at.is_(None))
        .order_by(DatabaseRow.id.desc())
    ).all()


def database(session: Session, assessment_id: int, database_id: int) -> DatabaseRow:
    row = session.get(DatabaseRow, database_id)
    if row is None or row.assessment_id != assessment_id or row.removed_at is not None:
        raise NotFound("There is no such database.")
    return row


# ---------------------------------------------------------------- scorers


def scorers(session: Session, *, retired: bool = False) -> Sequence[ScorerRow]:
    """By name, the newest version of each first; retired: with those that are not offered any more."""
    query = select(ScorerRow).order_by(ScorerRow.name, ScorerRow.version.desc())
    return session.scalars(query if retired else query.where(ScorerRow.retired_at.is_(None))).all()


def scorer(session: Session, scorer_id: int) -> ScorerRow:
    row = session.get(ScorerRow, scorer_id)
    if row is None:
        raise NotFound("There is no such scorer.")
    return row


def scorer_of(session: Session, sha256: str) -> ScorerRow | None:
    """The version with this text, retired or not."""
    return session.scalar(select(ScorerRow).where(ScorerRow.sha256 == sha256))


def newest_version(session: Session, name: str) -> int:
    """0 where there is no scorer of that name."""
    return session.scalar(select(func.max(ScorerRow.version)).where(ScorerRow.name == name)) or 0


# ---------------------------------------------------------------- watched metrics


def watched(session: Session, assessment_id: int) -> Sequence[WatchedRow]:
    """In the order in which they were added."""
    return session.scalars(
        select(WatchedRow).where(WatchedRow.assessment_id == assessment_id).order_by(WatchedRow.id)
    ).all()


def one_watched(session: Session, assessment_id: int, watched_id: int) -> WatchedRow:
    row = session.get(WatchedRow, watched_id)
    if row is None or row.assessment_id != assessment_id:
        raise NotFound("There is no such watched metric.")
    return row


def scored(session: Session, watched_id: int, answer_ids: Collection[int]) -> dict[int, WatchedScoreRow]:
    """What these answers score, by their ids."""
    rows = session.scalars(
        select(WatchedScoreRow).where(
            WatchedScoreRow.watched_id == watched_id, WatchedScoreRow.answer_id.in_(sorted(answer_ids))
        )
    )
    return {row.answer_id: row for row in rows}


def scores_of_answers(session: Session, answer_ids: Collection[int]) -> dict[int, list[WatchedScoreRow]]:
    """Every watched score of these answers, by their ids."""
    rows = session.scalars(
        select(WatchedScoreRow)
        .where(WatchedScoreRow.answer_id.in_(sorted(answer_ids)))
        .order_by(WatchedScoreRow.watched_id)
    )
    of_answer: dict[int, list[WatchedScoreRow]] = {}
    for row in rows:
        of_answer.setdefault(row.answer_id, []).append(row)
    return of_answer


class NewScore(TypedDict):
    """A row of `WatchedScoreRow` to be stored."""

    watched_id: int
    answer_id: int
    score: float | None
    why: str


class NewResult(TypedDict):
    """What an arm came to; see `WatchedResultRow`."""

    n: int
    unscored: int
    score: float
    low: float
    high: float


def put_scores(session: Session, rows: Sequence[NewScore]) -> None:
    """Keep scores; an answer that has one by its watched metric keeps it."""
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(WatchedScoreRow).on_conflict_do_nothing()
    session.execute(statement, list(rows))


def put_result(session: Session, watched_id: int, arm_id: int, split: str, values: NewResult) -> None:
    """Keep what an arm came to, in place of what was there."""
    session.execute(
        delete(WatchedResultRow).where(
            WatchedResultRow.watched_id == watched_id,
            WatchedResultRow.arm_id == arm_id,
            WatchedResultRow.split == split,
        )
    )
    session.add(WatchedResultRow(watched_id=watched_id, arm_id=arm_id, split=split, **values))


def results(session: Session, arm_ids: Collection[int]) -> Sequence[WatchedResultRow]:
    """What these arms came to by every watched metric."""
    return session.scalars(
        select(WatchedResultRow).where(WatchedResultRow.arm_id.in_(sorted(arm_ids))).order_by(WatchedResultRow.id)
    ).all()
