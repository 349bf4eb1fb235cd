"""The REST side of system prompts: versions, what changed between them, and the optimizer."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.assessments import store as assessment_store
from app.baselines import planning, versions
from app.errors import Conflict
from app.inference.deps import WithBundled
from app.instructions import difference, offers, service, store, views
from app.instructions.budget import Prices
from app.instructions.order import MOST, MOST_TOKENS, TRAIN_ROWS, Order
from app.instructions.rounds import concluded
from app.instructions.tables import CandidateRow, OptimisationRow
from app.jobs.api import Job
from app.json_types import JsonDict
from app.users.deps import Author, Launcher, Me
from app.web.deps import Db
from app.web.params import LARGEST, Id, Number, OneLine, Text, Whole
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["prompts"], responses=REFUSALS, dependencies=[WithBundled])

Price = Annotated[float | None, Field(description="per million tokens")]


class UseOf(BaseModel):
    """A measurement that used a version. `variant`: the one with the best score on the dev rows among `variants`."""

    baseline_id: int
    arm_id: int
    variant: str
    variants: int
    dev_score: float | None
    test_score: float | None


class PromptVersion(BaseModel):
    """One text of the system prompt. `number`: from 1, in its assessment; `from_version`: the one it was made from.

    `why`: drafted (from the training rows), hand, failures (revised after failures were tagged), optimised.
    """

    object: str = "instructions"
    number: int
    text: str
    why: Literal["drafted", "hand", "failures", "optimised"]
    note: str
    from_version: int | None
    created_by: int | None
    created_at: datetime
    used: list[UseOf]

    @staticmethod
    def of(line: views.VersionLine) -> "PromptVersion":
        row = line.row
        return PromptVersion(
            number=row.number,
            text=row.text,
            why=row.why,
            note=row.note,
            from_version=line.before,
            created_by=row.created_by,
            created_at=row.created_at,
            used=[
                UseOf(
                    baseline_id=use.baseline.id,
                    arm_id=use.arm.id,
                    variant=use.arm.label,
                    variants=use.variants,
                    dev_score=use.arm.dev.score if use.arm.dev else None,
                    test_score=use.arm.test.score if use.arm.test else None,
                )
                for use in line.uses
            ],
        )


class PromptVersions(BaseModel):
    data: list[PromptVersion]
    has_more: bool = False


class NewVersion(BaseModel):
    """A text to keep without measuring it; to measure it, send it to `/baselines/{id}/revisions`."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(max_length=planning.INSTRUCTIONS_LIMIT)
    note: OneLine = ""
    from_version: Number | None = None


class PieceOf(BaseModel):
    kind: Literal["same", "added", "removed"]
    text: str


class DifferenceOf(BaseModel):
    """What changed from one version to another, in reading order. `added`, `removed`: words."""

    object: str = "difference"
    before: int
    after: int
    added: int
    removed: int
    pieces: list[PieceOf]


class NewOptimisation(BaseModel):
    """What the optimizer may do. `critic_id`: the model that writes prompts, never the embedded one.

    `candidates`: drafts at most. The rest are limits, none where left out: `calls` and `tokens` of both models,
    `minutes`, `money` at the prices given. `train_rows`, `dev_rows`: rows to reflect on and to choose by, 0 for all.
    `consent`: train rows may be sent to the critic's server.
    """

    model_config = ConfigDict(extra="forbid")

    critic_id: Number
    candidates: Whole = 10
    calls: Annotated[int | None, Field(ge=-LARGEST, le=MOST)] = None
    tokens: Annotated[int | None, Field(ge=-LARGEST, le=MOST_TOKENS)] = None
    minutes: float | None = None
    money: float | None = None
    train_rows: int = Field(default=TRAIN_ROWS, ge=0, le=LARGEST)
    dev_rows: int = Field(default=0, ge=0, le=LARGEST)
    consent: bool = False
    task_price_in: Price = None
    task_price_out: Price = None
    critic_price_in: Price = None
    critic_price_out: Price = None

    def order(self) -> Order:
        return Order(
            critic_id=self.critic_id,
            candidates=self.candidates,
            calls=self.calls,
            tokens=self.tokens,
            minutes=self.minutes,
            money=self.money,
            train_rows=self.train_rows,
            dev_rows=self.dev_rows,
            consent=self.consent,
            task_prices=Prices(self.task_price_in, self.task_price_out),
            critic_prices=Prices(self.critic_price_in, self.critic_price_out),
        )


