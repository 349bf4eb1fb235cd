"""G1 to G12: what has to be shown before training is unlocked.

Each gate is one function from a case to a `Gate` with four lines: what we measured, what is needed, what would
change it, what to do meanwhile. A gate that can't be judged is `unknown`, and unknown locks like a failure.

Readings of the points that the rules leave open:

- *How*: `measured` if the value that decided came from the app, else `declared`. A declared value can fail a gate
  (someone who says "534 examples" need not upload them to learn that they are too few), but it passes only G2, G3,
  G8, G10 and G11, where nothing else is to be had. It never passes G1, G4, G5, G6 or G9.
- *G2* passes without a measurement only where no outside facts are asked for: `facts` isn't a goal and the facts it
  needs never change or there is no reference text. Daily facts fail whatever else is said.
- *G3* compares the calls of the next six months with ten times the examples, counted up to the floor of G1. Without
  that cap, adding rows would lock what was ready, and throwing rows away would unlock it.
- *G4* asks for the floor; the number that a certain gap needs is in the text of G6, where that gap is known.
- *G5* fails as long as no baseline was run, whatever people say they tried. A schema arm is asked for where the main
  goal is a fixed shape or fields and people say that a checker would prevent most failures; retrieval and oracle arms
  where there is a knowledge need.
- *G6* fails when prompting MET the target and when it is UNCLEAR. On the efficiency path it passes if the small
  model is SHORT and the teacher MET.
- *G7* fails once a baseline was run while metric or target were missing; before any run, setting both is enough.
- *G8* takes a declared "low" seriously until a kappa was measured: contradicting twins are only one half of the
  question.
- *G9* has nothing to judge when prompting met the target, or on the efficiency path (the teacher shows that the
  failures are the small model's), as long as too few failures were tagged. It fails without any goal that training
  can serve.
- *G12* binds when efficiency is, or may be, the main goal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.advice.case import NOBODY, Case, Result
from app.advice.needs import CAUSES, EPSILON, Needs, interval, rows_to_settle
from app.advice.policy import Policy
from app.advice.scoring import examples

State = Literal["pass", "fail", "unknown", "not_applicable"]
How = Literal["measured", "declared"]

ORDER = ("G7", "G5", "G6", "G3", "G2", "G9", "G8", "G4", "G1", "G10", "G11", "G12")
"""Cheapest for the user first: the order in which messages are shown."""

SHAPED = ("format", "extract")
"""Main goals whose answers a schema can hold. A query language or a label set has no schema that says it all."""

DECLARED_BY_NATURE = ("G3", "G10", "G11")
"""Nothing but a person's word can settle these, so they say nothing about how well a verdict is founded."""

ARM_NAMES = {
    "zero_shot": "written instructions alone",
    "few_shot_random": "instructions with random examples",
    "few_shot_nearest": "instructions with the nearest examples",
    "revised_prompt": "revised instructions",
    "schema": "answers held to a schema",
    "rag": "looked-up passages",
    "oracle": "the right passage given",
    "many_shot": "many examples in the prompt",
    "trivial": "a trivial rule",
    "small_classifier": "a small classifier",
    "stronger_model": "a stronger model",
}


