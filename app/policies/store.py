"""Queries on published policies."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.policies.tables import PolicyRow


def get(session: Session, policy_id: int) -> PolicyRow:
    row = session.get(PolicyRow, policy_id)
    if row is None:
        raise NotFound("There is no such policy.")
    return row


def numbered(session: Session, number: int) -> PolicyRow:
    row = session.scalar(select(PolicyRow).where(PolicyRow.number == number))
    if row is None:
        raise NotFound("There is no policy with this number.")
    return row


def newest(session: Session) -> PolicyRow | None:
    """The last one published; None while the built-in policy holds."""
    return session.scalar(select(PolicyRow).order_by(PolicyRow.number.desc()).limit(1))


def everything(session: Session) -> Sequence[PolicyRow]:
    """The newest first."""
    return session.scalars(select(PolicyRow).order_by(PolicyRow.number.desc())).all()
