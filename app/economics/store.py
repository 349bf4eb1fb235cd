"""Queries on prices and on what was declared about costs."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.economics.tables import CostRow, PriceRow
from app.errors import NotFound


def prices(session: Session) -> Sequence[PriceRow]:
    """All prices, by name and unit."""
    return session.scalars(select(PriceRow).order_by(PriceRow.name, PriceRow.unit)).all()


def price(session: Session, price_id: int) -> PriceRow:
    found = session.get(PriceRow, price_id)
    if found is None:
        raise NotFound("There is no such price.")
    return found


def find_price(session: Session, name: str, unit: str) -> PriceRow | None:
    return session.scalar(select(PriceRow).where(PriceRow.name == name, PriceRow.unit == unit))


def find_costs(session: Session, assessment_id: int) -> CostRow | None:
    return session.get(CostRow, assessment_id)
