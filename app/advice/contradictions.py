"""Answers that can't all be right, so that they are asked again instead of being added up.

A contradiction names the questions it is between and never decides anything: which of the answers is wrong is for
people to say. Where a measurement has replaced an answer, the measurement speaks, and `disagreements` shows both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.case import Case
from app.advice.policy import Policy
from app.advice.scoring import corpus, labels_agree

LITTLE_VOLUME = 10_000  # calls a month; below it F11 says that a longer prompt costs next to nothing
HIGH_TARGET = 0.9  # a share of right answers that people who often disagree don't reach with each other either
SHAPES = ("format", "extract", "tools", "classify")  # goals whose answers can be checked by their form
FORMLESS = ("style", "facts", "reasoning", "general")  # goals that no simple checker can judge
CLOSENESS = {"chrf": "by letters", "rouge_l": "by words"}
SUCCESS_IS_JSON = ("json_valid", "json_match")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """keys: the questions between which it stands, by key, the one that is likelier to be wrong first."""

    keys: tuple[str, ...]
    text: str


def contradictions(case: Case, policy: Policy) -> list[Contradiction]:
    """All of them, in the order of the questionnaire."""
    return [
        *_about_goals(case),
        *_about_facts(case),
        *_about_examples(case, policy),
        *_about_use(case),
        *_about_success(case),
    ]


Found = Iterator[Contradiction]


def _about_goals(case: Case) -> Found:
    answers = case.answers
    goals = answers.goals or ()
    if "general" in goals and len(goals) > 1:
        yield Contradiction(
            ("goals",),
            "You ticked a general helper with nothing specific, and specific goals beside it. "
            "Which of them would you miss?",
        )
    if answers.checker_helps == "most" and goals and all(goal in FORMLESS for goal in goals):
        yield Contradiction(
            ("checker_helps", "goals"),
            "A simple checker would catch most wrong answers, you said, but no goal is about form. "
            "Either the form is a goal, or the checker can't know what is wrong.",
        )


def _about_facts(case: Case) -> Found:
    answers = case.answers
    goals = answers.goals or ()
    tokens, counted = corpus(case)
    none_needed = answers.fact_change == "none"
    if none_needed and "facts" in goals:
        yield Contradiction(
            ("fact_change", "goals"),
            "Knowing facts should get better, you said, but also that the task needs no outside facts.",
        )
    if none_needed and answers.sources == "must":
        yield Contradiction(
            ("fact_change", "sources"),
            "Every answer must show its source, you said, but also that no outside facts are needed. "
            "What would it name as the source?",
        )
    if none_needed and tokens:
        whose = "were uploaded" if counted else "are at hand, you said"
        yield Contradiction(
            ("fact_change", "corpus_tokens"),
            f"{tokens:,} tokens of reference text {whose}, but the task needs no outside facts. "
            "If answers rest on that text, say how often it changes; if not, the text is not needed.",
        )
    if none_needed and answers.rarity == "rare":
        yield Contradiction(
            ("fact_change", "rarity"),
            "The questions are about rare things, you said, but everything needed stands in the question. "
            "Does it, also for those things?",
        )
    if tokens == 0 and not none_needed:
        yield from _facts_from_nowhere(case)


def _facts_from_nowhere(case: Case) -> Found:
    """There is no reference text, and something asks for one."""
    answers = case.answers
    if "facts" in (answers.goals or ()):
        yield Contradiction(
            ("corpus_tokens", "goals"),
            "It should know your facts, you said, but there is no reference text. Where do the facts stand today?",
        )
    elif answers.sources == "must":
        yield Contradiction(
            ("corpus_tokens", "sources"),
            "Every answer must show its source, you said, but there is no reference text to name.",
        )
    elif answers.fact_change in ("daily", "weekly", "monthly"):
        yield Contradiction(
            ("corpus_tokens", "fact_change"),
            f"The facts it needs change {answers.fact_change}, you said, but there is no reference text. "
            "Where would the new facts come from?",
        )


def _about_examples(case: Case, policy: Policy) -> Found:
    answers, measured = case.answers, case.measured
    if answers.examples_declared == 0 and answers.coverage is not None and not measured.uploaded_examples:
        yield Contradiction(
            ("examples_declared", "coverage"),
            "There are no examples, you said, but also what they cover. Leave the second open until there are some.",
        )
    if answers.holdout == "no" and answers.target is not None and measured.test_rows is None:
        yield Contradiction(
            ("holdout", "target"),
            "You set a target, but no rows may be kept aside. Without such rows nobody can show that it is reached.",
        )
    agreed, counted = labels_agree(case, policy)
    if agreed == "low" and not counted and answers.target is not None and answers.target >= HIGH_TARGET:
        yield Contradiction(
            ("target", "label_agreement"),
            f"Two experts often give different answers, but {answers.target * 100:g} % should be right. "
            "Nothing agrees with people more often than they agree with each other.",
        )


def _about_use(case: Case) -> Found:
    answers = case.answers
    calls = answers.calls_per_month
    if answers.recurrence == "once" and calls:
        yield Contradiction(
            ("recurrence", "calls_per_month"),
            f"It runs once, you said, but also {calls:,} calls a month. Is it one batch, or does it come again?",
        )
    if answers.recurrence in ("months", "ongoing") and calls == 0:
        yield Contradiction(("calls_per_month", "recurrence"), "The job goes on, you said, but with no call a month.")
    unhurried = answers.latency == "normal" and case.measured.cost_case != "pass"
    if answers.main_goal == "efficiency" and unhurried and calls and calls < LITTLE_VOLUME:
        yield Contradiction(
            ("main_goal", "calls_per_month"),
            f"Cost or speed matters most, you said, but {calls:,} calls a month cost little and a few seconds "
            "are fine. What would be saved?",
        )


def _about_success(case: Case) -> Found:
    answers = case.answers
    goals, metric, target = answers.goals or (), answers.metric, answers.target
    if metric is None and target is not None:
        yield Contradiction(
            ("metric", "target"), f"{target * 100:g} % is good enough, you said, but not what is counted."
        )
    if target == 0:
        yield Contradiction(
            ("target",), "A target of 0 % is met by anything. Which share of right answers would you put to use?"
        )
    if metric in SUCCESS_IS_JSON and goals and not any(goal in SHAPES for goal in goals):
        yield Contradiction(
            ("metric", "goals"),
            "Success is measured by the structure of the answer, but no goal is about structure.",
        )
    if metric in CLOSENESS and answers.main_goal == "classify":
        yield Contradiction(
            ("metric", "main_goal"),
            f"Categories are right or wrong, but closeness {CLOSENESS[metric]} was picked to measure them.",
        )
    tried = answers.prompting_tried in ("met", "short_small", "short_large")
    if tried and target is None and not (case.measured.baseline and case.measured.baseline.there):
        met = "met the target" if answers.prompting_tried == "met" else "fell short of the target"
        yield Contradiction(("target", "prompting_tried"), f"Prompting {met}, you said, but no target is set.")
