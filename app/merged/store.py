"""Queries on merged models."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.merged.tables import MergedRow


def get(session: Session, merged_id: int) -> MergedRow:
    row = session.get(MergedRow, merged_id)
    if row is None:
        raise NotFound("There is no such merged model.")
    return row


def of_training(session: Session, training_id: int) -> Sequence[MergedRow]:
    """All of a run's, the newest first."""
    return session.scalars(
        select(MergedRow).where(MergedRow.training_id == training_id).order_by(MergedRow.id.desc())
    ).all()
