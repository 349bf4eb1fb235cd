"""The verdict: ordered rules over needs and gates; the first that matches decides.

    1 a one-off                                            RAG with a knowledge need, else PROMPT; locked
    2 the best arm MET the target, and it isn't the case
      that efficiency is a goal and its cost case passes   the winning arm's family: PROMPT or RAG; locked
      or an arm without a language model MET it            PROMPT in name only: that arm (none of these); locked
    3 knowledge need alone                                 PROMPT with the whole corpus in it if that fits, isn't fresh
                                                           daily, and everybody may see all of it; else RAG; locked
    4 knowledge need with behaviour or efficiency need     HYBRID if all gates pass, else RAG, leaning hybrid
    5 behaviour or efficiency need                         FINE-TUNE if all gates pass, else PROMPT: leaning fine-tune
                                                           ("not yet") if it scores above prompting, the task's
                                                           definition doesn't change monthly, and nothing without a
                                                           language model that beats every prompt may be enough
    6 otherwise                                            PROMPT; locked

Readings: people who say that prompting meets the target are believed until it is measured (rule 2), unless facts are
needed, since a declared answer names no winning arm. "Fits" needs a corpus (a size of 0 doesn't fit, there is none),
and an unknown size, freshness or right of access doesn't satisfy rule 3's conditions.

Scores rank and explain. They decide in one place only: whether rule 5 leans.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from app.advice import contradictions as contradicting
from app.advice import disagreements as disagreeing
from app.advice import flips as flipping
from app.advice import instead as elsewhere
from app.advice import robustness as stability
from app.advice.case import Case
from app.advice.gates import DECLARED_BY_NATURE, Gate, blockers, gates, locked
from app.advice.needs import Needs, needs, standing
from app.advice.policy import POLICY, Points, Policy
from app.advice.scoring import MEASURED_ONLY, Reason, context_window, corpus, readings, reasons, total

Approach = Literal["prompt", "rag", "fine_tune", "hybrid"]
Training = Literal["ready", "locked"]
Leaning = Literal["fine_tune", "hybrid"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule said."""

    rule: int
    approach: Approach
    training: Training = "locked"
    leaning: Leaning | None = None
    technique: str | None = None


