"""Points: every factor turned into an answer of the policy's table, and the table added up.

Measured values stand in for declared ones wherever both exist. Bands begin at their threshold: 10,000 calls are some,
100,000 are many, and 1,000,000 still are, only more are huge; a corpus that fits the context window exactly still fits.

Five factors have more than one source:

- F08: a measured kappa decides by its cut-offs; a contradiction rate above its threshold is "low" whatever else is
  known, because G8 then fails too; a contradiction rate within bounds says nothing about the answer people gave.
- F12: on the efficiency path a measured teacher is "what good prompting reached" (the large model, prompted); the small
  model's own score is G6's business. A baseline that can't be judged (no target, failed calls) counts for nothing.
- F09: where the test rows are a file of their own, they are what the examples are compared with. The best arm reaching
  surely less on them than on the dev rows, by the gap that counts as large, is "skewed"; a label among them that no
  example has is "gaps". That neither shows proves nothing, and the answer that people gave stays.
- F22: what the same prompt gets right once its answers are held to a schema, of the rows on which it fails without:
  half of them are most, a tenth is some [J]. It takes as many failures as have to be read for G9.
- F24: another model with the same rows, where it was measured: surely better than every prompt of this one by the gap
  that counts as large is "weak", surely not better by that much is "fine".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import hypot

from app import intervals
from app.advice.facts import BEYOND, EPSILON, NO_MODEL, Facts, Standing, interval, surely_ahead
from app.advice.policy import Points, Policy, Source, Weight
from app.advice.schema import NOBODY, UNKNOWN, ArmResult, Case

FACTORS = tuple(f"F{number:02}" for number in range(1, 25))
MEASURED_ONLY = ("F13", "F17", "F21")
EXAMPLE_BANDS = (
    ("examples_few", "few"), ("examples_pilot", "some"), ("usable_examples", "pilot"), ("examples_plenty", "enough"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One factor's answer: the row of the table it selects, and the value as it was answered or measured."""

    factor: str
    row: str
    value: str
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """What one answer speaks for. weight: the row of the policy's table that it comes from."""

    factor: str
    answer: str
    measured: bool
    weight: Weight

    @property
    def points(self) -> Points:
        return self.weight.points

    @property
    def because(self) -> str:
        return self.weight.because

    @property
    def source(self) -> str:
        return self.weight.source

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.weight.sources

    @property
    def known(self) -> bool:
        return self.answer != UNKNOWN


def reasons(case: Case, facts: Facts, policy: Policy) -> list[Reason]:
    """Every factor with its points, F01 once for each goal, those worth nothing too."""
    return [
        Reason(reading.factor, reading.value, reading.measured, policy.weight(reading.factor, reading.row))
        for reading in readings(case, facts, policy)
    ]


def total(reasons: Iterable[Reason]) -> Points:
    return sum((reason.points for reason in reasons), Points())


def readings(case: Case, facts: Facts, policy: Policy) -> Iterator[Reading]:
    """The answer to each factor, in the order of the factors."""
    answers = case.answers
    for goal in answers.goals or (UNKNOWN,):
        yield Reading("F01", goal, goal)
    yield _declared("F02", answers.fact_change)
    yield _declared("F03", answers.sources)
    yield _declared("F04", answers.access_rights)
    yield _corpus(case, policy)
    yield _declared("F06", answers.rarity)
    yield _examples(case, policy)
    yield _agreement(case, policy)
    yield _measured_or_declared("F09", coverage(case, policy))
    yield _declared("F10", answers.recurrence)
    yield _volume(case, policy)
    yield _prompting(case, facts, policy)
    yield Reading("F13", facts.cause or UNKNOWN, facts.cause or UNKNOWN, measured=facts.cause is not None)
    yield _metric(case)
    yield _held_out(case)
    yield _declared("F16", answers.latency)
    cost = case.measured.cost_case
    yield Reading("F17", cost or UNKNOWN, cost or UNKNOWN, measured=cost is not None)
    yield _declared("F18", answers.data_location)
    yield _owner(case)
    yield _declared("F20", answers.definition_changes)
    yield _pressure(case, policy)
    yield _measured_or_declared("F22", checker(case, policy))
    yield _declared("F23", answers.stakes)
    yield _measured_or_declared("F24", language(case, policy))


def _declared(factor: str, answer: str | None) -> Reading:
    return Reading(factor, answer or UNKNOWN, answer or UNKNOWN)


def _measured_or_declared(factor: str, answer: tuple[str | None, bool]) -> Reading:
    row, measured = answer
    return Reading(factor, row or UNKNOWN, row or UNKNOWN, measured)


