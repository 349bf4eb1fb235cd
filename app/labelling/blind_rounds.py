"""What rounds have in common in which one person labels a sample blind: whose it is, and that it stays once it is done.

A round has its own sample, its own labels and its own words for what may be said; those are its concept's.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from app.db import utcnow
from app.errors import Conflict, Forbidden
from app.users.tables import UserRow


class BlindRound(Protocol):
    """A row of a round. user_id: who labels; done_at: None while labels may change."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def done_at(self) -> datetime | None: ...


class BlindLabel(Protocol):
    """A row of one word in a round."""

    label: str
    at: datetime


Round = TypeVar("Round", bound=BlindRound)
Label = TypeVar("Label", bound=BlindLabel)


def open_round(rounds: Iterable[Round], user_id: int) -> Round | None:
    """The round that this person has begun and not ended."""
    return next((row for row in rounds if row.user_id == user_id and row.done_at is None), None)


def own(row: Round, by: UserRow) -> Round:
    """
    Raises:
        Forbidden: it is somebody else's round.
    """
    if row.user_id != by.id:
        raise Forbidden("This round is somebody else's.")
    return row


def refuse_done(row: BlindRound) -> None:
    """
    Raises:
        Conflict: the round is done.
    """
    if row.done_at is not None:
        raise Conflict("This round is done; what was said in it stays.")


def put(session: Session, kept: Label | None, label: str, new: Callable[[datetime], Label]) -> Label | None:
    """Keep a label in place of the one that was kept so far; an empty one takes that back. new: makes the row."""
    now = utcnow()
    if not label:
        if kept is not None:
            session.delete(kept)
    elif kept is None:
        kept = new(now)
        session.add(kept)
    else:
        kept.label, kept.at = label, now
    session.flush()
    return kept if label else None