class OptimisationEstimate(BaseModel):
    """What a run is likely to ask for. `least`, `most`: calls of both models, where every draft fails on its first
    rows, and where each is scored on the dev rows; tokens, time and cost are those of `most`. `winner`: calls of
    measuring the winner afterwards. `judge_calls`: those of `most` that an LLM judge is asked, where one decides."""

    model_config = ConfigDict(from_attributes=True)

    least: int
    most: int
    critic_calls: int
    judge_calls: int
    winner: int
    train_rows: int
    dev_rows: int
    tokens: int
    seconds: float | None
    cost: float | None


class Candidate(BaseModel):
    """One prompt of a run; number 0 is the one that it began with.

    `state`: first, drafted, behind (no better on the same train rows than its parent), scoring, scored (on the dev
    rows), refused (`reason` says why), interrupted. `batch_before`, `batch_after`: sums of scores on `batch_rows`.
    """

    number: int
    parent: int | None
    state: str
    reason: str
    text: str
    batch_rows: int | None
    batch_before: float | None
    batch_after: float | None
    dev_score: float | None
    created_at: datetime

    @staticmethod
    def of(row: CandidateRow) -> "Candidate":
        return Candidate(
            number=row.number,
            parent=row.parent,
            state=row.state,
            reason=row.reason,
            text=row.text,
            batch_rows=row.batch_rows,
            batch_before=row.batch_before,
            batch_after=row.batch_after,
            dev_score=row.score,
            created_at=row.created_at,
        )


class Optimisation(BaseModel):
    """One run of the optimizer. `ending`: candidates, no_gain, calls, tokens, minutes, money, right or stopped; empty
    while it is not over.

    `result`: `first` and `best` scores on `rows` dev rows, `gain` between them, and `luck`, the gain that the best of
    `scored` equally good prompts shows by chance. `winner_arm_id`: the variant that the winner became.
    """

    id: int
    object: str = "optimisation"
    assessment_id: int
    baseline_id: int
    arm_id: int
    critic_id: int
    critic: JsonDict
    budget: JsonDict
    spent: JsonDict
    ending: str
    result: JsonDict
    winner_arm_id: int | None
    candidates: list[Candidate]
    created_at: datetime
    ended_at: datetime | None
    job_id: int | None
    job: Job | None

    @staticmethod
    def of(session: Db, row: OptimisationRow) -> "Optimisation":
        job = service.last_job(session, row)
        return Optimisation(
            id=row.id,
            assessment_id=row.assessment_id,
            baseline_id=row.baseline_id,
            arm_id=row.arm_id,
            critic_id=row.critic_id,
            critic=service.critic_of(row).part(),
            budget=row.budget.to_json(),
            spent=row.spent.to_json(),
            ending=row.ending,
            result={**(row.result or concluded(row.candidates))},
            winner_arm_id=row.winner_arm_id,
            candidates=[Candidate.of(candidate) for candidate in row.candidates],
            created_at=row.created_at,
            ended_at=row.ended_at,
            job_id=job.id if job else None,
            job=Job.of(job) if job else None,
        )


class Optimisations(BaseModel):
    data: list[Optimisation]
    has_more: bool = False


# ---------------------------------------------------------------- versions


