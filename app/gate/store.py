"""Queries on reviews and decisions."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session, selectinload

from app.errors import NotFound
from app.gate.tables import LIVING, DecisionRow, ReviewRow


def get(session: Session, review_id: int) -> ReviewRow:
    """A review with its decisions."""
    review = session.scalar(
        select(ReviewRow).where(ReviewRow.id == review_id).options(selectinload(ReviewRow.decisions))
    )
    if review is None:
        raise NotFound("There is no such review.")
    return review


def assessment_of(session: Session, review_id: int) -> int:
    """Whose review it is, without loading it: its assessment is locked first."""
    assessment_id = session.scalar(select(ReviewRow.assessment_id).where(ReviewRow.id == review_id))
    if assessment_id is None:
        raise NotFound("There is no such review.")
    return assessment_id


def move(session: Session, review: ReviewRow, state: str, **more: object) -> bool:
    """Change the state of a review from the one that was seen; False: it has another one by now, and keeps it."""
    moved = session.execute(
        update(ReviewRow)
        .where(ReviewRow.id == review.id, ReviewRow.state == review.state)
        .values(state=state, **more)
        .execution_options(synchronize_session=False)
    )
    session.refresh(review, ["state", *more])
    return cast("CursorResult[Any]", moved).rowcount == 1


def living(session: Session, assessment_id: int) -> ReviewRow | None:
    """The review that is open or decided and not used up, if any."""
    return session.scalar(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id, ReviewRow.state.in_(LIVING))
        .options(selectinload(ReviewRow.decisions))
    )


def latest(session: Session, assessment_id: int) -> ReviewRow | None:
    return session.scalar(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id)
        .order_by(ReviewRow.id.desc())
        .limit(1)
        .options(selectinload(ReviewRow.decisions))
    )


def of_assessment(session: Session, assessment_id: int) -> Sequence[ReviewRow]:
    """All reviews of an assessment, newest first."""
    return session.scalars(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id)
        .order_by(ReviewRow.id.desc())
        .options(selectinload(ReviewRow.decisions))
    ).all()


def decided_before(session: Session, review: ReviewRow) -> ReviewRow | None:
    """The last review of the same assessment that a reviewer decided, for the difference to it."""
    return session.scalar(
        select(ReviewRow)
        .where(
            ReviewRow.assessment_id == review.assessment_id,
            ReviewRow.id < review.id,
            ReviewRow.decisions.any(DecisionRow.kind != "comment"),
        )
        .order_by(ReviewRow.id.desc())
        .limit(1)
    )


def queue(session: Session, states: Sequence[str], limit: int, before: int | None = None) -> Sequence[ReviewRow]:
    """Reviews in these states, newest first."""
    query = select(ReviewRow).where(ReviewRow.state.in_(states)).order_by(ReviewRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ReviewRow.id < before)
    return session.scalars(query.options(selectinload(ReviewRow.decisions))).all()


def decision(session: Session, decision_id: int) -> DecisionRow:
    row = session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("There is no such decision.")
    return row


def unsealed(session: Session) -> Sequence[DecisionRow]:
    """Living decisions without a seal."""
    return session.scalars(
        select(DecisionRow).where(
            DecisionRow.seal == "", DecisionRow.kind != "comment", DecisionRow.voided_at.is_(None)
        )
    ).all()
