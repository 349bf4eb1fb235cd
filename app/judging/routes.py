"""Pages of the LLM judge: its rubric, the form, a run with its scores, single judgements."""

from collections.abc import AsyncIterable
from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import store as assessment_store
from app.baselines import arms, standing
from app.baselines import store as baseline_store
from app.baselines.deps import shown_to
from app.baselines.measured_model import MeasuredModel
from app.db import reading
from app.errors import Invalid
from app.evaluation import metrics
from app.evaluation.correction import LEAST
from app.inference.deps import WithBundled
from app.jobs import live
from app.jobs.tables import JobRow
from app.judging import deciding, families, form, offers, outcome, rounds, service, store, views
from app.judging.order import ENDINGS, USES, money
from app.judging.outcome import Outcome
from app.judging.store import Show
from app.judging.tables import JudgeRunRow, RubricRow
from app.users import store as user_store
from app.users.deps import Author, Launcher, Listening, Me
from app.users.tables import UserRow
from app.web import events
from app.web.deps import App, Db
from app.web.events import Sent as Message
from app.web.forms import by_field
from app.web.pages import page, render, see, wants_fragment
from app.web.params import LARGEST, Id, Number, OneLine, Sent, Text
from app.web.params import Form as AnyForm

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

PAGE = 20  # judgements at once
LISTED = 8  # runs at once


