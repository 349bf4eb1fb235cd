"""Runs of the optimizer and the prompts that its critic wrote."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, Json, JsonOf
from app.instructions.budget import Budget, Spent


class Conclusion(TypedDict):
    """What a run came to, as JSON; `rounds.concluded` says what each is. Without a score there are only counts.

    not_measured: why the winner did not become an arm.
    """

    drafts: int
    refused: int
    scored: int
    behind: NotRequired[int]
    rows: NotRequired[int]
    first: NotRequired[float]
    best: NotRequired[float]
    winner: NotRequired[int]
    gain: NotRequired[float]
    apart: NotRequired[float]
    luck: NotRequired[float]
    not_measured: NotRequired[str]


class OptimisationRow(Base):
    """One run: the prompt of one arm of a measurement, rewritten by a critic, scored on dev rows.

    arm_id: the arm whose prompt and examples it began with; version_id: that prompt. critic_as: what the critic was
    when it began (`measured_model.MeasuredModel`). train_rows, dev_rows: how many are reflected on and scored on, 0 for
    all. spent: in all attempts. ending: why it ended, of `budget.ENDINGS`, empty before. result: see
    `rounds.concluded`. winner_arm_id: the arm that its winner became.
    """

    __tablename__ = "optimisations"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"), index=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    version_id: Mapped[int] = mapped_column(ForeignKey("instruction_versions.id", ondelete="CASCADE"))
    critic_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    critic_as: Mapped[dict[str, Any]] = mapped_column(Json)
    budget: Mapped[Budget] = mapped_column(JsonOf(Budget.from_json, Budget.to_json))
    train_rows: Mapped[int] = mapped_column(default=0)
    dev_rows: Mapped[int] = mapped_column(default=0)
    seed: Mapped[int] = mapped_column(default=7)
    spent: Mapped[Spent] = mapped_column(JsonOf(Spent.from_json, Spent.to_json))
    ending: Mapped[str] = mapped_column(String(16), default="")
    result: Mapped[Conclusion | None] = mapped_column(Json)
    winner_arm_id: Mapped[int | None] = mapped_column(ForeignKey("arms.id", ondelete="SET NULL"))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    candidates: Mapped[list["CandidateRow"]] = relationship(lazy="raise", order_by="CandidateRow.number")


class CandidateRow(Base):
    """One prompt of a run; number 0 is the one that it began with.

    parent: the number of the one that the critic was shown. state: first; drafted (not scored yet); behind (no better
    than its parent on the same train rows); scoring and scored (on the dev rows); refused, with why in `reason`;
    interrupted (the run stopped before its first rows were answered).
    batch_before, batch_after: sums of scores of parent and draft on `batch_rows` train rows. score: mean on the dev
    rows; scores: by row.
    """

    __tablename__ = "prompt_candidates"
    __table_args__ = (
        UniqueConstraint("optimisation_id", "number"),
        CheckConstraint(
            "state in ('first', 'drafted', 'scoring', 'scored', 'behind', 'refused', 'interrupted')", name="state"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    optimisation_id: Mapped[int] = mapped_column(ForeignKey("optimisations.id", ondelete="CASCADE"))
    number: Mapped[int]
    parent: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    batch_rows: Mapped[int | None]
    batch_before: Mapped[float | None]
    batch_after: Mapped[float | None]
    score: Mapped[float | None]
    scores: Mapped[dict[str, float]] = mapped_column(Json, default=dict)
    attempt: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @property
    def of_rows(self) -> dict[int, float]:
        """Scores by the id of their dev row."""
        return {int(row): float(score) for row, score in self.scores.items()}
