"""What base and adapter answered to the questions of the release checks."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class ReleaseAnswerRow(Base):
    """One answer for the release checks of a training run.

    part: general, pleas (both our own questions), or train: a training row of the team. item: the question's id, or the
    row's. who: base or adapter. score: 0 to 1, of `pleas` 1 where it declines; None with an error. output: of our own
    questions only. What is answered to a training row is scored and not kept, so nothing personal lies here.
    """

    __tablename__ = "release_answers"
    __table_args__ = (
        UniqueConstraint("training_id", "part", "item", "who"),
        CheckConstraint("part in ('general', 'pleas', 'train')", name="part"),
        CheckConstraint("who in ('base', 'adapter')", name="who"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(8))
    item: Mapped[str] = mapped_column(String(40))
    who: Mapped[str] = mapped_column(String(8))
    version: Mapped[str] = mapped_column(String(8))  # of the questions
    output: Mapped[str] = mapped_column(Text, default="")
    score: Mapped[float | None]
    error: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
