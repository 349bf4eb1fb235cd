"""The REST side of training. Runs have the shape of OpenAI's fine-tuning jobs where that says the same."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.db import utcnow
from app.economics import store as economics
from app.errors import Invalid, pointer
from app.jobs import store as job_store
from app.jobs.api import Job
from app.json_types import JsonObject
from app.training import cost, prices, service, stages, store
from app.training.recipe import FIELDS, numbers
from app.training.tables import CheckpointRow, MetricRow, TrainingRow
from app.users.deps import Launcher, Me
from app.web.deps import App, Db
from app.web.pages import url_for
from app.web.params import LARGEST, Id, Number, OneLine
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["training"], responses=REFUSALS)


class Setting(BaseModel):
    """One setting of the recipe: the default and its reason, and what is allowed."""

    name: str
    label: str
    help: str
    why: str
    kind: str
    default: int | float | str
    low: float | None
    high: float | None
    choices: list[str]
    option: bool = Field(description="more trainings, scored answers or general rows: it costs time")


class OptionPrice(BaseModel):
    """What a value of an option adds to a run, by the speed that the last preflight measured."""

    setting: str
    value: str
    seconds: float


class Recipe(BaseModel):
    """The recipe of an assessment. `id` is null while it is only the default. `prices` is empty before a preflight."""

    id: int | None
    object: str = "recipe"
    assessment_id: int
    model_id: int | None
    settings: JsonObject
    preflight: JsonObject | None
    preflight_current: bool
    reasons_against: list[str]
    fields: list[Setting]
    prices: list[OptionPrice]


Name = Annotated[OneLine, Field(max_length=100)]
Value = Annotated[int, Field(ge=-(2**53), le=2**53)] | float | Annotated[OneLine, Field(max_length=200)]


class RecipeChange(BaseModel):
    """What to change; settings that are left out stay as they are. Unknown settings are refused."""

    model_config = ConfigDict(extra="forbid")

    model_id: Number
    settings: dict[Name, Value] = Field(default_factory=dict, max_length=100)


class Nothing(BaseModel):
    """A launch takes no settings: any field is refused, so that nobody believes it was heard."""

    model_config = ConfigDict(extra="forbid")


class Leg(BaseModel):
    """One training of a run that is several, once it is over: another learning rate, another seed, a part of the rows.

    Losses are in nats a trained token on the dev rows, `best_score` is from 0 to 1 by the deciding metric there.
    """

    name: str
    kind: Literal["main", "rate", "seed", "part"]
    learning_rate: float
    seed: int
    share: float
    rows: int
    steps: int
    of: int
    base_loss: float | None
    best_loss: float | None
    best_score: float | None
    seconds: float
    diverged: str


class Training(BaseModel):
    """One approved training run. `best_step` is that of the adapter which is kept. `legs`: its trainings where they are
    several; `chosen_leg`: the one whose adapter is kept and judged."""

    id: int
    object: str = "training"
    assessment_id: int
    status: str
    review_id: int
    digest: str
    baseline_id: int
    model_id: int
    job_id: int | None
    hyperparameters: JsonObject
    facts: JsonObject
    legs: list[Leg]
    chosen_leg: str
    best_step: int | None
    adapter_sha256: str | None
    adapter_bytes: int | None
    resumable: bool
    launched_by: int
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def of(session: Db, row: TrainingRow) -> "Training":
        state, _ = service.standing(session, row)
        return Training(
            id=row.id,
            assessment_id=row.assessment_id,
            status=state,
            review_id=row.review_id,
            digest=row.digest,
            baseline_id=row.baseline_id,
            model_id=row.model_id,
            job_id=row.job_id,
            hyperparameters=numbers(row.recipe),
            facts=row.training_facts,
            legs=[Leg.model_validate(one) for one in row.training_facts.get("legs", ())],
            chosen_leg=row.training_facts.get("chosen_leg", ""),
            best_step=row.best_step,
            adapter_sha256=row.adapter_sha256,
            adapter_bytes=row.adapter_bytes,
            resumable=service.resumable(row, state),
            launched_by=row.launched_by,
            created_at=row.launched_at,
            finished_at=row.finished_at,
        )


class Live(BaseModel):
    """How far a run is. Losses in nats a trained token; `train_loss` is the mean of the last 20 steps. Memory in bytes:
    `memory_bytes` now, null where no trainer runs. `kept_step`: of the newest checkpoint, where a pause or a crash goes
    on from; `again`: steps after it that would be taken once more. `machine_seconds`: what a machine was busy with it;
    `money` is that at the team's price of a machine hour, null where there is none."""

    status: str
    step: int
    of: int | None
    train_loss: float | None
    dev_loss: float | None
    best_loss: float | None
    best_step: int | None
    tokens_per_second: float | None
    memory_bytes: int | None
    peak_bytes: int | None
    seconds_left: float | None
    kept_step: int
    again: int
    machine_seconds: float
    money: float | None
    currency: str


