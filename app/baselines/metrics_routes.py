"""The page of metrics: what fits the answers and why, what decides, what is watched, and databases for SQL."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.baselines import deciding_judge, metrics_view, watching
from app.blobs import Blob
from app.errors import FieldError, Invalid
from app.evaluation.metrics import METRICS
from app.jobs import store as job_store
from app.scoring import service as scoring
from app.scoring import store as scoring_store
from app.uploads import receive
from app.uploads.multipart import Part
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, OneLine, Sent

router = APIRouter(include_in_schema=False)


@router.get("/assessments/{assessment_id}/metrics", name="metrics")
def show_metrics(
    request: Request,
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    add: Annotated[OneLine, Query(max_length=40)] = "",
) -> Response:
    """add: the metric whose options the form asks for."""
    return _page(request, app, db, assessment_id, adding=add)


@router.post("/assessments/{assessment_id}/watched", name="watch_metric")
def watch_metric(request: Request, assessment_id: Id, app: App, db: Db, me: Author, typed: Sent) -> Response:
    options = {name.removeprefix("option_"): text for name, text in typed.items() if name.startswith("option_")}
    metric = typed.get("metric", "")
    try:
        watching.watch(db, app.settings, assessment_id, metric, options, by=me)
    except Invalid as refusal:
        return _page(request, app, db, assessment_id, adding=metric, typed=typed, refusal=refusal)
    return see(request, "metrics", assessment_id=assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/watched/{watched_id}/remove", name="unwatch_metric")
def unwatch_metric(request: Request, assessment_id: Id, watched_id: Id, db: Db, me: Author) -> Response:
    watching.unwatch(db, assessment_id, watched_id, by=me)
    return see(request, "metrics", assessment_id=assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/databases", name="add_database", max_body_size=receive.ANY_SIZE)
async def add_database(request: Request, assessment_id: Id, app: App, me: Author) -> Response:
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    try:
        files = await receive.form(request, app, me, lambda parts: _stored(app, parts))
        await run_in_threadpool(_keep, app, assessment_id, me, files)
    except Invalid as refusal:
        return await run_in_threadpool(_again, request, app, assessment_id, refusal)
    return see(request, "metrics", assessment_id=assessment_id, notice="saved", anchor="databases")


def _stored(app: AppContext, parts: Iterator[Part]) -> list[tuple[Blob, str]]:
    return [
        (app.blobs.put(part.body, scoring.DATABASE_LIMIT), part.filename)
        for part in parts
        if part.name == "database" and part.filename
    ]


def _keep(app: AppContext, assessment_id: int, me: UserRow, files: list[tuple[Blob, str]]) -> None:
    if not files:
        raise Invalid("No database came with the form.", [FieldError("#/database", "Choose an SQLite file.")])
    blob, name = files[0]
    tables = scoring.tables_of(app.blobs, blob)
    with receive.transaction(app) as session:
        scoring.add_database(session, assessment_id, me, blob, name, tables)


def _again(request: Request, app: AppContext, assessment_id: int, refusal: Invalid) -> Response:
    if not refusal.errors:  # what the content store says of its size
        refusal = Invalid("The database was not added.", [FieldError("#/database", refusal.detail)])
    with receive.reading_for_page(request, app) as session:
        return _page(request, app, session, assessment_id, refusal=refusal)


@router.post("/assessments/{assessment_id}/databases/{database_id}/remove", name="remove_database")
def remove_database(request: Request, assessment_id: Id, database_id: Id, db: Db, me: Author) -> Response:
    scoring.remove_database(db, assessment_id, database_id, by=me)
    return see(request, "metrics", assessment_id=assessment_id, notice="saved", anchor="databases")


def _page(
    request: Request,
    app: AppContext,
    db: Db,
    assessment_id: int,
    *,
    adding: str = "",
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    suggested = metrics_view.suggested(db, assessment_id)
    metric = METRICS.get(adding) if adding != deciding_judge.METRIC else None  # that one is watched on its own page
    if typed is None:  # what was suggested for it stands in the form already
        options = next((dict(one.options) for one in suggested if one.metric == adding), {})
        typed = {f"option_{name}": "on" if value is True else str(value) for name, value in options.items()}
    return page(
        request,
        "baselines/metrics.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="measure",
        deciding=metrics_view.deciding(db, assessment),
        suggested=suggested,
        watched=metrics_view.watched(db, app.settings, assessment_id),
        most=watching.MOST,
        metrics=METRICS,
        metric=metric,
        typed=typed,
        choices=scoring.choices(db, app.settings, assessment_id),
        databases=scoring_store.databases(db, assessment_id),
        limit=scoring.DATABASE_LIMIT,
        scoring_now=job_store.open_in(db, "watch", assessment_id),
        scorers_allowed=app.settings.team_scorers,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
    )
