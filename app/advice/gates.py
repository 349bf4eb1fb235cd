"""G1 to G12: what has to be shown before training is unlocked.

Each gate is one function from a case to a `Gate` with four lines: what we measured, what is needed, what would
change it, what to do meanwhile. A gate that can't be judged is `unknown`, and unknown locks like a failure. What was
measured is put into words here; titles, conditions and what to do are sentences of `policy.toml` (`Policy.say`).

Readings of the points that the rules leave open:

- *How*: `measured` if the value that decided came from the app, else `declared`. A declared value can fail a gate
  (someone who says "534 examples" need not upload them to learn that they are too few), but it passes only G2, G3,
  G8, G10 and G11, where nothing else is to be had. It never passes G1, G4, G5, G6 or G9.
- *G2* passes without a measurement only where no outside facts are asked for: `facts` isn't a goal and the facts it
  needs never change or there is no reference text, and where the rows don't look as if it took facts to answer them.
  Where `facts` isn't a goal, enough tagged failures of which few are missing facts show it too: the arm that gets the
  right passage can't be run here. Daily facts fail whatever else is said.
- *G3* compares the calls of the next six months with ten times the examples, counted up to the floor of G1. Without
  that cap, adding rows would lock what was ready, and throwing rows away would unlock it.
- *G4* asks for the floor; the number that a certain gap needs is in the text of G6, where that gap is known. Once there
  is a result, the rows that were asked and answered count, whatever the file holds beside them. That people checked the
  test answers is their word, so a pass is `declared`.
- *G5* fails as long as no baseline was run, whatever people say they tried, and where it ran on other weights than
  those that would be trained. A schema arm would be part of a fair try where the main goal is a fixed shape or fields
  and people say that a checker would prevent most failures; retrieval and oracle arms where there is a knowledge need.
  None of these can be run here yet (`UNAVAILABLE`). The gate does not ask for them; it is unknown, and names what can
  be done instead: with a schema or a look-up tried elsewhere, the honest answers are others than before.
- *G6* fails when prompting MET the target, or an arm that asks no language model did, and when it is UNCLEAR; also when
  such an arm beats every prompt on the test rows and whether it reaches the target is UNCLEAR. On the efficiency path
  it passes if the small model is SHORT and the teacher MET. It passes on no fewer answered rows than G4 asks for, the
  teacher's too; a score without the number of its rows is unknown.
- *G7* fails once a baseline was run while metric or target were missing; before any run, setting both is enough.
- *G8* by contradictions fails only where they are surely too many (`scoring.contradicting`): ten pairs in a thousand
  rows are taken out, and say little of the rest.
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
from app.advice.needs import CAUSES, EPSILON, Needs, interval, rows_to_settle, standing
from app.advice.policy import Policy
from app.advice.scoring import LEAST_SIMILAR, contradicting, corpus, examples

State = Literal["pass", "fail", "unknown", "not_applicable"]
How = Literal["measured", "declared", "estimated"]

ORDER = ("G7", "G5", "G6", "G3", "G2", "G9", "G8", "G4", "G1", "G10", "G11", "G12")
"""Cheapest for the user first: the order in which messages are shown."""

SHAPED = ("format", "extract")
"""Main goals whose answers a schema can hold. A query language or a label set has no schema that says it all."""

UNAVAILABLE = ("schema", "rag", "oracle")
"""Arms that the app can't run yet: nothing asks for them before it can. What was measured elsewhere may name them."""

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


NOTHING = "Nothing; this criterion is met."


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
    change: str = NOTHING


def gates(case: Case, needs: Needs, policy: Policy) -> list[Gate]:
    """All twelve, G1 first."""
    found = []
    for gate, (judge, needed) in _GATES.items():
        finding = judge(case, needs, policy)
        found.append(
            Gate(
                gate,
                policy.gates[gate].title,
                finding.state,
                finding.how,
                finding.measured,
                needed(gate, case, needs, policy),
                finding.change,
                _meanwhile(gate, finding, case, policy),
            )
        )
    return found


def locked(case: Case, needs: Needs, policy: Policy) -> bool:
    """Whether any gate locks, without the four lines: what a search over many cases asks."""
    return any(_GATES[gate][0](case, needs, policy).state in ("fail", "unknown") for gate in ORDER)