@dataclass(frozen=True)
class Advice:
    """What to do, why, and what stands against training; what takes longer is worked out when it is asked for."""

    case: Case
    policy: Policy
    approach: Approach
    technique: str | None
    training: Training
    leaning: Leaning | None
    confidence: Confidence
    scores: Points
    gates: list[Gate]
    reasons: list[Reason]
    rule: int

    @property
    def policy_version(self) -> str:
        return self.policy.version

    @property
    def policy_sha256(self) -> str:
        return self.policy.sha256

    @cached_property
    def flips(self) -> list[flipping.Flip]:
        """The smallest changes that would change approach or training: some hundred looks at the case more."""

        def outcome(other: Case) -> flipping.Outcome:
            need = needs(other, self.policy)
            shut = locked(other, need, self.policy)
            found = _rule(other, need, self.policy, shut=shut, leads=False)
            return flipping.Outcome(found.approach, found.training)

        return flipping.flips(self.case, flipping.Outcome(self.approach, self.training), outcome, self.policy)

    @cached_property
    def disagreements(self) -> list[disagreeing.Disagreement]:
        """Where a measurement says something else than people did."""
        return disagreeing.disagreements(self.case, needs(self.case, self.policy), self.policy)

    @cached_property
    def contradictions(self) -> list[contradicting.Contradiction]:
        """Answers that can't all be right."""
        return contradicting.contradictions(self.case, self.policy)

    @cached_property
    def robustness(self) -> stability.Robustness:
        """How many slightly different policies come to the same verdict: some hundred more looks at the case."""
        return stability.robustness(lambda policy: _sketch(self.case, policy), self.policy)

    @cached_property
    def instead(self) -> list[elsewhere.Alternative]:
        """What may do the job without a larger prompt, an index or a training: none of these."""
        return elsewhere.alternatives(self.case, needs(self.case, self.policy), self.policy)

    @property
    def blockers(self) -> list[Gate]:
        """The gates that keep training locked, the cheapest for the user first."""
        return blockers(self.gates)

    @property
    def not_yet(self) -> bool:
        return self.training == "locked" and self.leaning is not None

    def to_json(self) -> dict[str, Any]:
        """The contract's shape, and nothing else."""
        return {
            "approach": self.approach,
            "technique": self.technique,
            "training": self.training,
            "leaning": self.leaning,
            "confidence": self.confidence,
            "scores": asdict(self.scores),
            "gates": [
                {
                    "id": gate.id,
                    "state": gate.state,
                    "measured": gate.measured,
                    "needed": gate.needed,
                    "change": gate.change,
                    "meanwhile": gate.meanwhile,
                }
                for gate in self.gates
            ],
            "reasons": [asdict(reason) for reason in self.reasons],
            "flips": [
                {"change": flip.change, "approach": flip.approach, "training": flip.training, "text": flip.text}
                for flip in self.flips
            ],
            "policy": {"version": self.policy_version, "sha256": self.policy_sha256},
        }

    def more(self) -> dict[str, Any]:
        """What stands beside the contract's shape, on pages and in the REST API."""
        return {
            "rule": self.rule,
            "contradictions": [asdict(one) | {"keys": list(one.keys)} for one in self.contradictions],
            "disagreements": [asdict(one) for one in self.disagreements],
            "robustness": asdict(self.robustness),
            "instead": [asdict(one) for one in self.instead],
            "flips": [{"steps": flip.steps, "effort": flip.effort} for flip in self.flips],
        }


@dataclass(frozen=True, slots=True)
class _Judged:
    """A ruling with what it was made from: all of the advice but the flips."""

    ruling: Ruling
    needs: Needs
    gates: list[Gate]
    reasons: list[Reason]


def advise(case: Case, policy: Policy = POLICY) -> Advice:
    """The whole advice for a case; the same for the same case and policy, wherever it is asked for."""
    judged = _judge(case, policy)
    ruling = judged.ruling
    return Advice(
        case=case,
        policy=policy,
        approach=ruling.approach,
        technique=ruling.technique,
        training=ruling.training,
        leaning=ruling.leaning,
        confidence=_confidence(judged),
        scores=total(judged.reasons),
        gates=judged.gates,
        reasons=judged.reasons,
        rule=ruling.rule,
    )


def _judge(case: Case, policy: Policy) -> _Judged:
    found = needs(case, policy)
    checked = gates(case, found, policy)
    why = reasons(case, found, policy)
    points = total(why)
    shut = any(gate.locks for gate in checked)
    ruling = _rule(case, found, policy, shut=shut, leads=points.fine_tune > points.prompt)
    return _Judged(ruling, found, checked, why)


def _sketch(case: Case, policy: Policy) -> stability.Sketch:
    """The verdict before any points are added up: both ways it can go."""
    found = needs(case, policy)
    shut = locked(case, found, policy)
    ends = [_rule(case, found, policy, shut=shut, leads=leads) for leads in (False, True)]
    trailing, leading = ((end.approach, end.training, end.leaning) for end in ends)
    return stability.Sketch(tuple((one.factor, one.row) for one in readings(case, found, policy)), trailing, leading)


