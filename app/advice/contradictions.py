"""Answers that can't all be right, so that they are asked again instead of being added up.

A contradiction names the questions it is between and never decides anything: which of the answers is wrong is for
people to say. Where a measurement has replaced an answer, the measurement speaks, and `disagreements` shows both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.policy import Policy
from app.advice.schema import Case
from app.advice.scoring import corpus, labels_agree
from app.advice.sentences import contradictions as sentences
from app.wording import Statement

LITTLE_VOLUME = 10_000  # calls a month; below it F11 says that a longer prompt costs next to nothing
HIGH_TARGET = 0.9  # a share of right answers that people who often disagree don't reach with each other either
SHAPES = ("format", "extract", "tools", "classify")  # goals whose answers can be checked by their form
FORMLESS = ("style", "facts", "reasoning", "general")  # goals that no simple checker can judge
CLOSENESS = ("chrf", "rouge_l")  # metrics that measure how close a text is
SUCCESS_IS_JSON = ("json_valid", "json_match", "json_schema", "json_fields")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """keys: the questions between which it stands, by key, the one that is likelier to be wrong first."""

    keys: tuple[str, ...]
    clash: Statement

    @property
    def text(self) -> str:
        return sentences.TEXTS(self.clash)


Contradictions = Iterator[Contradiction]


def contradictions(case: Case, policy: Policy) -> list[Contradiction]:
    """All of them, in the order of the questionnaire."""
    return [
        *_about_goals(case),
        *_about_facts(case),
        *_about_examples(case, policy),
        *_about_use(case),
        *_about_success(case),
    ]


def _between(*keys: str, code: str, **values: object) -> Contradiction:
    return Contradiction(keys, Statement(code, values))


def _about_goals(case: Case) -> Contradictions:
    answers = case.answers
    goals = answers.goals or ()
    if "general" in goals and len(goals) > 1:
        yield _between("goals", code="general_and_specific")
    if answers.checker_helps == "most" and goals and all(goal in FORMLESS for goal in goals):
        yield _between("checker_helps", "goals", code="checker_without_form")


def _about_facts(case: Case) -> Contradictions:
    answers = case.answers
    goals = answers.goals or ()
    tokens, counted = corpus(case)
    none_needed = answers.fact_change == "none"
    if none_needed and "facts" in goals:
        yield _between("fact_change", "goals", code="facts_not_needed")
    if none_needed and answers.sources == "must":
        yield _between("fact_change", "sources", code="sources_of_nothing")
    if none_needed and tokens:
        yield _between("fact_change", "corpus_tokens", code="text_not_needed", tokens=tokens, counted=counted)
    if none_needed and answers.rarity == "rare":
        yield _between("fact_change", "rarity", code="rare_things")
    if tokens == 0 and not none_needed:
        yield from _facts_from_nowhere(case)


def _facts_from_nowhere(case: Case) -> Contradictions:
    """There is no reference text, and something asks for one."""
    answers = case.answers
    if "facts" in (answers.goals or ()):
        yield _between("corpus_tokens", "goals", code="facts_without_text")
    elif answers.sources == "must":
        yield _between("corpus_tokens", "sources", code="sources_without_text")
    elif answers.fact_change in ("daily", "weekly", "monthly"):
        yield _between("corpus_tokens", "fact_change", code="changes_without_text", often=answers.fact_change)


def _about_examples(case: Case, policy: Policy) -> Contradictions:
    answers, measured = case.answers, case.measured
    if answers.examples_declared == 0 and answers.coverage is not None and not measured.uploaded_examples:
        yield _between("examples_declared", "coverage", code="coverage_of_nothing")
    if answers.holdout == "no" and answers.target is not None and measured.test_rows is None:
        yield _between("holdout", "target", code="target_without_rows")
    agreed, counted = labels_agree(case, policy)
    if agreed == "low" and not counted and answers.target is not None and answers.target >= HIGH_TARGET:
        yield _between("target", "label_agreement", code="above_agreement", target=answers.target)


def _about_use(case: Case) -> Contradictions:
    answers = case.answers
    calls = answers.calls_per_month
    if answers.recurrence == "once" and calls:
        yield _between("recurrence", "calls_per_month", code="once_and_monthly", calls=calls)
    if answers.recurrence in ("months", "ongoing") and calls == 0:
        yield _between("calls_per_month", "recurrence", code="no_calls")
    unhurried = answers.latency == "normal" and case.measured.cost_case != "pass"
    if answers.main_goal == "efficiency" and unhurried and calls and calls < LITTLE_VOLUME:
        yield _between("main_goal", "calls_per_month", code="little_to_save", calls=calls)


def _about_success(case: Case) -> Contradictions:
    answers = case.answers
    goals, metric, target = answers.goals or (), answers.metric, answers.target
    if metric is None and target is not None:
        yield _between("metric", "target", code="nothing_counted", target=target)
    if target == 0:
        yield _between("target", code="empty_target")
    if metric in SUCCESS_IS_JSON and goals and not any(goal in SHAPES for goal in goals):
        yield _between("metric", "goals", code="structure_no_goal")
    if metric in CLOSENESS and answers.main_goal == "classify":
        yield _between("metric", "main_goal", code="closeness_of_categories", metric=metric)
    tried = answers.prompting_tried in ("met", "short_small", "short_large")
    if tried and target is None and not (case.measured.baseline and case.measured.baseline.there):
        yield _between("target", "prompting_tried", code="no_target", met=answers.prompting_tried == "met")
