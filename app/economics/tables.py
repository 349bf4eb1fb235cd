"""The prices a team keeps, and what people said about the costs of each use case."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.economics.prices import Price
from app.json_types import JsonDict


class PriceRow(Base):
    """One price, as somebody looked it up; see `prices.Price`. What it was before stands in the audit record.

    unit: a key of `prices.UNITS`. price: in `currency`, for one unit; a `batch_share` is from 0 to 1 and has none.
    """

    __tablename__ = "prices"
    __table_args__ = (UniqueConstraint("name", "unit"), CheckConstraint("price >= 0", name="price"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(20))
    price: Mapped[float]
    currency: Mapped[str] = mapped_column(String(3), default="")
    dated: Mapped[date] = mapped_column(Date)
    source: Mapped[str] = mapped_column(String(400))
    edited_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    edited_at: Mapped[datetime]

    @property
    def value(self) -> Price:
        return Price(self.name, self.unit, self.price, self.currency, self.dated, self.source)


class CostRow(Base):
    """What was declared about the costs of one assessment: `assumptions.Assumptions` as JSON."""

    __tablename__ = "costs"

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), primary_key=True)
    assumptions: Mapped[JsonDict] = mapped_column("said")
    edited_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    edited_at: Mapped[datetime]