@router.get("/assessments/{assessment_id}/judging", name="judging")
def show_judging(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Me,
    start: Annotated[Number | None, Query()] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """start: number of a version of the rubric that a new one begins with. before: a run, from whose id back the runs
    are listed."""
    there = {row.number: row for row in store.rubrics(db, assessment_id)}
    row = there.get(start or 0)
    typed = {"failure": row.failure, "passes_if": row.passes_if} if row else {}
    if row and row.with_expected:
        typed["with_expected"] = "on"
    return _judging(request, db, me, assessment_id, typed=typed, writing=row is not None, before=before)


@router.post("/assessments/{assessment_id}/judging/rubrics", name="add_rubric")
def add_rubric(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Author,
    failure: Annotated[OneLine, Form()] = "",
    passes_if: Annotated[Text, Form()] = "",
    with_expected: Annotated[OneLine, Form()] = "",
) -> Response:
    try:
        service.add_rubric(db, assessment_id, failure, passes_if, with_expected=with_expected == "on", by=me)
    except Invalid as refusal:
        typed = {"failure": failure, "passes_if": passes_if, "with_expected": with_expected}
        return _judging(request, db, me, assessment_id, typed=typed, refusal=refusal, writing=True)
    return see(request, "judging", assessment_id=assessment_id)


@router.post("/baselines/{baseline_id}/judge/correct", name="correct_judge")
def correct_judge(request: Request, baseline_id: Id, db: Db, me: Author) -> Response:
    """Correct the scores of a measurement by all labels of today."""
    baseline = deciding.correct(db, baseline_id, by=me)
    return see(request, "judging", assessment_id=baseline.assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/judge-runs", name="start_judge")
def start_judge(request: Request, assessment_id: Id, db: Db, me: Launcher, sent: AnyForm) -> Response:
    typed, chosen = form.texts(sent.multi_items())
    try:
        row = service.start(db, assessment_id, form.order(typed, chosen), by=me)
    except Invalid as refusal:
        return _judging(request, db, me, assessment_id, refusal=refusal, order=typed, chosen=chosen)
    return see(request, "judge_run", run_id=row.id)


@router.post("/assessments/{assessment_id}/judge-runs/estimate", name="estimate_judge")
def estimate_judge(request: Request, assessment_id: Id, app: App, me: Me, sent: AnyForm) -> Response:
    """Say what a run would cost; starts nothing, so a read-only transaction is enough."""
    typed, chosen = form.texts(sent.multi_items())
    with reading(app.engine) as db:
        try:
            order = form.order(typed, chosen)
        except Invalid as refusal:
            return _judging(request, db, me, assessment_id, refusal=refusal, order=typed, chosen=chosen)
        if wants_fragment(request):
            estimate = service.estimate(db, assessment_id, order)
            return Response(render(request, "judging/_estimate.html", estimate=estimate), media_type="text/html")
        return _judging(request, db, me, assessment_id, order=typed, chosen=chosen)


def _judging(
    request: Request,
    db: Db,
    me: UserRow,
    assessment_id: int,
    *,
    typed: dict[str, str] | None = None,
    writing: bool = False,
    refusal: Invalid | None = None,
    order: dict[str, str] | None = None,
    chosen: list[int] | None = None,
    before: int | None = None,
) -> Response:
    """The page. typed: of the form of a rubric; order, chosen: of that of the judge; refusal: of what was sent; before:
    from which run back they are listed."""
    assessment = assessment_store.get(db, assessment_id)
    there = offers.offer(db, assessment_id)
    versions, labelled = store.rubrics(db, assessment_id), 0
    if there.rubric and there.baseline:
        labelled = store.number_labelled(db, there.rubric.id, there.baseline.id)
    values, picked = _usual(there) | (order or {}), chosen
    if picked is None:
        picked = [arm.id for arm in there.asked]
    estimate = None
    if not there.against:
        try:
            estimate = service.estimate(db, assessment_id, form.order(values, picked))
        except Invalid:
            estimate = None
    held = deciding.held(db, there.baseline) if there.baseline else None
    newest = [_brief(db, row) for row in store.of_assessment(db, assessment_id, limit=LISTED + 1)]
    listed = newest
    if before is not None:
        listed = [_brief(db, row) for row in store.of_assessment(db, assessment_id, before, LISTED + 1)]
    return page(
        request,
        "judging/judging.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="measure",
        offer=there,
        versions=versions,
        labelled=labelled,
        round=rounds.open_round(db, there.rubric.id, me.id) if there.rubric else None,
        enough=LEAST,
        runs=listed[:LISTED],
        last=next((one for one in newest if one["row"].use == "pass_fail"), None),
        begun=bool(newest),
        before=before,
        earlier=listed[LISTED - 1]["row"].id if len(listed) > LISTED else None,
        number=store.number_of_runs(db, assessment_id),
        names=user_store.names(db, [row.created_by for row in versions]),
        typed=typed or {},
        writing=writing or not versions,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        order=values,
        chosen=picked,
        estimate=estimate,
        limit=outcome.limit(db, assessment_id),
        metric=there.baseline.metric if there.baseline else None,
        decides_nothing=service.DECIDES_NOTHING,
        judges=deciding.choices(db, assessment),
        held=held,
        kin=deciding.kin(db, there.baseline, held.judge) if held and there.baseline else (),
        closed=there.baseline is not None and standing.closed(there.baseline),
        uses=USES,
    )


def _usual(there: offers.Offer) -> dict[str, str]:
    """What the form begins with: a judge that is nobody's kin, where there is one."""
    values = {"use": "pass_fail", "split": "dev"}
    if there.usable:
        first = min(there.usable, key=lambda one: sum(kin.kind != "unknown" for kin in one.kin))
        values["judge_id"] = str(first.row.id)
        if first.prices.known:
            values |= {"price_in": f"{first.prices.read:g}", "price_out": f"{first.prices.write:g}"}
    return values


class Brief(TypedDict):
    """A run in a list."""

    row: JudgeRunRow
    job: JobRow | None
    outcome: Outcome
    judge: MeasuredModel
    rubric: RubricRow


def _brief(db: Db, row: JudgeRunRow) -> Brief:
    return {
        "row": row,
        "job": service.last_job(db, row),
        "outcome": outcome.outcome(db, row),
        "judge": service.judge_of(row),
        "rubric": store.rubric(db, row.rubric_id),
    }


# ---------------------------------------------------------------- a run


@router.get("/judge-runs/{run_id}", name="judge_run")
def show_judge_run(request: Request, run_id: Id, db: Db, me: Me) -> Response:
    """One run: what it came to, how far the judge agrees with people, its settings."""
    row = store.get(db, run_id)
    return _run(request, db, row)


def _run(request: Request, db: Db, row: JudgeRunRow, refusal: Invalid | None = None) -> Response:
    baseline = baseline_store.get(db, row.baseline_id)
    return page(
        request,
        "judging/run.html",
        status=422 if refusal else 200,
        assessment=assessment_store.get(db, row.assessment_id),
        step="measure",
        baseline=baseline,
        metric=baseline.metric,
        binary=metrics.get(baseline.metric).binary,
        rubric=store.rubric(db, row.rubric_id),
        warnings=[families.Kinship.from_json(one) for one in row.warnings],
        person=user_store.names(db, [row.created_by]).get(row.created_by, "somebody"),
        replaced=baseline.archived_at is not None,
        errors=by_field(refusal) if refusal else {},
        enough=LEAST,
        error_limit=arms.ERROR_LIMIT,
        decides_nothing=service.DECIDES_NOTHING,
        **_live(db, row),
    )


@router.get("/judge-runs/{run_id}/events", name="judge_run_events", response_class=EventSourceResponse)
async def judge_run_events(
    request: Request,
    run_id: Id,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send how far a run is whenever its job says something; the last message makes the page load itself anew."""

    def read(after: int) -> list[Message]:
        with reading(app.engine) as session:
            row = store.get(session, run_id)

            def draw() -> str:
                return render(request, "judging/_live.html", **{**_live(session, row), "live": True})

            return live.news(session, service.last_job(session, row), after, draw)

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent


@router.post("/judge-runs/{run_id}/go-on", name="go_on_judge")
def go_on(request: Request, run_id: Id, db: Db, me: Launcher, typed: Sent) -> Response:
    """Go on after a stop; asks again what could not be read."""
    try:
        service.go_on(db, run_id, by=me, calls=form.budget(typed))
    except Invalid as refusal:
        return _run(request, db, store.get(db, run_id), refusal)
    return see(request, "judge_run", run_id=run_id)


class Live(live.JobState):
    """What changes while a run goes on. cost: None where it is not known. ending: why it ended, in words."""

    run: JudgeRunRow
    outcome: Outcome
    judge: MeasuredModel
    cost: float | None
    ending: str
    live: bool


def _live(db: Db, row: JudgeRunRow) -> Live:
    return {
        **live.state(db, service.last_job(db, row)),
        "run": row,
        "outcome": outcome.outcome(db, row),
        "judge": service.judge_of(row),
        "cost": money(row.spent, row.price_in, row.price_out),
        "ending": ENDINGS.get(row.ending, ""),
        "live": False,
    }


# ---------------------------------------------------------------- single judgements


@router.get("/judge-runs/{run_id}/judgements", name="judgements")
def show_judgements(
    request: Request,
    run_id: Id,
    app: App,
    db: Db,
    me: Me,
    show: Show = "all",
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> Response:
    """A page of judgements with the replies as they came; `differ` are those that a person labelled otherwise."""
    row = store.get(db, run_id)
    rounds.refuse_while_labelling(db, row.rubric_id, me)
    baseline = baseline_store.get(db, row.baseline_id)
    if row.split == "test":
        shown_to(app, db, me, baseline, [arm for arm in baseline.arms if arm.id in row.arms], "read")
    listed, number = store.page_of(db, row, show, after=after, limit=PAGE + 1)
    kinds: tuple[Show, ...] = ("all", "pass", "fail", "differ", "labelled", "error")
    if row.use == "pairwise":
        kinds = ("all", "first", "second", "tie", "error")
    return page(
        request,
        "judging/judgements.html",
        assessment=assessment_store.get(db, row.assessment_id),
        step="measure",
        run=row,
        judge=service.judge_of(row),
        rubric=store.rubric(db, row.rubric_id),
        show=show,
        number=number,
        kinds={kind: store.page_of(db, row, kind, limit=1)[1] for kind in kinds},
        listed=views.read(db, row, listed[:PAGE]),
        next=listed[PAGE - 1].id if len(listed) > PAGE else None,
        after=after,
    )


# ---------------------------------------------------------------- people's labels


@router.post("/assessments/{assessment_id}/judge-rounds", name="begin_judge_labels")
def begin_labels(request: Request, assessment_id: Id, db: Db, me: Author) -> Response:
    row = rounds.begin(db, assessment_id, by=me)
    return see(request, "judge_labels", round_id=row.id)


@router.get("/judge-rounds/{round_id}", name="judge_labels")
def show_labels(request: Request, round_id: Id, db: Db, me: Me) -> Response:
    """The answers of a round, for the person whose round it is; anybody else is sent to the judge."""
    row = store.round_of(db, round_id)
    rubric = store.rubric(db, row.rubric_id)
    if row.user_id != me.id or row.done_at is not None:
        return see(request, "judging", assessment_id=rubric.assessment_id)
    listed = rounds.to_label(db, row)
    return page(
        request,
        "judging/label.html",
        assessment=assessment_store.get(db, rubric.assessment_id),
        step="measure",
        round=row,
        rubric=rubric,
        rows=listed,
        given=sum(bool(one.label) for one in listed),
        who=rounds.WHO,
    )


@router.post("/judge-rounds/{round_id}/answers/{place}", name="say_judge_label")
def say_label(
    request: Request, round_id: Id, place: Id, db: Db, me: Author, label: Annotated[OneLine, Form()] = ""
) -> Response:
    rounds.say(db, round_id, place, label, by=me)
    if not wants_fragment(request):
        return see(request, "judge_labels", round_id=round_id, anchor=f"answer-{place}")
    row = store.round_of(db, round_id)
    given = len(store.labels_of(db, [round_id]))
    values = {"place": place, "label": label, "given": given, "total": len(row.answers), "saved": True}
    return Response(render(request, "judging/_said.html", **values), media_type="text/html")


@router.post("/judge-rounds/{round_id}/end", name="end_judge_labels")
def end_labels(request: Request, round_id: Id, db: Db, me: Author) -> Response:
    row = rounds.end(db, round_id, by=me)
    return see(request, "judging", assessment_id=store.rubric(db, row.rubric_id).assessment_id)