def blockers(found: list[Gate]) -> list[Gate]:
    """What keeps training locked, the cheapest for the user first."""
    return sorted((gate for gate in found if gate.locks), key=lambda gate: ORDER.index(gate.id))


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def score_text(result: Result) -> str:
    """`74.0 % (69.5-78.1 %) on 400 rows`."""
    score, low, high = interval(result)
    rows = f" on {result.answered:,} rows" if result.answered else ""
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
        return _Finding("fail", "measured", text, policy.say("G1", "short", missing=f"{floor - usable:,}"))
    if uploaded is not None and uploaded < floor:
        return _Finding(
            "fail",
            "measured",
            f"{uploaded:,} rows uploaded, checks not finished.",
            policy.say("G1", "unfinished", missing=f"{floor - uploaded:,}"),
        )
    if declared is not None and declared < floor:
        return _Finding(
            "fail",
            "declared",
            f"You said {declared:,}; nothing is checked yet.",
            policy.say("G1", "declared", missing=f"{floor - declared:,}"),
        )
    said = (
        "Nothing is uploaded or checked yet." if declared is None else f"You said {declared:,}; only an upload counts."
    )
    return _Finding("unknown", "declared", said, policy.say("G1", "nothing"))


# ------------------------------------------------------------------ G2: not knowledge


def _not_knowledge(case: Case, needs: Needs, policy: Policy) -> _Finding:
    answers, gain, context = case.answers, case.measured.oracle_gain, case.measured.rows_carry_context
    goals = answers.goals or ()
    if answers.fact_change == "daily":
        return _Finding(
            "fail",
            "declared",
            "The facts it needs change daily.",
            policy.say("G2", "daily"),
        )
    if needs.main_goal == "facts":
        return _Finding(
            "fail",
            "declared",
            "The main goal is to know facts.",
            policy.say("G2", "main_goal"),
        )
    if not goals:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said yet what should get better.",
            policy.say("G2", "no_goal"),
        )
    if needs.main_goal is None and "facts" in goals:
        return _Finding(
            "unknown",
            "declared",
            "Facts are among the goals, and no main goal is marked.",
            policy.say("G2", "no_main_goal"),
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
            policy.say("G2", "gap"),
        )
    if needs.cause == "facts":
        return _Finding(
            "fail",
            "measured",
            "Most tagged failures are missing facts.",
            policy.say("G2", "causes"),
        )
    if needs.facts_unsaid:
        return _Finding(
            "unknown",
            "measured",
            "Nobody named facts, but your answers hold names, numbers or dates that are not in their inputs.",
            policy.say("G2", "unsaid"),
        )
    if "facts" not in goals and (answers.fact_change == "none" or corpus(case)[0] == 0):
        return _Finding("pass", "declared", "The task needs no outside facts.")
    causes = case.measured.failure_causes
    if "facts" not in goals and causes is not None and causes.total >= policy.count("tagged_failures"):
        share = causes.facts / causes.total
        if share <= policy.limit("facts_share") + EPSILON:
            return _Finding(
                "pass", "measured", f"{share * 100:.0f} % of the {causes.total:,} tagged failures are missing facts."
            )
    return _Finding(
        "unknown",
        "declared",
        "Not measured: how much better it gets when the right passage is given.",
        policy.say("G2", "not_measured"),
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
                policy.say("G3", "contradiction"),
            )
        return _Finding("fail", "declared", "The job runs once.", policy.say("G3", "once"))
    if calls is None:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said how many calls a month to expect.",
            policy.say("G3", "no_calls"),
        )
    text = f"{calls:,} calls a month, {calls * months:,} in {months} months."
    least = calls_needed(case, policy)
    if calls * months < least:
        return _Finding("fail", "declared", text, policy.say("G3", "few_calls", calls=f"{-(-least // months):,}"))
    if recurrence is None:
        return _Finding(
            "unknown", "declared", f"{text} Nobody said whether the job goes on.", policy.say("G3", "unsaid")
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
                policy.say("G4", "not_kept"),
            )
        return _Finding(
            "unknown",
            "declared",
            "No test rows are frozen yet.",
            policy.say("G4", "not_frozen"),
        )
    faults = []
    baseline = case.measured.baseline
    asked = rows if baseline is None or not baseline.there else baseline.answered
    if rows < floor:
        faults.append(policy.say("G4", "few", missing=f"{floor - rows:,}"))
    elif asked is not None and asked < floor:
        faults.append(policy.say("G4", "asked", asked=f"{asked:,}"))
    if overlap:
        faults.append(policy.say("G4", "overlap", rows=f"{overlap:,}"))
    if checked is False:
        faults.append(policy.say("G4", "unchecked"))
    overlapping = "overlap not looked for" if overlap is None else f"{overlap:,} overlapping"
    answered = "" if asked is None or asked >= rows else f", {asked:,} of them asked and answered"
    text = f"{rows:,} test rows{answered}, {overlapping}, {_checked(checked)}."
    if faults:
        return _Finding("fail", "measured", text, " ".join(faults))
    if overlap is None or checked is None or asked is None:
        missing = ["overlap_unknown"] * (overlap is None) + ["checked_unknown"] * (checked is None)
        missing += ["asked_unknown"] * (asked is None)
        return _Finding("unknown", "measured", text, " ".join(policy.say("G4", saying) for saying in missing))
    return _Finding("pass", "declared", text)


