"""What a measurement says: to the criteria, to a reviewer, and about what its rows can tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from sqlalchemy.orm import Session

from app.advice.evidence import Evidence, Prompting, Score
from app.advice.facts import BEYOND
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import (
    answer_store,
    arms,
    belonging,
    causes,
    deciding_judge,
    looks,
    rivals,
    standing,
    store,
    tagging,
    with_passages,
)
from app.baselines.arms import ArmResult, Scored
from app.baselines.looks import History
from app.baselines.measured_model import MeasuredModel, model_of, same_weights
from app.baselines.standing import Counting
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.evaluation import metrics, statistics
from app.inference.tables import ModelRow
from app.retrieval.settings import WAYS

COMPARED_LEAST = 0.9  # of the oracle's rows that another arm has to have answered to be compared with it
# Kinds that count as tried beside those of every first run (`arms.NEEDED`), in the order of `arms.FAMILIES`.
BESIDE = ("label_scoring", "schema", "rag", "oracle", "many_shot", "whole_corpus", "stronger_model")
INTERVAL_SLACK = 0.02  # by how much an interval may differ from one worked out today: the way to do it may have changed


def misstated(session: Session, baseline: BaselineRow) -> Iterator[str]:
    """Results that are not what their answers come to: a sentence for each arm. Adapters are judged apart."""
    binary = metrics.get(baseline.metric).binary
    for arm in baseline.arms:
        for split, stored in (("dev", arm.dev), ("test", arm.test)):
            if arm.family == "adapter" or stored is None or (baseline.concluded_at is None and stored.errors):
                continue  # the last: its errors are asked again
            kept = answer_store.scores(session, arm.id, split)
            scored = [Scored(score) for score in kept.values()]
            codes = belonging.codes(belonging.groups_of(session, baseline), [*kept])
            counted = arms.tallied(scored, binary=binary, seed=baseline.seed, groups=codes)
            counted = deciding_judge.by_labels(counted, baseline.judge)
            ends = [(counted.low, counted.high)]
            if not binary:
                scores = [answer.score for answer in scored if answer.score is not None]
                ends += [(older.low, older.high) for older in statistics.former_means(scores, baseline.seed)]
            told = [(one.n, one.errors, one.passed, one.judge_passed) for one in (stored, counted)]
            same = told[0] == told[1]
            near = abs(stored.score - counted.score) <= 1e-9 and any(
                abs(stored.low - low) <= INTERVAL_SLACK and abs(stored.high - high) <= INTERVAL_SLACK
                for low, high in ends
            )
            if not same or not near:
                yield (
                    f"The {split} result of \u201c{arm.title}\u201d is not what its answers come to. "
                    "Measure again, and tell the operator."
                )


def failure_causes(session: Session, baseline: BaselineRow) -> dict[str, int]:
    """How many dev rows on which the best arm fails people put down to which cause; a row counts once, by the word
    about the best arm first. Where the best arm is right, another one's failure explains nothing."""
    best = standing.leading(baseline)
    tags = answer_store.tagged(session, baseline.id) if best is not None else []
    if best is None or not tags:
        return dict.fromkeys(causes.CAUSES, 0)
    failed = answer_store.failed_rows(session, best.id, standing.passing(baseline))
    beside = (*arms.FREE, *BEYOND, "adapter")
    prompted = {arm.id for arm in baseline.arms if arm.family not in beside}
    word: dict[int, str] = {}
    for tag in sorted(tags, key=lambda tag: tag.arm_id == best.id):
        if tag.arm_id in prompted and tag.example_id in failed:
            word[tag.example_id] = tag.cause
    return {cause: sum(tagged == cause for tagged in word.values()) for cause in causes.CAUSES}


def counting(session: Session, assessment_id: int, base: ModelRow | None = None) -> BaselineRow | None:
    """The measurement that the criteria, a review and a training rest on; see `standing.counting`.

    base: the model that would be trained. What was measured on its very weights comes before anything else.
    """
    return counted(session, assessment_id, dataset_store.current(session, assessment_id), base).row


def shown_result(session: Session, newest: BaselineRow) -> BaselineRow:
    """The measurement whose results the page is about: the newest one, or an earlier one that counts in its place,
    because it has no result yet or came to surely less."""
    counts = counting(session, newest.assessment_id)
    if counts is None or standing.best(counts) is None or counts.id == newest.id:
        return newest
    if standing.best(newest) and counts.model_id != newest.model_id:
        return newest  # two models, each with a result of its own
    return counts


