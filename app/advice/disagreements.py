"""Where a measurement says something else than people did: both values, and one sentence.

The measurement has already taken the answer's place wherever it can (`scoring`, `gates`); this only shows that it did.
What the rows themselves show (`signals`) replaces no answer: it is shown beside it, and asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.facts import EPSILON, Facts, score_of
from app.advice.policy import Policy
from app.advice.schema import Case
from app.advice.scoring import checker, contradicting, coverage, labels_agree, language, readings
from app.advice.sentences import disagreements as sentences
from app.wording import Statement, state

SAME_COUNT = 0.10  # two counts this close are the same answer, given roughly
SAME_SIZE = 0.25  # the same for a size that people can only guess, as of a text in tokens
CITES = 0.2  # from this share of answers on, naming a source is part of the task
ALWAYS_NEW = 0.9  # from this share of different answers on, no two are the same text
NOT_JSON = 0.5  # below this share of answers that a schema holds, a metric for JSON measures the wrong thing
WORD_FOR_WORD = ("exact_match", "normalised_match")
JSON_METRICS = ("json_valid", "json_match", "json_schema", "json_fields")
TRIED = (
    "met",
    "unclear",
    "short_small",
    "short_large",
)  # answers that a result can contradict


@dataclass(frozen=True, slots=True)
class Disagreement:
    """key: the question that was answered. contrast: what people declared and what was measured."""

    factor: str
    key: str
    contrast: Statement

    @property
    def declared(self) -> str:
        return sentences.DECLARED(self.contrast)

    @property
    def measured(self) -> str:
        return sentences.MEASURED(self.contrast)

    @property
    def text(self) -> str:
        return sentences.TEXTS(self.contrast)


def disagreements(case: Case, facts: Facts, policy: Policy) -> list[Disagreement]:
    """All of them, in the order of the factors."""
    every = [
        *_counts(case),
        *_about_labels(case, policy),
        *_about_facts(case, facts, policy),
        *_about_prompting(case, facts, policy),
        *_about_test_rows(case),
        *_about_rows(case),
        *_about_arms(case, policy),
    ]
    return sorted(every, key=lambda disagreement: disagreement.factor)


def _counts(case: Case) -> Iterator[Disagreement]:
    answers, measured = case.answers, case.measured
    declared, usable, uploaded = answers.examples_declared, measured.usable_examples, measured.uploaded_examples
    if declared is not None and usable is not None and _far(declared, usable, SAME_COUNT):
        whole = uploaded if uploaded is not None and uploaded >= usable else None
        contrast = state("examples", declared=declared, usable=usable, uploaded=whole)
        yield Disagreement("F07", "examples_declared", contrast)
    tokens, counted = answers.corpus_tokens, measured.corpus_tokens
    if tokens is not None and counted is not None and _far(tokens, counted, SAME_SIZE):
        yield Disagreement("F05", "corpus_tokens", state("corpus", declared=tokens, counted=counted))


def _far(declared: int, counted: int, share: float) -> bool:
    return abs(declared - counted) > share * max(declared, counted)


def _about_labels(case: Case, policy: Policy) -> Iterator[Disagreement]:
    declared = case.answers.label_agreement
    agreement, measured = labels_agree(case, policy)
    if not measured or declared is None or agreement in (declared, None):
        return
    kappa, rate = case.measured.agreement_kappa, case.measured.contradiction_rate
    if contradicting(case, policy):
        contrast = state("labels_clash", declared=declared, rate=rate or 0)
    else:
        contrast = state("labels_kappa", declared=declared, kappa=kappa, agreement=agreement)
    yield Disagreement("F08", "label_agreement", contrast)


def _about_facts(case: Case, facts: Facts, policy: Policy) -> Iterator[Disagreement]:
    """Whether facts are missing: what people want, against what failed and what the rows show."""
    goals, gain = case.answers.goals or (), case.measured.oracle_gain
    lifts = gain is not None and gain >= policy.limit("oracle_gain") - EPSILON
    if "facts" not in goals and goals and facts.cause == "facts":
        causes = case.measured.failure_causes
        share = causes.facts / causes.total if causes else 0
        yield Disagreement("F01", "goals", state("failures_miss_facts", share=share))
    elif "facts" not in goals and goals and lifts:
        yield Disagreement("F01", "goals", state("passage_helps", gain=gain))
    elif "facts" in goals and gain is not None and not lifts and facts.cause != "facts":
        yield Disagreement("F01", "goals", state("passage_does_not_help", gain=gain))
    if facts.facts_unsaid:
        yield _facts_unsaid(case)


def _facts_unsaid(case: Case) -> Disagreement:
    signals = case.measured.signals
    new = signals.novelty if signals is not None else None
    if case.answers.fact_change == "none":
        return Disagreement("F02", "fact_change", state("facts_needed", new=new or None))
    return Disagreement("F01", "goals", state("facts_likely", new=new or None))


def _about_prompting(case: Case, facts: Facts, policy: Policy) -> Iterator[Disagreement]:
    declared, baseline, target = case.answers.prompting_tried, case.measured.baseline, case.answers.target
    if declared not in TRIED or baseline is None or not baseline.there or target is None:
        return
    prompting = next(reading for reading in readings(case, facts, policy) if reading.factor == "F12")
    if not prompting.measured or prompting.row == declared or facts.efficiency_path:
        return
    contrast = state("prompting", declared=declared, score=score_of(baseline), target=target)
    yield Disagreement("F12", "prompting_tried", contrast)


def _about_test_rows(case: Case) -> Iterator[Disagreement]:
    rows = case.measured.test_rows
    if case.answers.holdout == "no" and rows:
        yield Disagreement("F15", "holdout", state("test_rows", rows=rows))


def _about_rows(case: Case) -> Iterator[Disagreement]:
    """What the rows themselves show, against the goals, the sources and the metric."""
    signals, answers = case.measured.signals, case.answers
    if signals is None:
        return
    goals = answers.goals or ()
    if goals and signals.goals and not set(goals) & set(signals.goals):
        yield Disagreement("F01", "goals", state("other_goals", declared=goals, seen=signals.goals))
    if answers.sources == "no" and signals.cites is not None and signals.cites >= CITES:
        yield Disagreement("F03", "sources", state("sources", share=signals.cites))
    distinct = signals.distinct_share
    if answers.metric in WORD_FOR_WORD and signals.output_kind == "prose" and distinct and distinct >= ALWAYS_NEW:
        yield Disagreement("F14", "metric", state("free_text", share=distinct))
    held = signals.schema_share
    if answers.metric in JSON_METRICS and held is not None and held < NOT_JSON:
        yield Disagreement("F14", "metric", state("unstructured", share=held))


def _about_arms(case: Case, policy: Policy) -> Iterator[Disagreement]:
    """What arms that were measured tell, against the answers that only people gave before."""
    for factor, key, (found, measured) in (
        ("F09", "coverage", coverage(case, policy)),
        ("F22", "checker_helps", checker(case, policy)),
        ("F24", "language_fit", language(case, policy)),
    ):
        declared = getattr(case.answers, key)
        if measured and declared is not None and declared != found:
            values: dict[str, object] = {"declared": declared, "seen": found}
            if key == "checker_helps":
                values["share"] = case.measured.checker_share
            yield Disagreement(factor, key, state(key, **values))
