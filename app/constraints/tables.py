"""What answers of a use case may look like, in versions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.constraints.fit import Fit
from app.db import Base, JsonOf
from app.inference.constraints import Constraint


class ConstraintRow(Base):
    """One version of the output constraint of an assessment; the newest counts unless it was taken out of use.

    Nothing of it changes once it is there: what was measured with it keeps its text, and this says whose it was.
    dataset_id: the version of the data whose answers it was checked against; fit: what that came to (`fit.Fit`).
    """

    __tablename__ = "output_constraints"
    __table_args__ = (
        UniqueConstraint("assessment_id", "version"),
        CheckConstraint("kind in ('json_schema', 'regex', 'labels')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    fit: Mapped[Fit] = mapped_column(JsonOf(Fit.from_json, Fit.to_json))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    removed_at: Mapped[datetime | None]

    @property
    def constraint(self) -> Constraint:
        return Constraint.from_json({"kind": self.kind, "text": self.text})