def _rule(case: Case, need: Needs, policy: Policy, *, shut: bool, leads: bool) -> Ruling:
    """The ordered rules; the docstring of this file is their text.

    shut: some gate locks. leads: training scores above prompting.
    """
    if case.answers.recurrence == "once":
        ruling = Ruling(1, "rag" if need.knowledge else "prompt")
    elif need.without_model is not None:
        ruling = Ruling(2, "prompt", technique=need.without_model)
    elif _met(case, need) and not (need.efficiency and case.measured.cost_case == "pass"):
        ruling = Ruling(2, _family(case))
    elif need.knowledge and not (need.behaviour or need.efficiency):
        whole = _whole_corpus_fits(case, policy)
        ruling = Ruling(3, "prompt" if whole else "rag", technique="whole_corpus_in_context" if whole else None)
    elif need.knowledge:
        ruling = Ruling(4, "rag", leaning="hybrid") if shut else Ruling(4, "hybrid", "ready")
    elif not (need.behaviour or need.efficiency):
        ruling = Ruling(6, "prompt")
    elif not shut:
        ruling = Ruling(5, "fine_tune", "ready", technique="distil" if need.efficiency_path else None)
    else:
        enough = need.free_lead is not None and not _falls_short(case, need.free_lead, policy)
        leans = leads and case.answers.definition_changes != "monthly" and not enough
        ruling = Ruling(5, "prompt", leaning="fine_tune" if leans else None)
    if ruling.approach == "prompt" and ruling.technique is None:
        return replace(ruling, technique=_technique(case, need, ruling))
    return ruling


def _falls_short(case: Case, arm: str, policy: Policy) -> bool:
    """Whether an arm stays short of the target, interval and all."""
    return standing((case.measured.arms or {}).get(arm), case.answers.target, policy) == "short"


def _met(case: Case, need: Needs) -> bool:
    baseline = case.measured.baseline
    if baseline is not None and baseline.there:
        return need.baseline == "met"
    return case.answers.prompting_tried == "met" and not need.knowledge


def _family(case: Case) -> Approach:
    baseline = case.measured.baseline
    return "rag" if baseline is not None and baseline.best_arm in ("rag", "oracle") else "prompt"


def _whole_corpus_fits(case: Case, policy: Policy) -> bool:
    answers = case.answers
    tokens, _ = corpus(case)
    return (
        tokens is not None
        and 0 < tokens <= context_window(case, policy)
        and answers.fact_change in ("none", "yearly", "monthly", "weekly")
        and answers.access_rights == "no"
    )


def _technique(case: Case, need: Needs, ruling: Ruling) -> str | None:
    """The cheap move that makes the prompt do: the arm that won, batch mode, or a schema."""
    baseline, patient = case.measured.baseline, case.answers.latency != "tight"
    if ruling.rule == 5 and ruling.leaning is None and need.free_lead is not None:
        return need.free_lead
    if ruling.rule == 2 and baseline is not None and baseline.best_arm in ("schema", "many_shot", "small_classifier"):
        return baseline.best_arm
    if need.efficiency and case.measured.cost_case == "fail":
        return "batch_tier" if patient else "prompt_caching"
    if ruling.rule == 1 and patient:
        return "batch_tier"
    if case.answers.checker_helps == "most":
        return "schema"
    return None


def _confidence(judged: _Judged) -> Confidence:
    """High if everything the verdict rests on was measured; each thing that wasn't takes one step off.

    A one-off rests on G3, a met target on G6, a knowledge need on G2, the others on every gate that can be measured
    (G3, G10 and G11 are a person's word by nature, and that test answers were checked, in G4, is one too). Answers
    nobody knows count as well, whatever they would be worth.
    """
    rests = {1: ("G3",), 2: ("G6",), 3: ("G2",)}.get(judged.ruling.rule)
    doubts = sum(
        (gate.how == "declared" and (gate.id, gate.state) != ("G4", "pass")) or gate.state == "unknown"
        for gate in judged.gates
        if (gate.id in rests if rests else gate.id not in DECLARED_BY_NATURE) and gate.state != "not_applicable"
    )
    doubts += sum(not reason.known for reason in judged.reasons if reason.factor not in MEASURED_ONLY)
    if doubts == 0:
        return "high"
    return "medium" if doubts == 1 else "low"
