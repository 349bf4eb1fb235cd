"""The REST side of results."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app import glossary
from app.baselines import differences
from app.baselines.api_models import NotWorseBy
from app.json_types import JsonObject
from app.results import evaluation_file, history, service
from app.results.deps import send
from app.results.legs import Spread
from app.results.store import Example
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import LARGEST, Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/trainings", tags=["results"], responses=REFUSALS)


class RivalResult(BaseModel):
    """What else had to be beaten: another prompt within reach, or what needs no language model (`free`).

    score: null where it was not asked the test rows. delta, low, high: adapter minus it, with the 95 % interval.
    """

    title: str
    kind: Literal["prompt", "free", "unasked"]
    score: float | None
    delta: float
    low: float
    high: float
    verdict: str


class SeedResult(BaseModel):
    """One seed's adapter on the test rows. deciding: the verdict is about this one."""

    seed: int
    score: float
    low: float
    high: float
    delta: float
    deciding: bool


class Seeds(BaseModel):
    """The same training with several seeds. missing: why one of them has no score, or empty."""

    seeds: list[SeedResult]
    mean: float
    lowest: float
    highest: float
    missing: str


class CurvePoint(BaseModel):
    """A part of the training set, compared on the dev rows. loss: nats a trained token."""

    share: float
    rows: int
    loss: float
    score: float | None


class SeedsOf(BaseModel):
    """Scores of the adapters of one config, 0 to 1, over its seeds: what the interval of a result does not cover."""

    model_config = ConfigDict(from_attributes=True)

    numbers: list[int]
    mean: float
    low: float
    high: float
    deviation: float


class Result(BaseModel):
    """The adapter against the best arm on the same rows; `evaluation` has every arm. Null until it was judged.

    `baselines_ran_on` and `trained_on` are names of models; the same where it is the same weights.
    """

    training_id: int
    state: str
    verdict: str | None
    words: str | None
    delta: float | None
    low: float | None
    high: float | None
    p: float | None
    test: str | None
    rows: int | None
    left_out: int
    fixed: list[int]
    broken: list[int]
    reaches_target: bool | None
    baselines_ran_on: str
    trained_on: str
    rivals: list[RivalResult]
    groups: int | None = Field(description="in which the test rows come; null where none belong together")
    design_effect: float | None = Field(description="by how much that widens the variance of the difference")
    rows_for_answer: int | None = Field(description="test rows that settle an inconclusive result")
    chance: float | None = Field(description="with which these rows settle it")
    narrower_by: float | None = Field(description="what 50 more test rows take off the width of the interval")
    chosen_from: int | None = Field(description="prompts that the best one was chosen from on the dev rows")
    luck: float | None = Field(description="how much better than it is the best of so many equal ones looks there")
    not_worse: NotWorseBy | None = Field(description="against the stronger model, else the best prompt")
    replaces: bool = Field(
        description="approved to replace the stronger model: then the verdict goes by `not_worse`, too"
    )
    seeds: Seeds | None = Field(description="where the run trained several")
    learning_curve: list[CurvePoint]
    other_seeds: SeedsOf | None = Field(
        description="evaluated runs of this config with other seeds, and this one; null for one"
    )
    evaluation: JsonObject


class ChangedAnswer(BaseModel):
    """One row with the answer of the best prompt (`before`) and of the adapter (`after`). Scores are from 0 to 1."""

    example_id: int
    line: int
    messages: list[dict[str, str]]
    target: str
    before: str
    before_score: float | None
    after: str
    after_score: float | None

    @staticmethod
    def of(example: Example) -> "ChangedAnswer":
        return ChangedAnswer(
            example_id=example.id,
            line=example.line,
            messages=example.messages,
            target=example.target,
            before=example.before,
            before_score=example.before_score,
            after=example.after,
            after_score=example.after_score,
        )


class ChangedAnswers(BaseModel):
    data: list[ChangedAnswer]
    has_more: bool


