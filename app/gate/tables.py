"""Reviews: a frozen subject, and what reviewers said of exactly that.

The recipe is here and not with training because it is part of what is approved.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base


class ReviewRow(Base):
    """A request for review.

    subject: the canonical JSON that was frozen when review was asked for; the page is drawn from it and nothing else.
    digest: SHA-256 over it (`gate/subject.py`). revision: the assessment's revision it was made from.
    state: open, approved, changes_requested, withdrawn, superseded (something changed), consumed (a job was launched).
    """

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint(
            "state in ('open', 'approved', 'changes_requested', 'withdrawn', 'superseded', 'consumed')",
            name="state",
        ),
        # One living review an assessment.
        Index(
            "uq_reviews_living",
            "assessment_id",
            unique=True,
            sqlite_where=text("state in ('open', 'approved', 'changes_requested')"),
            postgresql_where=text("state in ('open', 'approved', 'changes_requested')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), index=True)
    revision: Mapped[int]
    subject: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(20), default="open")
    note: Mapped[str] = mapped_column(Text, default="")
    requested_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_because: Mapped[str] = mapped_column(String(200), default="")
    decisions: Mapped[list["DecisionRow"]] = relationship(
        lazy="raise", order_by="DecisionRow.id", back_populates="review"
    )


class DecisionRow(Base):
    """What one reviewer decided about one digest. Never changed, apart from being voided.

    kind: approve, request_changes, comment. seal: made with the installation's key (`permission.decision_seal`), so
    that a row which was put here past the app is no approval.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("kind in ('approve', 'request_changes', 'comment')", name="kind"),
        # One living voice a person and review.
        Index(
            "uq_decisions_voice",
            "review_id",
            "reviewer_id",
            unique=True,
            sqlite_where=text("voided_at is null and kind <> 'comment'"),
            postgresql_where=text("voided_at is null and kind <> 'comment'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"), index=True)
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    comment: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]
    seal: Mapped[str] = mapped_column(String(64), default="", server_default="")
    review: Mapped[ReviewRow] = relationship(lazy="raise", back_populates="decisions")


class RecipeRow(Base):
    """The recipe of an assessment: how it would be trained. Part of what a reviewer approves.

    preflight: what the last preflight of exactly these settings found (rows, tokens, samples, estimates), or None.
    preflight_of: hash of recipe, split, prompt and model that the preflight was made for.
    """

    __tablename__ = "recipes"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), unique=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    settings: Mapped[dict[str, Any]]
    preflight: Mapped[dict[str, Any] | None]
    preflight_of: Mapped[str] = mapped_column(String(64), default="")
    preflight_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    updated_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime]