def counted(session: Session, assessment_id: int, dataset: DatasetRow | None, base: ModelRow | None) -> Counting:
    """The same for the version of the data that counts, and whether it or a later one like it is not through."""
    measurements = store.of_assessment(session, assessment_id)
    on_base = [row for row in measurements if base is not None and same_weights(model_of(session, row), base)]
    return standing.counting(measurements, dataset.id if dataset else None, on_base.__contains__)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurement that counts, and what has to be known of it beside its results. open: see `Counting`. model: what
    was measured, as it was then."""

    row: BaselineRow
    open: bool
    model: MeasuredModel
    history: History


def measurement(session: Session, assessment: AssessmentRow, counts: Counting) -> Measurement | None:
    """None while nothing was measured."""
    row = counts.row
    if row is None:
        return None
    return Measurement(row, counts.open, model_of(session, row), looks.history(session, assessment, row))


def measured(session: Session, assessment_id: int, base: ModelRow | None = None) -> Evidence:
    """What the measurement says to the criteria (decision rules, section 7); nothing before the first.

    base: the model that would be trained; None while none is chosen.
    """
    assessment, dataset = assessment_store.get(session, assessment_id), dataset_store.current(session, assessment_id)
    counts = counted(session, assessment_id, dataset, base)
    return evidence(session, assessment, dataset, measurement(session, assessment, counts), base)


def evidence(
    session: Session,
    assessment: AssessmentRow,
    dataset: DatasetRow | None,
    counts: Measurement | None,
    base: ModelRow | None,
) -> Evidence:
    """The same from what was read already: the current version of the data, and the measurement that counts."""
    baseline = counts.row if counts is not None else None
    if (
        counts is None
        or baseline is None
        or dataset is None
        or baseline.dataset_id != dataset.id
        or not standing.results(baseline)
    ):
        return Evidence()
    late = len(counts.history.late_targets)
    best, model = standing.best(baseline), counts.model
    other = _on_another_base(model, base)
    tagged = failure_causes(session, baseline)
    few_tagged = sum(tagged.values()) < causes.ENOUGH
    leading = standing.leading(baseline) if few_tagged else None
    twice = tagging.compared(session, baseline).agreement
    passing = standing.passing(baseline)
    return Evidence(
        metric_set_before_baseline=_set_before(assessment, baseline, late),
        target_changes=late or None,
        baseline=_prompting(baseline, best),
        # 0: stored before unknown ones were told apart
        winning_prompt_tokens=(round(best.test.tokens_in) or None) if best and best.test else None,
        baseline_on_base=False if other else None,
        baseline_ran_on=model.name if other else None,
        trains_on=base.name if other and base is not None else None,
        baseline_unfinished=True if counts.open else None,
        arms=_compared(baseline) or None,
        failure_causes=tagged if any(tagged.values()) else None,
        failures=answer_store.failed(session, leading.id, "dev", passing) if leading else None,
        oracle_gain=gain.delta if (gain := oracle_gain(session, baseline)) else None,
        rows_carry_context=with_passages.rows_carry_context(session, assessment.id, dataset.id),
        **_prevented(session, baseline),
        tagged_twice=twice.rows or None,
        tags_kappa=None if twice.kappa is None else round(twice.kappa, 4),
    )


@dataclass(frozen=True, slots=True)
class OracleGain:
    """What the right passage adds, on the dev rows on which it is known: the oracle's mean score minus that of the best
    prompt without passages on the same rows. `without` is that prompt; low, high: the 95 % interval of the paired
    difference; rows: how many."""

    oracle: ArmRow
    without: ArmRow
    delta: float
    low: float
    high: float
    rows: int


def oracle_gain(session: Session, baseline: BaselineRow) -> OracleGain | None:
    """None while there is no oracle result with passages of today, or none of a prompt without passages."""
    oracles = (arm for arm in baseline.arms if arm.family == "oracle" and not arm.outdated)
    oracle = next((arm for arm in oracles if arm.dev and arm.dev.known), None)
    if oracle is None:
        return None
    with_gold = answer_store.scored(session, oracle.id, "dev")
    gains = []
    for arm in baseline.arms:
        closed = not (arm.settings.get("passages") or arm.settings.get("model_id") or standing.value(arm).free)
        if not closed or arm.family == "adapter" or arm.dev is None or not arm.dev.known:
            continue
        both, _ = belonging.pairs(session, arm.id, oracle.id, "dev")
        if len(both) < len(with_gold) * COMPARED_LEAST or not both:
            continue  # it was dropped early, or had errors just there
        seen = belonging.difference(session, baseline, both)
        gains.append(OracleGain(oracle, arm, seen.delta, seen.low, seen.high, len(both)))
    return min(gains, key=lambda gain: (gain.delta, gain.without.id), default=None)


def _prompting(baseline: BaselineRow, best: ArmRow | None) -> Prompting:
    """The kinds of arms that count as tried; the best one's result on the test rows, and how far it can be trusted."""
    tried = arms.done(standing.results(baseline))
    also = {arm.family for arm, result in standing.results(baseline) if result.known and arm.family in BESIDE}
    tried += [family for family in BESIDE if family in also]
    known = Prompting(arms=_named(baseline, tried), revised="revised_prompt" in tried)
    if best is None or best.test is None:
        failed = _failed(baseline)
        return known if failed is None else replace(known, error_rate=failed)
    test = best.test
    unfair = standing.rules(baseline) >= arms.RIVAL_RULES and not test.fair
    retrieves = best.family == "revised_prompt" and (best.settings.get("passages") or {}).get("way") in WAYS
    known = replace(known, best_arm="rag" if retrieves else best.family, error_rate=test.error_rate)
    if unfair:
        known = replace(known, cut_rate=round(test.cut_share, 4))
    if test.passed is not None:
        return replace(known, passed=test.passed, total=test.n)
    return replace(known, score=test.score, low=test.low, high=test.high, rows=test.n)


