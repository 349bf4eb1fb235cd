"""The page of baselines: the form, the run while it goes on, its results, and a revised prompt."""

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    answers_view,
    causes,
    comparisons,
    constrained,
    controls,
    cost_view,
    deciding_judge,
    differences,
    drafting,
    drafts,
    error_share,
    facts,
    form,
    live_state,
    live_view,
    looks,
    measured_model,
    metrics_view,
    outlines,
    planning,
    race,
    reruns,
    results_view,
    rivals,
    run_control,
    runs,
    spending,
    standing,
    store,
    tag_store,
    tagging,
    views,
    watching,
    with_passages,
)
from app.baselines.outlines import Known, Outline
from app.baselines.spending import Budget, Prices
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import FieldError, Invalid
from app.evaluation import metrics
from app.evaluation.comparison import MORE
from app.inference import service as models
from app.inference import store as model_store
from app.inference import trials
from app.inference.deps import WithBundled
from app.inference.tables import ModelRow
from app.jobs import live as job_live
from app.jobs.tables import JobRow
from app.scoring import service as scoring
from app.users.deps import Launcher, Listening, Me
from app.web import events
from app.web.deps import App, Db, context_of
from app.web.events import Sent as Message
from app.web.forms import by_field
from app.web.pages import page, render, see, url_for, wants_fragment
from app.web.params import LARGEST, Id, OneLine, Sent, Text

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

UNUSABLE = ("failing", "failed", "retired")  # states of a model that is not offered


@router.get("/assessments/{assessment_id}/measure", name="measure")
def show_measure(
    request: Request,
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    model_id: Annotated[OneLine, Query(max_length=20)] = "",
) -> Response:
    """model_id: the model that the form begins with, for a link that asks for baselines on that one."""
    return _measure(request, app, db, assessment_id, typed={"model_id": model_id} if model_id else None)


@router.post("/assessments/{assessment_id}/measure", name="start_measure")
def start_measure(request: Request, assessment_id: Id, app: App, db: Db, me: Launcher, typed: Sent) -> Response:
    try:
        runs.start(db, assessment_id, form.order(typed), by=me, known=_known(app))
    except Invalid as refusal:
        return _measure(request, app, db, assessment_id, status=422, typed=typed, refusal=refusal)
    return see(request, "measure", assessment_id=assessment_id)


@router.post("/assessments/{assessment_id}/measure/estimate", name="estimate_measure")
def estimate_measure(request: Request, assessment_id: Id, app: App, me: Me, typed: Sent) -> Response:
    """Say what a measurement would cost; starts nothing, so a read-only transaction is enough."""
    with reading(app.engine) as db:
        try:
            order = form.order(typed)
        except Invalid as refusal:
            return _measure(request, app, db, assessment_id, status=422, typed=typed, refusal=refusal)
        if wants_fragment(request):
            outline = planning.outline(db, assessment_id, order, _known(app))
            estimate = outline.total if outline else None
            html = render(
                request,
                "baselines/_estimate.html",
                estimate=estimate,
                outline=outline,
                typed=typed,
                errors={},
                swap=True,
                assessment=assessment_store.get(db, assessment_id),
                newest=store.current(db, assessment_id),
            )
            return Response(html, media_type="text/html")
        return _measure(request, app, db, assessment_id, typed=typed)


@router.post("/assessments/{assessment_id}/measure/labels", name="insert_labels")
def insert_labels(request: Request, assessment_id: Id, app: App, me: Me, typed: Sent) -> Response:
    """Give the form back with the labels of the training rows in its prompt; starts and stores nothing."""
    with reading(app.engine) as db:
        draft = drafting.draft_of(db, dataset_store.current(db, assessment_id))
        filled = drafts.with_labels(typed.get("instructions", ""), draft.labels if draft else ())
        typed = {**typed, "instructions": filled}
        if wants_fragment(request):
            html = render(request, "baselines/_prompt.html", typed=typed, errors={})
            return Response(html, media_type="text/html")
        return _measure(request, app, db, assessment_id, typed=typed)


