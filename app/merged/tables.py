"""Adapters that were written into their base models."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.json_types import JsonObject


class MergedRow(Base):
    """One merged model: ordered, made, and in the end removed, which frees the disk and keeps the row.

    form: base (the base's own precision), float32, gguf. facts: what making it came to, see `check.Facts`; empty until
    it is `done_at`. sha256, bytes: of its file, which lies in the folder `merged`.
    """

    __tablename__ = "merged_models"
    __table_args__ = (
        CheckConstraint("form in ('base', 'float32', 'gguf')", name="form"),
        Index("ix_merged_models_training_id", "training_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    form: Mapped[str] = mapped_column(String(16))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    facts: Mapped[JsonObject] = mapped_column(Json, default=dict)
    sha256: Mapped[str | None] = mapped_column(String(64))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    removed_at: Mapped[datetime | None]
