"""What the REST side of the LLM judge takes and gives."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.evaluation.correction import LEAST, Calibration
from app.jobs.api import Job
from app.json_types import JsonObject
from app.judging import families, outcome, service, store, views
from app.judging.order import LONGEST_FAILURE, LONGEST_RULE, Order, money
from app.judging.outcome import ArmScore, Outcome, PairScore
from app.judging.tables import JudgeRunRow, RubricRow
from app.web.deps import Db
from app.web.params import LARGEST, Number, OneLine, Text

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Price = Annotated[float | None, Field(description="per million tokens")]
Word = Literal["pass", "fail", "first", "second", "tie"]


class NewRubric(BaseModel):
    """One question with two answers. `failure`: the one kind of failure that the judge looks for; `passes_if`: what an
    answer has to do to pass; `with_expected`: whether the judge reads the expected answer."""

    model_config = ConfigDict(extra="forbid")

    failure: OneLine = Field(max_length=LONGEST_FAILURE)
    passes_if: Text = Field(max_length=LONGEST_RULE)
    with_expected: bool = True


class Rubric(NewRubric):
    """A version of the rubric; the judge uses the newest."""

    object: str = "rubric"
    number: int
    sha256: str
    labelled: int
    created_by: int
    created_at: datetime

    @staticmethod
    def of(session: Db, row: RubricRow) -> "Rubric":
        return Rubric(
            failure=row.failure,
            passes_if=row.passes_if,
            with_expected=row.with_expected,
            number=row.number,
            sha256=row.sha256,
            labelled=len(store.counted_labels(session, row.id)),
            created_by=row.created_by,
            created_at=row.created_at,
        )


class Rubrics(BaseModel):
    data: list[Rubric]
    has_more: bool = False


class NewJudgeRun(BaseModel):
    """A judge over the answers of the measurement that stands, by the newest rubric.

    `use`: pass_fail judges each answer of `arms`; pairwise compares exactly two in both orders. `consent`: that
    questions and answers may be sent to the judge's server.
    """

    model_config = ConfigDict(extra="forbid")

    judge_id: Number
    arms: list[Number] = Field(max_length=100)
    use: Literal["pass_fail", "pairwise"] = "pass_fail"
    split: Literal["dev", "test"] = "dev"
    rows: Count = 0
    calls: Number | None = None
    consent: bool = False
    price_in: Price = None
    price_out: Price = None

    def order(self) -> Order:
        return Order(
            judge_id=self.judge_id,
            arms=tuple(self.arms),
            use=self.use,
            split=self.split,
            rows=self.rows,
            calls=self.calls,
            consent=self.consent,
            price_in=self.price_in,
            price_out=self.price_out,
        )


class JudgeEstimate(BaseModel):
    """What a run would ask. `reused`: judgements that need no call; `labelled`: answers judged for calibration only."""

    model_config = ConfigDict(from_attributes=True)

    calls: int
    judged: int
    reused: int
    labelled: int
    tokens_in: int
    tokens_out: int
    seconds: float | None
    cost: float | None
    warnings: list["JudgeWarning"]


class JudgeWarning(BaseModel):
    """Why the judge may be partial: same_model, same_family, teacher, or unknown where no name tells."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["same_model", "same_family", "teacher", "unknown"]
    about: list[str]
    houses: list[str]
    sentence: str


class Rate(BaseModel):
    """A share with its 95 % interval."""

    share: float
    low: float
    high: float


class JudgeCalibration(BaseModel):
    """How far the judge agrees with people on the same answers.

    `limit`: the kappa that the policy asks for; `holds`: whether it is reached on at least `enough` labels.
    `sensitivity`, `specificity`: of the answers that people pass or fail, the share that the judge does, too.
    """

    labels: int
    enough: int = LEAST
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    limit: float
    holds: bool
    sensitivity: Rate | None
    specificity: Rate | None
    sentence: str

    @staticmethod
    def of(value: Calibration) -> "JudgeCalibration":
        interval = value.kappa_interval
        sides = [
            Rate(share=side.share, low=side.interval.low, high=side.interval.high) if side.total else None
            for side in (value.sensitivity, value.specificity)
        ]
        return JudgeCalibration(
            labels=value.labels.total,
            kappa=value.kappa,
            kappa_low=interval.low if interval else None,
            kappa_high=interval.high if interval else None,
            limit=value.limit,
            holds=value.holds,
            sensitivity=sides[0],
            specificity=sides[1],
            sentence=value.sentence,
        )


class JudgedArm(BaseModel):
    """One variant by the judge. `raw`: its own share of passes; `corrected`: as people's labels correct it. `known`:
    whether enough replies could be read. `deciding`: the score by the metric that decides, on the same split."""

    arm_id: int
    variant: str
    passes: int
    judged: int
    errors: int
    waiting: int
    known: bool
    raw: Rate | None
    corrected: Rate | None
    deciding: float | None

    @staticmethod
    def of(score: ArmScore) -> "JudgedArm":
        tally, corrected = score.tally, score.corrected
        return JudgedArm(
            arm_id=score.arm.id,
            variant=score.arm.label,
            passes=tally.passes,
            judged=tally.total,
            errors=score.errors,
            waiting=score.waiting,
            known=score.known,
            raw=Rate(share=tally.share, low=tally.interval.low, high=tally.interval.high) if tally.total else None,
            corrected=Rate(share=corrected.share, low=corrected.low, high=corrected.high) if corrected else None,
            deciding=score.decides.score if score.decides else None,
        )