@router.post("/baselines/{baseline_id}/go-on", name="go_on_measure")
def go_on(request: Request, baseline_id: Id, app: App, db: Db, me: Launcher, typed: Sent) -> Response:
    assessment_id = store.get(db, baseline_id).assessment_id
    try:
        runs.resume(db, baseline_id, by=me, more=form.limits(typed), known=_known(app))
    except Invalid as refusal:
        return _measure(request, app, db, assessment_id, status=422, resumed=typed, refusal=refusal)
    return see(request, "measure", assessment_id=assessment_id)


@router.post("/baselines/{baseline_id}/pause", name="pause_measure")
def pause(request: Request, baseline_id: Id, db: Db, me: Launcher) -> Response:
    baseline = controls.pause(db, baseline_id, by=me)
    return see(request, "measure", assessment_id=baseline.assessment_id, notice="pausing")


@router.post("/baselines/{baseline_id}/steer", name="steer_measure")
def steer(request: Request, baseline_id: Id, app: App, db: Db, me: Launcher, typed: Sent) -> Response:
    """Calls at once and limits of a measurement that runs."""
    assessment_id = store.get(db, baseline_id).assessment_id
    try:
        at_once, more = form.at_once(typed), form.limits(typed)
        controls.steer(db, baseline_id, by=me, at_once=at_once, more=more, known=_known(app))
    except Invalid as refusal:
        return _measure(request, app, db, assessment_id, status=422, resumed=typed, refusal=refusal)
    return see(request, "measure", assessment_id=assessment_id, notice="saved")


@router.post("/baselines/{baseline_id}/revise", name="revise_measure")
def revise(
    request: Request,
    baseline_id: Id,
    app: App,
    db: Db,
    me: Launcher,
    revised_instructions: Annotated[Text, Form()] = "",
) -> Response:
    baseline = store.get(db, baseline_id)
    try:
        runs.revise(db, baseline_id, revised_instructions, by=me)
    except Invalid as refusal:
        moved = Invalid(
            refusal.detail, [FieldError("#/revised_instructions", error.detail) for error in refusal.errors]
        )
        return _measure(
            request,
            app,
            db,
            baseline.assessment_id,
            status=422,
            typed={"revised_instructions": revised_instructions},
            refusal=moved,
        )
    return see(request, "measure", assessment_id=baseline.assessment_id)