class Trainings(BaseModel):
    data: list[Training]
    has_more: bool


class Metric(BaseModel):
    """One step, or one dev evaluation. leg: of which training of the run, empty where it is one. score: of dev rows
    that were answered, 0 to 1, where the deciding metric chooses the checkpoint."""

    leg: str
    step: int
    attempt: int
    loss: float | None
    learning_rate: float | None
    tokens_per_second: float | None
    score: float | None
    at: datetime

    @staticmethod
    def of(row: MetricRow) -> "Metric":
        return Metric.model_validate(row, from_attributes=True)


class Metrics(BaseModel):
    """Loss in nats a trained token: of each step's rows before the step, and on the dev rows."""

    steps: list[Metric]
    dev: list[Metric]


class Checkpoint(BaseModel):
    leg: str
    step: int
    attempt: int
    manifest_sha256: str
    dev_loss: float | None
    created_at: datetime

    @staticmethod
    def of(row: CheckpointRow) -> "Checkpoint":
        return Checkpoint.model_validate(row, from_attributes=True)


class Checkpoints(BaseModel):
    data: list[Checkpoint]
    has_more: bool = False


@router.get("/assessments/{assessment_id}/recipe", name="api_recipe")
def get_recipe(assessment_id: Id, db: Db, me: Me, app: App) -> Recipe:
    """The recipe with every setting, its default and the reason for it, and what stands against a launch."""
    return _recipe(db, assessment_id, app.settings.launcher)


@router.put("/assessments/{assessment_id}/recipe", name="api_save_recipe")
def save_recipe(assessment_id: Id, change: RecipeChange, db: Db, me: Me, app: App) -> Recipe:
    """Store the recipe. A change makes an open approval void."""
    try:
        service.save_recipe(db, assessment_id, me, change.model_id, change.settings, app.settings.launcher)
    except Invalid as refusal:
        raise refusal.moved(_place) from refusal
    return _recipe(db, assessment_id, app.settings.launcher)


def _place(field: str) -> str:
    """Where a field of the form is in `RecipeChange`."""
    return pointer(field) if field == "model_id" else pointer("settings", field)


@router.post("/assessments/{assessment_id}/preflight", name="api_start_preflight", status_code=202)
def start_preflight(assessment_id: Id, db: Db, me: Me) -> Job:
    """Count, show and time what would be trained; the recipe holds the report when the job is done."""
    return Job.of(service.start_preflight(db, assessment_id, me))


@router.post("/assessments/{assessment_id}/trainings", name="api_launch", status_code=201)
def launch(
    request: Request,
    response: Response,
    assessment_id: Id,
    db: Db,
    me: Launcher,
    idempotency_key: Annotated[
        OneLine, Header(alias="Idempotency-Key", max_length=200, description="chosen by you; the same again is one run")
    ] = "",
    nothing: Nothing | None = None,
) -> Training:
    """Use the approval for one training run. The body is empty: everything that is trained is in what was approved.

    The header `Idempotency-Key` is required; the same key again answers 200 with the same run.
    """
    row, new = service.launch(db, assessment_id, me, idempotency_key)
    response.status_code = 201 if new else 200
    response.headers["Location"] = url_for(request, "api_training", training_id=row.id)
    return Training.of(db, row)


