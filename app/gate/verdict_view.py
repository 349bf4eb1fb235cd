"""What a page about the verdict draws, for the page itself and for a shared link: pure, from what was gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from app.advice import acts, explanation
from app.advice.evidence import Evidence
from app.advice.verdict import Advice
from app.baselines import standing
from app.baselines.tables import BaselineRow
from app.economics.answer import Answer, answer
from app.economics.costs import Study
from app.economics.sentences import money
from app.gate import warnings
from app.gate.options import Option, options
from app.gate.warnings import Caution

AFTER = frozenset({"training", "training_failed", "improved", "not_better", "regressed", "inconclusive"})
"""States of an assessment in which something newer than the verdict stands above it."""


class Drawn(TypedDict):
    """What `gate/_verdict.html` draws. why, sure: the reasons, and what the confidence rests on. worth: whether a
    trained model pays; None where costs are not shown."""

    advice: Advice
    sentence: explanation.Sentence
    headline: str
    cautions: tuple[Caution, ...]
    why: explanation.Reasons
    sure: str
    options: Sequence[Option]
    study: Study | None
    money: Callable[[float | None, str], str]
    worth: Answer | None


def values(
    advised: Advice,
    evidence: Evidence,
    study: Study | None,
    baseline: BaselineRow | None = None,
    *,
    models_named: bool = True,
) -> Drawn:
    """What `gate/_verdict.html` needs that is the same for every reader.

    study: None where costs are not shown. models_named: whether the reader may see what the team's models are called.
    """
    said = explanation.sentence(advised)
    cautions = warnings.cautions(evidence, study=study, robustness=advised.robustness, technique=advised.technique)
    if not models_named:
        cautions = warnings.without_names(cautions)
    return {
        "advice": advised,
        "sentence": said,
        "headline": headline(advised, said.head, cautions),
        "cautions": cautions,
        "why": explanation.reasons(advised),
        "sure": explanation.confidence(advised),
        "options": options(advised.scores, evidence, study, _adapter(baseline)),
        "study": study,
        "money": money,
        "worth": answer(study) if study is not None else None,
    }


@dataclass(frozen=True, slots=True)
class Link:
    """Where a criterion is settled, what to do there and what it takes."""

    url: str
    words: str
    effort: str


def links(assessment_id: int, advised: Advice) -> dict[str, Link]:
    """By criterion."""
    return {
        gate: Link(f"/assessments/{assessment_id}/{act.path}", act.words, act.effort)
        for gate, act in acts.acts(advised.findings).items()
    }


def headline(advised: Advice, head: str, cautions: tuple[Caution, ...]) -> str:
    """What to do, in one line. head: the advice in a line. What beats the best prompt without a language model comes
    before everything else; that training is allowed is never said without the number of warnings."""
    free = next((one for one in cautions if one.code == "free_ahead"), None)
    with_warnings = f", with {warnings.counted(cautions)}" if cautions else ""
    if free is not None and advised.rule == 5 and (advised.training == "ready" or advised.facts.free_lead is None):
        allowed = "Fine-tune is allowed" if advised.training == "ready" else "Not yet"
        beaten = "your best prompt" if advised.facts.free_lead is None else "every prompt"
        return f"{warnings.free_name(free)} beats {beaten}. {allowed}{with_warnings}."
    if advised.training == "ready":
        name = {"hybrid": "Fine-tune with RAG"}.get(advised.approach, "Fine-tune")
        return f"{name} is allowed{with_warnings}."
    return head


def _adapter(baseline: BaselineRow | None) -> float | None:
    """The score on the test rows of the newest adapter that was measured beside these prompts."""
    arms = standing.judged_adapters(baseline) if baseline else []
    return arms[-1].test.score if arms and arms[-1].test else None
