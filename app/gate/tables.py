"""Reviews: a frozen subject, and what reviewers said of exactly that."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base

LIVING = ("open", "approved", "changes_requested")
IS_LIVING = text("state in ('open', 'approved', 'changes_requested')")  # as a query has to say it for the index


class ReviewRow(Base):
    """A request for review.

    subject: the canonical JSON that was frozen when review was asked for; the page is drawn from it and nothing else.
    digest: SHA-256 over it (`gate/subject.py`). revision: the assessment's revision it was made from.
    state: open, approved, changes_requested, withdrawn, superseded (something changed), consumed (a job was launched).
    asked_of: the user who was asked to review it; None where anyone who may. It stands beside the subject, not in it.
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
        Index("ix_reviews_waiting", "state", "id", sqlite_where=IS_LIVING, postgresql_where=IS_LIVING),
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
    asked_of: Mapped[int | None]
    closed_at: Mapped[datetime | None]
    closed_because: Mapped[str] = mapped_column(String(200), default="")
    decisions: Mapped[list["DecisionRow"]] = relationship(
        lazy="raise", order_by="DecisionRow.id", back_populates="review"
    )

    @property
    def living(self) -> bool:
        """Open or decided, and neither used up nor closed."""
        return self.state in LIVING


class DecisionRow(Base):
    """What one reviewer decided about one digest. Never changed, apart from being voided.

    kind: approve, request_changes, comment. seal: made with the installation's key (`permission.decision_seal`), so
    that a row which was put here past the app is no approval. checked: the sections that the reviewer ticked
    (`gate/checks.py`), with commas between them; part of what is sealed.
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
    checked: Mapped[str] = mapped_column(String(200), default="", server_default="")
    review: Mapped[ReviewRow] = relationship(lazy="raise", back_populates="decisions")


class BarredRow(Base):
    """A reviewer who could not decide a review when it was requested, for another reason than working on it.

    A price, a policy or a model of theirs is counted with, or their account was opened by somebody who worked on it.
    The count in the navigation and the home page look at it; a decision is judged anew.
    """

    __tablename__ = "review_barred"

    review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
