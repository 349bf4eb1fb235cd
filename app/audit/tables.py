"""The record of what was done: append-only, each entry sealing the one before it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.json_types import JsonDict


class EntryRow(Base):
    """One act. `sha256` covers the entry and `previous`, so a changed or removed entry breaks the chain.

    `actor_name` is kept as it was then; `actor_id` is None for what the system did itself.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    actor_name: Mapped[str] = mapped_column(String(100))
    act: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[int | None]
    detail: Mapped[JsonDict]
    previous: Mapped[str] = mapped_column(String(64), unique=True)  # no entry has two followers
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
