"""The REST side of measuring."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    answers_view,
    facts,
    looks,
    measured_model,
    planning,
    run_control,
    runs,
    standing,
    store,
    sureness,
    tag_store,
    tagging,
)
from app.baselines.answer_store import Selection, Show
from app.baselines.answers_view import AnswerView
from app.baselines.api_models import (
    Arm,
    ArmOffer,
    ArmOffers,
    BudgetOf,
    Causes,
    ConfusionPart,
    DecorationPart,
    Estimated,
    FieldPart,
    LabelPart,
    LabelScorePart,
    MetricKind,
    MetricKinds,
    MetricName,
    Parts,
    SpentOf,
    Split,
    SurenessOf,
    Tagged,
)
from app.baselines.deps import shown_to
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Known
from app.baselines.passage_use import Failure
from app.baselines.spending import Budget
from app.baselines.tables import ArmRow, BaselineRow
from app.errors import Conflict, NotFound
from app.evaluation.metrics import METRICS
from app.inference.deps import WithBundled
from app.jobs.api import Job
from app.json_types import JsonObject
from app.users.deps import Author, Launcher, Me
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, Number, OneLine, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])

MOST_LABELS = 500
Variant = Literal["zero_shot", "few_shot_random", "few_shot_nearest"]  # `arms.PROMPTED`
# Of either sign: what is too few or too many is said by the service, with the reason.
Count = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Name = Annotated[OneLine, Field(max_length=100)]
Option = Annotated[Text, Field(max_length=10_000)]


class NewBaseline(BaseModel):
    """What to measure. Metric and target come from the questionnaire, where they were set before.

    `variants`: kinds of prompts to ask the model; the criteria ask for all of them, and what asks no model is always
    measured. `passage_instructions`: what is asked besides where passages are given; null asks to cite and to say when
    the answer is not there. `arms`: keys or names of single variants instead of kinds, as `/baselines/offers` lists
    them; none takes what is proposed. `dev_rows`, `test_rows`: a sample of that many rows, 0 for all. `racing`: what
    surely loses on the dev rows is asked no more. `consent`: the rows may be sent to the model server; `consents`: ids
    of other models, for variants that they answer, and of an LLM judge that decides. `at_once`: calls to a server under
    way at once, as many as the installation allows where it is null. `fresh`: ask anew what an earlier measurement of
    this assessment has answers to. `budget_calls`, `budget_tokens`, `budget_money`: the run ends when one is used up;
    `go-on` takes a higher one.
    """

    model_config = ConfigDict(extra="forbid")

    model_id: Number
    instructions: Text = Field(max_length=planning.INSTRUCTIONS_LIMIT)
    k_random: Count = 3
    k_nearest: Count = 5
    max_tokens: Count = 256
    dev_rows: int = Field(default=0, ge=0, le=10**9)
    test_rows: int = Field(default=0, ge=0, le=10**9)
    metric_options: dict[Name, Option | bool] = Field(default_factory=dict, max_length=20)
    variants: tuple[Variant, ...] = Field(default=("zero_shot", "few_shot_random", "few_shot_nearest"), max_length=3)
    arms: tuple[Name, ...] | None = Field(default=None, max_length=100)
    passage_instructions: Annotated[Text, Field(max_length=planning.INSTRUCTIONS_LIMIT)] | None = None
    racing: bool = True
    consent: bool = False
    consents: tuple[Number, ...] = Field(default=(), max_length=100)
    price_in: float | None = None
    price_out: float | None = None
    at_once: Count | None = None
    fresh: bool = False
    budget_calls: Count | None = None
    budget_tokens: Count | None = None
    budget_money: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None

    def order(self) -> BaselineRequest:
        return BaselineRequest(**self.model_dump())


class Revision(BaseModel):
    """New instructions for one more arm, with the examples of the best arm so far. They are kept as a version of the
    prompt: `from_version` is the one that they were made from, that of the best arm where it is left out."""

    model_config = ConfigDict(extra="forbid")

    instructions: Text = Field(max_length=planning.INSTRUCTIONS_LIMIT)
    from_version: Number | None = None
    note: OneLine = Field(default="", max_length=300)


class Baseline(BaseModel):
    """A measurement with its arms.

    `model` is what it was when this began; `before` lists what happened on the same test rows earlier, in any
    assessment: looks, and targets that were changed after results. `best_arm` is set once its test result stands.
    `failure_causes` is null to whoever is tagging its failures as second person.
    """

    id: int
    object: str = "baseline"
    assessment_id: int
    dataset_id: int
    model_id: int
    model: JsonObject
    metric: MetricName
    metric_options: JsonObject
    target: float | None
    instructions: str
    max_tokens: int
    dev_rows: int
    test_rows: int
    racing: bool
    fresh: bool
    at_once: int | None
    budget: BudgetOf
    spent: SpentOf
    paused_at: datetime | None
    seed: int
    metric_set_at: datetime | None
    created_at: datetime
    concluded_at: datetime | None
    archived_at: datetime | None
    test_looks: list[Any]
    before: JsonObject
    arms: list[Arm]
    best_arm: str | None
    failure_causes: dict[str, int] | None
    job_id: int | None
    job: Job | None

    @staticmethod
    def of(session: Db, row: BaselineRow, me: Me) -> "Baseline":
        best, job = standing.best(row), runs.last_job(session, row)
        blind = tag_store.open_round(session, row.id, me.id) is not None
        return Baseline(
            id=row.id,
            assessment_id=row.assessment_id,
            dataset_id=row.dataset_id,
            model_id=row.model_id,
            model=measured_model.model_of(session, row).part(),
            metric=row.metric,
            metric_options=row.metric_options,
            target=row.target,
            instructions=row.instructions,
            max_tokens=row.max_tokens,
            dev_rows=row.dev_limit,
            test_rows=row.test_limit,
            racing=bool(row.racing),
            fresh=bool(row.fresh),
            at_once=row.at_once,
            budget=BudgetOf.model_validate(Budget.from_json(row.budget)),
            spent=SpentOf.model_validate(run_control.spent(session, row)),
            paused_at=row.paused_at,
            seed=row.seed,
            metric_set_at=row.metric_set_at,
            created_at=row.created_at,
            concluded_at=row.concluded_at,
            archived_at=row.archived_at,
            test_looks=row.test_looks,
            before=looks.before(session, row).to_json(),
            arms=[Arm.of(arm) for arm in row.arms],
            best_arm=best.name if best else None,
            failure_causes=None if blind else facts.failure_causes(session, row),
            job_id=job.id if job else None,
            job=Job.of(job) if job else None,
        )


class RevisedArm(Arm):
    """An arm just added, with the job that measures it."""

    job_id: int | None


class Baselines(BaseModel):
    data: list[Baseline]
    has_more: bool = False


class AnswerOf(BaseModel):
    """One answer beside its row. `score` is null for an error, which is never a wrong answer.

    `raw`: the text as it came, where thinking was taken off. Tokens are null where the model did not say how many.
    `latency_ms`: of this answer alone; null where it was taken from an earlier measurement, `taken_from` its answer
    there. `cost`: at the prices of when the measurement began, 0 where it was taken, null where no price or no tokens
    are known; `cost_from`: whether the tokens were counted or are estimated from characters.
    """

    id: int
    object: str = "answer"
    example_id: int
    line: int
    question: str
    target: str
    output: str
    raw: str | None
    compared_target: str
    compared_output: str
    score: float | None
    correct: bool | None
    status: str
    error: str | None
    finish: str
    cause: str | None
    suggested_cause: str | None
    prompt_sha256: str
    shots: list[int]
    passages: list[int] | None = Field(description="ids of the passages it was given, in their order; null without any")
    gold_passages: list[int] = Field(description="ids of the passages that are right for the row, as far as known")
    passage_failure: Failure | None = Field(description="how a wrong answer with passages came about")
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int | None
    taken_from: int | None
    cost: float | None
    cost_from: Literal["measured", "estimated"] | None
    attempt: int
    created_at: datetime

    @staticmethod
    def of(view: AnswerView) -> "AnswerOf":
        row, kept = view.answer, view.answer.details or {}
        return AnswerOf(
            id=row.id,
            example_id=row.example_id,
            line=view.line,
            question=view.question,
            target=view.target,
            output=view.output,
            raw=view.raw,
            compared_target=view.compared_target,
            compared_output=view.compared_output,
            score=row.score,
            correct=view.right,
            status=row.status,
            error=view.error,
            finish=row.finish,
            cause=view.cause or None,
            suggested_cause=view.guess.cause if view.guess else None,
            prompt_sha256=row.prompt_sha256,
            shots=row.shots,
            passages=[passage for passage, _ in kept["passages"]] if "passages" in kept else None,
            gold_passages=kept.get("gold", []),
            passage_failure=view.failure,
            prompt_tokens=row.prompt_tokens if row.tokens_known else None,
            completion_tokens=row.completion_tokens if row.tokens_known else None,
            latency_ms=None if row.taken_from else round(1000 * row.seconds),
            taken_from=row.taken_from,
            cost=view.cost.money if view.cost else None,
            cost_from=view.cost.source if view.cost else None,
            attempt=row.attempt,
            created_at=row.created_at,
        )


class AnswerPage(BaseModel):
    """A page of answers; ask again with `after` set to the last `example_id` while `has_more`."""

    data: list[AnswerOf]
    has_more: bool


@router.get("/assessments/{assessment_id}/baselines", name="api_baselines")
def list_baselines(assessment_id: Id, db: Db, me: Me) -> Baselines:
    """All measurements of an assessment, the newest first."""
    assessment_store.get(db, assessment_id)
    return Baselines(data=[Baseline.of(db, row, me) for row in store.of_assessment(db, assessment_id)])


@router.post("/assessments/{assessment_id}/baselines", name="api_start_baseline", status_code=201)
def start_baseline(assessment_id: Id, body: NewBaseline, app: App, db: Db, me: Launcher) -> Baseline:
    """Start a measurement; its job is in the answer."""
    return Baseline.of(db, runs.start(db, assessment_id, body.order(), by=me, known=_known(app)), me)


@router.post("/assessments/{assessment_id}/baselines/estimate", name="api_estimate_baseline")
def estimate_baseline(assessment_id: Id, body: NewBaseline, app: App, db: Db, me: Author) -> Estimated:
    """What a measurement would ask for; starts nothing. Refused like a start where the order can't be carried out."""
    return Estimated.model_validate(planning.plan(db, assessment_id, body.order(), _known(app)).estimate)