@router.get("/baselines/{baseline_id}/events", name="measure_events", response_class=EventSourceResponse)
async def measure_events(
    request: Request,
    baseline_id: Id,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send how far a measurement is whenever its job says something, and the table whenever a variant is through; the
    last message makes the page load itself anew."""
    sent_table: list[object] = []

    def read(after: int) -> list[Message]:
        with reading(app.engine) as session:
            baseline = store.get(session, baseline_id)
            job = runs.last_job(session, baseline)

            def draw() -> str:
                drawn = live_view.signature(baseline.arms)
                values = _live(request, session, baseline, job, live=True) if job else {}
                if drawn not in sent_table:  # at first, too: a variant may have come through since the page was drawn
                    values |= {"table": _table(request, session, baseline, compare=False), "swap": True}
                sent_table[:] = [drawn]
                return render(request, "baselines/_live.html", baseline=baseline, **values)

            return job_live.news(session, job, after, draw)

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent


# ---------------------------------------------------------------- inside


def _measure(
    request: Request,
    app: App,
    db: Db,
    assessment_id: int,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    resumed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    """typed: into the form of a measurement. resumed: into that of one that is there, to steer it or let it go on."""
    assessment = assessment_store.get(db, assessment_id)
    answers = assessments.answers(assessment)
    newest = store.current(db, assessment_id)
    dataset = dataset_store.current(db, assessment_id)
    draft = drafting.draft_of(db, dataset)
    values = {**form.begins_with(newest), **(typed or {})}
    if newest is None and draft is not None and dataset is not None:
        values.setdefault("instructions", draft.text)
        values.setdefault("max_tokens", str(drafts.room(draft, thinks=dataset.trains_reasoning)))
    passage_prompt = with_passages.proposed_instructions(db, assessment_id, dataset)
    values.setdefault("passage_instructions", passage_prompt)
    usable = [_choice(db, row) for row in model_store.usable(db)]
    values.setdefault("model_id", next((str(choice.row.id) for choice in usable if not choice.against), "0"))
    judges = app.judges(db, assessment) if answers.get("metric") == deciding_judge.METRIC else ()
    outline = None
    if newest is None or typed is not None:  # else the form is folded, and asks for it when it is opened
        outline = _outline(app, db, assessment_id, values)
    return page(
        request,
        "baselines/measure.html",
        status=status,
        assessment=assessment,
        step="measure",
        blockers=planning.blockers(db, assessment),
        dataset=dataset,
        metric=metrics.METRICS.get(str(answers.get("metric"))),
        target=answers.get("target"),
        models=usable,
        passage_prompt=passage_prompt,
        draft=draft,
        concurrency=app.settings.endpoint_concurrency,
        resumed=resumed or {},
        typed=values,
        form_open=typed is not None and "revised_instructions" not in typed,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        outline=outline,
        estimate=outline.total if outline else None,
        constrained=constrained.in_use(db, assessment_id),
        choices={**scoring.choices(db, app.settings, assessment_id), "judge": metrics_view.judge_choices(judges)},
        judges=judges,
        causes=causes.CAUSES,
        enough=causes.ENOUGH,
        earlier=[row for row in store.of_assessment(db, assessment_id) if newest and row.id != newest.id],
        **(_results(request, db, newest) if newest else {"newest": None, "baseline": None}),
    )


def _known(app: App) -> Known:
    """What planning is told of this installation."""
    return Known(app.settings, app.call_prices, app.judges)


def _outline(app: App, db: Db, assessment_id: int, values: dict[str, str]) -> Outline | None:
    """The plan of what is typed; where that can't be read, of what the form begins with otherwise."""
    try:
        order = form.order(values)
    except Invalid:
        order = form.order({name: values[name] for name in ("model_id",) if values.get(name, "").isdecimal()})
    return planning.outline(db, assessment_id, order, _known(app))


def _results(request: Request, db: Db, newest: BaselineRow) -> dict[str, object]:
    """What the page says of results: those of the measurement that counts, and beside it how the newest one goes."""
    job = runs.last_job(db, newest)
    over = job is None or job.final
    baseline = facts.shown_result(db, newest)
    values: dict[str, object] = {
        "newest": newest,
        "over": over,
        "job": job,
        "has_errors": any(arm.has_errors for arm in newest.arms if arm.family != "adapter"),
        "failed_rows": standing.failed_rows(newest),
        "unanswered": standing.unanswered(newest),
        "error_limit": error_share.limit(db, newest),
        "closed": standing.closed(newest),
        "budget": Budget.from_json(newest.budget),
        "prices": Prices.from_json(newest.prices),
        "spent": run_control.spent(db, newest),
        "newest_leading": standing.leading(newest),
        "newest_best": standing.best(newest),
        "newest_dataset": dataset_store.get(db, newest.dataset_id),
        "newest_table": None if baseline.id == newest.id and over else _table(request, db, newest, compare=over),
        "current_instructions": _instructions(newest),
    }
    if job is not None and not over:
        values |= {"live": _live(request, db, newest, job, live=False)}
    return values | _of_counting(request, db, baseline)


def _instructions(baseline: BaselineRow) -> str:
    leading = standing.leading(baseline)
    return standing.instructions_of(baseline, leading) if leading else baseline.instructions


def _of_counting(request: Request, db: Db, baseline: BaselineRow) -> dict[str, object]:
    settings = context_of(request).settings
    dataset = dataset_store.get(db, baseline.dataset_id)
    leading, best = standing.leading(baseline), standing.best(baseline)
    model = model_store.get(db, baseline.model_id)
    close = rivals.rivals(db, baseline)
    tagged = facts.failure_causes(db, baseline)
    lead = views.free_lead(baseline, best or leading)
    passing = standing.passing(baseline)
    table = _table(request, db, baseline, compare=True)
    values: dict[str, object] = {
        "baseline": baseline,
        "headline": results_view.headline(baseline, best, lead),
        "table": table,
        "costs": cost_view.of(table["lines"], table["currency"], of_run=table["prices_of_run"]),
        "measured_metric": metrics.get(baseline.metric),
        "model": measured_model.model_of(db, baseline),
        "before": looks.before(db, baseline),
        "measured_on": dataset,
        "best": best,
        "leading": leading,
        "rivals": close,
        "validity": constrained.validity(baseline),
        "untested": sum(not rival.tested for rival in close) if baseline.concluded_at else 0,
        "reported": views.reported(baseline.arms),
        "watched_table": watching.table(db, baseline),
        "judged_with": metrics_view.judged_with(db, settings, baseline),
        "notes": views.notes(
            baseline.arms,
            leading,
            asked_for=model.reference if model.kind == "endpoint" else "",
            metric=baseline.metric,
            max_tokens=baseline.max_tokens,
            manner=measured_model.model_of(db, baseline).manner,
        ),
        "facts": views.facts(baseline.arms),
        "outlook": facts.outlook(baseline, min(baseline.test_limit or dataset.test_rows, dataset.test_rows)),
        "luck": differences.chosen_from(db, baseline),
        "settles": differences.to_settle(baseline),
        "narrower": differences.narrower(best.test) if best and best.test else None,
        "more": MORE,
        "rerun": next(iter(reruns.findings(db, baseline)), None),
        "failing": None,
        "tagged": tagged,
        "blind": tag_store.open_round(db, baseline.id, request.state.me.id) is not None,
        "twice": tagging.compared(db, baseline).agreement,
        "to_tag": max(causes.ENOUGH - sum(tagged.values()), 0),
    }
    if leading is not None:
        selection = answer_store.Selection(arm_id=leading.id, split="dev", passing=passing)
        values["failing"] = answer_store.counted(db, selection)
        parts = answers_view.parts_of(db, store.arm(db, leading.id), "dev")
        weakest = sorted(parts.labels, key=lambda label: (1.0 if label.score is None else label.score, -label.rows))
        values |= {"parts": parts, "weakest": weakest}
    return values


class Table(TypedDict):
    """What `baselines/_table.html` draws. urls: of the arms' pages. saved: calls that the race saved."""

    id: int
    lines: Sequence[results_view.Line]
    caption: str
    currency: str
    prices_of_run: bool
    saved: int
    target: float | None
    urls: Mapping[int, str]
    metric: str


def _table(request: Request, db: Db, baseline: BaselineRow, *, compare: bool) -> Table:
    """The lines of a measurement with a sentence on them. compare: with what each fixed and broke, which takes a look
    at every answer."""
    urls = {arm.id: url_for(request, "arm", baseline_id=baseline.id, arm_id=arm.id) for arm in baseline.arms}
    compared = comparisons.comparisons(db, baseline) if compare else {}
    assessment, rows = assessment_store.get(db, baseline.assessment_id), model_store.everything(db)
    prices, of_run = spending.prices_at_hand(baseline, context_of(request).call_prices(db, assessment, rows))
    lines = results_view.lines(baseline, standing.leading(baseline), compared, urls, prices)
    return {
        "id": baseline.id,
        "lines": lines,
        "caption": results_view.caption(lines, baseline),
        "currency": next((price.currency for price in prices.values()), ""),
        "prices_of_run": of_run,
        "saved": race.saved(baseline),
        "target": baseline.target,
        "urls": urls,
        "metric": metrics.get(baseline.metric).title,
    }


def _live(request: Request, db: Db, baseline: BaselineRow, job: JobRow, *, live: bool) -> dict[str, object]:
    """How far a measurement is, with the last answers to dev rows."""
    assessment, rows = assessment_store.get(db, baseline.assessment_id), model_store.everything(db)
    app = context_of(request)
    prices = app.call_prices(db, assessment, rows)
    kept = live_state.values(db, baseline, job, prices, lost_after=app.settings.worker_lost_after)
    return {**kept, "job": job, "live": live, "swap": False}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as the form offers it. host: of its server, empty on this machine. against: why it is not offered, and
    tested_at, when that was seen. stranger: a server that nobody has met as it is now."""

    row: ModelRow
    state: str
    host: str
    against: str
    tested_at: datetime | None
    stranger: bool


def _choice(db: Db, row: ModelRow) -> ModelChoice:
    state, job = models.state(db, row)
    against, tested = "", trials.last(row)
    if state in UNUSABLE:
        against = tested.error if tested else str(job.failure or "") if job else ""
        against = against or f"It is {state}."
    tested_at = tested.at if tested and tested.error else None
    host = outlines.host_of(row.base_url) if row.kind == "endpoint" else ""
    return ModelChoice(row, state, host, against, tested_at, stranger=bool(host) and trials.manner(row) is None)
