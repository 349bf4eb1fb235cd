"""The gates in words: what was measured, what is needed, what would change it, what to do meanwhile.

Conditions, actions and titles are sentences of the policy; their text is part of its hash and of every approval given
under it, so they stay as they are. Where a number of one would make such a sentence wrong, `FOR_ONE` has another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.advice.facts import Facts, Score, interval
from app.advice.gates.finding import Finding, How, State
from app.advice.gates.judge import condition
from app.advice.policy import Policy
from app.advice.schema import Case
from app.advice.sentences.scores import ARM_NAMES, listed, score_text
from app.glossary import named
from app.wording import MINUS, Statement, Wording, joined, percent, plural

NOTHING = "Nothing; this criterion is met."
NOTHING_TO_DO = "Nothing to do here."


@dataclass(frozen=True, slots=True)
class Gate:
    """One criterion in words. What a reviewer approves holds these very fields: a further one would void approvals."""

    id: str
    title: str
    state: State
    how: How
    measured: str
    needed: str
    change: str
    meanwhile: str

    @property
    def label(self) -> str:
        """What pages call it; the title is part of what is approved."""
        return named(f"gate.{self.id}", self.title)

    @property
    def locks(self) -> bool:
        return self.state in ("fail", "unknown")


def in_words(gate: str, finding: Finding, case: Case, facts: Facts, policy: Policy) -> Gate:
    """A gate's finding with its four lines."""
    return Gate(
        gate,
        policy.gates[gate].title,
        finding.state,
        finding.how,
        " ".join(OBSERVED[gate](statement) for statement in finding.observed),
        _of_policy(gate, condition(gate, case, facts, policy), policy),
        " ".join(_of_policy(gate, action, policy) for action in finding.actions) or NOTHING,
        _meanwhile(gate, finding, case, facts, policy),
    )


def _of_policy(gate: str, statement: Statement, policy: Policy) -> str:
    """One of the gate's sentences in the policy, or beside it, with the numbers of the case."""
    key = (gate, statement.code)
    if (sentence := OF_THE_APP.get(key) or TODAYS.get(key)) is not None:
        return policy.filled(sentence)
    if 1 in statement.values.values() and (sentence := FOR_ONE.get((gate, statement.code))) is not None:
        return policy.filled(sentence)
    return policy.say(gate, statement.code, **{name: _value(value) for name, value in statement.values.items()})


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else listed(value) if isinstance(value, list) else str(value)


def _meanwhile(gate: str, finding: Finding, case: Case, facts: Facts, policy: Policy) -> str:
    if not finding.locks:
        return NOTHING_TO_DO
    sentence, baseline = policy.gates[gate].meanwhile, case.measured.baseline
    free = (case.measured.arms or {}).get(facts.free_lead) if facts.free_lead is not None else None
    if free is not None and facts.free_lead is not None and gate not in ("G5", "G7"):
        return f"{sentence} Best so far: {ARM_NAMES[facts.free_lead]}, {percent(interval(free)[0])}."
    if baseline is not None and baseline.there and baseline.best_arm and gate not in ("G5", "G7"):
        return f"{sentence} Best so far: {ARM_NAMES[baseline.best_arm]}, {percent(interval(baseline)[0])}."
    return sentence


OF_THE_APP = {
    ("G5", "cut"): "Raise the longest answer, ask for short ones, or take a model that stops by itself; then measure "
    "again.",
    ("G5", "documents"): "Add the documents that the facts stand in: without them nothing can be retrieved.",
    ("G2", "no_documents"): "Add the documents that the facts stand in, then run RAG and oracle retrieval. Where facts "
    "are no goal, {tagged_failures} tagged failures settle it too.",
    (
        "G8",
        "references",
    ): "Repair the wrong answers in the file, upload it again, and have a second person check 50 rows anew.",
    ("G8", "judge_rubric"): "Start the judge by the newest rubric, have people label 50 answers, and measure again.",
    ("G8", "judge_judge"): "Start the judge again as it is now, see that it agrees with people, and measure again; or "
    "choose another metric.",
    ("G8", "judge_few"): "Have people label answers on the page LLM judge.",
    ("G8", "judge_kappa"): "Make the rubric clearer or choose another judge, have people label 50 answers by it, and "
    "measure again; or choose another metric.",
    ("G8", "judge_coin"): "Have people label more answers, of which some pass and some fail, or choose another judge.",
    ("G8", "judge_labels"): "Correct the scores by all labels, on the page LLM judge. Nothing is asked again.",
    ("G8", "declared_low_text"): "Have a second person check the answers of 50 rows, settle where they differ, and "
    "answer this question again by what you learned.",
}
"""Actions that the policy has no sentence for."""