@dataclass(frozen=True, slots=True)
class Gate:
    id: str
    title: str
    state: State
    how: How
    measured: str
    needed: str
    change: str
    meanwhile: str

    @property
    def locks(self) -> bool:
        return self.state in ("fail", "unknown")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one gate found; `needed` and `meanwhile` have defaults per gate."""

    state: State
    how: How
    measured: str
    change: str = "Nothing; this criterion is met."


def gates(case: Case, needs: Needs, policy: Policy) -> list[Gate]:
    """All twelve, G1 first."""
    found = []
    for gate, (title, judge, needed) in _GATES.items():
        finding = judge(case, needs, policy)
        found.append(
            Gate(
                gate,
                title,
                finding.state,
                finding.how,
                finding.measured,
                needed(case, needs, policy),
                finding.change,
                _meanwhile(gate, finding, case, needs),
            )
        )
    return found


def blockers(found: list[Gate]) -> list[Gate]:
    """What keeps training locked, the cheapest for the user first."""
    return sorted((gate for gate in found if gate.locks), key=lambda gate: ORDER.index(gate.id))


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def score_text(result: Result) -> str:
    """`74.0 % (69.5-78.1 %) on 400 rows`."""
    score, low, high = interval(result)
    rows = f" on {result.total:,} rows" if result.total else ""
    return f"{percent(score)} ({low * 100:.1f}-{percent(high)}){rows}"


# ------------------------------------------------------------------ G1: examples


def _enough_examples(case: Case, needs: Needs, policy: Policy) -> _Finding:
    floor = policy.count("usable_examples")
    uploaded, usable, declared = (
        case.measured.uploaded_examples,
        case.measured.usable_examples,
        case.answers.examples_declared,
    )
    if usable is not None:
        came = f" of {uploaded:,} uploaded" if uploaded is not None else ""
        text = f"{usable:,} usable examples{came}, test rows not counted."
        if usable >= floor:
            return _Finding("pass", "measured", text)
        return _Finding(
            "fail", "measured", text, f"About {floor - usable:,} more examples that differ from those you have."
        )
    if uploaded is not None and uploaded < floor:
        return _Finding(
            "fail",
            "measured",
            f"{uploaded:,} rows uploaded, checks not finished.",
            f"At least {floor - uploaded:,} more examples.",
        )
    if declared is not None and declared < floor:
        return _Finding(
            "fail",
            "declared",
            f"You said {declared:,}; nothing is checked yet.",
            f"About {floor - declared:,} more different examples, then upload them.",
        )
    said = (
        "Nothing is uploaded or checked yet." if declared is None else f"You said {declared:,}; only an upload counts."
    )
    return _Finding("unknown", "declared", said, "Upload the examples; the check counts the usable ones.")


# ------------------------------------------------------------------ G2: not knowledge


def _not_knowledge(case: Case, needs: Needs, policy: Policy) -> _Finding:
    answers, gain, context = case.answers, case.measured.oracle_gain, case.measured.rows_carry_context
    goals = answers.goals or ()
    if answers.fact_change == "daily":
        return _Finding(
            "fail",
            "declared",
            "The facts it needs change daily.",
            "Facts that change daily have to be looked up; a training can't follow them.",
        )
    if needs.main_goal == "facts":
        return _Finding(
            "fail",
            "declared",
            "The main goal is to know facts.",
            "A behaviour becomes the main goal once looking up works, and the training rows carry the looked-up text.",
        )
    if not goals:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said yet what should get better.",
            "Say what should get better, and mark the main goal.",
        )
    if needs.main_goal is None and "facts" in goals:
        return _Finding(
            "unknown", "declared", "Facts are among the goals, and no main goal is marked.", "Mark the main goal."
        )
    if gain is not None and gain < policy.limit("oracle_gain") - EPSILON and needs.cause != "facts":
        return _Finding("pass", "measured", f"Giving the right passage lifts the score by {gain * 100:.1f} points.")
    if context:
        return _Finding("pass", "measured", "Every training row carries the looked-up text that it will see in use.")
    if gain is not None and gain >= policy.limit("oracle_gain") - EPSILON:
        return _Finding(
            "fail",
            "measured",
            f"Giving the right passage lifts the score by {gain * 100:.1f} points: information is missing.",
            "Build the training rows with the looked-up text in them, or close the gap by retrieval alone.",
        )
    if needs.cause == "facts":
        return _Finding(
            "fail",
            "measured",
            "Most tagged failures are missing facts.",
            "Look facts up first; when failures turn into wrong form, train on rows with the looked-up text in them.",
        )
    if "facts" not in goals and (answers.fact_change == "none" or answers.corpus_tokens == 0):
        return _Finding("pass", "declared", "The task needs no outside facts.")
    return _Finding(
        "unknown",
        "declared",
        "Not measured: how much better it gets when the right passage is given.",
        "Run the arm that gets the right passage, or say that no outside facts are needed.",
    )


# ------------------------------------------------------------------ G3: not a one-off


def calls_needed(case: Case, policy: Policy) -> int:
    """The least number of calls in the months ahead: ten for each example, counted up to the floor of G1."""
    floor = policy.count("usable_examples")
    count, _ = examples(case)
    return policy.count("calls_per_example") * min(floor if count is None else count, floor)


def _not_one_off(case: Case, needs: Needs, policy: Policy) -> _Finding:
    recurrence, calls, months = case.answers.recurrence, case.answers.calls_per_month, policy.count("months_ahead")
    if recurrence == "once":
        if calls:
            return _Finding(
                "fail",
                "declared",
                f"You said it runs once, but also {calls:,} calls a month.",
                "One of the two answers must be wrong; if the job goes on, say so.",
            )
        return _Finding(
            "fail", "declared", "The job runs once.", "The same job comes again, or becomes a lasting service."
        )
    if calls is None:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said how many calls a month to expect.",
            "Give a rough number of calls a month.",
        )
    text = f"{calls:,} calls a month, {calls * months:,} in {months} months."
    least = calls_needed(case, policy)
    if calls * months < least:
        return _Finding("fail", "declared", text, f"At least {-(-least // months):,} calls a month.")
    if recurrence is None:
        return _Finding(
            "unknown", "declared", f"{text} Nobody said whether the job goes on.", "Say whether the job keeps running."
        )
    return _Finding("pass", "declared", text)


# ------------------------------------------------------------------ G4: held-out rows


def _held_out(case: Case, needs: Needs, policy: Policy) -> _Finding:
    measured, floor = case.measured, policy.count("test_rows")
    rows, overlap, checked = measured.test_rows, measured.test_overlap_rows, measured.test_human_checked
    if rows is None:
        if case.answers.holdout == "no":
            return _Finding(
                "fail",
                "declared",
                "No part of the data may be kept aside.",
                f"Keep at least {floor:,} rows aside that no prompt and no training sees.",
            )
        return _Finding(
            "unknown",
            "declared",
            "No test rows are frozen yet.",
            f"Upload data; at least {floor:,} rows are set aside and frozen.",
        )
    faults = []
    if rows < floor:
        faults.append(f"Add {floor - rows:,} test rows.")
    if overlap:
        faults.append(f"Remove the {overlap:,} test rows that also occur, or nearly, in the other parts.")
    if checked is False:
        faults.append("Have a person check the answer of every test row; made-up rows may train, never test.")
    overlapping = "overlap not looked for" if overlap is None else f"{overlap:,} overlapping"
    text = f"{rows:,} test rows, {overlapping}, {_checked(checked)}."
    if faults:
        return _Finding("fail", "measured", text, " ".join(faults))
    if overlap is None or checked is None:
        missing = ["run the overlap check"] * (overlap is None) + ["say that people checked the test answers"] * (
            checked is None
        )
        return _Finding("unknown", "measured", text, f"To do: {' and '.join(missing)}.")
    return _Finding("pass", "measured", text)


def _checked(checked: bool | None) -> str:
    return {None: "not known whether people checked them", True: "checked by people", False: "not checked by people"}[
        checked
    ]


# ------------------------------------------------------------------ G5: prompting tried


def arms_needed(case: Case, needs: Needs) -> list[str]:
    """The arms that a fair try of prompting has, here."""
    arms = ["zero_shot", "few_shot_random", "few_shot_nearest"]
    if case.answers.checker_helps == "most" and case.answers.main_goal in SHAPED:
        arms.append("schema")
    if needs.knowledge:
        arms += ["rag", "oracle"]
    return arms


def _prompting_tried(case: Case, needs: Needs, policy: Policy) -> _Finding:
    baseline = case.measured.baseline
    if baseline is None:
        return _Finding(
            "fail",
            "measured",
            "No arm has been run here yet.",
            f"Run these on your rows: {_listed(arms_needed(case, needs))}.",
        )
    missing = [arm for arm in arms_needed(case, needs) if arm not in baseline.arms]
    text = f"{len(baseline.arms)} arms run, {'one round' if baseline.revised else 'no round'} of revised instructions."
    todo = []
    if missing:
        todo.append(f"Run: {_listed(missing)}.")
    if not baseline.revised:
        todo.append("Read the failures, revise the instructions once, and run them again.")
    if todo:
        return _Finding("fail", "measured", text, " ".join(todo))
    if baseline.error_rate is None:
        return _Finding("unknown", "measured", f"{text} Failed calls were not counted.", "Count the failed calls.")
    if baseline.error_rate > policy.limit("error_rate"):
        return _Finding(
            "unknown",
            "measured",
            f"{text} {percent(baseline.error_rate)} of the calls failed.",
            f"Repeat the failed calls until at most {percent(policy.limit('error_rate'))} fail.",
        )
    return _Finding("pass", "measured", text)


def _listed(arms: list[str]) -> str:
    return "; ".join(ARM_NAMES[arm] for arm in arms)


# ------------------------------------------------------------------ G6: short of the target


def _short_of_target(case: Case, needs: Needs, policy: Policy) -> _Finding:
    baseline, target = case.measured.baseline, case.answers.target
    if needs.baseline is None or baseline is None or target is None:
        return _Finding(
            "unknown",
            "measured",
            _why_no_standing(case, policy),
            "Set the target, then run the arms; the best one is run once on the test rows.",
        )
    text = f"Best arm: {score_text(baseline)}; target {percent(target)}."
    if needs.baseline == "met":
        change = "The target rises, or cost becomes the goal: then measure the small model you would train."
        return _Finding("fail", "measured", f"{text} Prompting meets it.", change)
    if needs.baseline == "unclear":
        total = rows_to_settle(baseline, target, policy)
        more = (
            "Add test rows"
            if total is None or not baseline.total
            else f"Add about {total - baseline.total:,} test rows"
        )
        return _Finding(
            "fail", "measured", f"{text} The target lies inside what the score could really be.", f"{more} to know."
        )
    if needs.efficiency_path:
        return _teacher(case, needs, text)
    return _Finding("pass", "measured", f"{text} Prompting stays short of it.")


def _teacher(case: Case, needs: Needs, text: str) -> _Finding:
    teacher = case.measured.teacher
    if needs.teacher is None or teacher is None:
        return _Finding(
            "unknown",
            "measured",
            f"{text} The large model (teacher) was not measured.",
            "Run the large model, or what you use today, on the same test rows.",
        )
    text = f"{text} Teacher: {score_text(teacher)}."
    if needs.teacher == "met":
        return _Finding("pass", "measured", text)
    return _Finding(
        "fail", "measured", text, "Find a teacher that meets the target; what no model reaches can't be distilled."
    )


def _why_no_standing(case: Case, policy: Policy) -> str:
    baseline = case.measured.baseline
    if baseline is None or not baseline.there:
        return "No arm has a score on the test rows yet."
    if baseline.error_rate is None or baseline.error_rate > policy.limit("error_rate"):
        return "Too many calls failed, or nobody counted them, so the score can't be trusted."
    return f"{score_text(baseline)}, but no target to hold it against."


# ------------------------------------------------------------------ G7: metric and target first


def _target_first(case: Case, needs: Needs, policy: Policy) -> _Finding:
    metric, target, first = case.answers.metric, case.answers.target, case.measured.metric_set_before_baseline
    ran = case.measured.baseline is not None
    if metric is None or target is None:
        missing = " and ".join(["metric"] * (metric is None) + ["target"] * (target is None))
        text = f"Not set: {missing}."
        if ran:
            return _Finding(
                "fail",
                "measured",
                f"{text} Prompting was measured all the same.",
                "Set both, then measure again; the change is logged and shown.",
            )
        return _Finding("unknown", "declared", text, "Pick the metric and the number that is good enough.")
    text = f"{metric}, target {percent(target)}"
    if first is False:
        return _Finding(
            "fail",
            "measured",
            f"{text}, set after the results were known.",
            "Measure on fresh test rows, with the target set before.",
        )
    if first is None and ran:
        return _Finding(
            "unknown",
            "measured",
            f"{text}; not known whether before or after the results.",
            "The app notes the time when it measures; measure here.",
        )
    return _Finding("pass", "measured" if first else "declared", f"{text}, set before any result.")


# ------------------------------------------------------------------ G8: labels agree


def _labels_agree(case: Case, needs: Needs, policy: Policy) -> _Finding:
    rate, kappa, said = case.measured.contradiction_rate, case.measured.agreement_kappa, case.answers.label_agreement
    parts = []
    if rate is not None:
        parts.append(f"{percent(rate)} of similar rows contradict each other")
    if kappa is not None:
        parts.append(f"kappa {kappa:.2f} between two people")
    text = f"{'; '.join(parts) or 'Nothing measured'}."
    how: How = "measured" if parts else "declared"
    if rate is not None and rate > policy.limit("contradiction_rate") + EPSILON:
        return _Finding(
            "fail",
            "measured",
            text,
            "Merge labels that overlap, write down the tie-break, and relabel the contradicting rows.",
        )
    if kappa is not None:
        if kappa < policy.limit("kappa") - EPSILON:
            return _Finding(
                "fail",
                "measured",
                text,
                "Merge labels that overlap, write down the tie-break, and have two people label 50 rows again.",
            )
        return _Finding("pass", "measured", text)
    if said == "low":
        return _Finding(
            "fail",
            "declared",
            f"{text} You said that experts would disagree.",
            "Have two people label the same 50 rows; if they agree, the measurement counts.",
        )
    if how == "declared" and said is None:
        return _Finding("unknown", "declared", text, "Upload the data, or have two people label the same 50 rows.")
    return _Finding("pass", how, text if parts else f"{text} You said that experts would mostly agree.")


# ------------------------------------------------------------------ G9: failures are behaviour


def _failures_are_behaviour(case: Case, needs: Needs, policy: Policy) -> _Finding:
    causes, least = case.measured.failure_causes, policy.count("tagged_failures")
    if causes is None or causes.total < least:
        return _too_few_tagged(case, needs, f"{causes.total if causes else 0:,} failures tagged.", least)
    shares = {name: getattr(causes, name) / causes.total for name in CAUSES}
    named = ", ".join(f"{_CAUSE_NAMES[name]} {share * 100:.0f} %" for name, share in shares.items())
    text = f"{causes.total:,} failures tagged: {named}."
    todo = [change for cause, change in _FIRST.items() if shares[cause] > policy.limit(f"{cause}_share") + EPSILON]
    if shares["behaviour"] < policy.limit("behaviour_share") - EPSILON:
        todo.append("Training helps once at least half of the failures are wrong form, tone or label.")
    if todo:
        return _Finding("fail", "measured", text, " ".join(todo))
    if not case.answers.goals:
        return _Finding(
            "unknown", "measured", f"{text} Nobody said yet what should get better.", "Say what should get better."
        )
    if not needs.efficiency and not needs.behaviour:
        return _no_trainable_goal(text)
    return _Finding("pass", "measured", text)


_CAUSE_NAMES = {
    "behaviour": "wrong form or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong reference",
}
_FIRST = {
    "facts": "Supply the missing facts first.",
    "instructions": "Rewrite the instructions first.",
    "reference": "Repair the wrong reference answers first.",
}


def _too_few_tagged(case: Case, needs: Needs, text: str, least: int) -> _Finding:
    if needs.baseline == "met":
        return _Finding(
            "not_applicable",
            "measured",
            "Prompting meets the target, so there are few failures to explain.",
            "Nothing while the target is met.",
        )
    if not case.answers.goals:
        return _Finding(
            "unknown",
            "declared",
            f"{text} Nobody said yet what should get better.",
            f"Say what should get better, then tag {least} failures.",
        )
    if not needs.efficiency and not needs.behaviour:
        return _no_trainable_goal(text)
    if needs.efficiency_path:
        return _Finding(
            "not_applicable",
            "measured",
            "The aim is to copy what a large model can already do.",
            "Nothing on this path.",
        )
    return _Finding(
        "unknown", "measured", text, f"Read {least} failures of the best arm and say for each what is wrong."
    )


def _no_trainable_goal(text: str) -> _Finding:
    return _Finding(
        "fail",
        "declared",
        f"{text} None of the goals is something that examples teach.",
        "A goal like a fixed shape, a style or labels is added, because the failures call for it.",
    )


# ------------------------------------------------------------------ G10, G11, G12


def _rights(case: Case, needs: Needs, policy: Policy) -> _Finding:
    match case.answers.training_rights:
        case "yes" if case.measured.identifiers_decided is False:
            return _Finding(
                "fail",
                "measured",
                "You may train on these rows, you said; some hold personal data or secrets, and nobody has decided"
                " about them.",
                "Mask them, leave those rows out, or say why they may stay. Minutes.",
            )
        case "yes":
            return _Finding("pass", "declared", "You may train on these rows, you said.")
        case "no":
            return _Finding(
                "fail",
                "declared",
                "These rows may not be used for training, you said.",
                "Get the right to train on them, or use rows that you may.",
            )
    return _Finding(
        "unknown",
        "declared",
        "Nobody said whether the rows may be used for training.",
        "Ask whoever owns the data, and answer the question.",
    )


def _owned(case: Case, needs: Needs, policy: Policy) -> _Finding:
    owner = case.answers.owner
    if owner is None:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said who would own the model.",
            "Name the person or team that re-tests and re-trains. Two minutes.",
        )
    if owner == NOBODY:
        return _Finding(
            "fail", "declared", "Nobody is named to re-test and re-train.", "Name a person or a team. Two minutes."
        )
    return _Finding("pass", "declared", f"{owner} re-tests and re-trains.")


def _worth_it(case: Case, needs: Needs, policy: Policy) -> _Finding:
    cost = case.measured.cost_case
    if cost == "pass" and needs.efficiency:
        return _Finding("pass", "measured", "The computed saving is larger than what the model costs.")
    if not needs.efficiency_path:
        shown = {"pass": "It would pay", "fail": "It would not pay"}.get(cost or "", "Cost is not the main goal")
        return _Finding(
            "not_applicable",
            "measured" if cost else "declared",
            f"{shown}; this binds only when cost is the main goal.",
            "Nothing while cost is not the main goal.",
        )
    if cost == "fail":
        return _Finding(
            "fail",
            "measured",
            "The computed saving is smaller than what the model costs.",
            "More calls a month, a dearer model to replace, or a cheaper one to serve.",
        )
    return _Finding(
        "unknown",
        "declared",
        "Cost or speed is the main goal, and no cost case was computed.",
        "Give prices and token counts; the saving is computed from them.",
    )


# ------------------------------------------------------------------ the other two lines

Line = Callable[[Case, Needs, Policy], str]


def _says(text: str) -> Line:
    return lambda _case, _needs, _policy: text


_GATES: dict[str, tuple[str, Callable[[Case, Needs, Policy], _Finding], Line]] = {
    "G1": (
        "Enough usable examples",
        _enough_examples,
        lambda _case, _needs, policy: (
            f"{policy.count('usable_examples'):,} usable examples besides the test rows, counted in the uploaded file."
        ),
    ),
    "G2": (
        "The goal is not to add knowledge",
        _not_knowledge,
        lambda _case, _needs, policy: (
            f"The main goal is not to know facts, and the right passage lifts the score by less than "
            f"{policy.limit('oracle_gain') * 100:.0f} points or every training row carries looked-up text."
        ),
    ),
    "G3": (
        "Not a one-off",
        _not_one_off,
        lambda case, _needs, policy: (
            f"A job that goes on, with at least {calls_needed(case, policy):,} calls "
            f"in the next {policy.count('months_ahead')} months."
        ),
    ),
    "G4": (
        "Held-out test set",
        _held_out,
        lambda _case, _needs, policy: (
            f"At least {policy.count('test_rows'):,} test rows, frozen, none of them in the other parts, "
            "every answer checked by a person."
        ),
    ),
    "G5": (
        "Prompting tried first",
        _prompting_tried,
        lambda case, needs, policy: (
            f"Run here: {_listed(arms_needed(case, needs))}; one revision of the instructions; "
            f"at most {percent(policy.limit('error_rate'))} failed calls."
        ),
    ),
    "G6": (
        "Prompting is short of the target",
        _short_of_target,
        lambda _case, needs, _policy: (
            "The small model with its best prompt stays below the target, interval and all, and the large one meets it."
            if needs.efficiency_path
            else "The best arm stays below the target, and so does its whole 95 % interval."
        ),
    ),
    "G7": ("Metric and target set first", _target_first, _says("A metric and a number, set before the first result.")),
    "G8": (
        "The labels agree",
        _labels_agree,
        lambda _case, _needs, policy: (
            f"At most {percent(policy.limit('contradiction_rate'))} contradicting rows, and kappa of at least "
            f"{policy.limit('kappa'):g} where two people labelled the same rows."
        ),
    ),
    "G9": (
        "The failures are behaviour",
        _failures_are_behaviour,
        lambda _case, _needs, policy: (
            f"{policy.count('tagged_failures')} tagged failures: "
            f"at least {policy.limit('behaviour_share') * 100:.0f} % wrong form or label, "
            f"at most {policy.limit('facts_share') * 100:.0f} % missing facts, "
            f"{policy.limit('instructions_share') * 100:.0f} % unclear instructions, "
            f"{policy.limit('reference_share') * 100:.0f} % wrong references."
        ),
    ),
    "G10": ("Rights and privacy", _rights, _says("The right to train on these rows.")),
    "G11": (
        "Somebody owns it",
        _owned,
        _says("A named person or team that re-tests when the base model or the rules change."),
    ),
    "G12": (
        "Worth it",
        _worth_it,
        _says("A computed saving larger than hosting and upkeep, when cost or speed is the main goal."),
    ),
}

_MEANWHILE = {
    "G1": "Collect examples of the inputs that fail most.",
    "G2": "Give the model the text it needs with each question.",
    "G3": "Use the best prompt, in the cheaper batch mode if nobody waits for the answer.",
    "G4": "Read results as hints; nothing proved on few rows holds.",
    "G5": "Running the arms costs minutes and no training; do it next.",
    "G6": "Use the best arm as it is.",
    "G7": "Agree on the number with whoever pays for a wrong answer.",
    "G8": "Write down how to decide the hard cases.",
    "G9": "Read failures; twenty minutes of reading settle more than another run.",
    "G10": "Work on rows that you may use, or stay with prompting.",
    "G11": "Prompting needs no owner of a model.",
    "G12": "Shorten the prompt, cache it, use batch mode or a smaller model.",
}


def _meanwhile(gate: str, finding: _Finding, case: Case, needs: Needs) -> str:
    if finding.state in ("pass", "not_applicable"):
        return "Nothing to do here."
    baseline = case.measured.baseline
    if baseline is not None and baseline.there and baseline.best_arm and gate not in ("G5", "G7"):
        return f"{_MEANWHILE[gate]} Best so far: {ARM_NAMES[baseline.best_arm]}, {percent(interval(baseline)[0])}."
    return _MEANWHILE[gate]