@router.post("/assessments/{assessment_id}/baselines/offers", name="api_offer_baseline")
def offer_baseline(assessment_id: Id, body: NewBaseline, app: App, db: Db, me: Author) -> ArmOffers:
    """Every variant that could be measured, why it is proposed or can't be run, and what it would take; starts nothing.

    The order need not be ready to start; what is listed follows its model, texts, numbers and rows.
    """
    assessment_store.get(db, assessment_id)
    outline = planning.outline(db, assessment_id, body.order(), _known(app))
    if outline is None:
        raise Conflict("Upload examples first: there is nothing to measure on.")
    data = [ArmOffer.of(choice) for choice in outline.choices]
    return ArmOffers(data=data, estimate=Estimated.model_validate(outline.total))


@router.get("/baselines/{baseline_id}", name="api_baseline")
def show_baseline(baseline_id: Id, db: Db, me: Me) -> Baseline:
    """One measurement with its arms; scores are there once an arm is measured."""
    return Baseline.of(db, store.get(db, baseline_id), me)


@router.post("/baselines/{baseline_id}/failed-rows", name="api_ask_failed_rows", status_code=202)
def ask_failed_rows(baseline_id: Id, db: Db, me: Launcher) -> Baseline:
    """Ask the rows that ended in errors again, of a measurement that is through; answers that came are kept."""
    return Baseline.of(db, runs.ask_failed_rows(db, baseline_id, by=me), me)


