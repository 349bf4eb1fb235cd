"""What scoring needs beside the answers: uploaded databases, a team's own scorers, and watched metrics."""

from datetime import datetime
from typing import TypedDict

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.evaluation.kinds.metric import Kept
from app.scoring.sql_child import Table


class Tried(TypedDict):
    """What a scorer gave to a sample row, 0 to 1."""

    answer: str
    expected: str
    score: float


class DatabaseRow(Base):
    """An SQLite database on which the SQL of an assessment's answers is run.

    tables: each with name, columns and rows, as they were at the upload. removed_at: not offered any more; what was
    measured with it keeps it.
    """

    __tablename__ = "score_databases"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int]
    tables: Mapped[list[Table]] = mapped_column(Json)
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    uploaded_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class ScorerRow(Base):
    """One version of a scorer in Python that an administrator added; nothing of it changes.

    trial: the rows that it was tried on, with the scores. retired_at: not offered any more; what was measured with it
    keeps it.
    """

    __tablename__ = "team_scorers"
    __table_args__ = (UniqueConstraint("name", "version"), UniqueConstraint("sha256"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    trial: Mapped[list[Tried]] = mapped_column(Json)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    retired_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    retired_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        return f"{self.name} v{self.version}"


class WatchedRow(Base):
    """A metric that is looked at beside the deciding one. It decides nothing and no criterion reads it.

    key: SHA-256 of metric and options, so that the same one is watched once.
    """

    __tablename__ = "watched_metrics"
    __table_args__ = (UniqueConstraint("assessment_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    metric: Mapped[str] = mapped_column(String(40))
    options: Mapped[Kept] = mapped_column(Json)
    key: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class WatchedScoreRow(Base):
    """What one answer scores by a watched metric, 0 to 1. score None: it could not be scored; why: what is known."""

    __tablename__ = "watched_scores"
    __table_args__ = (Index("ix_watched_scores_answer_id", "answer_id"),)

    watched_id: Mapped[int] = mapped_column(ForeignKey("watched_metrics.id", ondelete="CASCADE"), primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float | None]
    why: Mapped[str] = mapped_column(Text, default="")


class WatchedResultRow(Base):
    """What an arm came to by a watched metric on one split: mean score with its 95 % interval over n answers; unscored:
    answers that could not be scored."""

    __tablename__ = "watched_results"
    __table_args__ = (
        UniqueConstraint("watched_id", "arm_id", "split"),
        CheckConstraint("split in ('dev', 'test')", name="split"),
        Index("ix_watched_results_arm_id", "arm_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    watched_id: Mapped[int] = mapped_column(ForeignKey("watched_metrics.id", ondelete="CASCADE"))
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    split: Mapped[str] = mapped_column(String(8))
    n: Mapped[int]
    unscored: Mapped[int]
    score: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
