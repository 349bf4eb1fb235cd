"""A use case and what its people said about it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.advice.schema import Answer
from app.db import Base, Json

RECORDED = text("recorded <> ''")  # word for word what a query has to say to be given the index


class AssessmentRow(Base):
    """One use case.

    answers: as typed (a draft may be wrong or half-done), by question key; `advice.case` reads them.
    version: raised by every save of the questionnaire (two people, two tabs); `last_tab` is the page that saved last.
    revision: raised by every edit of any part, data and recipe included; an approval names the one it was given for.
    assumed: keys of answers that a template filled in, and nobody has saved or changed since.
    revised_at: when `revision` was raised last; None for one that nobody edited since it was begun.
    policy_id: the published policy it is judged by; None is the built-in one.
    metric_set_at: when metric and target were last changed; `target_changes` counts changes after a result was seen.
    result_seen_at: when the first result of any measurement stood; whatever becomes of that measurement, it was seen.
    recorded: of the finished example, which was measured elsewhere and came with the app: how and when, a sentence. It
        is read only. Empty for everything that was made here.
    """

    __tablename__ = "assessments"
    __table_args__ = (Index("ix_assessments_recorded", "id", sqlite_where=RECORDED, postgresql_where=RECORDED),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    team: Mapped[str] = mapped_column(String(100), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    answers: Mapped[dict[str, Answer]] = mapped_column(Json, default=dict)
    assumed: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    questions_version: Mapped[str] = mapped_column(String(64), default="")
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("policies.id"))
    version: Mapped[int] = mapped_column(default=1)
    last_tab: Mapped[str] = mapped_column(String(40), default="")
    revision: Mapped[int] = mapped_column(default=1)
    revised_at: Mapped[datetime | None]
    metric_set_at: Mapped[datetime | None]
    target_changes: Mapped[int] = mapped_column(default=0)
    result_seen_at: Mapped[datetime | None]
    demo: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)
    archived_at: Mapped[datetime | None]
    recorded: Mapped[str] = mapped_column(String(300), default="", server_default="")


class LateTargetRow(Base):
    """One change of metric or target after a result was seen. Texts, since what people typed need not be a number."""

    __tablename__ = "late_targets"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), index=True)
    metric: Mapped[str] = mapped_column(String(100))
    target: Mapped[str] = mapped_column(String(40))
    metric_before: Mapped[str] = mapped_column(String(100))
    target_before: Mapped[str] = mapped_column(String(40))
    changed_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime]


class ContributionRow(Base):
    """Who had a hand in an assessment, and when last: none of them may approve it."""

    __tablename__ = "contributions"
    __table_args__ = (Index("ix_contributions_user", "user_id"),)

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    what: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
