"""Where a measurement says something else than people did: both values, and one sentence.

The measurement has already taken the answer's place wherever it can (`scoring`, `gates`); this only shows that it did.
What the rows themselves show (`signals`) replaces no answer: it is shown beside it, and asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.case import Case
from app.advice.needs import EPSILON, Needs, interval
from app.advice.policy import Policy
from app.advice.scoring import contradicting, labels_agree, readings

SAME_COUNT = 0.10  # two counts this close are the same answer, given roughly
SAME_SIZE = 0.25  # the same for a size that people can only guess, as of a text in tokens
CITES = 0.2  # from this share of answers on, naming a source is part of the task
ALWAYS_NEW = 0.9  # from this share of different answers on, no two are the same text
NOT_JSON = 0.5  # below this share of answers that a schema holds, a metric for JSON measures the wrong thing
WORD_FOR_WORD = ("exact_match", "normalised_match")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """declared, measured: both values in words, for a page. key: the question that was answered."""

    factor: str
    key: str
    declared: str
    measured: str
    text: str


def disagreements(case: Case, needs: Needs, policy: Policy) -> list[Disagreement]:
    """All of them, in the order of the factors."""
    found = [*_counts(case), *_about_labels(case, policy), *_about_facts(case, needs, policy),
             *_about_prompting(case, needs, policy), *_about_test_rows(case), *_about_rows(case)]  # fmt: skip
    return sorted(found, key=lambda one: one.factor)


def _counts(case: Case) -> Iterator[Disagreement]:
    answers, measured = case.answers, case.measured
    said, usable, uploaded = answers.examples_declared, measured.usable_examples, measured.uploaded_examples
    if said is not None and usable is not None and _far(said, usable, SAME_COUNT):
        of = f" of the {uploaded:,} rows uploaded" if uploaded is not None and uploaded >= usable else ""
        yield Disagreement(
            "F07", "examples_declared", f"{said:,}", f"{usable:,}",
            f"You said {said:,} examples; {usable:,}{of} are usable, test rows not counted.",
        )  # fmt: skip
    tokens, counted = answers.corpus_tokens, measured.corpus_tokens
    if tokens is not None and counted is not None and _far(tokens, counted, SAME_SIZE):
        yield Disagreement(
            "F05", "corpus_tokens", f"{tokens:,} tokens", f"{counted:,} tokens",
            f"You said {tokens:,} tokens of reference text; the documents here have {counted:,}.",
        )  # fmt: skip


def _far(said: int, counted: int, share: float) -> bool:
    return abs(said - counted) > share * max(said, counted)


AGREEMENT = {"high": "nearly always", "medium": "mostly", "low": "often not"}


def _about_labels(case: Case, policy: Policy) -> Iterator[Disagreement]:
    said = case.answers.label_agreement
    found, measured = labels_agree(case, policy)
    if not measured or said is None or found == said or found is None:
        return
    kappa, rate = case.measured.agreement_kappa, case.measured.contradiction_rate
    clashing = contradicting(case, policy)
    shown = f"{(rate or 0) * 100:.1f} % contradict" if clashing else f"kappa {kappa:.2f}"
    how = (
        f"{(rate or 0) * 100:.1f} % of similar rows contradict each other"
        if clashing
        else f"two people who labelled the same rows agree with kappa {kappa:.2f}, which is {AGREEMENT[found]}"
    )
    yield Disagreement(
        "F08", "label_agreement", AGREEMENT[said], shown, f"You said that experts agree {AGREEMENT[said]}; {how}."
    )


def _about_facts(case: Case, needs: Needs, policy: Policy) -> Iterator[Disagreement]:
    """Whether facts are missing: what people want, against what failed and what the rows show."""
    goals, gain = case.answers.goals or (), case.measured.oracle_gain
    lifts = gain is not None and gain >= policy.limit("oracle_gain") - EPSILON
    if "facts" not in goals and goals and needs.cause == "facts":
        causes = case.measured.failure_causes
        share = causes.facts / causes.total if causes else 0
        yield Disagreement(
            "F01", "goals", "no facts missing", f"{share * 100:.0f} % missing facts",
            f"Facts are not among your goals; {share * 100:.0f} % of the tagged failures are missing facts.",
        )  # fmt: skip
    elif "facts" not in goals and goals and lifts and gain is not None:
        yield Disagreement(
            "F01", "goals", "no facts missing", f"{gain * 100:+.1f} points with the right passage",
            f"Facts are not among your goals; giving the right passage lifts the score by {gain * 100:.1f} points.",
        )  # fmt: skip
    elif "facts" in goals and gain is not None and not lifts and needs.cause != "facts":
        yield Disagreement(
            "F01", "goals", "facts missing", f"{gain * 100:+.1f} points with the right passage",
            f"Facts are among your goals; giving the right passage changes the score by {gain * 100:.1f} points only.",
        )  # fmt: skip
    if needs.facts_unsaid:
        yield _facts_unsaid(case)


def _facts_unsaid(case: Case) -> Disagreement:
    signals = case.measured.signals
    new = signals.novelty if signals is not None else None
    seen = (
        f"in {new * 100:.0f} % of your rows the answer holds names, numbers or dates that the input does not"
        if new
        else "your answers look as if they rest on facts that the input does not hold"
    )
    if case.answers.fact_change == "none":
        return Disagreement(
            "F02",
            "fact_change",
            "no outside facts",
            "facts likely",
            f"You said that no outside facts are needed; {seen}.",
        )
    return Disagreement("F01", "goals", "no facts missing", "facts likely", f"Facts are not among your goals; {seen}.")


TRIED = {
    "met": "met the target",
    "unclear": "could not tell",
    "short_small": "short by less than 10 points",
    "short_large": "short by 10 points or more",
}


def _about_prompting(case: Case, needs: Needs, policy: Policy) -> Iterator[Disagreement]:
    said, baseline, target = case.answers.prompting_tried, case.measured.baseline, case.answers.target
    if said not in TRIED or baseline is None or not baseline.there or target is None:
        return
    found = next(reading for reading in readings(case, needs, policy) if reading.factor == "F12")
    if not found.measured or found.row == said or needs.efficiency_path:
        return
    score, low, high = interval(baseline)
    shown = f"{score * 100:.1f} %"
    yield Disagreement(
        "F12", "prompting_tried", TRIED[said], shown,
        f"You said that good prompting {_SAID[said]}; the best arm reaches {shown} "
        f"({low * 100:.1f}-{high * 100:.1f} %), the target is {target * 100:g} %.",
    )  # fmt: skip


_SAID = {
    "met": "met the target",
    "unclear": "gave no clear result",
    "short_small": "fell short by less than 10 points",
    "short_large": "fell short by 10 points or more",
}


def _about_test_rows(case: Case) -> Iterator[Disagreement]:
    rows = case.measured.test_rows
    if case.answers.holdout == "no" and rows:
        yield Disagreement(
            "F15", "holdout", "none kept aside", f"{rows:,} test rows",
            f"You said that no rows may be kept aside; {rows:,} are frozen as test rows.",
        )  # fmt: skip


def _about_rows(case: Case) -> Iterator[Disagreement]:
    """What the rows themselves show, against the goals, the sources and the metric."""
    signals, answers = case.measured.signals, case.answers
    if signals is None:
        return
    goals = answers.goals or ()
    if goals and signals.goals and not set(goals) & set(signals.goals):
        named, shown = _words(goals), _words(signals.goals)
        yield Disagreement(
            "F01", "goals", named, shown, f"Your goals are {named}; the rows look more like a task of {shown}."
        )
    if answers.sources == "no" and signals.cites is not None and signals.cites >= CITES:
        yield Disagreement(
            "F03", "sources", "no sources", f"{signals.cites * 100:.0f} % name one",
            f"You said that answers need no sources; {signals.cites * 100:.0f} % of your examples name one.",
        )  # fmt: skip
    distinct = signals.distinct_share
    if answers.metric in WORD_FOR_WORD and signals.output_kind == "prose" and distinct and distinct >= ALWAYS_NEW:
        yield Disagreement(
            "F14", "metric", "word for word", "free text",
            f"You count an answer as right only word for word; your answers are free text, {distinct * 100:.0f} % of "
            "them different. Two good ones will hardly ever be the same.",
        )  # fmt: skip
    held = signals.schema_share
    if answers.metric in ("json_valid", "json_match") and held is not None and held < NOT_JSON:
        yield Disagreement(
            "F14", "metric", "structure", f"{held * 100:.0f} % structured",
            f"You measure the structure of the answer; a schema would hold {held * 100:.0f} % of your examples.",
        )  # fmt: skip


_GOALS = {
    "facts": "knowing facts",
    "format": "a fixed shape",
    "style": "style",
    "terms": "terms",
    "classify": "sorting into categories",
    "extract": "pulling out fields",
    "tools": "tools or a query language",
    "reasoning": "reasoning",
    "efficiency": "cost or speed",
    "safety": "safety",
    "general": "general help",
}


def _words(goals: tuple[str, ...]) -> str:
    names = [_GOALS[goal] for goal in goals]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