def _checked(checked: bool | None) -> str:
    return {
        None: "nobody said whether people checked them",
        True: "checked by people, you said",
        False: "not checked by people, you said",
    }[checked]


# ------------------------------------------------------------------ G5: prompting tried


def arms_needed(case: Case, needs: Needs) -> list[str]:
    """The arms that a fair try of prompting has here: of those that can be run."""
    return [arm for arm in _fair_try(case, needs) if arm not in UNAVAILABLE]


def arms_lacking(case: Case, needs: Needs) -> list[str]:
    """What a fair try would have as well, nobody has run, and the app can't run yet."""
    run = case.measured.baseline.arms if case.measured.baseline else ()
    return [arm for arm in _fair_try(case, needs) if arm in UNAVAILABLE and arm not in run]


def _fair_try(case: Case, needs: Needs) -> list[str]:
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
            policy.say("G5", "nothing", arms=_listed(arms_needed(case, needs))),
        )
    missing = [arm for arm in arms_needed(case, needs) if arm not in baseline.arms]
    text = f"{len(baseline.arms)} arms run, {'one round' if baseline.revised else 'no round'} of revised instructions."
    todo = []
    if case.measured.baseline_on_base is False:
        text = f"{text} {_other_base(case)}"
        todo.append(policy.say("G5", "other_base"))
    if missing:
        todo.append(policy.say("G5", "missing", arms=_listed(missing)))
    if not baseline.revised:
        todo.append(policy.say("G5", "revise"))
    if baseline.cut_rate is not None:
        text = f"{text} {percent(baseline.cut_rate)} of the best arm's answers were cut: no fair try."
        todo.append(
            "Raise the longest answer, ask for short ones, or take a model that stops by itself; then measure again."
        )
    if todo:
        return _Finding("fail", "measured", text, " ".join(todo))
    if case.measured.baseline_unfinished:
        return _Finding("unknown", "measured", f"{text} A newer run is not finished.", policy.say("G5", "unfinished"))
    if baseline.error_rate is None:
        return _Finding("unknown", "measured", f"{text} Failed calls were not counted.", policy.say("G5", "uncounted"))
    if baseline.error_rate > policy.limit("error_rate"):
        return _Finding(
            "unknown",
            "measured",
            f"{text} {percent(baseline.error_rate)} of the calls failed.",
            policy.say("G5", "errors"),
        )
    if lacking := arms_lacking(case, needs):
        ways = ["no_schema"] * ("schema" in lacking) + ["no_passages"] * (lacking != ["schema"])
        return _Finding(
            "unknown",
            "measured",
            f"{text} Not available here yet: {_listed(lacking)}.",
            " ".join(policy.say("G5", way) for way in ways),
        )
    return _Finding("pass", "measured", text)


def _other_base(case: Case) -> str:
    ran, trains = case.measured.baseline_ran_on or "another model", case.measured.trains_on
    if trains is None:
        return f"They ran on {ran}, which can't be trained here."
    return f"They ran on {ran}; training would be on {trains}."


def _listed(arms: list[str]) -> str:
    return "; ".join(ARM_NAMES[arm] for arm in arms)


# ------------------------------------------------------------------ G6: short of the target


