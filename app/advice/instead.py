"""None of these: what does the job without a larger prompt, an index or a training.

A schema, a rule, a small classifier, batch mode, a shorter prompt, a cache. An alternative that was measured wins on
numbers; one that wasn't is named only where the answers speak plainly for it, and says what to try.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.case import ArmResult, Case
from app.advice.gates import ARM_NAMES, score_text
from app.advice.needs import NO_MODEL, Needs, standing
from app.advice.policy import Policy
from app.advice.scoring import examples

FEW_ANSWERS = 100  # different answers; up to here a classifier can have a class for each
CLASSIFIER_ROWS = 200  # BUC 2406.08660 [V; 200-500 figure S]: labels from which a small classifier is worth a try
MUCH_SHORTER = 0.5  # a prompt of at most half the length is worth naming
SHAPED = 0.8  # share of answers that a schema would hold, from which the output is a form


@dataclass(frozen=True, slots=True)
class Alternative:
    """measured: it was tried here, and meets the target or beats every prompt (then `meets` says whether it meets the
    target too); otherwise the answers speak for trying it."""

    technique: str
    title: str
    text: str
    measured: bool
    meets: bool = True


def alternatives(case: Case, needs: Needs, policy: Policy) -> list[Alternative]:
    """What was measured first, then the cheapest to try."""
    found = [*_without_model(case, needs, policy), *_shorter(case, policy), *_schema(case, needs), *_later(case, needs),
             *_cache(case, policy)]  # fmt: skip
    return sorted(found, key=lambda one: not one.measured)


def _without_model(case: Case, needs: Needs, policy: Policy) -> Iterator[Alternative]:
    """A rule or a classifier: measured, or worth a try where the answers are few and often the same."""
    target = case.answers.target
    arms = case.measured.arms or {}
    for arm in NO_MODEL:
        result = arms.get(arm)
        if result is not None and standing(result, target, policy) == "met" and target is not None:
            yield Alternative(
                arm,
                "No language model",
                f"{_sentence(ARM_NAMES[arm])} reaches {score_text(result)}; the target is {target * 100:g} %. "
                + _FREE[arm],
                measured=True,
            )
    if needs.free_lead is not None and (target is None or standing(arms[needs.free_lead], target, policy) != "met"):
        yield _ahead(case, needs.free_lead)
    rows, _ = examples(case)
    if "small_classifier" in arms or rows is None or rows < CLASSIFIER_ROWS or needs.knowledge:
        return
    signals = case.measured.signals
    few = signals is not None and signals.output_kind == "label" and (signals.distinct_answers or 0) <= FEW_ANSWERS
    if needs.main_goal == "classify" or few:
        yield Alternative(
            "small_classifier",
            "A small classifier",
            f"Sorting into known categories with {rows:,} examples is what a small classifier can learn. "
            "Measuring here tries one on the same rows as the prompts.",
            measured=False,
        )


def _ahead(case: Case, arm: str) -> Alternative:
    """What beats every prompt without a language model, and misses the target or may."""
    result, baseline = (case.measured.arms or {})[arm], case.measured.baseline
    best = f" The best prompt: {score_text(baseline)}." if baseline is not None and baseline.there else ""
    where = ""
    if arm == "small_classifier" and result.split == "train":
        where = " Estimated on training rows that were held out in turn, not on the test rows."
    return Alternative(
        arm,
        f"{_sentence(ARM_NAMES[arm])}: use it, or beat it",
        f"It reaches {score_text(result)}, more than every prompt.{best}{where} {_FREE[arm]} An adapter has to be "
        "better than it on the same rows.",
        measured=True,
        meets=False,
    )


_FREE = {
    "trivial": "Either the job needs no language model, or the metric can't tell a good answer from a copied one.",
    "small_classifier": "It answers in milliseconds, on any machine, and costs next to nothing a call.",
}


def _shorter(case: Case, policy: Policy) -> Iterator[Alternative]:
    """An arm that meets the target with a prompt of half the length."""
    longest, target = case.measured.winning_prompt_tokens, case.answers.target
    if not longest or target is None:
        return
    for arm, result in _by_length(case):
        tokens = result.prompt_tokens or 0
        if tokens <= longest * MUCH_SHORTER and standing(result, target, policy) == "met":
            yield Alternative(
                "shorter_prompt",
                "A shorter prompt",
                f"{_sentence(ARM_NAMES[arm])} reaches {score_text(result)} with {tokens:,} tokens a call instead of "
                f"{longest:,}; the target is {target * 100:g} %.",
                measured=True,
            )
            return


def _by_length(case: Case) -> list[tuple[str, ArmResult]]:
    asked = [
        (arm, result)
        for arm, result in (case.measured.arms or {}).items()
        if result.there and result.prompt_tokens and arm not in (*NO_MODEL, "oracle", "stronger_model")
    ]
    return sorted(asked, key=lambda pair: pair[1].prompt_tokens or 0)


def _schema(case: Case, needs: Needs) -> Iterator[Alternative]:
    baseline, signals = case.measured.baseline, case.measured.signals
    if baseline is not None and "schema" in baseline.arms:
        if needs.baseline == "met" and baseline.best_arm == "schema":
            yield Alternative(
                "schema",
                "A schema",
                f"With answers held to a schema, prompting reaches {score_text(baseline)} and meets the target.",
                measured=True,
            )
        return
    held = signals.schema_share if signals is not None else None
    if case.answers.checker_helps == "most":
        yield Alternative(
            "schema",
            "A schema",
            "A checker would catch most wrong answers, you said. A model that can only write what a schema allows "
            "doesn't make them in the first place.",
            measured=False,
        )
    elif held is not None and held >= SHAPED and signals is not None and signals.output_kind == "json":
        yield Alternative(
            "schema",
            "A schema",
            f"A schema would hold {held * 100:.0f} % of your answers. It makes the form right at once; "
            "what stands in the fields is then the only question left.",
            measured=False,
        )


def _later(case: Case, needs: Needs) -> Iterator[Alternative]:
    """Batch mode: the same model at a lower price for answers that nobody waits for."""
    answers = case.answers
    if answers.latency == "tight":
        return
    if answers.recurrence == "once":
        text = "The job runs once and nobody waits for a single answer: send it as one batch, at the batch price."
    elif needs.efficiency and case.measured.cost_case != "pass":
        text = "Answers that nobody waits for can go through batch mode, at the batch price and with the same quality."
    else:
        return
    yield Alternative("batch_tier", "Batch mode", text, measured=False)
    if needs.efficiency and answers.recurrence != "once":
        yield Alternative(
            "smaller_model",
            "A smaller model, prompted",
            "Put the same prompt to the next smaller model of the same vendor and measure it on the same rows; "
            "where it meets the target, nothing has to be trained.",
            measured=False,
        )


def _cache(case: Case, policy: Policy) -> Iterator[Alternative]:
    tokens, calls = case.measured.winning_prompt_tokens, case.answers.calls_per_month
    if tokens is None or tokens <= policy.limit("prompt_tokens") or not calls:
        return
    yield Alternative(
        "prompt_caching",
        "Prompt caching",
        f"The best prompt has {tokens:,} tokens, most of them the same on every call. Cached, the repeated part "
        "costs a fraction and answers start sooner.",
        measured=False,
    )


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
