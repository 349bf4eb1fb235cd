"""A second person's word on rows of the data: the label they would give, or whether the wanted answer is right."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json


class LabelRoundRow(Base):
    """A sample of rows for a second person.

    kind: label where the answers are labels, which are then hidden; reference where they are not: there the answer is
    shown and judged. rows: ids of the rows. While done_at is None the person may change what they said.
    """

    __tablename__ = "label_rounds"
    __table_args__ = (
        Index("ix_label_rounds_dataset_id", "dataset_id", "user_id"),
        CheckConstraint("kind in ('label', 'reference')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    rows: Mapped[list[int]] = mapped_column(Json, default=list)
    started_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class SecondLabelRow(Base):
    """What a second person said of one row.

    label: a label of the file, or right or wrong in a round of references. settled: which of the two holds where they
    differ: file, second, both; it changes no agreement, which is of what was said before.
    """

    __tablename__ = "second_labels"
    __table_args__ = (
        UniqueConstraint("round_id", "example_id"),
        CheckConstraint("settled is null or settled in ('file', 'second', 'both')", name="settled"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("label_rounds.id", ondelete="CASCADE"))
    example_id: Mapped[int] = mapped_column(ForeignKey("examples.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    settled: Mapped[str | None] = mapped_column(String(8))
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    settled_at: Mapped[datetime | None]
