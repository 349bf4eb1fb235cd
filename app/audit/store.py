"""Queries on the record."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.tables import EntryRow


def newest(
    session: Session, before: int | None, limit: int, *, subject: str | None = None, subject_id: int | None = None
) -> Sequence[EntryRow]:
    """Entries from the newest back, below id `before`."""
    query = select(EntryRow).order_by(EntryRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(EntryRow.id < before)
    if subject is not None:
        query = query.where(EntryRow.subject == subject)
    if subject_id is not None:
        query = query.where(EntryRow.subject_id == subject_id)
    return session.scalars(query).all()
