"""What to do about a criterion that locks, where in the app that is done, and what it takes.

A criterion can lock for several reasons, and each is settled elsewhere. An act here is one that the app has a page for;
what a finding says as its action is the reason. Efforts are judgements [J], in the steps of `what_if.changes`: minutes
are a person's, or a run's that costs calls; what a run costs stands on its page before it is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.advice.gates.finding import Finding
from app.advice.what_if.changes import Effort


@dataclass(frozen=True, slots=True)
class Act:
    """words: what a button says. path: of the page, below the assessment's own."""

    words: str
    path: str
    effort: Effort


USUAL: Mapping[str, Act] = {
    "G1": Act("Upload more examples", "data", "days"),
    "G2": Act("Review the goals", "describe/goal", "a new answer"),
    "G3": Act("Check the call volume", "describe/use", "a new answer"),
    "G4": Act("Check the test set", "data", "days"),
    "G5": Act("Improve the prompt", "measure", "minutes"),
    "G6": Act("Improve the prompt", "measure", "minutes"),
    "G7": Act("Set metric and target", "describe/success", "a new answer"),
    "G8": Act("Resolve contradictions", "data", "days"),
    "G9": Act("Tag failures", "measure#errors", "minutes"),
    "G10": Act("Settle the rights", "describe/upkeep", "a new answer"),
    "G11": Act("Name an owner", "describe/upkeep", "a new answer"),
    "G12": Act("Calculate costs", "costs", "minutes"),
}
"""What settles each criterion, where its reason has no act of its own."""

DOCUMENTS = Act("Add documents", "documents", "days")
PLAN = Act("Choose variants to run", "measure", "minutes")
JUDGE = Act("Look at the LLM judge", "judging", "minutes")
SECOND_LABELS = Act("Label rows as second person", "second-labels", "minutes")

BY_REASON: Mapping[tuple[str, str], Act] = {
    ("G2", "gap"): DOCUMENTS,
    ("G2", "causes"): DOCUMENTS,
    ("G2", "no_documents"): DOCUMENTS,
    ("G2", "not_measured"): PLAN,
    ("G2", "unsaid"): USUAL["G9"],
    ("G5", "documents"): DOCUMENTS,
    ("G5", "nothing"): PLAN,
    ("G5", "missing"): PLAN,
    ("G5", "errors"): Act("Ask the failed rows again", "measure#unfinished", "minutes"),
    ("G6", "not_measured"): PLAN,
    ("G6", "no_teacher"): PLAN,
    ("G6", "unclear"): Act("Add test rows", "data", "days"),
    ("G6", "unclear_by"): Act("Add test rows", "data", "days"),
    ("G6", "met"): Act("Check the target", "describe/success", "a new answer"),
    ("G8", "kappa"): SECOND_LABELS,
    ("G8", "judge_rubric"): JUDGE,
    ("G8", "judge_judge"): JUDGE,
    ("G8", "judge_few"): JUDGE,
    ("G8", "judge_kappa"): JUDGE,
    ("G8", "judge_coin"): JUDGE,
    ("G8", "judge_labels"): JUDGE,
    ("G8", "references"): Act("See the wrong answers", "second-labels", "days"),
    ("G8", "declared_low"): SECOND_LABELS,
    ("G8", "declared_low_text"): Act("Check answers as second person", "second-labels", "minutes"),
    ("G8", "nothing"): Act("Upload examples", "data", "minutes"),
    ("G9", "facts"): DOCUMENTS,
    ("G9", "reference"): Act("Check answers as second person", "second-labels", "minutes"),
    ("G9", "instructions"): USUAL["G5"],
    ("G9", "no_goal"): USUAL["G2"],
    ("G9", "no_goal_untagged"): USUAL["G2"],
    ("G9", "untrainable"): USUAL["G2"],
    ("G10", "undecided"): Act("Decide on personal data", "data", "minutes"),
}
"""By the gate and the code of the action; what has to be brought before anything else can be done comes first."""

FIRST = ("documents", "no_documents")


def act(gate: str, finding: Finding) -> Act:
    """What to do about it first."""
    codes = [action.code for action in finding.actions]
    codes.sort(key=lambda code: code not in FIRST)
    return next((BY_REASON[gate, code] for code in codes if (gate, code) in BY_REASON), USUAL[gate])


def acts(findings: Mapping[str, Finding]) -> dict[str, Act]:
    """For each criterion."""
    return {gate: act(gate, finding) for gate, finding in findings.items()}