TODAYS = {
    ("G2", "not_measured"): "Run RAG and oracle retrieval: how far the gold passage lifts the score settles it. Where "
    "facts are no goal, {tagged_failures} tagged failures settle it too.",
    ("G8", "declared_low"): "Have a second person label 50 rows without seeing the labels: the kappa replaces this "
    "answer.",
}
"""What is said in place of sentences of the policy that name something the app could not do when they were written."""

FOR_ONE = {
    ("G1", "short"): "About 1 more example that differs from those you have.",
    ("G1", "unfinished"): "At least 1 more example.",
    ("G1", "declared"): "About 1 more example that differs, then upload them.",
    ("G3", "few_calls"): "At least 1 call a month.",
    ("G4", "few"): "Add 1 test row.",
    ("G4", "asked"): "Only 1 was asked and answered: measure again and ask at least {test_rows} of them.",
    ("G4", "overlap"): "Remove the 1 test row that also occurs, or nearly, in the other parts.",
    ("G6", "unclear_by"): "Add about 1 test row to know.",
    ("G6", "few"): "Ask 1 more test row: on fewer than {test_rows}, no result proves that prompting falls short.",
    (
        "G9",
        "few_failed",
    ): "The best arm failed on 1 dev row only: measure on more of them, or add rows, "
    "until there are {tagged_failures} failures to read.",
}
"""Sentences of the policy with a number in them, for a number of one."""


def changes_in_general(policy: Policy, gate: str) -> list[str]:
    """What would change a criterion, sentence by sentence and without a case, as the app says it today."""
    names = (
        name for name in policy.gates[gate].sayings if not name.startswith("needed") and (gate, name) not in UNSAID
    )
    return [
        policy.filled(TODAYS[gate, name]) if (gate, name) in TODAYS else policy.in_general(gate, name) for name in names
    ]


UNSAID = {("G5", "no_schema"), ("G5", "no_passages")}
"""Sentences of the policy about arms that could not be run; they stay in its hash, and nothing says them any more."""

# ------------------------------------------------------------------ what was measured


def _usable(usable: int, uploaded: int | None) -> str:
    of = f" of {uploaded:,} uploaded" if uploaded is not None else ""
    return f"{plural(usable, 'usable example')}{of}, test rows not counted."


def _test_rows(rows: int, answered: int | None, overlap: int | None, checked: bool | None) -> str:
    of = "" if answered is None else f", {answered:,} of them asked and answered"
    overlapping = "overlap not looked for" if overlap is None else f"{overlap:,} overlapping"
    return f"{plural(rows, 'test row')}{of}, {overlapping}, {CHECKED[checked]}."


CHECKED = {
    None: "nobody said whether people checked them",
    True: "checked by people, you said",
    False: "not checked by people, you said",
}


def _arms_run(arms: int, revised: bool, by_optimizer: bool = False) -> str:
    by = ", by an optimizer" if by_optimizer else ""
    return f"{plural(arms, 'arm')} run, {'one round' if revised else 'no round'} of revised instructions{by}."


def _ran_on(ran: str | None) -> str:
    return ran or "another model"


def _free(arm: str, score: Score) -> str:
    return f"{ARM_NAMES[arm]} reaches {score_text(score)} without a language model"


def _agreement(
    rate: float | None,
    questions: int | None,
    contradictory: int | None,
    few: bool,
    kappa: float | None,
    rows: int | None,
    references: tuple[int, int | None] | None,
) -> str:
    parts = []
    if rate is not None:
        parts.append(_contradicting(rate, questions, contradictory or 0, few))
    if kappa is not None:
        on = f" on {plural(rows, 'row')}" if rows is not None else ""
        parts.append(f"kappa {kappa:.2f} between two people{on}".replace("-", MINUS))
    if references is not None:
        judged, wrong = references
        parts.append(f"{wrong or 0:,} of {plural(judged, 'answer')} wrong, a second person found")
    return f"{'; '.join(parts) or 'Nothing measured'}."


