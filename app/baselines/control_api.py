"""The REST side of a measurement that runs: pause, calls at once, budget."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.baselines import controls, runs
from app.baselines.api import Baseline
from app.baselines.outlines import Known
from app.baselines.spending import Budget
from app.inference.deps import WithBundled
from app.users.deps import Launcher
from app.web.deps import App, Db
from app.web.params import LARGEST, Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])

Limit = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]


class Limits(BaseModel):
    """Limits that are set anew; what is left out stays. Money is in the currency of the measurement's prices."""

    model_config = ConfigDict(extra="forbid")

    budget_calls: Limit | None = None
    budget_tokens: Limit | None = None
    budget_money: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None

    def budget(self) -> Budget:
        return Budget(self.budget_calls, self.budget_tokens, self.budget_money)


class Steering(Limits):
    """What may be changed while a measurement runs. `at_once`: calls to its server under way at once, 1 to 64."""

    at_once: Limit | None = None


@router.post("/baselines/{baseline_id}/go-on", name="api_go_on_baseline", status_code=202)
def go_on(baseline_id: Id, app: App, db: Db, me: Launcher, body: Limits | None = None) -> Baseline:
    """Ask again what has no answer, after a pause, a cancel, a failure, errors, or a budget that was used up, which
    needs a higher one."""
    more = body.budget() if body else None
    return Baseline.of(db, runs.resume(db, baseline_id, by=me, more=more, known=_known(app)), me)


@router.post("/baselines/{baseline_id}/pause", name="api_pause_baseline", status_code=202)
def pause(baseline_id: Id, db: Db, me: Launcher) -> Baseline:
    """End a run after the calls that are under way: your own, or any as an administrator. `go-on` takes it up again;
    nothing is asked twice."""
    return Baseline.of(db, controls.pause(db, baseline_id, by=me), me)


@router.patch("/baselines/{baseline_id}", name="api_steer_baseline")
def steer(baseline_id: Id, body: Steering, app: App, db: Db, me: Launcher) -> Baseline:
    """Change calls at once or the budget of a measurement that runs; it follows within a second."""
    more = body.budget()
    row = controls.steer(db, baseline_id, by=me, at_once=body.at_once, more=more, known=_known(app))
    return Baseline.of(db, row, me)


def _known(app: App) -> Known:
    return Known(app.settings, app.call_prices, app.judges)
