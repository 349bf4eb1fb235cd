"""The answer of the costs: whether a trained model pays, for pages, programs and gate G12."""

from dataclasses import dataclass
from typing import Literal

from app.advice.economics import Comparison
from app.economics import sentences
from app.economics.costs import PricedWay, Study
from app.economics.sentences import about
from app.wording import Statement, state

Tone = Literal["", "bad", "ready"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The page's answer. tone: a class of the answer's box. against: what it is held against, or what is missing."""

    outcome: Statement
    tone: Tone
    against: Statement | None

    @property
    def text(self) -> str:
        return sentences.OUTCOMES(self.outcome)

    @property
    def why(self) -> str:
        return sentences.against(self.against) if self.against else ""


def answer(study: Study) -> Answer:
    """Whether a trained model pays, with what it is held against."""
    comparison = study.comparison
    if comparison is None or study.compared_with is None:
        return Answer(state("unknown"), "", study.lacks[0].what if study.lacks else None)
    against = _against(study, study.compared_with)
    if not study.sound:
        return Answer(state("nothing_meets"), "", against)
    if comparison.break_even is None:
        return Answer(state("never"), "bad", against)
    if comparison.calls is None:
        return Answer(state("from", break_even=comparison.break_even), "", against)
    if comparison.saved is None or comparison.saved <= 0:
        below = state("below", break_even=comparison.break_even, expected=comparison.calls)
        return Answer(below, "bad", against)
    return _saving(study, comparison, against)


def _against(study: Study, rival: PricedWay) -> Statement:
    code = "best_so_far" if not study.sound else "in_use" if rival.key == "now" else "cheapest"
    return state(code, name=rival.name)


def _saving(study: Study, comparison: Comparison, against: Statement) -> Answer:
    """The answer where a trained model costs less at the volume that is expected."""
    saving = {
        "saved": comparison.saved,
        "currency": study.currency,
        "calls": comparison.calls,
        "months": comparison.months,
    }
    if not comparison.pays:
        return Answer(state("too_slow", **saving), "bad", against)
    if study.unsaid:
        return Answer(state("may_pay", **saving), "", against)
    return Answer(state("pays", **saving), "ready", against)


def basis(study: Study) -> str:
    """What a cost case rests on, in one line for whoever reads the gate's answer; empty while there is none.

    The sums are rounded to two figures. It is part of what a reviewer approves: prices change every day, and an
    approval falls with what was read, not with a cent that nobody saw.
    """
    comparison = study.comparison
    if comparison is None or comparison.saved is None or study.compared_with is None:
        return ""
    return sentences.basis(
        saved=about(comparison.saved),
        currency=study.currency,
        rival=study.compared_with.name,
        calls_a_month=comparison.calls,
        break_even=None if comparison.break_even is None else about(comparison.break_even),
        months=None if comparison.months is None else about(comparison.months),
    )
