"""G1 to G12: what has to be shown before training is unlocked.

Each gate is one function from a case to a `Finding`: its state, what was measured, and what would change it, as codes
and numbers. A gate that can't be judged is `unknown`, and unknown locks like a failure. `sentences/gates.py` has the
words for what was measured; titles, conditions and what to do are sentences of `policy.toml`.

Readings of the points that the rules leave open:

- *How*: `measured` if the value that decided came from the app, else `declared`. A declared value can fail a gate
  (someone who says "534 examples" need not upload them to learn that they are too few), but it passes only G2, G3,
  G8, G10 and G11, where nothing else is to be had. It never passes G1, G4, G5, G6 or G9.
- *G2* passes without a measurement only where no outside facts are asked for: `facts` isn't a goal and the facts it
  needs never change or there is no reference text, and where the rows don't look as if it took facts to answer them.
  Where `facts` isn't a goal, enough tagged failures of which few are missing facts show it too. Daily facts fail
  whatever else is said.
- *G3* compares the calls of the next six months with ten times the examples, counted up to the floor of G1. Without
  that cap, adding rows would lock what was ready, and throwing rows away would unlock it.
- *G4* asks for the floor; the number that a certain gap needs is in the text of G6, where that gap is known. Once there
  is a result, the rows that were asked and answered count, whatever the file holds beside them. That people checked the
  test answers is their word, so a pass is `declared`.
- *G5* fails as long as no baseline was run, whatever people say they tried, and where it ran on other weights than
  those that would be trained. A schema arm is part of a fair try where the rows show answers that a schema holds, or
  where the main goal is a fixed shape or fields and a checker would prevent most failures; retrieval and the right
  passage given where there is a knowledge need. Where there is nothing to retrieve from, it says what to bring.
- *G6* is unknown where the best arm is none that anybody could use: the right passage given, another model. It fails
  when prompting MET the target, or an arm that asks no language model did, and when it is UNCLEAR; also when
  such an arm beats every prompt on the test rows and whether it reaches the target is UNCLEAR. On the efficiency path
  it passes if the small model is SHORT and the teacher MET. It passes on no fewer answered rows than G4 asks for, the
  teacher's too; a score without the number of its rows is unknown.
- *G7* fails once a baseline was run while metric or target were missing; before any run, setting both is enough.
- *G8* by contradictions fails only where they are surely too many (`scoring.contradicting`): ten pairs in a thousand
  rows are taken out, and say little of the rest. A kappa counts from 50 rows on, and so does the share of wrong
  references that a second person finds in a random sample, where answers are no labels (decision rules, G8).
- *G8* fails where an LLM judge is the metric and its agreement with people's labels does not hold any more: below the
  kappa that the policy asks of two people, on too few labels, or of another rubric or judge. One that holds shows
  nothing about the labels of the rows, so it passes nothing.
- *G8* takes a declared "low" seriously until a kappa was measured: contradicting twins are only one half of the
  question.
- *G9* has nothing to judge when prompting met the target, or on the efficiency path (the teacher shows that the
  failures are the small model's), as long as too few failures were tagged. It fails without any goal that training
  can serve.
- *G12* binds when efficiency is, or may be, the main goal.
"""

from collections.abc import Callable, Mapping

from app.advice.facts import Facts
from app.advice.gates import data, prompting, task
from app.advice.gates.finding import Finding
from app.advice.policy import Policy
from app.advice.schema import Case
from app.wording import Statement, state

ORDER = ("G7", "G5", "G6", "G3", "G2", "G9", "G8", "G4", "G1", "G10", "G11", "G12")
"""Cheapest for the user first: the order in which messages are shown."""

DECLARED_BY_NATURE = ("G3", "G10", "G11")
"""Nothing but a person's word can settle these, so they say nothing about how well a verdict is founded."""

JUDGES: Mapping[str, Callable[[Case, Facts, Policy], Finding]] = {
    "G1": data.enough_examples,
    "G2": task.not_knowledge,
    "G3": task.not_one_off,
    "G4": data.held_out,
    "G5": prompting.prompting_tried,
    "G6": prompting.short_of_target,
    "G7": prompting.target_first,
    "G8": data.labels_agree,
    "G9": prompting.failures_are_behaviour,
    "G10": task.rights,
    "G11": task.owned,
    "G12": task.worth_it,
}
"""Each gate's function, G1 first."""


def findings(case: Case, facts: Facts, policy: Policy) -> dict[str, Finding]:
    """All twelve by name, G1 first."""
    return {gate: judge(case, facts, policy) for gate, judge in JUDGES.items()}


def locked(case: Case, facts: Facts, policy: Policy) -> bool:
    """Whether any gate locks: what a search over many cases asks."""
    return any(JUDGES[gate](case, facts, policy).locks for gate in ORDER)


def condition(gate: str, case: Case, facts: Facts, policy: Policy) -> Statement:
    """What the gate asks for: the name of its sentence in the policy, and the numbers that depend on the case."""
    match gate:
        case "G3":
            return state("needed", calls=task.calls_needed(case, policy))
        case "G5":
            return state("needed", arms=prompting.arms_needed(case, facts, policy))
        case "G6" if facts.efficiency_path:
            return state("needed_cheaper")
    return state("needed")
