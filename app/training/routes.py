"""Pages for training: the plan (config and preflight), the launch with the runs, and one run with its live loss."""

import secrets
from collections.abc import AsyncIterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import store as assessment_store
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import Invalid
from app.gate import reviews, warnings
from app.gate import store as review_store
from app.gate.checks import Steps, steps
from app.inference.tables import ModelRow
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.training import kernels, service, stages, store
from app.training import recipe as recipes
from app.training.tables import TrainingRow
from app.users import store as user_store
from app.users.deps import Launcher, Listening, Me
from app.web import events, line_charts
from app.web.deps import App, Db
from app.web.events import Sent
from app.web.forms import by_field
from app.web.pages import page, render, see
from app.web.params import LARGEST, Id, OneLine
from app.web.params import Sent as TextsSent

router = APIRouter(include_in_schema=False)


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
        preflight=row.preflight if row else None,
        reasons=prospects.reasons,
        **_warned(assessment_id, prospects, row.model_id if row else None),
        planned=_planned(db, assessment_id, recipe),
        runs=[(run, state) for run, state, _ in runs],
        failure=newest.failure if newest else "",
        key=secrets.token_urlsafe(16),
    )


@router.post("/assessments/{assessment_id}/recipe", name="save_recipe")
def save_recipe(request: Request, assessment_id: Id, form: TextsSent, db: Db, me: Me) -> Response:
    settings = {name: value for name, value in form.items() if name != "model_id"}
    try:
        service.save_recipe(db, assessment_id, me, _number(form.get("model_id", "")), settings)
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
def show_training(request: Request, training_id: Id, db: Db, me: Me) -> Response:
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
        ahead=job_store.ahead(db, job) if job else 0,
        live=_live(db, row, state, job),
        chart=loss_chart(db, row),
        cautions=warnings.cautions(reviews.subject_of(review_store.get(db, row.review_id)).evidence),
        where=warnings.places(row.assessment_id),
        run_on=warnings.run_on(row.assessment_id, row.model_id),
        checkpoints=store.checkpoints(db, training_id),
        log=job_store.log_lines(db, job.id) if job else (),
        resumable=service.resumable(row, state),
        pausable=state in service.PAUSABLE,
        paused=service.paused(row, state),
        changed=list(recipes.changed(recipes.parse(row.recipe), service.default_recipe(db, row.assessment_id))),
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
            drawn = {"live": _live(session, row, state, job), "chart": loss_chart(session, row)}
            html = render(request, "training/_live.html", **drawn, run=row, over=job.final)
            return [Sent(new_events[-1].id if new_events else after, html, last=job.final)]

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent


def _live(session: Db, row: TrainingRow, state: str, job: JobRow | None) -> stages.Live:
    """How far a run is."""
    steps, dev = store.metrics(session, row.id, "step"), store.metrics(session, row.id, "dev")
    return stages.live(row, state, steps, dev, job.progress if job else None)


def loss_chart(session: Db, row: TrainingRow) -> line_charts.LineChart:
    """Loss of the steps, smoothed and as it is, and on the dev rows."""
    steps = [(float(m.step), m.loss) for m in store.metrics(session, row.id, "step") if m.loss is not None]
    dev = [(float(m.step), m.loss) for m in store.metrics(session, row.id, "dev") if m.loss is not None]
    series = [
        line_charts.Series("Training loss, running mean", smoothed(steps), "tune"),
        line_charts.Series("Dev loss", dev, "good"),
    ]
    return line_charts.lines("Loss", series, x_title="step", y_title="nats/token")


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
        fields=[field for field in recipes.FIELDS if field.name != "kernels" or offers_kernels],
        serving=list(recipes.serving_notes(recipe)),
        models=models,
        bases=[(model.id, _base_name(model, measured=model.id in measured)) for model in models],
        **_warned(assessment_id, prospects, row.model_id if row else None),
        planned=_planned(db, assessment_id, recipe),
        errors=errors or {},
        preflight=row.preflight if row else None,
        checked=prospects.checked,
        missing=prospects.missing,
        job=job,
        ahead=job_store.ahead(db, job) if job else 0,
    )


def _base_name(model: ModelRow, *, measured: bool) -> str:
    """A base model in the list to choose from, with what one has to know before."""
    states = [*([] if model.files else ["not set up yet"]), "baselines ran on it" if measured else "no baselines yet"]
    return f"{model.name} ({', '.join(states)})"


def _planned(db: Db, assessment_id: int, recipe: recipes.Recipe) -> Steps | None:
    """How much of the training set this config would see."""
    dataset = dataset_store.current(db, assessment_id)
    return steps(asdict(recipe), dataset.train_rows if dataset else 0)


def _warned(assessment_id: int, prospects: service.Prospects, base: int | None) -> dict[str, Any]:
    """What `gate/_warnings.html` draws: the warnings, and where each is looked into."""
    return {
        "cautions": prospects.cautions,
        "where": warnings.places(assessment_id),
        "run_on": warnings.run_on(assessment_id, base),
    }


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
