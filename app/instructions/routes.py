"""Pages of system prompts: versions and what changed between them, and the optimizer with its runs."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import store as assessment_store
from app.baselines import runs, standing, versions
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import Conflict, Invalid
from app.inference import store as model_store
from app.inference.deps import WithBundled
from app.instructions import difference, form, offers, service, store, views
from app.instructions.tables import OptimisationRow
from app.jobs import live
from app.jobs.tables import JobRow, Status
from app.users import store as user_store
from app.users.deps import Author, Launcher, Listening, Me
from app.web import events
from app.web.deps import App, Db
from app.web.events import Sent as Message
from app.web.forms import by_field
from app.web.pages import Values, page, render, see, wants_fragment
from app.web.params import LARGEST, Id, Number, OneLine, Sent, Text

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])


# ---------------------------------------------------------------- versions


@router.get("/assessments/{assessment_id}/instructions", name="instructions")
def show_instructions(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Me,
    start: Annotated[Number | None, Query()] = None,
    show: Annotated[OneLine, Query(max_length=20)] = "",
) -> Response:
    """start: number of a version that a new one begins with. show: `optimize` opens the form of the optimizer."""
    typed = {} if start is None else {"instructions": versions.numbered(db, assessment_id, start).text}
    return _instructions(request, db, assessment_id, start=start, typed=typed, optimising=show == "optimize")


@router.post("/assessments/{assessment_id}/instructions", name="add_instructions")
def add_instructions(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Author,
    instructions: Annotated[Text, Form()] = "",
    note: Annotated[OneLine, Form()] = "",
    start: Annotated[Number | None, Form()] = None,
) -> Response:
    """Keep a version without measuring it."""
    try:
        service.add_version(db, assessment_id, instructions, by=me, from_version=start, note=note)
    except Invalid as refusal:
        typed = {"instructions": instructions, "note": note}
        return _instructions(request, db, assessment_id, start=start, typed=typed, refusal=refusal)
    return see(request, "instructions", assessment_id=assessment_id)


@router.post("/assessments/{assessment_id}/instructions/measure", name="measure_instructions")
def measure_instructions(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Launcher,
    instructions: Annotated[Text, Form()] = "",
    note: Annotated[OneLine, Form()] = "",
    start: Annotated[Number | None, Form()] = None,
) -> Response:
    """Evaluate a prompt as a revision of the measurement that stands."""
    try:
        service.measure_version(db, assessment_id, instructions, by=me, from_version=start, note=note)
    except Invalid as refusal:
        typed = {"instructions": instructions, "note": note}
        return _instructions(request, db, assessment_id, start=start, typed=typed, refusal=refusal)
    return see(request, "measure", assessment_id=assessment_id)


@router.get("/assessments/{assessment_id}/instructions/difference", name="instructions_difference")
def show_difference(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Me,
    before: Annotated[Number | None, Query()] = None,
    after: Annotated[Number | None, Query()] = None,
) -> Response:
    """What changed between two versions, by their numbers; the last two where none are named."""
    rows = versions.of_assessment(db, assessment_id)
    newest = rows[0].number if rows else 1
    second = versions.numbered(db, assessment_id, after or newest)
    first = versions.numbered(db, assessment_id, before or max(1, second.number - 1))
    return page(
        request,
        "instructions/difference.html",
        assessment=assessment_store.get(db, assessment_id),
        step="measure",
        versions=rows,
        first=first,
        second=second,
        difference=difference.between(first.text, second.text),
        reasons=versions.REASONS,
        names=user_store.names(db, [row.created_by for row in (first, second) if row.created_by]),
    )


def _instructions(
    request: Request,
    db: Db,
    assessment_id: int,
    *,
    start: int | None = None,
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
    optimising: bool = False,
    order: dict[str, str] | None = None,
) -> Response:
    """The page. typed: of the form of a new version; order: of that of the optimizer; refusal: of what was sent."""
    assessment = assessment_store.get(db, assessment_id)
    rows = versions.of_assessment(db, assessment_id)
    lines = views.version_lines(rows, service.uses(db, assessment_id))
    current = baseline_store.current(db, assessment_id)
    there = store.of_assessment(db, assessment_id)
    return page(
        request,
        "instructions/instructions.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="measure",
        lines=lines,
        best=max(
            (line for line in lines if line.best), key=lambda line: line.best.score if line.best else 0.0, default=None
        ),
        reasons=versions.REASONS,
        names=user_store.names(db, [row.created_by for row in rows if row.created_by]),
        start=start,
        typed=typed or {},
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        revisable=_revisable(db, current),
        runs=[_brief(db, row) for row in there],
        **_order(db, assessment_id, order),
        optimising=optimising or order is not None,
    )


def _order(db: Db, assessment_id: int, typed: dict[str, str] | None) -> Values:
    """What the form of the optimizer needs."""
    there = offers.offer(db, assessment_id)
    values = _usual(db, there) | (typed or {})
    estimate = None
    if not there.against:
        try:
            estimate = offers.estimate(db, assessment_id, form.order(values))
        except Invalid:
            estimate = None
    return {"offer": there, "order": values, "estimate": estimate}


def _usual(db: Db, there: offers.Offer) -> dict[str, str]:
    """What the form begins with."""
    values = {"candidates": "10", "train_rows": "200"}
    if there.usable:
        answers = there.baseline.model_id if there.baseline else None
        first = next((one for one in there.usable if one.row.id != answers), there.usable[0])
        values["critic_id"] = str(first.row.id)
        if first.prices.known:
            values |= {"critic_price_in": f"{first.prices.read:g}", "critic_price_out": f"{first.prices.write:g}"}
    if there.baseline and there.first:
        prices = offers.prices_of(db, service.task_model(db, there.baseline, there.first))
        if prices.known:
            values |= {"task_price_in": f"{prices.read:g}", "task_price_out": f"{prices.write:g}"}
    return values


def _revisable(db: Db, baseline: BaselineRow | None) -> bool:
    if baseline is None:
        return False
    try:
        runs.revisable(db, baseline.id)
    except Conflict:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Brief:
    """A run of the optimizer in the list of runs."""

    row: OptimisationRow
    job: JobRow | None
    outcome: views.Outcome


def _brief(db: Db, row: OptimisationRow) -> Brief:
    job = service.last_job(db, row)
    return Brief(row, job, _outcome(db, row))


# ---------------------------------------------------------------- the optimizer


@router.post("/assessments/{assessment_id}/optimisations", name="start_optimisation")
def start_optimisation(request: Request, assessment_id: Id, db: Db, me: Launcher, typed: Sent) -> Response:
    try:
        row = service.start(db, assessment_id, form.order(typed), by=me)
    except Invalid as refusal:
        return _instructions(request, db, assessment_id, refusal=refusal, order=typed)
    return see(request, "optimisation", optimisation_id=row.id)


@router.post("/assessments/{assessment_id}/optimisations/estimate", name="estimate_optimisation")
def estimate_optimisation(request: Request, assessment_id: Id, app: App, me: Me, typed: Sent) -> Response:
    """Say what a run would cost; starts nothing, so a read-only transaction is enough."""
    with reading(app.engine) as db:
        try:
            order = form.order(typed)
        except Invalid as refusal:
            return _instructions(request, db, assessment_id, refusal=refusal, order=typed)
        if wants_fragment(request):
            estimate = offers.estimate(db, assessment_id, order)
            return Response(render(request, "instructions/_estimate.html", estimate=estimate), media_type="text/html")
        return _instructions(request, db, assessment_id, order=typed)


@router.get("/optimisations/{optimisation_id}", name="optimisation")
def show_optimisation(request: Request, optimisation_id: Id, db: Db, me: Me) -> Response:
    """One run: what it came to, its drafts with what changed, its settings."""
    row = store.get(db, optimisation_id)
    baseline = baseline_store.get(db, row.baseline_id)
    dataset = dataset_store.get(db, baseline.dataset_id)
    first = next(arm for arm in baseline.arms if arm.id == row.arm_id)
    winner = next((arm for arm in baseline.arms if arm.id == row.winner_arm_id), None)
    return page(
        request,
        "instructions/run.html",
        assessment=assessment_store.get(db, row.assessment_id),
        step="measure",
        first=first,
        version=next((one for one in versions.of_assessment(db, row.assessment_id) if one.id == row.version_id), None),
        winner=winner,
        baseline=baseline,
        rows={
            "train": min(row.train_rows or dataset.train_rows, dataset.train_rows),
            "dev": min(row.dev_rows or dataset.dev_rows, dataset.dev_rows),
        },
        instructions=standing.instructions_of(baseline, first),
        critic=model_store.get(db, row.critic_id),
        replaced=baseline.archived_at is not None,
        person=user_store.names(db, [row.created_by]).get(row.created_by, "somebody"),
        **_live(db, row),
    )


@router.get("/optimisations/{optimisation_id}/events", name="optimisation_events", response_class=EventSourceResponse)
async def optimisation_events(
    request: Request,
    optimisation_id: Id,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send how far a run is whenever its job says something; the last message makes the page load itself anew."""

    def read(after: int) -> list[Message]:
        with reading(app.engine) as session:
            row = store.get(session, optimisation_id)

            def draw() -> str:
                return render(request, "instructions/_live.html", **_live(session, row) | {"live": True})

            return live.news(session, service.last_job(session, row), after, draw)

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent


@router.post("/optimisations/{optimisation_id}/go-on", name="go_on_optimisation")
def go_on(request: Request, optimisation_id: Id, db: Db, me: Launcher) -> Response:
    service.resume(db, optimisation_id, by=me)
    return see(request, "optimisation", optimisation_id=optimisation_id)


@router.post("/optimisations/{optimisation_id}/take-over", name="take_over_optimisation")
def take_over(request: Request, optimisation_id: Id, db: Db, me: Launcher) -> Response:
    """End a run that stopped early, and measure its best draft."""
    service.take_over(db, optimisation_id, by=me)
    return see(request, "optimisation", optimisation_id=optimisation_id)


def _outcome(db: Db, row: OptimisationRow) -> views.Outcome:
    job = service.last_job(db, row)
    running = job is not None and not job.final
    cancelled = job is not None and job.status == Status.CANCELLED
    failure = (job.failure or "") if job is not None and not running and not row.ending else ""
    return views.outcome(row, running=running, failure=failure, cancelled=cancelled)


def _live(db: Db, row: OptimisationRow) -> Values:
    """What changes while a run goes on."""
    return {
        **live.state(db, service.last_job(db, row)),
        "run": row,
        "outcome": _outcome(db, row),
        "candidates": views.candidate_lines(row),
        "used": views.used(row),
        "live": False,
    }
