"""Queries on output constraints."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.constraints.tables import ConstraintRow


def versions(session: Session, assessment_id: int) -> Sequence[ConstraintRow]:
    """All versions, the newest first."""
    return session.scalars(
        select(ConstraintRow).where(ConstraintRow.assessment_id == assessment_id).order_by(ConstraintRow.version.desc())
    ).all()


def current(session: Session, assessment_id: int) -> ConstraintRow | None:
    """The version in use: the newest, if nobody took it out of use."""
    newest = session.scalar(
        select(ConstraintRow)
        .where(ConstraintRow.assessment_id == assessment_id)
        .order_by(ConstraintRow.version.desc())
        .limit(1)
    )
    return newest if newest is not None and newest.removed_at is None else None
