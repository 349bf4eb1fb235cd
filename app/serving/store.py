"""Queries on served models and on calls of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.serving.tables import ServedCallRow, ServedRow


def named(session: Session, name: str) -> ServedRow | None:
    """What this name was switched on for last, whether it is on or off now."""
    return session.scalar(select(ServedRow).where(ServedRow.name == name))


def everything(session: Session) -> Sequence[ServedRow]:
    return session.scalars(select(ServedRow).order_by(ServedRow.id)).all()


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a name was asked, and what it took in tokens. last: None where it never was."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last: datetime | None = None


def asked(session: Session) -> dict[int, Asked]:
    """The same for every name, by its row's id."""
    rows = session.execute(
        select(
            ServedCallRow.served_id,
            func.count(),
            func.sum(ServedCallRow.prompt_tokens),
            func.sum(ServedCallRow.completion_tokens),
            func.max(ServedCallRow.at),
        ).group_by(ServedCallRow.served_id)
    )
    return {served: Asked(int(calls), int(given), int(came), last) for served, calls, given, came, last in rows}


def forget_calls(session: Session, before: datetime) -> int:
    """Drop calls from before that moment; how many there were."""
    return rows_changed(session, delete(ServedCallRow).where(ServedCallRow.at < before))


def calls(session: Session, before: int | None, limit: int) -> Sequence[tuple[ServedCallRow, str]]:
    """Calls with the name that was asked, from the newest back, below id `before`."""
    query = select(ServedCallRow, ServedRow.name).join(ServedRow, ServedRow.id == ServedCallRow.served_id)
    if before is not None:
        query = query.where(ServedCallRow.id < before)
    rows = session.execute(query.order_by(ServedCallRow.id.desc()).limit(limit))
    return [(call, name) for call, name in rows]