def context_window(case: Case, policy: Policy) -> int:
    return case.answers.context_window or policy.count("context_window")


def corpus(case: Case) -> tuple[int | None, bool]:
    """How many tokens of reference text there are, and whether that was measured."""
    if case.measured.corpus_tokens is not None:
        return case.measured.corpus_tokens, True
    return case.answers.corpus_tokens, False


def _corpus(case: Case, policy: Policy) -> Reading:
    tokens, measured = corpus(case)
    if tokens is None:
        return _declared("F05", None)
    if tokens == 0:
        row = "none"
    elif tokens <= context_window(case, policy):
        row = "fits"
    elif tokens <= policy.limit("corpus_large"):
        row = "large"
    else:
        row = "huge"
    return Reading("F05", row, str(tokens), measured)


def examples(case: Case) -> tuple[int | None, bool]:
    """How many usable examples there are, and whether that was measured."""
    if case.measured.usable_examples is not None:
        return case.measured.usable_examples, True
    return case.answers.examples_declared, False


def _examples(case: Case, policy: Policy) -> Reading:
    count, measured = examples(case)
    if count is None:
        return _declared("F07", None)
    row = next((name for below, name in EXAMPLE_BANDS if count < policy.limit(below)), "plenty")
    return Reading("F07", row, str(count), measured)


LEAST_SIMILAR = 30  # similar questions, below which their share says nothing about the labels of the other rows (ours)


def contradicting(case: Case, policy: Policy) -> bool:
    """Whether surely more similar questions than the policy allows are answered in ways that contradict each other.

    Where their number is known, a few among few are no rate: ten pairs of a thousand rows are ten rows to look at. So
    there have to be LEAST_SIMILAR of them, and the lower end of the 95 % interval has to lie above the limit.
    """
    rate, questions = case.measured.contradiction_rate, case.measured.similar_questions
    if rate is None or rate <= (limit := policy.limit("contradiction_rate") + EPSILON):
        return False
    return questions is None or (
        questions >= LEAST_SIMILAR and intervals.wilson(round(rate * questions), questions).low > limit
    )


def labels_agree(case: Case, policy: Policy) -> tuple[str | None, bool]:
    """How well the labels agree (high, medium, low), and whether that was measured."""
    kappa = case.measured.agreement_kappa
    if contradicting(case, policy):
        return "low", True
    if kappa is None:
        return case.answers.label_agreement, False
    if kappa >= policy.limit("kappa_high") - EPSILON:
        return "high", True
    return ("medium" if kappa >= policy.limit("kappa") - EPSILON else "low"), True


def _agreement(case: Case, policy: Policy) -> Reading:
    row, measured = labels_agree(case, policy)
    return Reading("F08", row or UNKNOWN, row or UNKNOWN, measured)


def _volume(case: Case, policy: Policy) -> Reading:
    calls = case.answers.calls_per_month
    if calls is None:
        return _declared("F11", None)
    if calls < policy.limit("calls_few"):
        row = "few"
    elif calls < policy.limit("calls_many"):
        row = "some"
    elif calls <= policy.limit("calls_huge"):
        row = "many"
    else:
        row = "huge"
    return Reading("F11", row, str(calls))


def _prompting(case: Case, facts: Facts, policy: Policy) -> Reading:
    baseline, teacher = case.measured.baseline, case.measured.teacher
    if facts.efficiency_path and teacher is not None and teacher.there:
        row = _distance(facts.teacher, interval(teacher)[0], case, policy)
        return Reading("F12", row, row, measured=row != UNKNOWN)
    if baseline is None or not baseline.there:
        return _declared("F12", case.answers.prompting_tried)
    row = _distance(facts.baseline, interval(baseline)[0], case, policy)
    return Reading("F12", row, row, measured=row != UNKNOWN)


def _distance(standing: Standing | None, score: float, case: Case, policy: Policy) -> str:
    target = case.answers.target
    if standing is None or target is None:
        return UNKNOWN
    if standing != "short":
        return standing
    return "short_large" if target - score >= policy.limit("short_gap") - EPSILON else "short_small"


def _metric(case: Case) -> Reading:
    metric, target = case.answers.metric, case.answers.target
    if metric is None:
        return _declared("F14", None)
    row = "metric only" if target is None else "set"
    return Reading("F14", row, metric if target is None else f"{metric}, {target:g}")