class JudgedPair(BaseModel):
    """Two variants on the same rows.

    `wins`, `losses`: of the first variant, in both orders; `flips`: pairs on which the two orders disagree, counted as
    ties, with how often the answer that was read first or second was preferred both times; `same`: one text, not asked.
    `gap`: share of wins less share of losses; `p`: exact, of wins against losses.
    """

    first: int
    second: int
    wins: int
    losses: int
    ties: int
    flips: int
    flip_share: float | None
    for_first_read: int
    for_second_read: int
    same: int
    errors: int
    waiting: int
    known: bool
    gap: Rate
    p: float

    @staticmethod
    def of(pair: PairScore) -> "JudgedPair":
        return JudgedPair(
            first=pair.first.id,
            second=pair.second.id,
            wins=pair.wins,
            losses=pair.losses,
            ties=pair.ties,
            flips=pair.flips,
            flip_share=pair.flips / pair.asked if pair.asked else None,
            for_first_read=pair.for_first_read,
            for_second_read=pair.for_second_read,
            same=pair.same,
            errors=pair.errors,
            waiting=pair.waiting,
            known=pair.known,
            gap=Rate(share=pair.gap.delta, low=pair.gap.low, high=pair.gap.high),
            p=pair.p,
        )


class JudgeRun(BaseModel):
    """One run of a judge. `decides` is always false: its scores are watched beside the metric that decides. A judge
    that decides is the metric of a measurement (`llm_judge`, see `/assessments/{id}/judges`).

    `not_corrected`: why there is no corrected score; empty where there is. `labels_waiting`: answers that people were
    given to label and that this run has not judged. `ending`: done, calls, or empty.
    """

    id: int
    object: str = "judge_run"
    assessment_id: int
    baseline_id: int
    rubric: int
    judge_id: int
    judge: JsonObject
    use: Literal["pass_fail", "pairwise"]
    split: Literal["dev", "test"]
    arms: list[int]
    rows: int
    calls: int | None
    spent: JsonObject
    cost: float | None
    warnings: list[JudgeWarning]
    decides: bool = False
    decides_because: str = service.DECIDES_NOTHING
    calibration: JudgeCalibration
    not_corrected: str
    scores: list[JudgedArm]
    pair: JudgedPair | None
    judged: int
    errors: int
    waiting: int
    labels_waiting: int
    ending: str
    created_by: int
    created_at: datetime
    ended_at: datetime | None
    job_id: int | None
    job: Job | None

    @staticmethod
    def of(session: Db, row: JudgeRunRow) -> "JudgeRun":
        job = service.last_job(session, row)
        came: Outcome = outcome.outcome(session, row)
        kin = [families.Kinship.from_json(one) for one in row.warnings]
        return JudgeRun(
            id=row.id,
            assessment_id=row.assessment_id,
            baseline_id=row.baseline_id,
            rubric=store.rubric(session, row.rubric_id).number,
            judge_id=row.judge_id,
            judge=service.judge_of(row).part(),
            use=row.use,
            split=row.split,
            arms=row.arms,
            rows=row.rows,
            calls=row.calls,
            spent=row.spent.to_json(),
            cost=money(row.spent, row.price_in, row.price_out),
            warnings=[JudgeWarning.model_validate(one) for one in kin],
            calibration=JudgeCalibration.of(came.calibration),
            not_corrected=came.against,
            scores=[JudgedArm.of(score) for score in came.scores],
            pair=JudgedPair.of(came.pair) if came.pair else None,
            judged=came.judged,
            errors=came.errors,
            waiting=came.waiting,
            labels_waiting=came.labels_waiting,
            ending=row.ending,
            created_by=row.created_by,
            created_at=row.created_at,
            ended_at=row.ended_at,
            job_id=job.id if job else None,
            job=Job.of(job) if job else None,
        )


class JudgeRuns(BaseModel):
    data: list[JudgeRun]
    has_more: bool = False


class JudgeGoOn(BaseModel):
    """`calls`: the new budget, in all; null keeps the one there is."""

    model_config = ConfigDict(extra="forbid")

    calls: Number | None = None


class Judgement(BaseModel):
    """What the judge said of one answer, or of two in one order (`beside_arm_id` was read second). `raw`: its reply as
    it came; `label`: a person's word on the same answer. An error is neither pass nor fail."""

    id: int
    object: str = "judgement"
    arm_id: int
    beside_arm_id: int | None
    split: str
    example_id: int
    line: int
    question: str
    expected: str
    output: str
    beside: str | None
    status: Literal["ok", "error"]
    word: Word | None
    reason: str
    raw: str
    error: str | None
    label: Literal["pass", "fail"] | None
    differs: bool
    reused: bool
    prompt_sha256: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    created_at: datetime

    @staticmethod
    def of(one: views.Read) -> "Judgement":
        row = one.row
        return Judgement.model_validate(
            {
                "id": row.id,
                "arm_id": one.arm.id,
                "beside_arm_id": one.beside_arm.id if one.beside_arm else None,
                "split": one.split,
                "example_id": one.example_id,
                "line": one.line,
                "question": one.question,
                "expected": one.expected,
                "output": one.output,
                "beside": one.beside if one.beside_arm else None,
                "status": row.status,
                "word": row.word,
                "reason": one.reason,
                "raw": one.raw,
                "error": one.error or None,
                "label": one.label or None,
                "differs": one.differs,
                "reused": row.reused,
                "prompt_sha256": row.prompt_sha256,
                "prompt_tokens": row.prompt_tokens,
                "completion_tokens": row.completion_tokens,
                "seconds": row.seconds,
                "created_at": row.created_at,
            }
        )


class Judgements(BaseModel):
    data: list[Judgement]
    has_more: bool