def _short_of_target(case: Case, needs: Needs, policy: Policy) -> _Finding:
    baseline, target = case.measured.baseline, case.answers.target
    if needs.without_model is not None and case.measured.arms is not None and target is not None:
        found = f"No language model is needed: {ARM_NAMES[needs.without_model]} reaches "
        return _Finding(
            "fail",
            "measured",
            f"{found}{score_text(case.measured.arms[needs.without_model])}; target {percent(target)}.",
            policy.say("G6", "without_model"),
        )
    if needs.baseline is None or baseline is None or target is None:
        return _Finding(
            "unknown",
            "measured",
            _why_no_standing(case, policy),
            policy.say("G6", "not_measured"),
        )
    text = f"Best arm: {score_text(baseline)}; target {percent(target)}."
    if needs.baseline == "met":
        return _Finding("fail", "measured", f"{text} Prompting meets it.", policy.say("G6", "met"))
    beside = ""
    if (free := _on_the_same_rows(case, needs)) is not None:
        reached = f"{ARM_NAMES[free]} reaches {score_text((case.measured.arms or {})[free])} without a language model"
        if standing((case.measured.arms or {})[free], target, policy) == "unclear":
            said = f"{text} But {reached}, so that may be the target already."
            return _Finding("fail", "measured", said, policy.say("G6", "unclear"))
        beside = f" But {reached}: an adapter has to beat that too."
    if needs.baseline == "unclear":
        total = rows_to_settle(baseline, target, policy)
        more = (
            policy.say("G6", "unclear")
            if total is None or not baseline.total
            else policy.say("G6", "unclear_by", rows=f"{total - baseline.total:,}")
        )
        return _Finding("fail", "measured", f"{text} The target lies inside what the score could really be.", more)
    if (few := _few_answered(baseline, text, policy)) is not None:
        return few
    if needs.efficiency_path:
        return _teacher(case, needs, policy, text)
    return _Finding("pass", "measured", f"{text} Prompting stays short of it.{beside}")


def _on_the_same_rows(case: Case, needs: Needs) -> str | None:
    """The arm without a language model that beats every prompt, where it answered the test rows too."""
    arm = needs.free_lead
    return arm if arm is not None and (case.measured.arms or {})[arm].split == "test" else None


def _few_answered(result: Result, text: str, policy: Policy) -> _Finding | None:
    """What a result on too few rows proves: nothing, however far from the target it is."""
    answered, floor = result.answered, policy.count("test_rows")
    if answered is None:
        return _Finding(
            "unknown", "measured", f"{text} Nobody said on how many rows.", policy.say("G6", "rows_unknown")
        )
    if answered < floor:
        return _Finding("fail", "measured", text, policy.say("G6", "few", missing=f"{floor - answered:,}"))
    return None


def _teacher(case: Case, needs: Needs, policy: Policy, text: str) -> _Finding:
    teacher = case.measured.teacher
    if needs.teacher is None or teacher is None:
        return _Finding(
            "unknown",
            "measured",
            f"{text} The large model (teacher) was not measured.",
            policy.say("G6", "no_teacher"),
        )
    text = f"{text} Teacher: {score_text(teacher)}."
    if needs.teacher == "met":
        return _few_answered(teacher, text, policy) or _Finding("pass", "measured", text)
    return _Finding("fail", "measured", text, policy.say("G6", "teacher_short"))


def _why_no_standing(case: Case, policy: Policy) -> str:
    baseline = case.measured.baseline
    if baseline is None or not baseline.there:
        return "No arm has a score on the test rows yet."
    if baseline.cut_rate is not None:
        return f"{percent(baseline.cut_rate)} of the answers were cut, so the score can't be trusted."
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
                policy.say("G7", "unset_after"),
            )
        return _Finding("unknown", "declared", text, policy.say("G7", "unset"))
    text = f"{metric}, target {percent(target)}"
    if first is False:
        return _Finding(
            "fail",
            "measured",
            f"{text}, set after the results were known.",
            policy.say("G7", "late"),
        )
    if first is None and ran:
        return _Finding(
            "unknown",
            "measured",
            f"{text}; not known whether before or after the results.",
            policy.say("G7", "order_unknown"),
        )
    if case.measured.target_changes:
        return _Finding("pass", "measured", f"{text}, changed once after results were known; once is allowed.")
    return _Finding("pass", "measured" if first else "declared", f"{text}, set before any result.")


# ------------------------------------------------------------------ G8: labels agree


