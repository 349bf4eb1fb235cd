"""What each variant of a measurement scores and what its answers cost: the chart, and its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.baselines.results_view import CALLS, FREE, OUTDATED, Cell, Line
from app.web import scatter_charts
from app.web.scatter_charts import ScatterChart, Spot, Unplaced

Axis = Literal["cost", "tokens"]


@dataclass(frozen=True, slots=True)
class Place:
    """One variant. amount: money or tokens for `CALLS` answers, None where nobody knows, and why then; 0 where no
    language model is asked. leading: nothing measured is both cheaper and better."""

    line: Line
    cell: Cell
    amount: float | None
    why: str
    leading: bool


@dataclass(frozen=True, slots=True)
class CostView:
    """axis: what the amount is; tokens where no model of the measurement has a price. of_run: the prices are those of
    the day on which the measurement began, because today's list has none. places: the cheapest first, those
    of unknown amount last."""

    axis: Axis
    currency: str
    chart: ScatterChart
    places: Sequence[Place]
    of_run: bool = False


def of(lines: Sequence[Line], currency: str, *, of_run: bool = False) -> CostView | None:
    """The dev results of the lines of a measurement; None where there are fewer than two. What is outdated is left
    out: nobody could use it as it was measured."""
    scored = [(line, line.dev) for line in lines if line.dev and not line.dev.unknown and line.group != OUTDATED]
    if len(scored) < 2:
        return None
    axis: Axis = "cost" if any(line.cost is not None for line, _ in scored) else "tokens"
    placed = [(line, cell, _amount(line, axis)) for line, cell in scored]
    chart = scatter_charts.scatter(
        "Score and cost of each variant on the dev rows",
        [_spot(key, line, cell, amount, axis) for key, (line, cell, amount) in enumerate(placed) if amount is not None],
        x_title=f"{currency or 'Cost'} for {CALLS:,} answers" if axis == "cost" else f"Tokens for {CALLS:,} answers",
        y_title="Dev score",
        unplaced=[
            Unplaced(line.label, cell.score, cell.low, cell.high, _why(line, axis), line.url)
            for line, cell, amount in placed
            if amount is None
        ],
    )
    drawn = {one.spot.key: one for one in chart.spots}
    places = [
        Place(line, cell, amount, "" if key in drawn else _why(line, axis), key in drawn and drawn[key].leading)
        for key, (line, cell, amount) in enumerate(placed)
    ]
    places.sort(key=lambda place: (place.amount is None, place.amount or 0.0, -place.cell.score))
    return CostView(axis, currency, chart, places, of_run)


def _spot(key: int, line: Line, cell: Cell, amount: float, axis: Axis) -> Spot:
    text = f"{amount:,.0f}" if axis == "tokens" else f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"
    return Spot(
        key,
        line.label,
        amount,
        cell.score,
        cell.low,
        cell.high,
        line.tone,
        x_text="0" if line.group == FREE else text,
        url=line.url,
        note="no language model" if line.group == FREE else line.dropped,
        samples=len(line.members),
        estimated=line.group != FREE and not line.tokens_counted,
    )


def _amount(line: Line, axis: Axis) -> float | None:
    """For `CALLS` answers."""
    if line.group == FREE:
        return 0.0
    if axis == "cost":
        return line.cost
    return None if line.tokens is None else CALLS * (line.tokens + (line.tokens_out or 0.0))


def _why(line: Line, axis: Axis) -> str:
    if line.tokens is None:
        return "the model did not say how many tokens its answers took"
    return f"no price is known of {line.ran_on or 'its model'}" if axis == "cost" else "unknown"
