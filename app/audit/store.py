"""Queries on the record."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.audit.filters import SYSTEM, Filters
from app.audit.tables import EntryRow


def acts(session: Session, names: Collection[str], subject: str, subject_id: int) -> Sequence[EntryRow]:
    """What was done to one thing, of these kinds, oldest first."""
    return session.scalars(
        select(EntryRow)
        .where(EntryRow.subject == subject, EntryRow.subject_id == subject_id, EntryRow.act.in_(names))
        .order_by(EntryRow.id)
    ).all()


def matching(session: Session, filters: Filters, before: int | None, limit: int) -> Sequence[EntryRow]:
    """Entries that fit, from the newest back, below id `before`."""
    query = select(EntryRow).where(*_conditions(filters)).order_by(EntryRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(EntryRow.id < before)).all()


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.actor is not None:
        of_person = EntryRow.actor_id == filters.actor
        conditions.append(EntryRow.actor_id.is_(None) if filters.actor == SYSTEM else of_person)
    if filters.act:
        exact = EntryRow.act == filters.act
        of_kind = EntryRow.act.startswith(f"{filters.act}.", autoescape=True)
        conditions.append(exact if "." in filters.act else of_kind)
    if filters.subject:
        conditions.append(EntryRow.subject == filters.subject)
    if filters.subject_id is not None:
        conditions.append(EntryRow.subject_id == filters.subject_id)
    if filters.within is not None:
        owned = [and_(EntryRow.subject == kind, EntryRow.subject_id.in_(ids)) for kind, ids in filters.within.items()]
        conditions.append(or_(EntryRow.id.is_(None), *owned))  # of no assessment there is nothing
    if filters.since is not None:
        conditions.append(EntryRow.at >= _begin(filters.since))
    if filters.until is not None:
        conditions.append(EntryRow.at < _begin(filters.until) + timedelta(days=1))
    return conditions


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


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
