"""Contradictions in words: both answers, and a question where one helps."""

from app.wording import Wording, plural

CLOSENESS = {"chrf": "by letters", "rouge_l": "by words"}


def _text_not_needed(tokens: int, counted: bool) -> str:
    were = "was" if tokens == 1 else "were"
    are = "is" if tokens == 1 else "are"
    whose = f"{were} uploaded" if counted else f"{are} at hand, you said"
    return (
        f"{plural(tokens, 'token')} of reference text {whose}, but the task needs no outside facts. "
        "If answers rest on that text, say how often it changes; if not, the text is not needed."
    )


def _little_to_save(calls: int) -> str:
    return (
        f"Cost or speed matters most, you said, but {plural(calls, 'call a month costs', 'calls a month cost')} little "
        "and a few seconds are fine. What would be saved?"
    )


TEXTS = Wording({
    "general_and_specific": "You ticked a general helper with nothing specific, and specific goals beside it. "
    "Which of them would you miss?",
    "checker_without_form": "A simple checker would catch most wrong answers, you said, but no goal is about form. "
    "Either the form is a goal, or the checker can't know what is wrong.",
    "facts_not_needed": "Knowing facts should get better, you said, but also that the task needs no outside facts.",
    "sources_of_nothing": "Every answer must show its source, you said, but also that no outside facts are needed. "
    "What would it name as the source?",
    "text_not_needed": _text_not_needed,
    "rare_things": "The questions are about rare things, you said, but everything needed stands in the question. "
    "Does it, also for those things?",
    "facts_without_text": "It should know your facts, you said, but there is no reference text. "
    "Where do the facts stand today?",
    "sources_without_text": "Every answer must show its source, you said, but there is no reference text to name.",
    "changes_without_text": "The facts it needs change {often}, you said, but there is no reference text. "
    "Where would the new facts come from?",
    "coverage_of_nothing": "There are no examples, you said, but also what they cover. "
    "Leave the second open until there are some.",
    "target_without_rows": "You set a target, but no rows may be kept aside. "
    "Without such rows nobody can show that it is reached.",
    "above_agreement": "Two experts often give different answers, but {target:%g} should be right. "
    "Nothing agrees with people more often than they agree with each other.",
    "once_and_monthly": "It runs once, you said, but also {calls:#call} a month. "
    "Is it one batch, or does it come again?",
    "no_calls": "The job goes on, you said, but with no call a month.",
    "little_to_save": _little_to_save,
    "nothing_counted": "{target:%g} is good enough, you said, but not what is counted.",
    "empty_target": "A target of 0 % is met by anything. Which share of right answers would you put to use?",
    "structure_no_goal": "Success is measured by the structure of the answer, but no goal is about structure.",
    "closeness_of_categories": lambda metric: (
        f"Categories are right or wrong, but closeness {CLOSENESS[metric]} was picked to measure them."
    ),
    "no_target": lambda met: (
        f"Prompting {'met the target' if met else 'fell short of the target'}, you said, but no target is set."
    ),
})  # fmt: skip
"""By the codes of `app.advice.contradictions`."""
