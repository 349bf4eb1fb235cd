"""What programs get about metrics, estimates and the parts of a score."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.baselines.outlines import Choice
from app.baselines.sureness import Sureness
from app.baselines.tables import ArmRow
from app.evaluation.calibration import Answered
from app.evaluation.labels import LabelScore
from app.evaluation.metrics import METRICS
from app.evaluation.not_worse import NotWorse
from app.json_types import JsonObject
from app.web.params import Number

Split = Literal["dev", "test"]
MetricName = Annotated[str, Field(json_schema_extra={"enum": list(METRICS)})]


class LabelPart(BaseModel):
    """The rows that want one label. `score` is over those that were answered; the interval (95 %) is there where scores
    are right or wrong. `instead`: the commonest wrong answer."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    rows: int
    errors: int
    score: float | None
    low: float | None
    high: float | None
    instead: str | None


class FieldPart(BaseModel):
    """One field at the top of the wanted objects. `right`, `other` and `missing` add up to `rows`; `extra` are rows
    whose answer has it though it was not wanted."""

    model_config = ConfigDict(from_attributes=True)

    field: str
    rows: int
    right: int
    other: int
    missing: int
    extra: int
    score: float | None
    low: float | None
    high: float | None


class ConfusionPart(BaseModel):
    """So many rows want one label and got another one."""

    model_config = ConfigDict(from_attributes=True)

    expected: str
    output: str
    rows: int


class LabelScorePart(BaseModel):
    """How a label does. `n`: rows that want it; `named`: outputs that are it; `right`: both. Intervals are 95 %;
    `precision` is null where no output names it. `instead`: the output that most often stands in its place."""

    label: str
    n: int
    named: int
    right: int
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float
    recall_low: float
    recall_high: float
    f1: float
    instead: str | None

    @staticmethod
    def of(score: LabelScore) -> "LabelScorePart":
        precision, recall = score.precision_interval, score.recall_interval
        return LabelScorePart(
            label=score.label,
            n=score.n,
            named=score.named,
            right=score.right,
            precision=score.precision,
            precision_low=precision.low if precision else None,
            precision_high=precision.high if precision else None,
            recall=score.recall,
            recall_low=recall.low,
            recall_high=recall.high,
            f1=score.f1,
            instead=score.instead,
        )


class DecorationPart(BaseModel):
    """What normalised match took off: answers that it changed, of `rows`, and by rule (`/metrics` lists the rules)."""

    model_config = ConfigDict(from_attributes=True)

    rows: int
    changed: int
    by_rule: dict[str, int]


class Parts(BaseModel):
    """Where an arm's score comes from. A list is empty where the wanted answers are no labels, or no JSON objects.

    `label_scores`, `accuracy`, `macro_f1` (mean F1 of the labels that these rows want): where scores are right or wrong
    and the wanted answers are labels. `decoration`: for normalised match.

    `labels` are the commonest; `labels_left_out` counts the others. `confusions`: one label given for another, the most
    frequent first; `no_label`: wrong answers that are none of the labels, null where there are no labels.
    """

    object: str = "parts"
    arm_id: int
    split: Split
    labels: list[LabelPart]
    labels_left_out: int
    confusions: list[ConfusionPart]
    no_label: int | None
    accuracy: float | None
    macro_f1: float | None
    label_scores: list[LabelScorePart]
    decoration: DecorationPart | None
    fields: list[FieldPart]


class ReliabilityBin(BaseModel):
    """Answers given with a probability from `low` to below `high`: their mean probability, and the share of them that
    was right with its interval (95 %)."""

    low: float
    high: float
    rows: int
    chance: float
    right: float
    right_low: float
    right_high: float