def _labels_agree(case: Case, needs: Needs, policy: Policy) -> _Finding:
    rate, kappa, said = case.measured.contradiction_rate, case.measured.agreement_kappa, case.answers.label_agreement
    parts = []
    if rate is not None:
        parts.append(_contradicting(rate, case.measured.similar_questions))
    if kappa is not None:
        parts.append(f"kappa {kappa:.2f} between two people")
    text = f"{'; '.join(parts) or 'Nothing measured'}."
    how: How = "measured" if parts else "declared"
    if contradicting(case, policy):
        return _Finding(
            "fail",
            "measured",
            text,
            policy.say("G8", "contradictions"),
        )
    if kappa is not None:
        if kappa < policy.limit("kappa") - EPSILON:
            return _Finding(
                "fail",
                "measured",
                text,
                policy.say("G8", "kappa"),
            )
        return _Finding("pass", "measured", text)
    if said == "low":
        return _Finding(
            "fail",
            "declared",
            f"{text} You said that experts would disagree.",
            policy.say("G8", "declared_low"),
        )
    if how == "declared" and said is None:
        return _Finding("unknown", "declared", text, policy.say("G8", "nothing"))
    return _Finding("pass", how, text if parts else f"{text} You said that experts would mostly agree.")


def _contradicting(rate: float, of: int | None) -> str:
    """The share, with what it is a share of where that is known."""
    if of is None:
        return f"{percent(rate)} of similar rows contradict each other"
    if not of:
        return "No two rows ask the same, so none contradict each other"
    number = round(rate * of)
    text = f"{number:,} of {of:,} questions that stand there more than once {'has' if number == 1 else 'have'} answers"
    few = "; too few questions to judge all labels by" if of < LEAST_SIMILAR and number else ""
    return f"{text} that contradict each other ({percent(rate)}){few}"


# ------------------------------------------------------------------ G9: failures are behaviour


def _failures_are_behaviour(case: Case, needs: Needs, policy: Policy) -> _Finding:
    causes, least = case.measured.failure_causes, policy.count("tagged_failures")
    if causes is None or causes.total < least:
        return _too_few_tagged(case, needs, policy, f"{causes.total if causes else 0:,} failures tagged.")
    shares = {name: getattr(causes, name) / causes.total for name in CAUSES}
    named = ", ".join(f"{_CAUSE_NAMES[name]} {share * 100:.0f} %" for name, share in shares.items())
    text = f"{causes.total:,} failures tagged: {named}."
    todo = [
        policy.say("G9", cause)
        for cause in ("facts", "instructions", "reference")
        if shares[cause] > policy.limit(f"{cause}_share") + EPSILON
    ]
    if shares["behaviour"] < policy.limit("behaviour_share") - EPSILON:
        todo.append(policy.say("G9", "behaviour"))
    if todo:
        return _Finding("fail", "measured", text, " ".join(todo))
    if not case.answers.goals:
        return _Finding(
            "unknown", "measured", f"{text} Nobody said yet what should get better.", policy.say("G9", "no_goal")
        )
    if not needs.efficiency and not needs.behaviour:
        return _no_trainable_goal(text, policy)
    return _Finding("pass", "measured", text)


_CAUSE_NAMES = {
    "behaviour": "wrong form or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong reference",
}


def _too_few_tagged(case: Case, needs: Needs, policy: Policy, text: str) -> _Finding:
    if needs.baseline == "met":
        return _Finding(
            "not_applicable",
            "measured",
            "Prompting meets the target, so there are few failures to explain.",
            policy.say("G9", "met"),
        )
    if not case.answers.goals:
        return _Finding(
            "unknown",
            "declared",
            f"{text} Nobody said yet what should get better.",
            policy.say("G9", "no_goal_untagged"),
        )
    if not needs.efficiency and not needs.behaviour:
        return _no_trainable_goal(text, policy)
    if needs.efficiency_path:
        return _Finding(
            "not_applicable",
            "measured",
            "The aim is to copy what a large model can already do.",
            policy.say("G9", "copying"),
        )
    failed = case.measured.failures
    if failed is not None and failed < policy.count("tagged_failures"):
        return _Finding("unknown", "measured", text, policy.say("G9", "few_failed", failed=f"{failed:,}"))
    return _Finding("unknown", "measured", text, policy.say("G9", "few"))


def _no_trainable_goal(text: str, policy: Policy) -> _Finding:
    return _Finding(
        "fail",
        "declared",
        f"{text} None of the goals is something that examples teach.",
        policy.say("G9", "untrainable"),
    )


