"""Pages for training: the plan (config and preflight), the launch with the runs, and one run with its live loss."""

import secrets
from collections.abc import AsyncIterable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import store as assessment_store
from app.datasets import store as dataset_store
from app.db import reading, utcnow
from app.economics import store as economics
from app.errors import Invalid
from app.gate import reviews, warnings
from app.gate import store as review_store
from app.gate.checks import Steps, steps
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as job_service
from app.jobs import store as job_store
from app.jobs.tables import JobEventRow, JobRow
from app.recipes import legs as planned
from app.recipes import preflights
from app.recipes.started import started_as
from app.recipes.tables import RecipeRow
from app.training import cost, kernels, legs, prices, service, stages, store
from app.training import recipe as recipes
from app.training.legs import Outcome
from app.training.tables import CheckpointRow, TrainingRow
from app.users import store as user_store
from app.users.deps import Launcher, Listening, Me
from app.web import events, line_charts
from app.web.deps import App, Db, context_of
from app.web.events import Sent
from app.web.forms import by_field
from app.web.pages import page, render, see
from app.web.params import LARGEST, Id, OneLine
from app.web.params import Sent as TextsSent
from app.wording import lower_first

router = APIRouter(include_in_schema=False)

TAIL = 12  # lines of the log beside a run that goes on; all of them are on the page of its job