class SelectiveAnswers(BaseModel):
    """What is answered with a probability of at least `threshold`: the share of all rows, how many, and the share of
    them that was right with its interval (95 %); null where nothing is answered."""

    threshold: float
    share: float
    rows: int
    right: float | None
    right_low: float
    right_high: float

    @staticmethod
    def of(answered: Answered) -> "SelectiveAnswers":
        low, high = answered.interval
        return SelectiveAnswers(
            threshold=answered.threshold,
            share=answered.share,
            rows=answered.rows,
            right=answered.right,
            right_low=low,
            right_high=high,
        )


class SurenessOf(BaseModel):
    """Whether an arm's probabilities hold on a split, and what passing unsure rows on would bring.

    `calibration_error`: the expected calibration error over `bins` bins of equal width. `chosen`: the lowest threshold
    at which the dev rows reach the target, null where none does; `confirmed`: the same threshold on the test rows, null
    while there are none.
    """

    object: str = "sureness"
    arm_id: int
    split: Split
    rows: int
    bins: int
    calibration_error: float
    reliability: list[ReliabilityBin]
    curve: list[SelectiveAnswers]
    target: float | None
    chosen: SelectiveAnswers | None
    confirmed: SelectiveAnswers | None

    @staticmethod
    def of(arm_id: int, sureness: Sureness) -> "SurenessOf":
        return SurenessOf(
            arm_id=arm_id,
            split="test" if sureness.split == "test" else "dev",
            rows=sureness.rows,
            bins=sureness.bins,
            calibration_error=sureness.reliability.error,
            reliability=[
                ReliabilityBin(
                    low=part.low,
                    high=part.high,
                    rows=part.rows,
                    chance=part.chance,
                    right=part.right,
                    right_low=part.interval.low,
                    right_high=part.interval.high,
                )
                for part in sureness.reliability.bins
            ],
            curve=[SelectiveAnswers.of(point) for point in sureness.curve],
            target=sureness.target,
            chosen=SelectiveAnswers.of(sureness.chosen) if sureness.chosen else None,
            confirmed=SelectiveAnswers.of(sureness.confirmed) if sureness.confirmed else None,
        )