# ------------------------------------------------------------------ G10, G11, G12


def _rights(case: Case, needs: Needs, policy: Policy) -> _Finding:
    match case.answers.training_rights:
        case "yes" if case.measured.identifiers_decided is False:
            return _Finding(
                "fail",
                "measured",
                "You may train on these rows, you said; personal data or secrets were found in the rows or the"
                " documents, and nobody has decided about them.",
                policy.say("G10", "undecided"),
            )
        case "yes":
            return _Finding("pass", "declared", "You may train on these rows, you said.")
        case "no":
            return _Finding(
                "fail",
                "declared",
                "These rows may not be used for training, you said.",
                policy.say("G10", "forbidden"),
            )
    return _Finding(
        "unknown",
        "declared",
        "Nobody said whether the rows may be used for training.",
        policy.say("G10", "unsaid"),
    )


def _owned(case: Case, needs: Needs, policy: Policy) -> _Finding:
    owner = case.answers.owner
    if owner is None:
        return _Finding(
            "unknown",
            "declared",
            "Nobody said who would own the model.",
            policy.say("G11", "unsaid"),
        )
    if owner == NOBODY:
        return _Finding("fail", "declared", "Nobody is named to re-test and re-train.", policy.say("G11", "nobody"))
    return _Finding("pass", "declared", f"{owner} re-tests and re-trains.")


def _worth_it(case: Case, needs: Needs, policy: Policy) -> _Finding:
    """A sum of money is an estimate, however well its tokens were measured: prices and hours in it are declared."""
    cost, basis = case.measured.cost_case, case.measured.cost_basis
    rests_on = f" {basis}" if basis else ""
    if cost == "pass" and needs.efficiency:
        return _Finding("pass", "estimated", f"The computed saving is larger than what the model costs.{rests_on}")
    if not needs.efficiency_path:
        shown = {"pass": "It would pay", "fail": "It would not pay"}.get(cost or "", "Cost is not the main goal")
        return _Finding(
            "not_applicable",
            "estimated" if cost else "declared",
            f"{shown}; this binds only when cost is the main goal.",
            policy.say("G12", "not_the_goal"),
        )
    if cost == "fail":
        return _Finding(
            "fail",
            "estimated",
            f"The computed saving is smaller than what the model costs.{rests_on}",
            policy.say("G12", "fail"),
        )
    return _Finding(
        "unknown",
        "declared",
        "Cost or speed is the main goal, and no cost case was computed.",
        policy.say("G12", "nothing"),
    )


# ------------------------------------------------------------------ the other two lines

Line = Callable[[str, Case, Needs, Policy], str]


def _condition(gate: str, case: Case, needs: Needs, policy: Policy) -> str:
    return policy.say(gate, "needed")


def _calls(gate: str, case: Case, needs: Needs, policy: Policy) -> str:
    return policy.say(gate, "needed", calls=f"{calls_needed(case, policy):,}")


def _arms(gate: str, case: Case, needs: Needs, policy: Policy) -> str:
    return policy.say(gate, "needed", arms=_listed(arms_needed(case, needs)))


def _below(gate: str, case: Case, needs: Needs, policy: Policy) -> str:
    return policy.say(gate, "needed_cheaper" if needs.efficiency_path else "needed")


_GATES: dict[str, tuple[Callable[[Case, Needs, Policy], _Finding], Line]] = {
    "G1": (_enough_examples, _condition),
    "G2": (_not_knowledge, _condition),
    "G3": (_not_one_off, _calls),
    "G4": (_held_out, _condition),
    "G5": (_prompting_tried, _arms),
    "G6": (_short_of_target, _below),
    "G7": (_target_first, _condition),
    "G8": (_labels_agree, _condition),
    "G9": (_failures_are_behaviour, _condition),
    "G10": (_rights, _condition),
    "G11": (_owned, _condition),
    "G12": (_worth_it, _condition),
}


def _meanwhile(gate: str, finding: _Finding, case: Case, policy: Policy) -> str:
    if finding.state in ("pass", "not_applicable"):
        return "Nothing to do here."
    said, baseline = policy.gates[gate].meanwhile, case.measured.baseline
    if baseline is not None and baseline.there and baseline.best_arm and gate not in ("G5", "G7"):
        return f"{said} Best so far: {ARM_NAMES[baseline.best_arm]}, {percent(interval(baseline)[0])}."
    return said