def _judge_fails(fault: str, labels: int | None, kappa: float | None, limit: float) -> str:
    agreed = "" if kappa is None else f" Kappa {kappa:.2f} with people, {limit:.2g} is asked for.".replace("-", MINUS)
    on = "" if labels is None else f" {plural(labels, 'label')} by people."
    return f"The metric is an LLM judge, and {JUDGE_FAULTS[fault]}.{agreed}{on}"


JUDGE_FAULTS = {
    "rubric": "its rubric was changed since it scored",
    "judge": "the judge is another one by now, or may not be asked",
    "few": "too few of its words were compared with people's",
    "kappa": "it agrees too little with people",
    "coin": "it can't surely tell answers that pass from answers that fail",
    "labels": "people labelled more since, which its scores are not corrected by",
}


def _contradicting(rate: float, questions: int | None, contradictory: int, few: bool) -> str:
    """The share, with what it is a share of where that is known."""
    if questions is None:
        return f"{percent(rate)} of similar rows contradict each other"
    if not questions:
        return "No two rows ask the same, so none contradict each other"
    have = "has" if contradictory == 1 else "have"
    rest = "; too few questions to judge all labels by" if few else ""
    return (
        f"{contradictory:,} of {questions:,} questions that stand there more than once {have} answers that contradict "
        f"each other ({percent(rate)}){rest}"
    )


CAUSES = {
    "behaviour": "wrong form or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong reference",
}


def _shares(tagged: int, shares: Mapping[str, float]) -> str:
    named = ", ".join(f"{CAUSES[name]} {share * 100:.0f} %" for name, share in shares.items())
    return f"{plural(tagged, 'failure')} tagged: {named}."


def _unset(missing: Sequence[str]) -> str:
    return f"Not set: {joined(missing)}."


def _with_basis(sentence: str, basis: str | None) -> str:
    return f"{sentence} {basis}" if basis else sentence


def _not_the_goal(cost: str | None) -> str:
    paying = {"pass": "It would pay", "fail": "It would not pay"}.get(cost or "", "Cost is not the main goal")
    return f"{paying}; this binds only when cost is the main goal."


