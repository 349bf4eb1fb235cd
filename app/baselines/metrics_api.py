"""The REST side of metrics: what fits, what is watched and what that came to, databases for SQL."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.baselines import metrics_view, store, watching
from app.baselines.api import Name, Option
from app.baselines.api_models import MetricName
from app.baselines.tables import ArmRow
from app.blobs import Blob
from app.errors import NotFound
from app.jobs import store as job_store
from app.json_types import JsonObject
from app.scoring import service as scoring
from app.scoring import store as scoring_store
from app.scoring.tables import DatabaseRow, WatchedRow
from app.uploads import receive
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import Id, OneLine
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["metrics"], responses=REFUSALS)

Filename = Annotated[OneLine, Query(max_length=500)]


class SuggestedMetric(BaseModel):
    """A metric that fits the expected answers of the training rows. `decides`: it could decide; else it is one to
    watch. `options`: values that could be filled in."""

    model_config = ConfigDict(from_attributes=True)

    metric: MetricName
    why: str
    options: JsonObject
    decides: bool


class Watched(BaseModel):
    """A metric that is looked at beside the deciding one; it decides nothing. `job_id`: what scores the stored answers,
    null where there are none or it is done."""

    id: int
    object: str = "watched_metric"
    assessment_id: int
    metric: MetricName
    options: JsonObject
    created_by: int
    created_at: datetime
    job_id: int | None

    @staticmethod
    def of(session: Db, row: WatchedRow) -> "Watched":
        job = job_store.find_open(session, "watch", row.id)
        return Watched(
            id=row.id,
            assessment_id=row.assessment_id,
            metric=row.metric,
            options=row.options,
            created_by=row.created_by,
            created_at=row.created_at,
            job_id=job.id if job else None,
        )


class NewWatched(BaseModel):
    """A metric to watch, with its options as `/metrics` lists them."""

    model_config = ConfigDict(extra="forbid")

    metric: MetricName
    options: dict[Name, Option | bool] = Field(default_factory=dict, max_length=20)


class DatabaseTable(BaseModel):
    """A table or view; `rows`: as there were at the upload, null for a view."""

    name: str
    columns: list[str]
    rows: int | None


class Database(BaseModel):
    """An SQLite database on which answers are run; `sha256` is what the option `database` takes."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    object: str = "database"
    assessment_id: int
    name: str
    sha256: str
    bytes: int
    tables: list[DatabaseTable]
    uploaded_by: int
    uploaded_at: datetime

    @staticmethod
    def of(row: DatabaseRow) -> "Database":
        return Database.model_validate(row)


class MeasuredBy(BaseModel):
    """What an assessment is measured by. `metric` and `target` decide and are set with the answers; `options` are those
    of its newest measurement, null before the first."""

    object: str = "metrics"
    metric: MetricName | None
    target: float | None
    options: dict[str, Any] | None
    suggested: list[SuggestedMetric]
    watched: list[Watched]
    databases: list[Database]


class WatchedResult(BaseModel):
    """What a variant came to by a watched metric: mean score with its 95 % interval over `n` answers; `unscored`
    answers could not be scored."""

    model_config = ConfigDict(from_attributes=True)

    watched_id: int
    arm_id: int
    split: Literal["dev", "test"]
    n: int
    unscored: int
    score: float | None
    low: float
    high: float


class WatchedResults(BaseModel):
    data: list[WatchedResult]
    has_more: bool = False


class WatchedAnswer(BaseModel):
    """What one answer scores by a watched metric; null where it could not be scored. `why`: what is known of that."""

    answer_id: int
    watched_id: int
    metric: MetricName
    score: float | None
    why: str


class WatchedAnswers(BaseModel):
    data: list[WatchedAnswer]
    has_more: bool