@router.get("/trainings", name="api_trainings")
def list_trainings(
    db: Db,
    me: Me,
    after: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last run seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Trainings:
    """Training runs from the newest back."""
    trainings = store.newest(db, after, limit + 1)
    return Trainings(data=[Training.of(db, row) for row in trainings[:limit]], has_more=len(trainings) > limit)


@router.get("/trainings/{training_id}", name="api_training")
def get_training(training_id: Id, db: Db, me: Me) -> Training:
    """One training run."""
    return Training.of(db, store.get(db, training_id))


@router.get("/trainings/{training_id}/live", name="api_training_live")
def get_live(training_id: Id, db: Db, me: Me) -> Live:
    """How far a run is, what it takes, and what it has cost so far. `GET /jobs/{id}/events` waits for news."""
    row = store.get(db, training_id)
    state, job = service.standing(db, row)
    leg = stages.leg_shown(row)
    steps, dev = store.metrics(db, row.id, "step", leg), store.metrics(db, row.id, "dev", leg)
    live = stages.live(row, state, steps, dev, job.progress if job else None)
    kept = stages.kept(steps, store.checkpoints(db, row.id))
    price = economics.machine_hour(db, row.assessment_id)
    spent = cost.so_far(job_store.of_subject(db, "train", row.id), price.value if price else None, utcnow())
    return Live(
        status=state,
        step=kept.done,
        of=row.training_facts.get("steps"),
        train_loss=live.train_loss,
        dev_loss=live.dev_loss,
        best_loss=live.best_loss,
        best_step=live.best_step,
        tokens_per_second=live.tokens_per_second,
        memory_bytes=live.memory_bytes,
        peak_bytes=live.peak_bytes,
        seconds_left=live.seconds_left,
        kept_step=kept.step,
        again=kept.again,
        machine_seconds=spent.seconds,
        money=spent.money,
        currency=price.currency if price else "",
    )


@router.get("/trainings/{training_id}/metrics", name="api_training_metrics")
def get_metrics(training_id: Id, db: Db, me: Me) -> Metrics:
    """The loss of every step and of every look at the dev rows."""
    store.get(db, training_id)
    return Metrics(
        steps=[Metric.of(row) for row in store.metrics(db, training_id, "step")],
        dev=[Metric.of(row) for row in store.metrics(db, training_id, "dev")],
    )


@router.get("/trainings/{training_id}/checkpoints", name="api_training_checkpoints")
def get_checkpoints(training_id: Id, db: Db, me: Me) -> Checkpoints:
    """Where a run could go on from."""
    store.get(db, training_id)
    return Checkpoints(data=[Checkpoint.of(row) for row in store.checkpoints(db, training_id)])


@router.post("/trainings/{training_id}/pause", name="api_pause_training")
def pause_training(training_id: Id, db: Db, me: Launcher) -> Training:
    """Stop a run after its step, with a checkpoint; `resume` goes on from there under the same approval."""
    return Training.of(db, service.pause(db, training_id, me))


@router.post("/trainings/{training_id}/resume", name="api_resume_training")
def resume(training_id: Id, db: Db, me: Launcher) -> Training:
    """Go on with a run that was paused, or that something outside of it ended, from its last checkpoint. Not one that
    was cancelled."""
    return Training.of(db, service.resume(db, training_id, me))


def _recipe(session: Db, assessment_id: int, offered: Collection[str]) -> Recipe:
    row, recipe = service.recipe_of(session, assessment_id)
    prospects = service.prospects(session, assessment_id)
    default = service.default_recipe(session, assessment_id)
    return Recipe(
        id=row.id if row else None,
        assessment_id=assessment_id,
        model_id=row.model_id if row else None,
        settings={field.name: getattr(recipe, field.name) for field in FIELDS},
        preflight=row.preflight if row else None,
        preflight_current=prospects.checked,
        reasons_against=list(prospects.reasons),
        fields=[
            Setting(
                name=field.name,
                label=field.label,
                help=field.help,
                why=field.why,
                kind=field.kind,
                default=getattr(default, field.name),
                low=None if field.kind == "choice" else field.low,
                high=None if field.kind == "choice" else field.high,
                choices=[key for key, _ in field.choices if field.name != "launcher" or key in offered],
                option=field.option,
            )
            for field in FIELDS
        ],
        prices=[
            OptionPrice(setting=name, value=value, seconds=seconds)
            for name, values in prices.more(recipe, row.preflight if row else None).items()
            for value, seconds in values
        ],
    )
