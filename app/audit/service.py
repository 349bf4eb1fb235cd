"""Writing the record, and checking that nobody rewrote it."""

import json
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit.tables import EntryRow
from app.db import utcnow
from app.users.tables import UserRow

GENESIS = "0" * 64


def record(
    session: Session, actor: UserRow | None, act: str, subject: str, subject_id: int | None, detail: dict[str, Any]
) -> EntryRow:
    """Add an entry in the caller's transaction: the act and its record are kept together or not at all.

    Two writers never follow the same entry: on SQLite the transaction holds the write lock, on PostgreSQL an advisory
    lock is held until commit, and `previous` is unique on both.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(0x7475_6E65)))
    previous = session.scalar(select(EntryRow).order_by(EntryRow.id.desc()).limit(1))
    entry = EntryRow(
        at=utcnow().replace(microsecond=0),
        actor_id=actor.id if actor else None,
        actor_name=actor.name if actor else "Tunegate",
        act=act,
        subject=subject,
        subject_id=subject_id,
        detail=detail,
        previous=previous.sha256 if previous else GENESIS,
        sha256="",
    )
    entry.sha256 = seal(entry)
    session.add(entry)
    session.flush()
    return entry


def seal(entry: EntryRow) -> str:
    """SHA-256 over everything the entry says and the seal before it."""
    text = json.dumps(
        [
            entry.previous,
            entry.at.isoformat(),
            entry.actor_id,
            entry.actor_name,
            entry.act,
            entry.subject,
            entry.subject_id,
            entry.detail,
        ],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return sha256(text.encode()).hexdigest()


def broken_at(session: Session) -> int | None:
    """Id of the first entry that does not follow from the one before it; None when the chain is whole."""
    previous = GENESIS
    for entry in session.scalars(select(EntryRow).order_by(EntryRow.id).execution_options(yield_per=1000)):
        if entry.previous != previous or seal(entry) != entry.sha256:
            return entry.id
        previous = entry.sha256
    return None