@router.get("/assessments/{assessment_id}/metrics", name="api_assessment_metrics")
def show_metrics(assessment_id: Id, db: Db, me: Me) -> MeasuredBy:
    """What decides, what is watched, what would fit the expected answers and why, and the databases for SQL."""
    deciding = metrics_view.deciding(db, assessment_store.get(db, assessment_id))
    return MeasuredBy(
        metric=deciding.metric.name if deciding.metric else None,
        target=deciding.target,
        options=dict(deciding.options) if deciding.options is not None else None,
        suggested=[SuggestedMetric.model_validate(one) for one in metrics_view.suggested(db, assessment_id)],
        watched=[Watched.of(db, row) for row in scoring_store.watched(db, assessment_id)],
        databases=[Database.of(row) for row in scoring_store.databases(db, assessment_id)],
    )


@router.post("/assessments/{assessment_id}/watched", name="api_watch_metric", status_code=201)
def watch_metric(assessment_id: Id, body: NewWatched, app: App, db: Db, me: Author) -> Watched:
    """Watch a metric. Answers that are stored are scored by a job; nothing is asked again, no approval is lost."""
    row = watching.watch(db, app.settings, assessment_id, body.metric, body.options, by=me)
    return Watched.of(db, row)


@router.delete("/assessments/{assessment_id}/watched/{watched_id}", name="api_unwatch_metric", status_code=204)
def unwatch_metric(assessment_id: Id, watched_id: Id, db: Db, me: Author) -> Response:
    """Watch a metric no more; its scores go, the answers stay."""
    watching.unwatch(db, assessment_id, watched_id, by=me)
    return Response(status_code=204)


@router.get("/baselines/{baseline_id}/watched", name="api_watched_results")
def list_watched(baseline_id: Id, db: Db, me: Me) -> WatchedResults:
    """What every variant of a measurement came to by the watched metrics."""
    baseline = store.get(db, baseline_id)
    results = scoring_store.results(db, [arm.id for arm in baseline.arms])
    made = [WatchedResult.model_validate(row) for row in results]
    return WatchedResults(data=[one if one.n else one.model_copy(update={"score": None}) for one in made])


@router.get("/baselines/{baseline_id}/arms/{arm_id}/watched", name="api_watched_answers")
def list_watched_answers(
    baseline_id: Id,
    arm_id: Id,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="answer id")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> WatchedAnswers:
    """What the answers of a variant to dev rows score by each watched metric, by answer. Those to test rows are read
    with the answers."""
    arm = _arm(db, baseline_id, arm_id)
    ids = watching.dev_answers(db, arm.id, after=after, limit=limit + 1)
    scores = watching.of_answers(db, arm.baseline, ids[:limit])
    data = [
        WatchedAnswer(
            answer_id=answer_id,
            watched_id=one.watched.id,
            metric=one.watched.metric,
            score=one.score,
            why=one.why,
        )
        for answer_id in ids[:limit]
        for one in scores.get(answer_id, [])
    ]
    return WatchedAnswers(data=data, has_more=len(ids) > limit)


def _arm(session: Db, baseline_id: int, arm_id: int) -> ArmRow:
    arm = store.arm(session, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such variant.")
    return arm


@router.put(
    "/assessments/{assessment_id}/databases",
    name="api_add_database",
    status_code=201,
    openapi_extra=receive.RAW_BODY,
    max_body_size=receive.ANY_SIZE,
    responses=receive.REFUSALS,
)
async def put_database(
    request: Request, assessment_id: Id, app: App, me: Author, filename: Filename = "data.db"
) -> Database:
    """Add an SQLite database, at most 64 MiB, as the raw body. It is opened read only, in a confined process."""
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    blob = await receive.receive(request, app, me)
    return await run_in_threadpool(_added, app, assessment_id, me, blob, filename)


def _added(app: AppContext, assessment_id: int, me: UserRow, blob: Blob, filename: str) -> Database:
    tables = scoring.tables_of(app.blobs, blob)
    with receive.transaction(app) as session:
        return Database.of(scoring.add_database(session, assessment_id, me, blob, filename, tables))


@router.delete("/assessments/{assessment_id}/databases/{database_id}", name="api_remove_database", status_code=204)
def remove_database(assessment_id: Id, database_id: Id, db: Db, me: Author) -> Response:
    """Offer a database no more. What was measured with it keeps it."""
    scoring.remove_database(db, assessment_id, database_id, by=me)
    return Response(status_code=204)
