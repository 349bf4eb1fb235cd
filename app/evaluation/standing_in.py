"""Verdicts that the difference to the best prompt alone does not give. Pure.

Where cost or speed is the goal, an adapter of a small model is to take over a stronger model's work: it need not be
better than that one, it must not be worse by more than a margin that was set before (decision rules, R1). And an
adapter that changes no answer at all is none, whatever chance makes of its score.
"""

from dataclasses import replace

from app.evaluation.comparison import Comparison, Verdict
from app.evaluation.not_worse import NotWorse
from app.wording import lower_first, plural


def in_place_of(first: Comparison, kept: NotWorse) -> Comparison:
    """The verdict where the adapter is to replace a stronger model, the teacher.

    first: against the best prompt of its own base, as it stands after all rivals. kept: against the teacher on the same
    rows. Both have to hold for "improved", each at one-sided 5 % or stricter, so that their union is no weaker (Berger
    1982): the prompt of the small model would do as well otherwise, and costs nothing to train. What is surely below
    the teacher by more than the margin is not better, however much it gained; what these rows leave open is
    inconclusive.
    """
    beside = f"Against the best prompt of its own base model: {lower_first(first.words)}"
    if first.verdict == "regressed":
        return replace(first, words=f"{first.words} {kept.words}")
    if kept.finding == "worse":
        return _with(first, "not better", f"{kept.words} {beside}")
    if kept.finding == "open" and first.verdict != "not better":
        return replace(
            _with(first, "inconclusive", f"{kept.words} {beside}"), rows_for_answer=kept.rows_needed, chance=None
        )
    if first.verdict == "improved":
        return _with(first, "improved", f"{kept.words} {beside}")
    return replace(first, words=f"{first.words} {kept.words}")


def changing_nothing(first: Comparison, answers: int) -> Comparison:
    """The verdict on an adapter whose answers are the base model's, letter by letter. answers: how many were looked at.

    More test rows would not change that, so nothing is left open.
    """
    why = (
        f"The adapter changes nothing: {plural(answers, 'answer')} to general questions are the base model's, letter "
        "by letter. It was not applied, or learned nothing."
    )
    verdict = first.verdict if first.verdict == "regressed" else "not better"
    return replace(first, verdict=verdict, words=f"{why} {first.words}", rows_for_answer=None, chance=None)


def _with(first: Comparison, verdict: Verdict, words: str) -> Comparison:
    settled = first.rows_for_answer if verdict == first.verdict else None
    chance = first.chance if verdict == first.verdict else None
    return replace(first, verdict=verdict, words=words, rows_for_answer=settled, chance=chance)
