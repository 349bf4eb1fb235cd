"""Writing the record, and checking that nobody rewrote it."""

import json
import logging
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit import head, store
from app.audit.tables import EntryRow
from app.db import afterwards, installation_of, utcnow
from app.json_types import JsonObject
from app.secret import Installation
from app.users.tables import UserRow

log = logging.getLogger("tunegate.audit")

GENESIS = "0" * 64


def record(
    session: Session, actor: UserRow | None, act: str, subject: str, subject_id: int | None, detail: JsonObject
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
        detail=dict(detail),
        previous=previous.sha256 if previous else GENESIS,
        sha256="",
    )
    entry.sha256 = seal(entry)
    session.add(entry)
    session.flush()
    if (installation := installation_of(session)) is not None:
        newest = head.Head(entry.id, entry.sha256)
        afterwards(session, "audit", lambda: _keep_head(installation, newest))
    return entry


def _keep_head(installation: Installation, newest: head.Head) -> None:
    """A head that lags behind still vouches for everything up to it, so a full disk loses no act that was answered."""
    try:
        head.keep(installation.head, installation.key, newest)
    except OSError:
        log.exception("the head of the record could not be sealed")


def knows(session: Session, actor_id: int, act: str, subject: str, subject_id: int, detail: JsonObject) -> bool:
    """Whether there is an entry of this act with at least these details that says what it was sealed with."""
    return any(
        entry.actor_id == actor_id and detail.items() <= entry.detail.items() and seal(entry) == entry.sha256
        for entry in store.acts(session, (act,), subject, subject_id)
    )


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
    """Id of the first entry that does not follow from the one before it; None when the chain is whole.

    The head outside of the database names the entry that was the newest one once. It has to be there, and to be the
    same: so a chain whose end was cut off, or which was sealed anew as a whole, is not whole.
    """
    previous, seen = GENESIS, 0
    kept = _head(session)
    for entry in session.scalars(select(EntryRow).order_by(EntryRow.id).execution_options(yield_per=1000)):
        if entry.previous != previous or seal(entry) != entry.sha256:
            return entry.id
        if kept is not None and entry.id == kept.id and entry.sha256 != kept.sha256:
            return entry.id
        previous, seen = entry.sha256, entry.id
    return None if kept is None or seen >= kept.id else seen + 1


def _head(session: Session) -> head.Head | None:
    """What the newest entry has to be; a file that we did not seal asks for an entry that is not there."""
    installation = installation_of(session)
    if installation is None:
        return None
    try:
        return head.read(installation.head, installation.key)
    except head.Forged:
        return head.Head(2**62, "")
