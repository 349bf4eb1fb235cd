"""Queries on the record."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.tables import EntryRow


def acts(session: Session, names: Collection[str], subject: str, subject_id: int) -> Sequence[EntryRow]:
    """What was done to one thing, of these kinds, oldest first."""
    return session.scalars(
        select(EntryRow)
        .where(EntryRow.subject == subject, EntryRow.subject_id == subject_id, EntryRow.act.in_(names))
        .order_by(EntryRow.id)
    ).all()


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