def _failed(baseline: BaselineRow) -> float | None:
    """The least share of errors of a prompt, where every prompt that was asked had too many to be judged."""
    asked = [result for arm, result in standing.results(baseline) if not arm.free and arm.family not in BEYOND]
    if not asked or any(result.known for result in asked):
        return None
    return round(min(result.error_rate for result in asked), 4)


def _named(baseline: BaselineRow, tried: Sequence[str]) -> tuple[str, ...]:
    """The same kinds; a revision that only an optimizer made is called so."""
    by_people = any(arm.family == "revised_prompt" and result.known for arm, result in standing.results(baseline))
    return tuple("optimised_prompt" if kind == "revised_prompt" and not by_people else kind for kind in tried)


class Prevented(TypedDict, total=False):
    """See `_prevented`; by the names of a case file."""

    checker_share: float
    checker_failures: int


def _prevented(session: Session, baseline: BaselineRow) -> Prevented:
    """Of the dev rows on which a prompt fails, the share that the same prompt gets right once a schema holds its
    answers; nothing where no such pair was measured."""
    for held in (arm for arm in baseline.arms if arm.family == "schema" and arm.dev and arm.dev.known):
        without = {key: value for key, value in held.settings.items() if key not in ("constraint", "dtype", "dropped")}
        same = (
            arm
            for arm in baseline.arms
            if arm.family != "schema" and not standing.value(arm).free and arm.dev is not None and arm.dev.known
            if {key: value for key, value in arm.settings.items() if key not in ("dtype", "rules")} == without
        )
        if (before := next(same, None)) is not None:
            seen = answer_store.outcomes(session, before.id, held.id, "dev", standing.passing(baseline))
            failed = seen.fixed + seen.neither
            return {"checker_share": round(seen.fixed / failed, 4), "checker_failures": failed} if failed else {}
    return {}


def _on_another_base(measured: MeasuredModel, base: ModelRow | None) -> bool:
    """Whether prompting was measured on other weights than those that would be trained; False where it may still be the
    same."""
    if base is not None:
        return not same_weights(measured, base)
    return measured.kind == "endpoint"


def _compared(baseline: BaselineRow) -> dict[str, Score]:
    """Every kind of arm with its result on the dev rows, for what would do instead; its best one where it has several.

    What needs no language model is there with its result on the test rows, the same ones as the best prompt's, once it
    has one; the advice says which rows and how many.
    """
    on_dev: dict[str, ArmResult] = {}
    for arm in baseline.arms:
        if arm.dev is None or arm.family == "adapter" or not arm.dev.known or arm.outdated:
            continue
        if arm.family not in on_dev or arm.dev.score > on_dev[arm.family].score:
            on_dev[arm.family] = arm.dev
    on_test: dict[str, ArmResult] = {}
    for arm in rivals.free_arms(baseline):
        if arm.test and (arm.family not in on_test or arm.test.score > on_test[arm.family].score):
            on_test[arm.family] = arm.test
    compared = {family: _score(result) for family, result in on_dev.items()}
    return compared | {family: _score(result, split="test") for family, result in on_test.items()}


def _score(result: ArmResult, split: str | None = None) -> Score:
    tokens = round(result.tokens_in) or None
    if result.passed is not None:
        return Score(passed=result.passed, total=result.n, prompt_tokens=tokens, split=split)
    return Score(score=result.score, low=result.low, high=result.high, prompt_tokens=tokens, split=split)


def _set_before(assessment: AssessmentRow, baseline: BaselineRow, late: int) -> bool:
    """Whether metric and target stood before the first result on these test rows. One later change is allowed, and is
    shown (gate G7)."""
    if baseline.metric_set_at is None or baseline.metric_set_at > baseline.created_at:
        return False
    if assessments.answers(assessment).get("metric") != baseline.metric:
        return False
    return late <= 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rows can and cannot tell.

    smallest_gap: between two arms on the test rows, where they differ on a fifth of them. spread: points between the
    draws of random examples.
    """

    test_rows: int
    smallest_gap: float
    spread: float | None


def outlook(baseline: BaselineRow, test_rows: int) -> Outlook:
    first = next((arm.settings.get("k") for arm in baseline.arms if arm.family == "few_shot_random"), None)
    sampled = [arm for arm in baseline.arms if arm.family == "few_shot_random" and arm.settings.get("k") == first]
    draws = [arm.dev.score for arm in sampled if arm.dev and not arm.dropped]
    best = standing.best(baseline)
    rows, effect = test_rows, 1.0
    if best and best.test and baseline.target is not None:
        rows, effect = best.test.n, best.test.design_effect or 1.0
    return Outlook(
        test_rows=rows,
        smallest_gap=statistics.smallest_gap(int(rows / effect)),
        spread=max(draws) - min(draws) if len(draws) == arms.SEEDS else None,
    )
