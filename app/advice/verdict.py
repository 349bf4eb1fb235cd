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

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

from app.advice.contradictions import Contradiction, contradictions
from app.advice.disagreements import Disagreement, disagreements
from app.advice.facts import Facts, derive_facts, standing
from app.advice.gates.finding import Finding
from app.advice.gates.judge import DECLARED_BY_NATURE, ORDER, findings, locked
from app.advice.policy import Points, Policy
from app.advice.policy_file import POLICY
from app.advice.schema import Arm, Case
from app.advice.scoring import MEASURED_ONLY, Reason, checker, context_window, corpus, readings, reasons, total
from app.advice.sentences.gates import Gate, in_words
from app.advice.what_if.alternatives import Alternative, alternatives
from app.advice.what_if.flips import Flip, Outcome, flips
from app.advice.what_if.robustness import Robustness, Sketch, robustness
from app.json_types import JsonDict

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
    """What to do, why, and what stands against training; what takes longer is worked out when it is asked for.

    facts: what follows from the case under this policy, worked out once for everything here. findings: of each gate.
    """

    case: Case
    policy: Policy
    facts: Facts
    findings: Mapping[str, Finding]
    reasons: list[Reason]
    ruling: Ruling

    @property
    def approach(self) -> Approach:
        return self.ruling.approach

    @property
    def technique(self) -> str | None:
        return self.ruling.technique

    @property
    def training(self) -> Training:
        return self.ruling.training

    @property
    def leaning(self) -> Leaning | None:
        return self.ruling.leaning

    @property
    def rule(self) -> int:
        return self.ruling.rule

    @cached_property
    def confidence(self) -> Confidence:
        return _confidence(self.ruling, self.findings, self.reasons)

    @cached_property
    def scores(self) -> Points:
        return total(self.reasons)

    @property
    def policy_version(self) -> str:
        return self.policy.version

    @property
    def policy_sha256(self) -> str:
        return self.policy.sha256

    @cached_property
    def gates(self) -> list[Gate]:
        """The twelve criteria in words, G1 first."""
        return [in_words(gate, finding, self.case, self.facts, self.policy) for gate, finding in self.findings.items()]

    @cached_property
    def flips(self) -> list[Flip]:
        """The smallest changes that would change approach or training: some hundred looks at the case more."""

        def outcome(other: Case) -> Outcome:
            facts = derive_facts(other, self.policy)
            shut = locked(other, facts, self.policy)
            ruling = _rule(other, facts, self.policy, shut=shut, leads=False)
            return Outcome(ruling.approach, ruling.training)

        return flips(self.case, self.facts, Outcome(self.approach, self.training), outcome, self.policy)

    @cached_property
    def disagreements(self) -> list[Disagreement]:
        """Where a measurement says something else than people did."""
        return disagreements(self.case, self.facts, self.policy)

    @cached_property
    def contradictions(self) -> list[Contradiction]:
        """Answers that can't all be right."""
        return contradictions(self.case, self.policy)

    @cached_property
    def robustness(self) -> Robustness:
        """How many slightly different policies come to the same verdict: some hundred more looks at the case."""
        return robustness(lambda policy: _sketch(self.case, policy), self.policy)

    @cached_property
    def alternatives(self) -> list[Alternative]:
        """What may do the job without a larger prompt, an index or a training: none of these."""
        return alternatives(self.case, self.facts, self.policy)

    @property
    def blockers(self) -> list[Gate]:
        """The gates that keep training locked, the cheapest for the user first."""
        return sorted((gate for gate in self.gates if gate.locks), key=lambda gate: ORDER.index(gate.id))

    @property
    def not_yet(self) -> bool:
        return self.training == "locked" and self.leaning is not None

    def to_json(self) -> JsonDict:
        """The contract's shape, and nothing else."""
        return {
            "approach": self.approach,
            "technique": self.technique,
            "training": self.training,
            "leaning": self.leaning,
            "confidence": self.confidence,
            "scores": asdict(self.scores),
            "gates": [_named(gate, "id", "state", "measured", "needed", "change", "meanwhile") for gate in self.gates],
            "reasons": [
                _named(reason, "factor", "answer", "measured")
                | {"points": asdict(reason.points)}
                | _named(reason, "because", "source")
                for reason in self.reasons
            ],
            "flips": [_named(flip, "change", "approach", "training", "text") for flip in self.flips],
            "policy": {"version": self.policy_version, "sha256": self.policy_sha256},
        }

    def more(self) -> JsonDict:
        """What stands beside the contract's shape, on pages and in the REST API."""
        return {
            "rule": self.rule,
            "contradictions": [{"keys": list(clash.keys), "text": clash.text} for clash in self.contradictions],
            "disagreements": [
                _named(disagreement, "factor", "key", "declared", "measured", "text")
                for disagreement in self.disagreements
            ],
            "robustness": _named(self.robustness, "share", "draws", "word", "by_weights", "by_thresholds", "text"),
            "instead": [
                _named(alternative, "technique", "title", "text", "measured", "meets")
                for alternative in self.alternatives
            ],
            "flips": [_named(flip, "steps", "effort") for flip in self.flips],
        }