def _held_out(case: Case) -> Reading:
    """Test rows that are there are a fact, whatever was said before about keeping some aside."""
    rows, declared = case.measured.test_rows, case.answers.holdout
    if not rows:
        return _declared("F15", declared)
    return Reading("F15", "own_file" if declared == "own_file" else "split", f"{rows} test rows", measured=True)


def _owner(case: Case) -> Reading:
    owner = case.answers.owner
    if owner is None:
        return _declared("F19", None)
    return Reading("F19", "nobody", "nobody") if owner == NOBODY else Reading("F19", "named", owner)


def _pressure(case: Case, policy: Policy) -> Reading:
    tokens = case.measured.winning_prompt_tokens
    if tokens is None:
        return _declared("F21", None)
    heavy = tokens > policy.limit("prompt_tokens") or tokens > context_window(case, policy)
    return Reading("F21", "heavy" if heavy else "fine", str(tokens), measured=True)


# ------------------------------------------------------------------ what an arm can tell

# Shares of failures that a schema prevents, from which they are most, and some (ours).
MOST_CAUGHT, SOME_CAUGHT = 0.5, 0.1
SCHEMA_HOLDS = 0.8  # share of answers that a schema would hold, from which the output is a form


def coverage(case: Case, policy: Policy) -> tuple[str | None, bool]:
    """How well the examples cover what comes in (broad, gaps, skewed), and whether that was measured."""
    measured, baseline = case.measured, case.measured.baseline
    if measured.own_test_rows and baseline is not None and baseline.there and baseline.best_arm is not None:
        on_dev = (measured.arms or {}).get(baseline.best_arm)
        if on_dev is not None and on_dev.there and on_dev.split is None:
            drop = interval(on_dev)[0] - interval(baseline)[0]
            if drop >= policy.limit("short_gap") - EPSILON and surely_ahead(on_dev, baseline):
                return "skewed", True
    if measured.own_test_rows and measured.untaught_rows:
        return "gaps", True
    return case.answers.coverage, False


def checker(case: Case, policy: Policy) -> tuple[str | None, bool]:
    """How many wrong answers a checker would prevent (most, partly, no), and whether that was measured."""
    share, failures = case.measured.checker_share, case.measured.checker_failures
    if share is None or (failures or 0) < policy.count("tagged_failures"):
        return case.answers.checker_helps, False
    return ("most" if share >= MOST_CAUGHT else "partly" if share >= SOME_CAUGHT else "no"), True


def language(case: Case, policy: Policy) -> tuple[str | None, bool]:
    """Whether the model is weak in this language or field (weak, fine), and whether that was measured."""
    arms = case.measured.arms or {}
    stronger, gap = arms.get("stronger_model"), policy.limit("short_gap")
    own = [result for arm, result in arms.items() if arm not in (*NO_MODEL, *BEYOND) and result.there]
    if stronger is None or not stronger.there or not own:
        return case.answers.language_fit, False
    best = max(own, key=lambda result: interval(result)[0])
    gain = interval(stronger)[0] - interval(best)[0]
    if gain >= gap - EPSILON and all(surely_ahead(stronger, result) for result in own):
        return "weak", True
    if gain + _upward(stronger, best) < gap:
        return "fine", True
    return case.answers.language_fit, False


def _upward(result: ArmResult, other: ArmResult) -> float:
    """How far above its estimate the difference of two results may lie (MOVER; see *Free lead* in `facts`)."""
    score, _, high = interval(result)
    theirs, low, _ = interval(other)
    return hypot(high - score, theirs - low)


def structured(case: Case, policy: Policy) -> bool:
    """Whether answers have a form that a schema can hold: the rows show it, or people say that a checker would do."""
    signals = case.measured.signals
    if signals is not None and signals.output_kind == "json" and (signals.schema_share or 0) >= SCHEMA_HOLDS:
        return True
    return case.answers.main_goal in SHAPED and checker(case, policy)[0] == "most"


SHAPED = ("format", "extract")
"""Main goals whose answers a schema can hold. A query language or a label set has no schema that says it all."""


def can_look_up(case: Case) -> bool:
    """Whether there is anything to retrieve from: documents, or a try of both arms that was brought along."""
    baseline = case.measured.baseline
    return (corpus(case)[0] or 0) > 0 or (baseline is not None and {"rag", "oracle"} <= set(baseline.arms))


def can_compare_labels(case: Case) -> bool:
    """Whether two people's labels can be compared word for word: answers are labels, or they were compared already."""
    signals = case.measured.signals
    return case.measured.agreement_kappa is not None or (signals is not None and signals.output_kind == "label")