@router.post("/baselines/{baseline_id}/revisions", name="api_revise_baseline", status_code=202)
def revise(baseline_id: Id, body: Revision, db: Db, me: Launcher) -> RevisedArm:
    """Measure new instructions with the examples of the best arm so far, as one more arm."""
    arm = runs.revise(db, baseline_id, body.instructions, by=me, from_version=body.from_version, comment=body.note)
    job = runs.last_job(db, arm.baseline)
    return RevisedArm(**Arm.of(arm).model_dump(), job_id=job.id if job else None)


@router.get("/baselines/{baseline_id}/arms/{arm_id}/answers", name="api_answers")
def list_answers(
    baseline_id: Id,
    arm_id: Id,
    app: App,
    db: Db,
    me: Me,
    split: Split = "dev",
    show: Show = "all",
    against: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AnswerPage:
    """Answers of one arm beside their rows. Reading those on test rows is on record as a look.

    `show`: `fixed` and `broke` are the rows that are right here and wrong in the arm `against`, and the other way
    round; without `against` there are none.
    """
    arm = _arm(db, baseline_id, arm_id)
    if split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    selection = Selection(
        arm_id=arm_id, split=split, passing=standing.passing(arm.baseline), show=show, against=against
    )
    answers = answer_store.page_of_answers(db, selection, after=after, limit=limit + 1)
    examples = answers_view.examples_of(db, arm.baseline, split)
    masker = answers_view.masking(db, arm.baseline)
    own = tag_store.own_words(db, baseline_id, me.id)
    data = [
        AnswerOf.of(answers_view.view(arm.baseline, examples, answer, masker, own=own)) for answer in answers[:limit]
    ]
    return AnswerPage(data=data, has_more=len(answers) > limit)


@router.get("/baselines/{baseline_id}/arms/{arm_id}/parts", name="api_parts")
def list_parts(baseline_id: Id, arm_id: Id, app: App, db: Db, me: Me, split: Split = "dev") -> Parts:
    """An arm's score by label and by field of JSON. On test rows it is on record as a look, as their answers are."""
    arm = _arm(db, baseline_id, arm_id)
    if split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    parts = answers_view.parts_of(db, arm, split)
    pairs = parts.confusions
    return Parts(
        arm_id=arm.id,
        split=split,
        labels=[LabelPart.model_validate(part) for part in parts.labels[:MOST_LABELS]],
        labels_left_out=max(0, len(parts.labels) - MOST_LABELS),
        confusions=[ConfusionPart.model_validate(pair) for pair in pairs.pairs[:MOST_LABELS]] if pairs else [],
        no_label=pairs.outside if pairs else None,
        accuracy=parts.scores.accuracy if parts.scores else None,
        macro_f1=parts.scores.macro_f1 if parts.scores else None,
        label_scores=[LabelScorePart.of(score) for score in parts.scores.labels[:MOST_LABELS]] if parts.scores else [],
        decoration=DecorationPart.model_validate(parts.decoration) if parts.decoration else None,
        fields=[FieldPart.model_validate(part) for part in parts.fields],
    )


@router.get("/baselines/{baseline_id}/arms/{arm_id}/sureness", name="api_sureness")
def show_sureness(baseline_id: Id, arm_id: Id, app: App, db: Db, me: Me, split: Split = "dev") -> SurenessOf:
    """Calibration of an arm that gives probabilities, and how right it is when unsure rows are passed on. Not found for
    others. On test rows it is on record as a look, as their answers are."""
    arm = _arm(db, baseline_id, arm_id)
    if split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    if (found := sureness.of(db, arm, split)) is None:
        raise NotFound("The answers of this variant carry no probabilities.")
    return SurenessOf.of(arm.id, found)


@router.get("/metrics", name="api_metrics")
def list_metrics(me: Me) -> MetricKinds:
    """Every metric that an assessment can be measured by, with its options."""
    return MetricKinds(data=[MetricKind.model_validate(metric) for metric in METRICS.values()])


@router.put("/baselines/{baseline_id}/arms/{arm_id}/causes", name="api_tag_answers")
def tag_answers(baseline_id: Id, arm_id: Id, body: Causes, db: Db, me: Author) -> Tagged:
    """Say why answers failed; gate G9 asks for this many: see `failure_causes` of the measurement."""
    _arm(db, baseline_id, arm_id)
    tags = {tagged.answer_id: tagged.cause for tagged in body.causes}
    return Tagged(changed=tagging.tag(db, arm_id, tags, by=me))


def _known(app: App) -> Known:
    """What planning is told of this installation."""
    return Known(app.settings, app.call_prices, app.judges)


def _arm(session: Db, baseline_id: int, arm_id: int) -> ArmRow:
    arm = store.arm(session, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such variant.")
    return arm
