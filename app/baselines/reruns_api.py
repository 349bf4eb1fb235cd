"""The REST side of dev rows that are asked a second time."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.baselines import reruns, store
from app.baselines.reruns import Finding
from app.evaluation import rerun
from app.inference.deps import WithBundled
from app.users.deps import Launcher, Me
from app.web.deps import Db
from app.web.params import Id, Number
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])


class NewRerun(BaseModel):
    """How many dev rows the best prompt is asked again."""

    model_config = ConfigDict(extra="forbid")

    rows: Number = rerun.ROWS


class RerunOf(BaseModel):
    """Dev rows asked twice. `flipped`: rows whose score changed, `flip_rate` with its 95 % interval; `texts_changed`:
    rows that got another text. `two_runs`: more than 2 % flipped, so one run is not enough. `shift`: second run less
    the first, `p` of there being none. `both_low`, `both_high`: interval of the mean of both runs on these rows. All
    null until rows were answered twice."""

    id: int
    object: str = "rerun"
    baseline_id: int
    arm_id: int
    rows: int
    answered: int
    errors: int
    state: Literal["running", "stopped", "done"]
    job_id: int | None
    created_at: datetime
    done_at: datetime | None
    flipped: int | None
    texts_changed: int | None
    flip_rate: float | None
    flip_low: float | None
    flip_high: float | None
    two_runs: bool | None
    shift: float | None
    p: float | None
    first: float | None
    second: float | None
    both_low: float | None
    both_high: float | None
    words: list[str]

    @staticmethod
    def of(one: Finding) -> "RerunOf":
        flips = one.flips
        return RerunOf(
            id=one.row.id,
            baseline_id=one.row.baseline_id,
            arm_id=one.row.arm_id,
            rows=one.row.rows,
            answered=one.answered,
            errors=one.errors,
            state="done" if one.row.done_at else "running" if one.running else "stopped",
            job_id=one.job.id if one.job else None,
            created_at=one.row.created_at,
            done_at=one.row.done_at,
            flipped=flips.flipped if flips else None,
            texts_changed=flips.texts if flips else None,
            flip_rate=flips.rate if flips else None,
            flip_low=flips.interval.low if flips else None,
            flip_high=flips.interval.high if flips else None,
            two_runs=flips.two_runs if flips else None,
            shift=flips.second - flips.first if flips else None,
            p=flips.p if flips else None,
            first=flips.first if flips else None,
            second=flips.second if flips else None,
            both_low=flips.both.low if flips else None,
            both_high=flips.both.high if flips else None,
            words=list(rerun.words(flips)) if flips else [],
        )


class Reruns(BaseModel):
    data: list[RerunOf]
    has_more: bool = False


@router.get("/baselines/{baseline_id}/reruns", name="api_reruns")
def list_reruns(baseline_id: Id, db: Db, me: Me) -> Reruns:
    """What asking again showed, the newest first."""
    return Reruns(data=[RerunOf.of(one) for one in reruns.findings(db, store.get(db, baseline_id))])


@router.post("/baselines/{baseline_id}/reruns", name="api_start_rerun", status_code=202)
def start_rerun(baseline_id: Id, body: NewRerun, db: Db, me: Launcher) -> RerunOf:
    """Ask the best prompt so many dev rows a second time; its result stays as it is. The job is in the answer."""
    row = reruns.start(db, baseline_id, body.rows, by=me)
    return RerunOf.of(reruns.finding(db, row.id))