OBSERVED = {
    "G1": Wording({
        "usable": _usable,
        "unchecked": "{uploaded:#row} uploaded, checks not finished.",
        "declared_only": "You said {declared:,}; nothing is checked yet.",
        "declared_enough": "You said {declared:,}; only an upload counts.",
        "nothing": "Nothing is uploaded or checked yet.",
    }),
    "G2": Wording({
        "daily": "The facts it needs change daily.",
        "main_goal": "The main goal is to know facts.",
        "no_goal": "Nobody said yet what should get better.",
        "no_main_goal": "Facts are among the goals, and no main goal is marked.",
        "small_gain": lambda gain: f"Giving the right passage lifts the score by {gain * 100:.1f} points.",
        "context": "Every training row carries the looked-up text that it will see in use.",
        "large_gain": lambda gain: (
            f"Giving the right passage lifts the score by {gain * 100:.1f} points: information is missing."
        ),
        "causes": "Most tagged failures are missing facts.",
        "unsaid": "Nobody named facts, but your answers hold names, numbers or dates that are not in their inputs.",
        "no_outside_facts": "The task needs no outside facts.",
        "few_missing_facts": "{share:%0} of the {tagged:,} tagged failures are missing facts.",
        "not_measured": "Not measured: how much better it gets when the right passage is given.",
    }),
    "G3": Wording({
        "contradiction": "You said it runs once, but also {calls:#call} a month.",
        "once": "The job runs once.",
        "no_calls": "Nobody said how many calls a month to expect.",
        # The months stay in the plural: it is what approvals under a policy that looks one month ahead were given for.
        "volume": "{calls:#call} a month, {ahead:,} in {months} months.",
        "unsaid": "Nobody said whether the job goes on.",
    }),
    "G4": Wording({
        "not_kept": "No part of the data may be kept aside.",
        "not_frozen": "No test rows are frozen yet.",
        "test_rows": _test_rows,
    }),
    "G5": Wording({
        "nothing": "No arm has been run here yet.",
        "arms_run": _arms_run,
        "untrainable_base": lambda ran: f"They ran on {_ran_on(ran)}, which can't be trained here.",
        "other_base": lambda ran, trains: f"They ran on {_ran_on(ran)}; training would be on {trains}.",
        "cut": "{share:%1} of the best arm's answers were cut: no fair try.",
        "unfinished": "A newer run is not finished.",
        "uncounted": "Failed calls were not counted.",
        "errors": "{share:%1} of the calls failed.",
    }),
    "G6": Wording({
        "without_model": lambda arm, score, target: (
            f"No language model is needed: {ARM_NAMES[arm]} reaches {score_text(score)}; target {percent(target)}."
        ),
        "no_score": "No arm has a score on the test rows yet.",
        "cut": "{share:%1} of the answers were cut, so the score can't be trusted.",
        "beyond": lambda arm: f"The best arm is {ARM_NAMES[arm]}, which nobody could use.",
        "errors": "Too many calls failed, or nobody counted them, so the score can't be trusted.",
        "no_target": lambda score: f"{score_text(score)}, but no target to hold it against.",
        "best": lambda score, target: f"Best arm: {score_text(score)}; target {percent(target)}.",
        "met": "Prompting meets it.",
        "free_may_do": lambda arm, score: f"But {_free(arm, score)}, so that may be the target already.",
        "free_to_beat": lambda arm, score: f"But {_free(arm, score)}: an adapter has to beat that too.",
        "unclear": "The target lies inside what the score could really be.",
        "short": "Prompting stays short of it.",
        "rows_unknown": "Nobody said on how many rows.",
        "no_teacher": "The large model (teacher) was not measured.",
        "teacher": lambda score: f"Teacher: {score_text(score)}.",
    }),
    "G7": Wording({
        "unset": _unset,
        "measured_anyway": "Prompting was measured all the same.",
        # As in every subject that was ever approved: a label in place of the metric's name would end those approvals.
        "late": "{metric}, target {target:%1}, set after the results were known.",
        "order_unknown": "{metric}, target {target:%1}; not known whether before or after the results.",
        "changed_once": "{metric}, target {target:%1}, changed once after results were known; once is allowed.",
        "first": "{metric}, target {target:%1}, set before any result.",
    }),
    "G8": Wording({
        "agreement": _agreement,
        "judge_fails": _judge_fails,
        "disagree": "You said that experts would disagree.",
        "agree": "You said that experts would mostly agree.",
    }),
    "G9": Wording({
        "tagged": "{tagged:#failure} tagged.",
        "shares": _shares,
        "twice": lambda rows, kappa: (
            f"Two people tagged {plural(rows, 'failure')}"
            + (f", kappa {kappa:.2f}.".replace("-", MINUS) if kappa is not None else ".")
        ),
        "no_goal": "Nobody said yet what should get better.",
        "met": "Prompting meets the target, so there are few failures to explain.",
        "copying": "The aim is to copy what a large model can already do.",
        "untrainable": "None of the goals is something that examples teach.",
    }),
    "G10": Wording({
        "undecided": "You may train on these rows, you said; personal data or secrets were found in the rows or the"
        " documents, and nobody has decided about them.",
        "allowed": "You may train on these rows, you said.",
        "forbidden": "These rows may not be used for training, you said.",
        "unsaid": "Nobody said whether the rows may be used for training.",
    }),
    "G11": Wording({
        "unsaid": "Nobody said who would own the model.",
        "nobody": "Nobody is named to re-test and re-train.",
        "owned": "{owner} re-tests and re-trains.",
    }),
    "G12": Wording({
        "pays": lambda basis: _with_basis("The computed saving is larger than what the model costs.", basis),
        "not_the_goal": _not_the_goal,
        "does_not_pay": lambda basis: _with_basis("The computed saving is smaller than what the model costs.", basis),
        "no_cost_case": "Cost or speed is the main goal, and no cost case was computed.",
    }),
}  # fmt: skip
"""For each gate the sentences of what was measured, by the codes of `app.advice.gates`."""