def _named(value: object, *names: str) -> JsonDict:
    """Some of a value's attributes, in this order."""
    return {name: getattr(value, name) for name in names}


def advise(case: Case, policy: Policy = POLICY) -> Advice:
    """The whole advice for a case; the same for the same case and policy, wherever it is asked for."""
    facts = derive_facts(case, policy)
    judged = findings(case, facts, policy)
    grounds = reasons(case, facts, policy)
    points = total(grounds)
    shut = any(finding.locks for finding in judged.values())
    ruling = _rule(case, facts, policy, shut=shut, leads=points.fine_tune > points.prompt)
    return Advice(case, policy, facts, judged, grounds, ruling)


def _sketch(case: Case, policy: Policy) -> Sketch:
    """The verdict before any points are added up: both ways it can go."""
    facts = derive_facts(case, policy)
    shut = locked(case, facts, policy)
    ends = [_rule(case, facts, policy, shut=shut, leads=leads) for leads in (False, True)]
    trailing, leading = ((end.approach, end.training, end.leaning) for end in ends)
    rows = tuple((reading.factor, reading.row) for reading in readings(case, facts, policy))
    return Sketch(rows, trailing, leading)


def _rule(case: Case, facts: Facts, policy: Policy, *, shut: bool, leads: bool) -> Ruling:
    """The ordered rules; the docstring of this file is their text.

    shut: some gate locks. leads: training scores above prompting.
    """
    if case.answers.recurrence == "once":
        ruling = Ruling(1, "rag" if facts.knowledge else "prompt")
    elif facts.without_model is not None:
        ruling = Ruling(2, "prompt", technique=facts.without_model)
    elif _met(case, facts) and not (facts.efficiency and case.measured.cost_case == "pass"):
        ruling = Ruling(2, _family(case))
    elif facts.knowledge and not (facts.behaviour or facts.efficiency):
        whole = _whole_corpus_fits(case, policy)
        ruling = Ruling(3, "prompt" if whole else "rag", technique="whole_corpus_in_context" if whole else None)
    elif facts.knowledge:
        ruling = Ruling(4, "rag", leaning="hybrid") if shut else Ruling(4, "hybrid", "ready")
    elif not (facts.behaviour or facts.efficiency):
        ruling = Ruling(6, "prompt")
    elif not shut:
        ruling = Ruling(5, "fine_tune", "ready", technique="distil" if facts.efficiency_path else None)
    else:
        enough = facts.free_lead is not None and not _falls_short(case, facts.free_lead, policy)
        leans = leads and case.answers.definition_changes != "monthly" and not enough
        ruling = Ruling(5, "prompt", leaning="fine_tune" if leans else None)
    if ruling.approach == "prompt" and ruling.technique is None:
        return replace(ruling, technique=_technique(case, facts, ruling, policy))
    return ruling


def _falls_short(case: Case, arm: Arm, policy: Policy) -> bool:
    """Whether an arm stays short of the target, interval and all."""
    return standing((case.measured.arms or {}).get(arm), case.answers.target, policy) == "short"


def _met(case: Case, facts: Facts) -> bool:
    baseline = case.measured.baseline
    if baseline is not None and baseline.there:
        return facts.baseline == "met"
    return case.answers.prompting_tried == "met" and not facts.knowledge


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


WON_BY = ("schema", "many_shot", "label_scoring", "small_classifier", "embedding_classifier")
"""Best arms that are more than a prompt, and are named with the advice."""


def _technique(case: Case, facts: Facts, ruling: Ruling, policy: Policy) -> str | None:
    """The cheap move that makes the prompt do: the arm that won, batch mode, or a schema."""
    baseline, patient = case.measured.baseline, case.answers.latency != "tight"
    if ruling.rule == 5 and ruling.leaning is None and facts.free_lead is not None:
        return facts.free_lead
    if ruling.rule == 2 and baseline is not None and baseline.best_arm in WON_BY:
        return baseline.best_arm
    if facts.efficiency and case.measured.cost_case == "fail":
        return "batch_tier" if patient else "prompt_caching"
    if ruling.rule == 1 and patient:
        return "batch_tier"
    if checker(case, policy)[0] == "most":
        return "schema"
    return None


def _confidence(ruling: Ruling, judged: Mapping[str, Finding], grounds: Iterable[Reason]) -> Confidence:
    """High if everything the verdict rests on was measured; each thing that wasn't takes one step off.

    A one-off rests on G3, a met target on G6, a knowledge need on G2, the others on every gate that can be measured
    (G3, G10 and G11 are a person's word by nature, and that test answers were checked, in G4, is one too). Answers
    nobody knows count as well, whatever they would be worth.
    """
    rests = {1: ("G3",), 2: ("G6",), 3: ("G2",)}.get(ruling.rule)
    doubts = sum(
        (finding.how == "declared" and (gate, finding.state) != ("G4", "pass")) or finding.state == "unknown"
        for gate, finding in judged.items()
        if (gate in rests if rests else gate not in DECLARED_BY_NATURE) and finding.state != "not_applicable"
    )
    doubts += sum(not reason.known for reason in grounds if reason.factor not in MEASURED_ONLY)
    if doubts == 0:
        return "high"
    return "medium" if doubts == 1 else "low"