@router.get("/assessments/{assessment_id}/plan", name="plan")
def show_plan(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    return _plan(request, assessment_id, db)


@router.get("/assessments/{assessment_id}/train", name="train")
def show_train(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    """Where plan and runs were one page once: old links lead on."""
    return see(request, "run" if store.of_assessment(db, assessment_id) else "plan", assessment_id=assessment_id)


@router.get("/assessments/{assessment_id}/run", name="run")
def show_run(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    row, recipe = service.recipe_of(db, assessment_id)
    prospects = service.prospects(db, assessment_id)
    runs = [(run, *service.standing(db, run)) for run in store.of_assessment(db, assessment_id)]
    newest = runs[0][2] if runs else None
    return page(
        request,
        "training/launch.html",
        assessment=assessment,
        step="run",
        preflight=preflights.readable(row.preflight) if row else None,
        criteria=prospects.criteria,
        reasons=prospects.besides,
        in_the_way=len(prospects.besides) + bool(prospects.criteria),
        **_warned(assessment_id, prospects, row.model_id if row else None),
        planned=_planned(db, assessment_id, recipe),
        trainings=planned.count(asdict(recipe)),
        started_as=started_as(row.settings if row else {}),
        runs=[(run, state) for run, state, _ in runs],
        failure=newest.failure if newest else "",
        key=secrets.token_urlsafe(16),
    )


@router.post("/assessments/{assessment_id}/recipe", name="save_recipe")
def save_recipe(request: Request, assessment_id: Id, form: TextsSent, db: Db, me: Me) -> Response:
    settings = {name: value for name, value in form.items() if name != "model_id"}
    try:
        offered = context_of(request).settings.launcher
        service.save_recipe(db, assessment_id, me, _number(form.get("model_id", "")), settings, offered)
    except Invalid as refusal:
        return _plan(request, assessment_id, db, typed=form, errors=by_field(refusal), status=422)
    return see(request, "plan", assessment_id=assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/preflight", name="start_preflight")
def start_preflight(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    service.start_preflight(db, assessment_id, me)
    return see(request, "plan", assessment_id=assessment_id, anchor="preflight")


@router.post("/assessments/{assessment_id}/launch", name="launch_training")
def launch_training(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Launcher,
    idempotency_key: Annotated[OneLine, Form(max_length=200)] = "",
) -> Response:
    row, _ = service.launch(db, assessment_id, me, idempotency_key)
    return see(request, "training", training_id=row.id)


@router.get("/trainings/{training_id}", name="training")
def show_training(request: Request, training_id: Id, app: App, db: Db, me: Me) -> Response:
    row = store.get(db, training_id)
    state, job = service.standing(db, row)
    by = user_store.get(db, row.launched_by)
    return page(
        request,
        "training/run.html",
        assessment=assessment_store.get(db, row.assessment_id),
        step="run",
        run=row,
        state=state,
        job=job,
        legs=[Outcome.from_json(one) for one in row.training_facts.get("legs", ())],
        wait=job_service.why_waiting(db, job, app.settings.worker_lost_after) if job else None,
        **_running(db, row, state, job),
        cautions=warnings.cautions(reviews.subject_of(review_store.get(db, row.review_id)).evidence),
        where=warnings.places(row.assessment_id),
        run_on=warnings.run_on(row.assessment_id, row.model_id),
        log=job_store.log_lines(db, job.id) if job else (),
        resumable=service.resumable(row, state),
        pausable=state in service.PAUSABLE,
        paused=service.paused(row, state),
        changed=list(recipes.changed(recipes.stored(row.recipe)[0], service.default_recipe(db, row.assessment_id))),
        started_as=started_as(row.recipe),
        by=by,
    )


@router.post("/trainings/{training_id}/pause", name="pause_training")
def pause_training(request: Request, training_id: Id, db: Db, me: Launcher) -> Response:
    service.pause(db, training_id, me)
    return see(request, "training", training_id=training_id)


@router.post("/trainings/{training_id}/resume", name="resume_training")
def resume_training(request: Request, training_id: Id, db: Db, me: Launcher) -> Response:
    service.resume(db, training_id, me)
    return see(request, "training", training_id=training_id)


@router.get("/trainings/{training_id}/events", name="training_events", response_class=EventSourceResponse)
async def training_events(
    request: Request,
    training_id: Id,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send stages, figures and the loss chart anew whenever the run's job has said something; end with the job."""

    def read(after: int) -> list[Sent]:
        with reading(app.engine) as session:
            row = store.get(session, training_id)
            state, job = service.standing(session, row)
            if job is None:
                return [Sent(after, "", last=True)]
            new_events = job_store.events_after(session, job.id, after)
            if not new_events and not job.final:
                return []
            html = render(
                request, "training/_live.html", **_running(session, row, state, job), run=row, job=job, over=job.final
            )
            return [Sent(new_events[-1].id if new_events else after, html, last=job.final)]

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent


class Running(TypedDict):
    """What `training/_live.html` draws: how far a run is, what it took, what is kept of it, and its last words."""

    live: stages.Live
    chart: line_charts.LineChart
    scores: line_charts.LineChart | None
    checkpoints: Sequence[CheckpointRow]
    kept: stages.Kept
    cost: cost.Cost
    tail: Sequence[JobEventRow]


def _running(session: Db, row: TrainingRow, state: str, job: JobRow | None) -> Running:
    leg = stages.leg_shown(row)
    steps, dev = store.metrics(session, row.id, "step", leg), store.metrics(session, row.id, "dev", leg)
    checkpoints = store.checkpoints(session, row.id)
    price = economics.machine_hour(session, row.assessment_id)
    return {
        "live": stages.live(row, state, steps, dev, job.progress if job else None),
        "chart": loss_chart(session, row),
        "scores": score_chart(session, row),
        "checkpoints": checkpoints,
        "kept": stages.kept(steps, checkpoints),
        "cost": cost.so_far(job_store.of_subject(session, "train", row.id), price.value if price else None, utcnow()),
        "tail": job_store.log_lines(session, job.id, TAIL) if job and not job.final else (),
    }


def loss_chart(session: Db, row: TrainingRow) -> line_charts.LineChart:
    """Loss of the steps, smoothed and as it is, and on the dev rows; of several trainings, of the one that goes on, and
    once they are over of the one whose adapter is kept."""
    leg = stages.leg_shown(row)
    steps = [(float(m.step), m.loss) for m in store.metrics(session, row.id, "step", leg) if m.loss is not None]
    dev = [(float(m.step), m.loss) for m in store.metrics(session, row.id, "dev", leg) if m.loss is not None]
    series = [
        line_charts.Series("Training loss, running mean", smoothed(steps), "tune"),
        line_charts.Series("Dev loss", dev, "good"),
    ]
    words = leg_words(row, leg)
    return line_charts.lines(
        f"Loss, {lower_first(words)}" if words else "Loss", series, x_title="step", y_title="nats/token"
    )


def score_chart(session: Db, row: TrainingRow) -> line_charts.LineChart | None:
    """The deciding metric on the dev rows that were answered; None where it does not choose the checkpoint."""
    scored = [m for m in store.metrics(session, row.id, "dev", stages.leg_shown(row)) if m.score is not None]
    if not scored:
        return None
    points = [(float(m.step), 100 * m.score) for m in scored if m.score is not None]
    return line_charts.lines(
        "Dev score", [line_charts.Series("Dev score", points, "good")], x_title="step", y_title="%"
    )


def leg_words(row: TrainingRow, leg: str) -> str:
    """What a training of a run is called; empty for a run that is one."""
    outcomes = {one["name"]: Outcome.from_json(one).words for one in row.training_facts.get("legs", ())}
    return outcomes.get(leg) or (row.training_facts.get("leg_words", "") if leg else "")


def smoothed(points: list[tuple[float, float]], weight: float = 0.9) -> list[tuple[float, float]]:
    """An exponential mean that starts at the first value's own level: single steps jump about too much to be read."""
    drawn, mean, total = [], 0.0, 0.0
    for step, value in points:
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        drawn.append((step, mean / total))
    return drawn


def _plan(
    request: Request,
    assessment_id: int,
    db: Db,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    row, recipe = service.recipe_of(db, assessment_id)
    prospects = service.prospects(db, assessment_id)
    measured = service.measured_models(db, assessment_id)
    offers_kernels = kernels.has_liger() or recipe.kernels != "torch" or "kernels" in (errors or {})
    models = sorted(service.trainable(db), key=lambda model: (model.id not in measured, model.id))
    job = job_store.get(db, row.preflight_job_id) if row and row.preflight_job_id else None
    return page(
        request,
        "training/plan.html",
        status=status,
        assessment=assessment,
        step="plan",
        recipe=row,
        values={**asdict(recipe), **(typed or {})},
        defaults=service.default_recipe(db, assessment_id),
        fields=[
            field
            for field in _fields(recipe, context_of(request).settings.launcher)
            if field.name != "kernels" or offers_kernels
        ],
        serving=list(recipes.serving_notes(recipe)),
        prices=prices.more(recipe, row.preflight if row else None),
        taken=[field.name for field in recipes.FIELDS if field.option and _in_use(recipe, field.name)],
        several=_several(recipe),
        models=models,
        bases=_bases(db, row, models, measured),
        **_warned(assessment_id, prospects, row.model_id if row else None),
        planned=_planned(db, assessment_id, recipe),
        errors=errors or {},
        preflight=preflights.readable(row.preflight) if row else None,
        checked=prospects.checked,
        missing=prospects.missing,
        job=job,
        ahead=job_store.ahead(db, job) if job else 0,
    )


def _fields(recipe: recipes.Recipe, offered: Collection[str]) -> list[recipes.Field]:
    """The fields of the form. What starts the trainer is only asked where there is a choice, and only of what there
    is."""
    choice = {*offered, recipe.launcher} - {"local"}
    fields = []
    for field in recipes.FIELDS:
        if field.name not in {"launcher", "processes", "base_weights"}:
            fields.append(field)
        elif choice and field.name == "launcher":
            kept = tuple(pair for pair in field.choices if pair[0] in {"local", *choice})
            fields.append(replace(field, choices=kept))
        elif choice:
            fields.append(field)
    return fields


def _in_use(recipe: recipes.Recipe, name: str) -> bool:
    return bool(getattr(recipe, name) != getattr(recipes.Recipe(), name))


@dataclass(frozen=True, slots=True)
class Several:
    """More than one training in a run. seed: of the adapter that is judged. rule: what chooses its learning rate, empty
    where there is one."""

    count: int
    seed: int
    rule: str


def _several(recipe: recipes.Recipe) -> Several | None:
    if legs.alone(recipe):
        return None
    rule = planned.BY[recipe.stop_by] if len(planned.rates(asdict(recipe))) > 1 else ""
    return Several(planned.count(asdict(recipe)), recipe.seed, rule)


def _bases(
    db: Db, row: RecipeRow | None, models: Sequence[ModelRow], measured: Collection[int]
) -> list[tuple[int, str]]:
    """The models to choose from. That of the saved config stays in the list where it cannot be trained any more:
    otherwise the first of the others would stand there as chosen."""
    bases = [(model.id, _base_name(model, measured=model.id in measured)) for model in models]
    if row is None or row.model_id in dict(bases):
        return bases
    return [(row.model_id, f"{model_store.get(db, row.model_id).name} (can't be trained here)"), *bases]


def _base_name(model: ModelRow, *, measured: bool) -> str:
    """A base model in the list to choose from, with what one has to know before."""
    states = [*([] if model.files else ["not set up yet"]), "baselines ran on it" if measured else "no baselines yet"]
    return f"{model.name} ({', '.join(states)})"


def _planned(db: Db, assessment_id: int, recipe: recipes.Recipe) -> Steps | None:
    """How much of the training set this config would see."""
    dataset = dataset_store.current(db, assessment_id)
    return steps(asdict(recipe), dataset.train_rows if dataset else 0)


class Warned(TypedDict):
    """What `gate/_warnings.html` draws: the warnings, and where each is looked into."""

    cautions: Sequence[warnings.Caution]
    where: Mapping[str, str]
    run_on: str


def _warned(assessment_id: int, prospects: service.Prospects, base: int | None) -> Warned:
    return {
        "cautions": prospects.cautions,
        "where": warnings.places(assessment_id),
        "run_on": warnings.run_on(assessment_id, base),
    }


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
