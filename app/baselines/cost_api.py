"""The REST side of score against cost."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.baselines import cost_view, results_view, standing, store
from app.baselines.cost_view import CostView, Place
from app.baselines.side_deps import currency_of, priced
from app.errors import Conflict
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])


class CostOf(BaseModel):
    """What one variant scores on the dev rows and what its answers cost. `amount`: money or tokens for 1,000 answers,
    0 where no language model is asked, null where nobody knows, which `unknown_because` explains. `low`, `high`: the
    95 % interval, or the lowest and the highest of its `samples`. `frontier`: nothing is both cheaper and better."""

    title: str
    score: float
    low: float
    high: float
    samples: int = Field(description="draws of random examples that are shown together; 0 for a single variant")
    amount: float | None
    tokens_counted: bool
    unknown_because: str | None
    frontier: bool
    dropped: str | None

    @staticmethod
    def of(place: Place) -> "CostOf":
        line, cell = place.line, place.cell
        return CostOf(
            title=line.label,
            score=cell.score,
            low=cell.low,
            high=cell.high,
            samples=len(line.members),
            amount=place.amount,
            tokens_counted=line.tokens_counted,
            unknown_because=place.why or None,
            frontier=place.leading,
            dropped=line.dropped or None,
        )


class CostAndScore(BaseModel):
    """Every variant with a result, the cheapest first, those of unknown cost last. `unit`: of each `amount`: tokens
    where no model of the measurement has a price. `currency`: empty where prices name none. `prices_of_run`: they are
    those of the day on which the measurement began, because today's list has none."""

    object: str = "cost_and_score"
    baseline_id: int
    unit: Literal["cost", "tokens"]
    currency: str
    prices_of_run: bool = False
    data: list[CostOf]
    has_more: bool = False

    @staticmethod
    def of(baseline_id: int, view: CostView) -> "CostAndScore":
        data = [CostOf.of(place) for place in view.places]
        return CostAndScore(
            baseline_id=baseline_id, unit=view.axis, currency=view.currency, prices_of_run=view.of_run, data=data
        )


@router.get("/baselines/{baseline_id}/cost-and-score", name="api_cost_and_score")
def show_cost_and_score(baseline_id: Id, app: App, db: Db, me: Me) -> CostAndScore:
    """Score against cost on the dev rows, at today's prices, with what is on the frontier."""
    baseline = store.get(db, baseline_id)
    prices, of_run = priced(app, db, baseline)
    lines = results_view.lines(baseline, standing.leading(baseline), {}, {}, prices)
    view = cost_view.of(lines, currency_of(prices), of_run=of_run)
    if view is None:
        raise Conflict("Fewer than two variants have a result on the dev rows yet.")
    return CostAndScore.of(baseline_id, view)
