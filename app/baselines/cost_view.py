"""What each variant of a measurement scores and what its answers cost: the chart, and its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.baselines import results_view
from app.baselines.results_view import CALLS, FREE, OUTDATED, Line
from app.web import scatter_charts
from app.web.scatter_charts import ScatterChart, Spot

Axis = Literal["cost", "tokens"]


@dataclass(frozen=True, slots=True)
class Place:
    """One variant. number: in the chart, None where it is not drawn. amount: money or tokens for `CALLS` answers, None
    where nobody knows, and why then; 0 where no language model is asked. counted: the tokens were counted by the model.
    leading: nothing measured is both cheaper and better. between: low and high are those of several samples, not of an
    interval."""

    label: str
    url: str
    score: float
    low: float
    high: float
    amount: float | None
    why: str
    counted: bool
    number: int | None
    leading: bool
    samples: int
    dropped: str


@dataclass(frozen=True, slots=True)
class CostView:
    """axis: what the amount is; tokens where no model of the measurement has a price."""

    axis: Axis
    currency: str
    chart: ScatterChart
    places: Sequence[Place]

    @property
    def drawn(self) -> list[Place]:
        return [place for place in self.places if place.number is not None]

    @property
    def unknown(self) -> list[Place]:
        """Those whose amount nobody knows."""
        return [place for place in self.places if place.number is None]


def of(lines: Sequence[Line], currency: str) -> CostView | None:
    """The dev results of the lines of a measurement; None where there are fewer than two. What is outdated is left
    out: nobody could use it as it was measured."""
    scored = [line for line in lines if line.dev and not line.dev.unknown and line.group != OUTDATED]
    if len(scored) < 2:
        return None
    axis: Axis = "cost" if any(line.cost is not None for line in scored) else "tokens"
    amounts = [_amount(line, axis) for line in scored]
    spots = [
        Spot(key, line.label, amount, line.dev.score, line.dev.low, line.dev.high, line.tone)
        for key, (line, amount) in enumerate(zip(scored, amounts, strict=True))
        if line.dev and amount is not None
    ]
    chart = scatter_charts.scatter(
        "Score and cost of each variant on the dev rows",
        spots,
        x_title=_title(axis, currency),
        y_title="Score on the dev rows",
    )
    drawn = {one.spot.key: one for one in chart.spots}
    places = [_place(line, amounts[key], axis, drawn.get(key)) for key, line in enumerate(scored)]
    places.sort(key=lambda place: (place.number is None, place.number or 0, -place.score))
    return CostView(axis, currency, chart, places)


def _place(line: Line, amount: float | None, axis: Axis, drawn: scatter_charts.DrawnSpot | None) -> Place:
    cell = line.dev or results_view.Cell(0, 0, 0, (), 0, 0, "")
    return Place(
        label=line.label,
        url=line.url,
        score=cell.score,
        low=cell.low,
        high=cell.high,
        amount=amount,
        why="" if amount is not None else _why(line, axis),
        counted=line.tokens_counted,
        number=drawn.number if drawn else None,
        leading=drawn.leading if drawn else False,
        samples=len(line.members),
        dropped=line.dropped,
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


def _title(axis: Axis, currency: str) -> str:
    if axis == "cost":
        return f"{currency or 'Cost'} for {CALLS:,} answers"
    return f"Tokens for {CALLS:,} answers, prompts included"
