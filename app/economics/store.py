"""Queries on prices and on what was declared about costs."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import memo, prefill
from app.economics.tables import CostRow, PriceRow
from app.errors import NotFound


def prices(session: Session) -> Sequence[PriceRow]:
    """All prices, by name and unit."""
    return session.scalars(select(PriceRow).order_by(PriceRow.name, PriceRow.unit)).all()


def price(session: Session, price_id: int) -> PriceRow:
    row = session.get(PriceRow, price_id)
    if row is None:
        raise NotFound("There is no such price.")
    return row


def find_price(session: Session, name: str, unit: str) -> PriceRow | None:
    return session.scalar(select(PriceRow).where(PriceRow.name == name, PriceRow.unit == unit))


def machine_hour(session: Session, assessment_id: int) -> PriceRow | None:
    """The price of a machine for an hour: the one that the assessment's costs are counted with, or the only one there
    is; None where nobody entered one, or it is open which of several it is."""
    costs = session.get(CostRow, assessment_id)
    chosen = str((costs.assumptions if costs else {}).get("machine") or "")
    hours = [row for row in prices(session) if row.unit == "machine_hour" and chosen in ("", row.name)]
    return hours[0] if len(hours) == 1 else None


def find_costs(session: Session, assessment_id: int) -> CostRow | None:
    return memo(session, ("costs", assessment_id), lambda: session.get(CostRow, assessment_id))


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find what was said about the costs of many assessments in one query, for a page that will ask for each."""
    rows = session.scalars(select(CostRow).where(CostRow.assessment_id.in_(assessment_ids)))
    by_assessment = {row.assessment_id: row for row in rows}
    prefill(session, {("costs", number): by_assessment.get(number) for number in assessment_ids})