@router.get("/assessments/{assessment_id}/instructions", name="api_instructions")
def list_prompt_versions(assessment_id: Id, db: Db, me: Me) -> PromptVersions:
    """All versions of the system prompt, the newest first, with the measurements that used them."""
    assessment_store.get(db, assessment_id)
    rows = versions.of_assessment(db, assessment_id)
    lines = views.version_lines(rows, service.uses(db, assessment_id))
    return PromptVersions(data=[PromptVersion.of(line) for line in lines])


@router.post("/assessments/{assessment_id}/instructions", name="api_add_instructions", status_code=201)
def add_prompt_version(assessment_id: Id, body: NewVersion, db: Db, me: Author) -> PromptVersion:
    """Keep a text as a version."""
    row = service.add_version(db, assessment_id, body.text, by=me, from_version=body.from_version, note=body.note)
    lines = views.version_lines(versions.of_assessment(db, assessment_id), {})
    return PromptVersion.of(next(line for line in lines if line.row.id == row.id))


@router.get("/assessments/{assessment_id}/instructions/difference", name="api_instructions_difference")
def compare_prompt_versions(
    assessment_id: Id, db: Db, me: Me, before: Annotated[Number, Query()], after: Annotated[Number, Query()]
) -> DifferenceOf:
    """What changed between two versions, word by word."""
    assessment_store.get(db, assessment_id)
    first, second = (versions.numbered(db, assessment_id, number) for number in (before, after))
    changed = difference.between(first.text, second.text)
    pieces = [PieceOf(kind=piece.kind, text=piece.text) for piece in changed.pieces]
    return DifferenceOf(before=before, after=after, added=changed.added, removed=changed.removed, pieces=pieces)


# ---------------------------------------------------------------- the optimizer


@router.get("/assessments/{assessment_id}/optimisations", name="api_optimisations")
def list_optimisations(assessment_id: Id, db: Db, me: Me) -> Optimisations:
    """All runs of the optimizer, the newest first."""
    assessment_store.get(db, assessment_id)
    return Optimisations(data=[Optimisation.of(db, row) for row in store.of_assessment(db, assessment_id)])


@router.post("/assessments/{assessment_id}/optimisations", name="api_start_optimisation", status_code=201)
def start_optimisation(assessment_id: Id, body: NewOptimisation, db: Db, me: Launcher) -> Optimisation:
    """Start the optimizer on the best prompt of the measurement that stands; its job is in the answer."""
    row = service.start(db, assessment_id, body.order(), by=me)
    return Optimisation.of(db, store.get(db, row.id))


@router.post("/assessments/{assessment_id}/optimisations/estimate", name="api_estimate_optimisation")
def estimate_optimisation(assessment_id: Id, body: NewOptimisation, db: Db, me: Author) -> OptimisationEstimate:
    """What a run would ask for; starts nothing."""
    expected = offers.estimate(db, assessment_id, body.order())
    if expected is None:
        raise Conflict("Run baselines first: the optimizer begins with the best prompt.")
    return OptimisationEstimate.model_validate(expected)


@router.get("/optimisations/{optimisation_id}", name="api_optimisation")
def show_optimisation(optimisation_id: Id, db: Db, me: Me) -> Optimisation:
    """One run with its drafts."""
    return Optimisation.of(db, store.get(db, optimisation_id))


@router.post("/optimisations/{optimisation_id}/go-on", name="api_go_on_optimisation", status_code=202)
def go_on_optimisation(optimisation_id: Id, db: Db, me: Launcher) -> Optimisation:
    """Go on after a cancel or a failure, from the best prompt so far."""
    return Optimisation.of(db, service.resume(db, optimisation_id, by=me))


@router.post("/optimisations/{optimisation_id}/take-over", name="api_take_over_optimisation", status_code=202)
def take_over_optimisation(optimisation_id: Id, db: Db, me: Launcher) -> Optimisation:
    """End a run that stopped early, and measure its best draft."""
    return Optimisation.of(db, service.take_over(db, optimisation_id, by=me))
