"""Queries on checks of retrieval and on marks."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from app.db import memo
from app.errors import NotFound
from app.relevance.tables import PassageMarkRow, RetrievalCheckRow


def check(session: Session, check_id: int) -> RetrievalCheckRow:
    row = session.get(RetrievalCheckRow, check_id)
    if row is None:
        raise NotFound("There is no such check of retrieval.")
    return row


def checks(session: Session, assessment_id: int, *, after: int = 0, limit: int = 50) -> Sequence[RetrievalCheckRow]:
    """An assessment's checks, the newest first, without what they found; after: the id to go on behind."""
    query = select(RetrievalCheckRow).where(RetrievalCheckRow.assessment_id == assessment_id)
    if after:
        query = query.where(RetrievalCheckRow.id < after)
    heavy = defer(RetrievalCheckRow.hits), defer(RetrievalCheckRow.gold)
    return session.scalars(query.options(*heavy).order_by(RetrievalCheckRow.id.desc()).limit(limit)).all()


def newest(session: Session, assessment_id: int) -> RetrievalCheckRow | None:
    """The last check that was asked for, done or not."""
    return session.scalar(
        select(RetrievalCheckRow)
        .where(RetrievalCheckRow.assessment_id == assessment_id)
        .order_by(RetrievalCheckRow.id.desc())
        .limit(1)
    )


def done(session: Session, assessment_id: int, index_id: int, dataset_id: int) -> RetrievalCheckRow | None:
    """The newest finished check of this index on this version of the data."""
    return memo(
        session,
        ("retrieval check", index_id),
        lambda: session.scalar(
            select(RetrievalCheckRow)
            .where(
                RetrievalCheckRow.assessment_id == assessment_id,
                RetrievalCheckRow.index_id == index_id,
                RetrievalCheckRow.dataset_id == dataset_id,
                RetrievalCheckRow.done_at.is_not(None),
            )
            .order_by(RetrievalCheckRow.id.desc())
            .limit(1)
        ),
    )


def carried(session: Session, assessment_id: int, dataset_id: int) -> float | None:
    """Share of the training rows that bring a passage of the documents, by the newest finished check of a version."""
    return session.scalar(
        select(RetrievalCheckRow.carried)
        .where(
            RetrievalCheckRow.assessment_id == assessment_id,
            RetrievalCheckRow.dataset_id == dataset_id,
            RetrievalCheckRow.done_at.is_not(None),
        )
        .order_by(RetrievalCheckRow.id.desc())
        .limit(1)
    )


def marks(session: Session, assessment_id: int, up_to: int | None = None) -> Mapping[int, PassageMarkRow]:
    """The mark that counts of each row, by what the row asks. up_to: as it was at the mark with this id."""
    query = select(PassageMarkRow).where(PassageMarkRow.assessment_id == assessment_id)
    if up_to is not None:
        query = query.where(PassageMarkRow.id <= up_to)
    return {row.key: row for row in session.scalars(query.order_by(PassageMarkRow.id))}
