"""The REST side of results."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.results import card, service
from app.results.deps import send
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/trainings", tags=["results"], responses=REFUSALS)


class RivalResult(BaseModel):
    """What else had to be beaten: another prompt within reach, or what needs no language model (`free`).

    score: null where it was not asked the test rows. delta, low, high: adapter minus it, with the 95 % interval.
    """

    title: str
    kind: Literal["prompt", "free", "unasked"]
    score: float | None
    delta: float
    low: float
    high: float
    verdict: str


class Result(BaseModel):
    """The adapter against the best arm on the same rows; `evaluation` has every arm. Null until it was judged."""

    training_id: int
    state: str
    verdict: str | None
    words: str | None
    delta: float | None
    low: float | None
    high: float | None
    p: float | None
    test: str | None
    rows: int | None
    left_out: int
    fixed: list[int]
    broken: list[int]
    reaches_target: bool | None
    rivals: list[RivalResult]
    evaluation: dict[str, Any]


@router.get("/{training_id}/result", name="api_result")
def get_result(training_id: Id, db: Db, me: Me) -> Result:
    found = service.outcome(db, training_id)
    compared = found.compared
    return Result(
        training_id=training_id,
        state=found.training.state,
        verdict=compared.verdict if compared else None,
        words=compared.words if compared else None,
        delta=compared.delta if compared else None,
        low=compared.low if compared else None,
        high=compared.high if compared else None,
        p=compared.p if compared else None,
        test=compared.test if compared else None,
        rows=compared.rows if compared else None,
        left_out=found.left_out,
        fixed=list(compared.fixed) if compared else [],
        broken=list(compared.broken) if compared else [],
        reaches_target=found.reaches_target,
        rivals=[
            RivalResult(
                title=one.title,
                kind=one.kind,
                score=one.before,
                delta=one.delta,
                low=one.low,
                high=one.high,
                verdict=one.verdict,
            )
            for one in found.rivals
        ],
        evaluation=card.evaluation(service.facts(db, found)),
    )


@router.get("/{training_id}/adapter", name="api_adapter", response_class=StreamingResponse)
def get_adapter(training_id: Id, app: App, db: Db, me: Me) -> StreamingResponse:
    """The adapter as a zip in PEFT layout with its card, measurements, decision and hashes."""
    return send(service.bundle(db, app.blobs, training_id), training_id)
