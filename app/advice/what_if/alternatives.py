"""None of these: what does the job without a larger prompt, an index or a training.

A schema, a rule, a small classifier, scored labels, batch mode, a shorter prompt, a cache. An alternative that was
measured wins on numbers; one that wasn't is named only where the answers speak plainly for it, and says what to try.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.facts import NO_MODEL, Facts, score_of, standing
from app.advice.policy import Policy
from app.advice.schema import Arm, ArmResult, Case
from app.advice.scoring import SCHEMA_HOLDS, checker, examples
from app.advice.sentences import alternatives as sentences
from app.wording import Statement, state

FEW_ANSWERS = 100  # different answers; up to here a classifier can have a class for each
CLASSIFIER_ROWS = 200  # BUC 2406.08660 [V; 200-500 figure S]: labels from which a small classifier is worth a try
MUCH_SHORTER = 0.5  # a prompt of at most half the length is worth naming


@dataclass(frozen=True, slots=True)
class Alternative:
    """measured: it was tried here, and meets the target or beats every prompt (then `meets` says whether it meets the
    target too); otherwise the answers speak for trying it. grounds: why it is named."""

    technique: str
    grounds: Statement
    measured: bool
    meets: bool = True

    @property
    def title(self) -> str:
        return sentences.title(self.technique, self.grounds)

    @property
    def text(self) -> str:
        return sentences.TEXTS(self.grounds)


def alternatives(case: Case, facts: Facts, policy: Policy) -> list[Alternative]:
    """What was measured first, then the cheapest to try."""
    named = [
        *_without_model(case, facts, policy),
        *_shorter(case, policy),
        *_schema(case, facts, policy),
        *_scored_labels(case, facts),
        *_later(case, facts),
        *_cache(case, policy),
    ]
    return sorted(named, key=lambda alternative: not alternative.measured)


def _without_model(case: Case, facts: Facts, policy: Policy) -> Iterator[Alternative]:
    """A rule or a classifier: measured, or worth a try where the answers are few and often the same."""
    target = case.answers.target
    arms = case.measured.arms or {}
    for arm in NO_MODEL:
        result = arms.get(arm)
        if result is not None and standing(result, target, policy) == "met" and target is not None:
            met = state("free_meets", arm=arm, score=score_of(result), target=target)
            yield Alternative(arm, met, measured=True)
    if facts.free_lead is not None and (target is None or standing(arms[facts.free_lead], target, policy) != "met"):
        yield _ahead(case, facts.free_lead)
    rows, _ = examples(case)
    if (
        "small_classifier" in arms
        or "embedding_classifier" in arms
        or rows is None
        or rows < CLASSIFIER_ROWS
        or facts.knowledge
    ):
        return
    signals = case.measured.signals
    few = signals is not None and signals.output_kind == "label" and (signals.distinct_answers or 0) <= FEW_ANSWERS
    if facts.main_goal == "classify" or few:
        yield Alternative("small_classifier", state("try_classifier", rows=rows), measured=False)


def _ahead(case: Case, arm: Arm) -> Alternative:
    """What beats every prompt without a language model, and misses the target or may."""
    result, baseline = (case.measured.arms or {})[arm], case.measured.baseline
    ahead = state(
        "free_ahead",
        arm=arm,
        score=score_of(result),
        best_prompt=score_of(baseline) if baseline is not None and baseline.there else None,
        on_train=result.split == "train",
    )
    return Alternative(arm, ahead, measured=True, meets=False)


def _shorter(case: Case, policy: Policy) -> Iterator[Alternative]:
    """An arm that meets the target with a prompt of half the length."""
    longest, target = case.measured.winning_prompt_tokens, case.answers.target
    if not longest or target is None:
        return
    for arm, result in _by_length(case):
        tokens = result.prompt_tokens or 0
        if tokens <= longest * MUCH_SHORTER and standing(result, target, policy) == "met":
            does = state("shorter", arm=arm, score=score_of(result), tokens=tokens, longest=longest, target=target)
            yield Alternative("shorter_prompt", does, measured=True)
            return


def _by_length(case: Case) -> list[tuple[str, ArmResult]]:
    prompts = [
        (arm, result)
        for arm, result in (case.measured.arms or {}).items()
        if result.there and result.prompt_tokens and arm not in (*NO_MODEL, "oracle", "stronger_model")
    ]
    return sorted(prompts, key=lambda pair: pair[1].prompt_tokens or 0)


def _schema(case: Case, facts: Facts, policy: Policy) -> Iterator[Alternative]:
    baseline, signals = case.measured.baseline, case.measured.signals
    if baseline is not None and "schema" in baseline.arms:
        if facts.baseline == "met" and baseline.best_arm == "schema":
            yield Alternative("schema", state("schema_meets", score=score_of(baseline)), measured=True)
        return
    held = signals.schema_share if signals is not None else None
    if checker(case, policy)[0] == "most":
        yield Alternative("schema", state("checker_helps"), measured=False)
    elif held is not None and held >= SCHEMA_HOLDS and signals is not None and signals.output_kind == "json":
        yield Alternative("schema", state("schema_holds", share=held), measured=False)


def _scored_labels(case: Case, facts: Facts) -> Iterator[Alternative]:
    """The model that scores the labels, where that is the best it does and enough."""
    baseline = case.measured.baseline
    if baseline is not None and facts.baseline == "met" and baseline.best_arm == "label_scoring":
        yield Alternative("label_scoring", state("labels_meet", score=score_of(baseline)), measured=True)


def _later(case: Case, facts: Facts) -> Iterator[Alternative]:
    """Batch mode: the same model at a lower price for answers that nobody waits for."""
    answers = case.answers
    if answers.latency == "tight":
        return
    if answers.recurrence == "once":
        yield Alternative("batch_tier", state("one_batch"), measured=False)
    elif facts.efficiency and case.measured.cost_case != "pass":
        yield Alternative("batch_tier", state("batch"), measured=False)
        yield Alternative("smaller_model", state("smaller_model"), measured=False)


def _cache(case: Case, policy: Policy) -> Iterator[Alternative]:
    tokens, calls = case.measured.winning_prompt_tokens, case.answers.calls_per_month
    if tokens is None or tokens <= policy.limit("prompt_tokens") or not calls:
        return
    yield Alternative("prompt_caching", state("cache", tokens=tokens), measured=False)
