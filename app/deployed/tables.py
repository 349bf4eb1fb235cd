"""Looks at adapters where they are served."""

from datetime import datetime
from typing import TypedDict

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.deployed.judgement import Compared


class Connection(TypedDict):
    """How a model was reached, as JSON; never a key."""

    kind: str
    name: str
    reference: str
    base_url: str


class ServedCheckRow(Base):
    """One look at whether an adapter is really served: the same dev rows asked of the base and of the adapter.

    base_as, adapter_as: the two connections as they were. answers: by row. What was said is not kept, so nothing of the
    rows lies here. Grows until it is `done_at`.
    """

    __tablename__ = "served_checks"
    __table_args__ = (Index("ix_served_checks_training_id", "training_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    base_model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    adapter_model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    base_as: Mapped[Connection] = mapped_column(Json)
    adapter_as: Mapped[Connection] = mapped_column(Json)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    answers: Mapped[dict[str, Compared]] = mapped_column(Json, default=dict)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