class MetricOption(BaseModel):
    """One setting of a metric, for `metric_options`. `kind`: text, long (of several lines), flag for true and false,
    the SHA-256 of a stored database or scorer, or the `key` of an LLM judge (`/assessments/{id}/judges`)."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    kind: Literal["text", "long", "flag", "database", "scorer", "judge"]
    title: str
    help: str
    required: bool


class MetricKind(BaseModel):
    """One way to score. `binary`: an answer is right or wrong; else scores go from 0 to 1. `executed`: the answer is
    run, in a child process. `rules`: what it does to a text or looks for in it, by name."""

    model_config = ConfigDict(from_attributes=True)

    name: MetricName
    title: str
    explanation: str
    binary: bool
    executed: bool
    options: list[MetricOption]
    rules: dict[str, list[str]]


class MetricKinds(BaseModel):
    data: list[MetricKind]
    has_more: bool = False


class BudgetOf(BaseModel):
    """What a measurement may take; null is without limit. `money`: in the currency of its prices."""

    model_config = ConfigDict(from_attributes=True)

    calls: float | None
    tokens: float | None
    money: float | None


class SpentOf(BaseModel):
    """What a measurement has asked so far, in all its runs. `money`: null where a model has no price. `estimated`: part
    of it is from characters, since a server does not count tokens. `taken`: answers that came from earlier measurements
    and cost nothing. `judge_calls`: those among the calls of the LLM judge that decides."""

    model_config = ConfigDict(from_attributes=True)

    calls: int
    tokens: float
    money: float | None
    currency: str
    estimated: bool
    taken: int
    judge_calls: int


class Estimated(BaseModel):
    """An estimate. `seconds`: null for a model that was never asked; `rough`: not from calls like these.

    `most_calls`: if other prompts come so close to the best one on the dev rows that they are asked the test rows too.
    `cost`: in `currency`, null where a model has no price. `judge_calls`: those among the calls of the LLM judge that
    decides, one for each answer.
    """

    model_config = ConfigDict(from_attributes=True)

    calls: int
    most_calls: int
    judge_calls: int
    dev_rows: int
    test_rows: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    rough: bool
    cost: float | None
    currency: str


class ArmOffer(BaseModel):
    """One way to answer that could be measured, with what its dev rows would take; `Estimated` says what is null when.

    `key` is what `arms` of a measurement takes; it stands for all of `names`, draws of the same that are chosen
    together. `chosen`: the order has it; `always`: it costs no call and is never left out. `why`: why it is proposed or
    left to choose; `against`: why it can't be run, empty where it can, `mend`: the page where that is mended.
    `model_id`: another model than the order's answers it; its server may need `consents`. `embeds`: so may that of
    this model, which gets every question to search passages by it.
    """

    key: str
    object: str = "arm_offer"
    names: list[str]
    title: str
    family: str
    group: str
    settings: JsonObject
    proposed: bool
    chosen: bool
    always: bool
    why: str
    against: str
    mend: str
    model_id: int | None
    embeds: int | None
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    rough: bool
    cost: float | None

    @staticmethod
    def of(choice: Choice) -> "ArmOffer":
        offer, cost = choice.offer, choice.cost
        settings = {name: value for name, value in offer.arm.settings.items() if name != "model_as"}
        return ArmOffer(
            key=choice.key,
            names=list(choice.names),
            title=choice.label,
            family=offer.arm.family,
            group=choice.group,
            settings=settings,
            proposed=offer.proposed,
            chosen=choice.taken,
            always=offer.always,
            why=offer.why,
            against=offer.against,
            mend=offer.mend,
            model_id=choice.model_id,
            embeds=offer.embeds,
            calls=cost.calls,
            prompt_tokens=round(cost.prompt_tokens),
            completion_tokens=round(cost.completion_tokens),
            seconds=cost.seconds,
            rough=cost.rough,
            cost=cost.cost,
        )


class ArmOffers(BaseModel):
    """Everything that could be measured, cheap first, in the order in which it would run; `estimate` is of what the
    order takes, test rows included."""

    data: list[ArmOffer]
    has_more: bool = False
    estimate: Estimated


class Cause(BaseModel):
    """Why one answer failed; an empty cause takes the word back."""

    model_config = ConfigDict(extra="forbid")

    answer_id: Number
    cause: Literal["", "behaviour", "facts", "instructions", "reference"]


class Causes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    causes: list[Cause] = Field(max_length=1000)


class Tagged(BaseModel):
    """How many answers carry another cause than before."""

    changed: int


class Arm(BaseModel):
    """One way to answer. `dev`, `test`: score with its interval, counts and means, once measured. `outdated`: its
    passages are from documents or an index that are no longer the current ones, so its results count for nothing."""

    id: int
    object: str = "arm"
    family: str
    name: str
    title: str
    settings: JsonObject
    dev: JsonObject | None
    test: JsonObject | None
    outdated: bool

    @staticmethod
    def of(row: ArmRow) -> "Arm":
        return Arm(
            id=row.id,
            family=row.family,
            name=row.name,
            title=row.label,
            settings=row.settings,
            dev=row.dev.to_json() if row.dev else None,
            test=row.test.to_json() if row.test else None,
            outdated=row.outdated,
        )


class NotWorseBy(BaseModel):
    """Whether the second is no worse than the first by more than `margin`, which the policy set before the measurement.
    `low`, `high`: 95 % bounds of the difference, each one-sided. `rows_needed`: rows that would show it in four of five
    tries if the two are equally good; null where it is shown, or where these rows should have been enough."""

    margin: float
    finding: Literal["not worse", "worse", "open"]
    low: float
    high: float
    rows_needed: int | None
    words: str

    @staticmethod
    def of(one: NotWorse) -> "NotWorseBy":
        return NotWorseBy(
            margin=one.margin,
            finding=one.finding,
            low=one.low,
            high=one.high,
            rows_needed=one.rows_needed,
            words=one.words,
        )
