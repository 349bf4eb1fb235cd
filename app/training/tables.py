"""Training runs, what they measured on the way, and their checkpoints. The recipe is in `recipes.tables`."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.evaluation.kept_result import KeptResult
from app.recipes.settings import RecipeSettings
from app.training.facts import RunFacts


class TrainingRow(Base):
    """One approved training job. It cannot exist without the review and the digest that allowed it.

    state: queued, running, evaluating, done, cancelled, failed, refused. best_step: step of the kept checkpoint.
    adapter_sha256: the adapter's zip in the content store. result: the comparison, as `evaluation.comparison` gives it.
    idempotency_key: chosen by whoever launches; the same key is the same launch.
    """

    __tablename__ = "trainings"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'evaluating', 'done', 'cancelled', 'failed', 'refused')",
            name="state",
        ),
        CheckConstraint("length(digest) = 64", name="digest"),
        UniqueConstraint("review_id"),  # one approval, one launch
        UniqueConstraint("assessment_id", "idempotency_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), index=True)
    review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"))
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id"))
    digest: Mapped[str] = mapped_column(String(64))
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    recipe: Mapped[RecipeSettings] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    idempotency_key: Mapped[str] = mapped_column(String(80))
    best_step: Mapped[int | None]
    adapter_sha256: Mapped[str | None] = mapped_column(String(64))
    adapter_bytes: Mapped[int | None]
    arm_id: Mapped[int | None] = mapped_column(ForeignKey("arms.id"))
    training_facts: Mapped[RunFacts] = mapped_column(Json, default=dict)
    result: Mapped[KeptResult | None] = mapped_column(Json)
    launched_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    launched_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class MetricRow(Base):
    """One optimizer step (loss in nats a trained token) or one dev evaluation of a training run. leg: of which of its
    trainings, empty where there is one. score: on dev rows that were answered, 0 to 1, where that was asked for."""

    __tablename__ = "training_metrics"
    __table_args__ = (UniqueConstraint("training_id", "leg", "kind", "step"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    leg: Mapped[str] = mapped_column(String(24), default="")
    kind: Mapped[str] = mapped_column(String(8))  # step | dev
    step: Mapped[int]
    attempt: Mapped[int]
    loss: Mapped[float | None]
    learning_rate: Mapped[float | None]
    tokens_per_second: Mapped[float | None]
    score: Mapped[float | None]
    at: Mapped[datetime]


class CheckpointRow(Base):
    """A committed checkpoint. `manifest_sha256` is what a reader must find before it trusts the folder."""

    __tablename__ = "checkpoints"
    __table_args__ = (UniqueConstraint("training_id", "leg", "step"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    leg: Mapped[str] = mapped_column(String(24), default="")
    step: Mapped[int]
    attempt: Mapped[int]
    folder: Mapped[str] = mapped_column(String(100))
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    dev_loss: Mapped[float | None]
    created_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, default="")