@router.get("/{training_id}/result", name="api_result")
def get_result(training_id: Id, db: Db, me: Me) -> Result:
    """How the adapter did against the best prompt on the same rows. `fixed` and `broken` are ids of rows: see
    `/result/rows` for their answers."""
    outcome = service.outcome(db, training_id)
    compared = outcome.compared
    ran_on, trained_on = service.models_of(db, outcome)
    luck = differences.chosen_from(db, outcome.baseline) if compared else None
    kept_up = service.not_worse(db, outcome)
    several = service.together(outcome)
    seeds = history.seeds(history.runs(db, outcome.training.assessment_id), outcome.training)
    return Result(
        training_id=training_id,
        state=outcome.training.state,
        verdict=compared.verdict if compared else None,
        words=compared.words if compared else None,
        delta=compared.delta if compared else None,
        low=compared.low if compared else None,
        high=compared.high if compared else None,
        p=compared.p if compared else None,
        test=compared.test if compared else None,
        rows=compared.rows if compared else None,
        left_out=outcome.left_out,
        fixed=list(compared.fixed) if compared else [],
        broken=list(compared.broken) if compared else [],
        reaches_target=outcome.reaches_target,
        baselines_ran_on=ran_on,
        trained_on=trained_on,
        rivals=[
            RivalResult(
                title=rival.title,
                kind=rival.kind,
                score=rival.before,
                delta=rival.delta,
                low=rival.low,
                high=rival.high,
                verdict=rival.verdict,
            )
            for rival in outcome.rivals
        ],
        groups=compared.design.groups if compared and compared.design else None,
        design_effect=compared.design.effect if compared and compared.design else None,
        rows_for_answer=compared.rows_for_answer if compared else None,
        chance=compared.chance if compared else None,
        narrower_by=compared.narrower if compared else None,
        chosen_from=luck.candidates if luck else None,
        luck=luck.luck if luck else None,
        not_worse=NotWorseBy.of(kept_up) if kept_up else None,
        replaces=outcome.replaces is not None,
        seeds=_seeds(several.spread) if several and several.spread else None,
        learning_curve=[CurvePoint.model_validate(asdict(point)) for point in several.points] if several else [],
        other_seeds=SeedsOf.model_validate(seeds) if seeds else None,
        evaluation=evaluation_file.evaluation(service.facts(db, outcome)),
    )


def _seeds(spread: Spread) -> Seeds:
    return Seeds(
        seeds=[SeedResult.model_validate(asdict(one)) for one in spread.seeds],
        mean=spread.mean,
        lowest=spread.lowest,
        highest=spread.highest,
        missing=spread.missing,
    )


class ReleaseCheck(BaseModel):
    """One thing that has to hold besides the score: `open` is what so few answers cannot tell, or was not measured.

    delta, low, high: adapter minus base model (of `slices`: minus the best prompt; of `by_heart`: training minus test
    rows) with the 95 % interval, shares from -1 to 1.
    """

    name: Literal["forgetting", "refusing", "by_heart", "changing", "slices"]
    label: str
    state: Literal["pass", "fail", "open"]
    words: str
    rows: int
    delta: float | None
    low: float | None
    high: float | None


class ResultSlice(BaseModel):
    """A part of the test rows. before, after: scores of the best prompt and of the adapter, 0 to 1."""

    name: str
    value: str
    rows: int
    before: float
    after: float
    delta: float
    low: float
    high: float
    state: Literal["pass", "fail", "open"]


class ReleaseChecks(BaseModel):
    training_id: int
    checks: list[ReleaseCheck]
    slices: list[ResultSlice]


@router.get("/{training_id}/release-checks", name="api_release_checks")
def get_release_checks(training_id: Id, db: Db, me: Me) -> ReleaseChecks:
    """What else was looked at before the adapter may be used; nothing for runs that are not over, or were over before
    this version."""
    release = service.release_of(db, service.outcome(db, training_id))
    checks, slices = (release.checks, release.slices) if release else ((), ())
    return ReleaseChecks(
        training_id=training_id,
        checks=[
            ReleaseCheck.model_validate(
                {**asdict(check), "name": check.name.removeprefix("release."), "label": glossary.label(check.name)}
            )
            for check in checks
        ],
        slices=[ResultSlice.model_validate(asdict(part)) for part in slices],
    )


@router.get("/{training_id}/result/rows", name="api_result_rows")
def list_changed_answers(
    training_id: Id,
    db: Db,
    me: Me,
    which: Annotated[Literal["fixed", "broken"], Query(description="wrong before and right now; or the other way")],
    skip: Annotated[int, Query(ge=0, le=LARGEST, description="how many to leave out")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ChangedAnswers:
    """The rows that the adapter fixed or broke, both answers side by side, in the order of the rows."""
    examples = service.changed(db, service.outcome(db, training_id), which, skip, limit + 1)
    return ChangedAnswers(
        data=[ChangedAnswer.of(example) for example in examples[:limit]], has_more=len(examples) > limit
    )


@router.get("/{training_id}/adapter", name="api_adapter", response_class=StreamingResponse)
def get_adapter(training_id: Id, app: App, db: Db, me: Me) -> StreamingResponse:
    """The adapter as a zip in PEFT layout with its card, measurements, decision and hashes."""
    return send(service.bundle(db, app.blobs, training_id), training_id)
