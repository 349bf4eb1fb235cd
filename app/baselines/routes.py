"""Pages for measuring: the form, the arms, every example, and the words on why they fail."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from app import glossary
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    answers_view,
    causes,
    facts,
    looks,
    measured_model,
    planning,
    rivals,
    runs,
    standing,
    store,
    views,
)
from app.baselines.deps import exported, shown_to
from app.baselines.planning import BaselineRequest
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import FieldError, Invalid, NotFound
from app.evaluation import metrics
from app.inference import service as models
from app.inference import store as model_store
from app.inference.deps import WithBundled
from app.jobs import store as job_store
from app.users.deps import Launcher, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, render, see, url_for, wants_fragment
from app.web.params import Id, Sent, Text

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

PAGE = 20
Show = Literal["all", "right", "wrong", "error", "tagged", "untagged"]
Split = Literal["dev", "test"]

FIELDS = ("model_id", "k_random", "k_nearest", "max_tokens", "dev_rows", "test_rows")


@router.get("/assessments/{assessment_id}/measure", name="measure")
def show_measure(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    return _measure(request, app, db, assessment_id)


@router.post("/assessments/{assessment_id}/measure", name="start_measure")
def start_measure(request: Request, assessment_id: Id, app: App, db: Db, me: Launcher, typed: Sent) -> Response:
    try:
        runs.start(db, assessment_id, _order(typed), by=me)
    except Invalid as refusal:
        return _measure(request, app, db, assessment_id, status=422, typed=typed, refusal=refusal)
    return see(request, "measure", assessment_id=assessment_id)


@router.post("/assessments/{assessment_id}/measure/estimate", name="estimate_measure")
def estimate_measure(request: Request, assessment_id: Id, app: App, me: Me, typed: Sent) -> Response:
    """Say what a measurement would cost; starts nothing, so a read-only transaction is enough."""
    with reading(app.engine) as db:
        try:
            order = _order(typed)
        except Invalid as refusal:
            return _measure(request, app, db, assessment_id, status=422, typed=typed, refusal=refusal)
        if wants_fragment(request):
            estimate = planning.estimate(db, assessment_id, order)
            return Response(render(request, "baselines/_estimate.html", estimate=estimate), media_type="text/html")
        return _measure(request, app, db, assessment_id, typed=typed)


@router.post("/baselines/{baseline_id}/go-on", name="go_on_measure")
def go_on(request: Request, baseline_id: Id, db: Db, me: Launcher) -> Response:
    baseline = runs.resume(db, baseline_id, by=me)
    return see(request, "measure", assessment_id=baseline.assessment_id)


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


@router.get("/baselines/{baseline_id}/arms/{arm_id}", name="arm")
def show_arm(
    request: Request,
    baseline_id: Id,
    arm_id: Id,
    app: App,
    db: Db,
    me: Me,
    split: Split | None = None,
    show: Show = "all",
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    arm = store.arm(db, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such arm.")
    baseline = arm.baseline
    chosen: Split = split or ("test" if arm.test and not arm.dev else "dev")
    if chosen == "test":
        shown_to(app, db, me, baseline, [arm], "read")
    passing = standing.passing(baseline)
    counted = answer_store.counted(db, arm_id, chosen, passing)
    answers = answer_store.numbered_page(db, arm_id, chosen, show=show, passing=passing, number=page_number, size=PAGE)
    examples = answers_view.examples_of(db, baseline, chosen)
    masker = answers_view.masking(db, baseline)
    return page(
        request,
        "baselines/arm.html",
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        arm=arm,
        term=glossary.term(f"variant.{arm.family}").help,
        metric=metrics.get(baseline.metric),
        instructions=standing.instructions_of(baseline, arm),
        split=chosen,
        show=show,
        counted=counted,
        shown=[answers_view.view(baseline, examples, answer, masker) for answer in answers],
        causes=causes.CAUSES,
        number=page_number,
        pages=-(-counted[show] // PAGE),
    )


@router.post("/baselines/{baseline_id}/arms/{arm_id}/causes", name="tag_arm")
def tag_arm(request: Request, baseline_id: Id, arm_id: Id, db: Db, me: Me, typed: Sent) -> Response:
    """Store the causes of one page of examples; fields are named cause-<answer id>."""
    tags = {
        int(name.removeprefix("cause-")): value
        for name, value in typed.items()
        if name.startswith("cause-") and name.removeprefix("cause-").isdecimal()
    }
    arm = store.arm(db, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such arm.")
    runs.tag(db, arm_id, tags, by=me)
    kept = {name: value for name in ("split", "show", "page") if (value := typed.get(name, "")).isalnum()}
    return see(request, "arm", baseline_id=baseline_id, arm_id=arm_id, notice="saved", query=kept)


@router.get("/answers/{answer_id}", name="answer")
def show_answer(request: Request, answer_id: Id, app: App, db: Db, me: Me) -> Response:
    answer, arm, shots, rendered, same = answers_view.prompt_of(db, answer_id)
    if answer.split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    return page(
        request,
        "baselines/answer.html",
        assessment=assessment_store.get(db, arm.baseline.assessment_id),
        step="measure",
        baseline=arm.baseline,
        arm=arm,
        answer=answer,
        shown=shots,
        rendered=rendered,
        same=same,
    )


@router.get("/baselines/{baseline_id}/answers.{kind}", name="export_answers")
def export_answers(baseline_id: Id, kind: Literal["csv", "jsonl"], app: App, db: Db, me: Me) -> Response:
    return exported(app, db, me, store.get(db, baseline_id), kind)


# ---------------------------------------------------------------- inside


def _order(typed: dict[str, str]) -> BaselineRequest:
    """Read the form.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    faults: list[FieldError] = []
    usual = BaselineRequest(model_id=0, instructions="")

    def whole(name: str) -> int:
        text = typed.get(name, "").strip()
        if not text:
            return int(getattr(usual, name))
        if not text.isdecimal() or len(text) > 9:
            faults.append(FieldError(f"#/{name}", "Use a whole number."))
            return int(getattr(usual, name))
        return int(text)

    def price(name: str) -> float | None:
        text = typed.get(name, "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            faults.append(FieldError(f"#/{name}", "Use a number, like 0.25."))
            return None

    numbers = {name: whole(name) for name in FIELDS}
    options = {name.removeprefix("option_"): value for name, value in typed.items() if name.startswith("option_")}
    order = BaselineRequest(
        **numbers,
        instructions=typed.get("instructions", ""),
        metric_options=options,
        consent=typed.get("consent") == "on",
        price_in=price("price_in"),
        price_out=price("price_out"),
    )
    if faults:
        raise Invalid("Some fields are not numbers.", faults)
    return order


def _typed(baseline: BaselineRow | None) -> dict[str, str]:
    """What the form begins with: the last measurement's settings, or the usual ones."""
    if baseline is None:
        return {}
    nearest = next((arm.settings["k"] for arm in baseline.arms if arm.family == "few_shot_nearest"), 5)
    drawn = next((arm.settings["k"] for arm in baseline.arms if arm.family == "few_shot_random"), 3)
    return {
        "model_id": str(baseline.model_id),
        "instructions": baseline.instructions,
        "k_random": str(drawn),
        "k_nearest": str(nearest),
        "max_tokens": str(baseline.max_tokens),
        "dev_rows": str(baseline.dev_limit),
        "test_rows": str(baseline.test_limit),
        **{f"option_{name}": "on" if value is True else str(value) for name, value in baseline.metric_options.items()},
    }


def _measure(
    request: Request,
    app: App,
    db: Db,
    assessment_id: int,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    answers = assessments.answers(assessment)
    baseline = store.current(db, assessment_id)
    values = {**_typed(baseline), **(typed or {})}
    usable = model_store.usable(db)
    values.setdefault("model_id", str(usable[0].id) if usable else "0")
    try:
        order = _order(values)
        estimate = planning.estimate(db, assessment_id, order)
    except Invalid:
        estimate = None
    dataset = dataset_store.current(db, assessment_id)
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
        models=[(row, models.state(db, row)[0]) for row in usable],
        typed=values,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        estimate=estimate,
        causes=causes.CAUSES,
        enough=causes.ENOUGH,
        **(_results(request, db, baseline) if baseline else {"baseline": None}),
    )


def _stands(db: Db, baseline: BaselineRow) -> dict[str, Any] | None:
    """The earlier result that counts in place of this measurement's: as long as this has none or is not finished, or
    because it reached surely more."""
    counts = facts.counting(db, baseline.assessment_id)
    if counts is not None and standing.best(baseline) and counts.model_id != baseline.model_id:
        return None  # two models, each with a result of its own
    best = standing.best(counts) if counts is not None else None
    if counts is None or best is None or (counts.id == baseline.id and standing.finished(counts)):
        return None
    why = "own" if counts.id == baseline.id else "better" if standing.best(baseline) else "only"
    return {"row": counts, "arm": best, "model": measured_model.model_of(db, counts), "why": why}


def _results(request: Request, db: Db, baseline: BaselineRow) -> dict[str, Any]:
    job = runs.last_job(db, baseline)
    leading = standing.leading(baseline)
    urls = {arm.id: url_for(request, "arm", baseline_id=baseline.id, arm_id=arm.id) for arm in baseline.arms}
    dataset = dataset_store.get(db, baseline.dataset_id)
    metric = metrics.get(baseline.metric)
    model = model_store.get(db, baseline.model_id)
    tested = baseline.test_limit or dataset.test_rows
    close = rivals.rivals(db, baseline)
    tagged = facts.failure_causes(db, baseline)
    return {
        "baseline": baseline,
        "measured_metric": metric,
        "model": measured_model.model_of(db, baseline),
        "before": looks.before(db, baseline),
        "measured_on": dataset,
        "job": job,
        "ahead": job_store.ahead(db, job) if job and not job.final else 0,
        "test_chart": views.chart(f"{metric.title} on the test rows", baseline.arms, "test", baseline.target, urls),
        "dev_chart": views.chart(f"{metric.title} on the dev rows", baseline.arms, "dev", baseline.target, urls),
        "rows": views.rows(baseline.arms, leading),
        "best": standing.best(baseline),
        "stands": _stands(db, baseline),
        "leading": leading,
        "rivals": close,
        "untested": sum(not rival.tested for rival in close) if baseline.concluded_at else 0,
        "free_lead": views.free_lead(baseline, leading),
        "reported": views.reported(baseline.arms),
        "notes": views.notes(
            baseline.arms,
            leading,
            asked_for=model.reference if model.kind == "endpoint" else "",
            metric=baseline.metric,
            max_tokens=baseline.max_tokens,
        ),
        "outlook": facts.outlook(baseline, min(tested, dataset.test_rows)),
        "failing": answer_store.counted(db, leading.id, "dev", standing.passing(baseline)) if leading else None,
        "tagged": tagged,
        "to_tag": max(causes.ENOUGH - sum(tagged.values()), 0),
        "current_instructions": standing.instructions_of(baseline, leading) if leading else baseline.instructions,
        "has_errors": any(arm.has_errors for arm in baseline.arms if arm.family != "adapter"),
        "earlier": [row for row in store.of_assessment(db, baseline.assessment_id) if row.id != baseline.id],
    }
