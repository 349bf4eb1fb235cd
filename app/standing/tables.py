"""The status of each assessment as it was worked out last."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base

STALE = text("stale")


class StandingRow(Base):
    """One row for each assessment: `Standing` with what lists, pages and programs show beside it.

    state to target: see `protocols.Standing`. low, high: the interval of `best`, shares. answered, asked: questions.
    list_filter: which filter of the list it belongs to (`store.FILTERS`); archived, owner_id, updated_at: copies, so
    that a list is found by one index. steps, situation (`rules.Situation`), evidence: JSON as text, in its own order;
    evidence_sha256: of that text. glance: `gate.evidence_strip.Glance`, likewise.
    revision: of the assessment that it was worked out for. code: of the rules that worked it out (`rules_version`).
    valid_until: from when it is stale by itself, as an approval ends; None for never. stale: to be worked out anew.
    """

    __tablename__ = "standings"
    __table_args__ = (
        Index("ix_standings_open", "archived", "updated_at", "assessment_id"),
        Index("ix_standings_filter", "list_filter", "updated_at", "assessment_id"),
        Index("ix_standings_state", "state", "assessment_id"),
        Index("ix_standings_stale", "assessment_id", sqlite_where=STALE, postgresql_where=STALE),
        Index("ix_standings_valid_until", "valid_until"),
    )

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(60))
    sentence: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    tone: Mapped[str] = mapped_column(String(8))
    action_label: Mapped[str] = mapped_column(String(60))
    action_url: Mapped[str] = mapped_column(String(100))
    best: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    target: Mapped[float | None]
    answered: Mapped[int]
    asked: Mapped[int]
    list_filter: Mapped[str] = mapped_column(String(12))
    archived: Mapped[bool]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime]
    steps: Mapped[str] = mapped_column(Text)
    situation: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(Text)
    evidence_sha256: Mapped[str] = mapped_column(String(64))
    glance: Mapped[str] = mapped_column(Text, default="", server_default="")
    revision: Mapped[int]
    code: Mapped[str] = mapped_column(String(16))
    valid_until: Mapped[datetime | None]
    stale: Mapped[bool] = mapped_column(default=False)
    worked_out_at: Mapped[datetime]
