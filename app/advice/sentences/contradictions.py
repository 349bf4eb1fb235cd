"""Contradictions in words: both answers, and a question where one helps."""

from app.wording import Wording, plural

CLOSENESS = {"chrf": "by letters", "rouge_l": "by words"}


def _text_not_needed(tokens: int, counted: bool) -> str:
    were = "was" if tokens == 1 else "were"
    are = "is" if tokens == 1 else "are"
    whose = f"{were} uploaded" if counted else f"{are} at hand"
    return (
        f"{plural(tokens, 'token')} of reference text {whose}, but the task needs no outside facts. "
        "If answers rest on that text, say how often it changes; if not, the text is not needed."
    )


def _little_to_save(calls: int) -> str:
    return (
        f"Cost or speed matters most, but {plural(calls, 'call a month costs', 'calls a month cost')} little "
        "and a few seconds are fine. What would be saved?"
    )


TEXTS = Wording({
    "general_and_specific": "A general helper with nothing specific is ticked, and specific goals beside it. "
    "Which of them are needed?",
    "checker_without_form": "Schema validation would catch most errors, but no goal is about format. "
    "Either the format is a goal, or validation can't know what is wrong.",
    "facts_not_needed": "Knowing facts should get better, but the task needs no outside facts.",
    "sources_of_nothing": "Citations are required, but no outside facts are needed. "
    "What would an answer cite?",
    "text_not_needed": _text_not_needed,
    "rare_things": "The questions are about rare things, but everything needed is in the input. "
    "Is it, also for those things?",
    "facts_without_text": "It should know your facts, but there is no reference text. "
    "Where are the facts today?",
    "sources_without_text": "Citations are required, but there is no reference text to cite.",
    "changes_without_text": "The facts it needs change {often}, but there is no reference text. "
    "Where would the new facts come from?",
    "coverage_of_nothing": "There are no examples, but an answer says what they cover. "
    "Leave that one open until there are some.",
    "target_without_rows": "A target is set, but no test set may be held out. "
    "Without one nobody can show that it is reached.",
    "above_agreement": "Two experts often give different answers, but {target:%g} should be right. "
    "Nothing agrees with people more often than they agree with each other.",
    "once_and_monthly": "It runs once, but {calls:#call is|calls are} expected each month. "
    "Is it one batch, or does it come again?",
    "no_calls": "The task is ongoing, but no calls are expected.",
    "little_to_save": _little_to_save,
    "nothing_counted": "{target:%g} is the target, but no metric says of what.",
    "empty_target": "A target of 0 % is met by anything. Which share of right answers would you put to use?",
    "structure_no_goal": "Success is measured by the structure of the answer, but no goal is about structure.",
    "closeness_of_categories": lambda metric: (
        f"Categories are right or wrong, but closeness {CLOSENESS[metric]} was picked to measure them."
    ),
    "no_target": lambda met: (
        f"Prompting {'met the target' if met else 'fell short of the target'}, but no target is set."
    ),
})  # fmt: skip
"""By the codes of `app.advice.contradictions`."""
