"""One case: what a team answered and what was measured. The types say what each may be, for every reader of a case.

Every field may be None, which means unknown (an answer) or not measured yet (a measurement). Two readings matter:

- `owner`: null says that nobody owns it and is kept as `NOBODY`; a missing key or "unknown" is None.
- `total: 0` in a baseline or a teacher says that nothing was run there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args, get_type_hints

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from app.strict import Expected, TypeForm, choices

NOBODY = ""  # the owner, when the answer is that there is none
UNKNOWN = "unknown"
LARGEST_COUNT = 10**15
ROUNDING = 1e-9  # a mean of equal scores may come out a hair beside them
LONGEST_TEXT = 200

# ------------------------------------------------------------------ what a value may be


@dataclass(frozen=True, slots=True)
class Least:
    """The least that a count may be, for readers that are stricter than a case file."""

    number: int


def _whole(value: object) -> object:
    """A whole number may be written with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _within(low: int, high: int) -> AfterValidator:
    """Back between the bounds by which pydantic lets a hair of rounding pass."""
    return AfterValidator(lambda value: min(max(value, low), high))


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("not one line")
    return value.strip()


def _in_order(values: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """A set in the vocabulary's order, so that the order in which people ticked changes nothing."""
    return tuple(value for value in known if value in values)


Count = Annotated[
    int,
    BeforeValidator(_whole),
    Field(strict=True, ge=0, le=LARGEST_COUNT),
    Expected(f"a whole number from 0 to {LARGEST_COUNT}"),
    Least(0),
]
Positive = Annotated[
    int,
    BeforeValidator(_whole),
    Field(strict=True, ge=1, le=LARGEST_COUNT),
    Expected(f"a whole number from 1 to {LARGEST_COUNT}"),
    Least(1),
]
Share = Annotated[
    float, Field(strict=True, ge=-ROUNDING, le=1 + ROUNDING), _within(0, 1), Expected("a number from 0 to 1")
]
Signed = Annotated[
    float, Field(strict=True, ge=-1 - ROUNDING, le=1 + ROUNDING), _within(-1, 1), Expected("a number from -1 to 1")
]
Flag = Annotated[bool, Field(strict=True)]
Line = Annotated[
    str,
    Field(strict=True, max_length=LONGEST_TEXT),
    AfterValidator(_line),
    Expected(f"one line of at most {LONGEST_TEXT} characters"),
]

Goal = Literal[
    "facts", "format", "style", "terms", "classify", "extract", "tools", "reasoning", "efficiency", "safety", "general"
]
Arm = Literal[
    "zero_shot",
    "few_shot_random",
    "few_shot_nearest",
    "revised_prompt",
    "optimised_prompt",
    "schema",
    "label_scoring",
    "rag",
    "oracle",
    "whole_corpus",
    "many_shot",
    "trivial",
    "small_classifier",
    "embedding_classifier",
    "stronger_model",
]
CostCase = Literal["pass", "fail", "not_goal"]
OutputKind = Literal["label", "json", "sql", "code", "prose", "mixed"]
JudgeFault = Literal["rubric", "judge", "few", "kappa", "coin", "labels"]
JudgeKin = Literal["same_model", "same_family", "teacher", "unknown"]
Knowledge = Literal["likely", "unclear", "unlikely"]

GOALS: tuple[Goal, ...] = get_args(Goal)
ARMS: tuple[Arm, ...] = get_args(Arm)
COST_CASES: tuple[CostCase, ...] = get_args(CostCase)
KNOWLEDGE: tuple[Knowledge, ...] = get_args(Knowledge)


def _list(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError("not a list")  # noqa: TRY004 - what pydantic takes for a fault
    return value


Goals = Annotated[tuple[Goal, ...], BeforeValidator(_list), AfterValidator(lambda values: _in_order(values, GOALS))]
Arms = Annotated[tuple[Arm, ...], BeforeValidator(_list), AfterValidator(lambda values: _in_order(values, ARMS))]

STRICT = ConfigDict(extra="forbid")


def _without_nulls(kind: TypeForm, value: object) -> object:
    """A key of this type that is null is a key that isn't there."""
    if not isinstance(value, dict):
        return value
    known = {item.name for item in fields(kind)}
    return {key: inner for key, inner in value.items() if inner is not None or key not in known}


# ------------------------------------------------------------------ what people declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What people declared. None is unknown."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    goals: Goals | None = None
    main_goal: Goal | None = None
    fact_change: Literal["none", "yearly", "monthly", "weekly", "daily"] | None = None
    sources: Literal["must", "nice", "no"] | None = None
    access_rights: Literal["yes", "some", "no"] | None = None
    corpus_tokens: Count | None = None
    context_window: Positive | None = None
    rarity: Literal["rare", "mixed", "common"] | None = None
    examples_declared: Count | None = None
    label_agreement: Literal["high", "medium", "low"] | None = None
    coverage: Literal["broad", "gaps", "skewed"] | None = None
    recurrence: Literal["once", "months", "ongoing"] | None = None
    calls_per_month: Count | None = None
    prompting_tried: Literal["no", "met", "unclear", "short_small", "short_large"] | None = None
    metric: Line | None = None
    target: Share | None = None
    holdout: Literal["split", "own_file", "no"] | None = None
    latency: Literal["tight", "normal"] | None = None
    data_location: Literal["own_servers", "approved_vendor"] | None = None
    owner: Line | None = None
    definition_changes: Literal["monthly", "stable"] | None = None
    checker_helps: Literal["most", "partly", "no"] | None = None
    stakes: Literal["high", "normal"] | None = None
    language_fit: Literal["weak", "fine"] | None = None
    training_rights: Literal["yes", "no"] | None = None


Answer: TypeAlias = str | int | float | list[str] | None
"""One answer as a case file has it. `UNKNOWN` is one for every question; None says that nobody owns it."""
AnswersByKey: TypeAlias = Mapping[str, Answer]
"""Answers by the key of their question; what was not answered has no key."""
ANSWER_KEYS = tuple(item.name for item in fields(Answers))
ANSWER_TYPES: Mapping[str, TypeForm] = {
    key: kind for key, kind in get_type_hints(Answers, include_extras=True).items() if key in ANSWER_KEYS
}
CHOICES: dict[str, tuple[str, ...]] = {
    key: codes for key, kind in ANSWER_TYPES.items() if key not in ("goals", "main_goal") and (codes := choices(kind))
}

# ------------------------------------------------------------------ what was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A score on held-out rows: counted (`passed` of `total`) or graded (`score` with its interval).

    rows: how many rows a graded score is the mean of; a counted one says so itself (`total`).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    passed: Count | None = None
    total: Count | None = None
    score: Share | None = None
    low: Share | None = None
    high: Share | None = None
    rows: Count | None = None

    @property
    def counted(self) -> bool:
        return bool(self.total) and self.passed is not None

    @property
    def graded(self) -> bool:
        return self.score is not None and self.low is not None and self.high is not None

    @property
    def there(self) -> bool:
        return self.counted or self.graded

    @property
    def answered(self) -> int | None:
        """Rows that were asked and answered, whatever a file holds beside them; None where nobody said."""
        return self.total if self.counted else self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(Result):
    """What prompting reached: the arms that were run, and the best of them once on the test rows.

    cut_rate: share of the best arm's answers that were cut at the length limit, where that is most of them.
    """

    arms: Arms = ()
    revised: Flag = False
    best_arm: Arm | None = None
    error_rate: Share | None = None
    cut_rate: Share | None = None


def _best_arm_was_run(baseline: Baseline) -> Baseline:
    """The best arm was run, whether or not it is listed among the arms."""
    best = baseline.best_arm
    return baseline if best is None or best in baseline.arms else replace(baseline, arms=(*baseline.arms, best))


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCauses:
    """How many failed items people put down to which cause."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    behaviour: Count = 0
    facts: Count = 0
    instructions: Count = 0
    reference: Count = 0

    @property
    def total(self) -> int:
        return self.behaviour + self.facts + self.instructions + self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult(Result):
    """One arm beside the best one, for comparison; `prompt_tokens` is what one call of it takes on average.

    split: which rows it answered: the frozen test rows, as the best prompt did, or parts of the training rows that were
    held out in turn (train). Nothing is said of arms on the dev rows.
    """

    prompt_tokens: Count | None = None
    split: Literal["test", "train"] | None = None


def _in_arm_order(value: object) -> object:
    """Arms in the vocabulary's order; one that is null has no result, and is there."""
    if not isinstance(value, dict):
        return value
    ordered = sorted(value, key=lambda arm: ARMS.index(arm) if arm in ARMS else len(ARMS))
    return {arm: {} if value[arm] is None else _without_nulls(ArmResult, value[arm]) for arm in ordered}


ArmResults = Annotated[dict[Arm, ArmResult], BeforeValidator(_in_arm_order)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the rows themselves show before any model was asked; shares are 0 to 1, None where nobody looked.

    output_kind: label, json, sql, code, prose or mixed. novelty: share of rows whose answer holds names, numbers or
    dates that its input doesn't. cites: share of rows whose answer names a source. schema_share: share of answers
    that a schema would hold. knowledge: whether answering takes facts that aren't in the input. Whatever else a check
    wrote down beside these sums is for pages, and is let be.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    rows: Count | None = None
    output_kind: OutputKind | None = None
    distinct_answers: Count | None = None
    distinct_share: Share | None = None
    novelty: Share | None = None
    cites: Share | None = None
    schema_share: Share | None = None
    knowledge: Knowledge | None = None
    goals: Goals = ()


TeacherResult = Annotated[Result, BeforeValidator(partial(_without_nulls, Result))]
PromptingResult = Annotated[
    Baseline, BeforeValidator(partial(_without_nulls, Baseline)), AfterValidator(_best_arm_was_run)
]
RowSignals = Annotated[Signals, BeforeValidator(partial(_without_nulls, Signals))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the app measured. None is not measured yet.

    similar_questions: of which `contradiction_rate` is the share; None where only the share is known.
    agreement_kappa: of the file's labels and a second person's, given blind, on agreement_rows rows. references_judged:
    answers of a random sample that a second person judged; references_wrong: those that are wrong.
    own_test_rows: whether the test rows are a file of their own; untaught_rows: those of them whose label no other row
    has. checker_share: of the checker_failures dev rows on which the same prompt fails without a schema, those that it
    gets right with one.
    target_changes: changes of metric or target after a result on these test rows, by anybody; one is allowed.
    baseline_on_base: whether prompting was measured on the very weights that would be trained; None while no base is
    chosen. baseline_ran_on, trains_on: what to call the two.
    baseline_unfinished: a newer measurement on these rows has begun to answer and has no result yet.
    failures: dev rows on which the best arm failed, tagged or not; failure_causes: what people said of those they read.
    tagged_twice: failures that two people tagged, neither knowing the other's word; tags_kappa: how far they agree.
    judge_holds: where an LLM judge decides, whether it is still the one that agrees with people; judge_fault: why not.
    judge_labels: answers that a person labelled beside it; judge_kappa: how far they agree. judge_kin: what it has in
    common with a model whose answers it scores. judge_name: what to call it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    uploaded_examples: Count | None = None
    usable_examples: Count | None = None
    contradiction_rate: Share | None = None
    similar_questions: Count | None = None
    agreement_kappa: Signed | None = None
    agreement_rows: Count | None = None
    references_judged: Count | None = None
    references_wrong: Count | None = None
    test_rows: Count | None = None
    test_overlap_rows: Count | None = None
    test_human_checked: Flag | None = None
    own_test_rows: Flag | None = None
    untaught_rows: Count | None = None
    metric_set_before_baseline: Flag | None = None
    target_changes: Count | None = None
    baseline: PromptingResult | None = None
    baseline_on_base: Flag | None = None
    baseline_ran_on: Line | None = None
    trains_on: Line | None = None
    baseline_unfinished: Flag | None = None
    teacher: TeacherResult | None = None
    oracle_gain: Signed | None = None
    rows_carry_context: Flag | None = None
    checker_share: Share | None = None
    checker_failures: Count | None = None
    failure_causes: FailureCauses | None = None
    failures: Count | None = None
    tagged_twice: Count | None = None
    tags_kappa: Signed | None = None
    judge_holds: Flag | None = None
    judge_fault: JudgeFault | None = None
    judge_labels: Count | None = None
    judge_kappa: Signed | None = None
    judge_kin: JudgeKin | None = None
    judge_name: Line | None = None
    winning_prompt_tokens: Count | None = None
    cost_case: CostCase | None = None
    identifiers_decided: Flag | None = None
    cost_basis: Line | None = None
    corpus_tokens: Count | None = None
    arms: ArmResults | None = None
    signals: RowSignals | None = None


MEASURED_KEYS = tuple(item.name for item in fields(Measured))


@dataclass(frozen=True, slots=True)
class Case:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    answers: Answers = field(default_factory=Answers)
    measured: Measured = field(default_factory=Measured)
