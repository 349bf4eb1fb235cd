"""Queries on looks at served adapters."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.deployed.tables import ServedCheckRow
from app.errors import NotFound


def get(session: Session, check_id: int) -> ServedCheckRow:
    row = session.get(ServedCheckRow, check_id)
    if row is None:
        raise NotFound("There is no such check.")
    return row


def of_training(session: Session, training_id: int) -> Sequence[ServedCheckRow]:
    """All looks at an adapter, the newest first."""
    return session.scalars(
        select(ServedCheckRow).where(ServedCheckRow.training_id == training_id).order_by(ServedCheckRow.id.desc())
    ).all()
