"""What became of adapters after they were trained."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class AdapterStateRow(Base):
    """One word on an adapter; the newest counts, and nothing is changed or taken away.

    state: promoted (in use) or retired (not to be used any more). An adapter without a row is a candidate.
    """

    __tablename__ = "adapter_states"
    __table_args__ = (
        CheckConstraint("state in ('promoted', 'retired')", name="state"),
        Index("ix_adapter_states_training_id", "training_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]
