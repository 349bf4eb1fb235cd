"""What would change the verdict: changes to the case, each tried out before it is shown.

First the shortest way to ready found for a locked case, then single changes that lead to another approach or lock what
was ready. Every flip keeps its promise by construction: the changed case is judged by the same function, and what came
out is what the flip says. A `change` holds whole values by key, to be put into the half of the case that has the key.

The way to ready is found from the far end: put everything right that a gate can ask for, then take single changes back
for as long as the case stays ready. What is left is needed, each part of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from app.advice.case import ANSWER_KEYS, CHOICES, Baseline, Case, Result, changed, to_json
from app.advice.gates import arms_needed
from app.advice.needs import BEHAVIOURS, needs, rows_to_settle, standing
from app.advice.policy import Policy
from app.advice.scoring import context_window

MOST = 10
DEFAULT_TARGET = 0.9
SOMEBODY = "a named owner"


Effort = Literal["a new answer", "minutes", "days", "weeks"]
EFFORTS: tuple[Effort, ...] = ("a new answer", "minutes", "days", "weeks")


@dataclass(frozen=True, slots=True)
class Outcome:
    approach: str
    training: str


@dataclass(frozen=True, slots=True)
class Flip:
    """steps: how many things have to change. effort: what the dearest of them takes."""

    change: dict[str, Any]
    approach: str
    training: str
    text: str
    steps: int
    effort: Effort


def flips(case: Case, now: Outcome, judge: Callable[[Case], Outcome], policy: Policy) -> list[Flip]:
    """At most `MOST`, the way to ready first, then by approach so that different ends come before similar ones."""
    found: list[Flip] = []
    if now.training == "locked":
        way = way_to_ready(case, judge, policy)
        if way:
            found.append(_flip(way, case, now, judge(changed(case, way))))
    for change in _singles(case, policy):
        outcome = judge(changed(case, change))
        if outcome != now and all(flip.change != change for flip in found):
            found.append(_flip(change, case, now, outcome))
    return _spread(found)[:MOST]


def _spread(found: list[Flip]) -> list[Flip]:
    """One flip for each end first, then the rest, both in the order of the questions."""
    seen: set[tuple[str, str]] = set()
    first: list[Flip] = []
    rest: list[Flip] = []
    for flip in found:
        end = (flip.approach, flip.training)
        (rest if end in seen else first).append(flip)
        seen.add(end)
    return first + rest


def _flip(change: dict[str, Any], case: Case, now: Outcome, then: Outcome) -> Flip:
    effort: Effort = "a new answer" if all(key in ANSWER_KEYS for key in change) else "days"
    text = f"If {_joined(change, case)}: {_end(now, then)}."
    return Flip(change, then.approach, then.training, text, len(change), effort)


def _end(now: Outcome, then: Outcome) -> str:
    if then.training == "ready":
        return "training is unlocked" + (", with looked-up text in every row" * (then.approach == "hybrid"))
    move = "look things up" if then.approach == "rag" else "use a prompt"
    return f"{move}; training {'locks again' if now.training == 'ready' else 'stays locked'}"


# ------------------------------------------------------------------ the way to ready


def way_to_ready(case: Case, judge: Callable[[Case], Outcome], policy: Policy) -> dict[str, Any]:
    """A smallest set of changes that unlocks training, in the sense that none of them can be left out."""
    change = _everything_right(case, policy)
    if judge(changed(case, change)).training != "ready":
        return {}
    for key in list(change):
        without = {name: value for name, value in change.items() if name != key}
        if _consistent(case, without) and judge(changed(case, without)).training == "ready":
            change = without
    return change


def _consistent(case: Case, change: dict[str, Any]) -> bool:
    """A main goal has to stay among the goals."""
    main = change.get("main_goal", case.answers.main_goal)
    goals = change.get("goals", case.answers.goals)
    return not main or not goals or main in goals


def _everything_right(case: Case, policy: Policy) -> dict[str, Any]:
    """Everything a gate can ask for, what is hardest to change in real life first, since that is taken back first."""
    answers, measured = case.answers, case.measured
    change: dict[str, Any] = {}
    if answers.recurrence in (None, "once"):
        change["recurrence"] = "ongoing"
    change |= _goals_right(case)
    if answers.fact_change == "daily":
        change["fact_change"] = "weekly"
    target = _target_right(case, policy)
    if target != answers.target:
        change["target"] = target
    if answers.metric is None:
        change["metric"] = "exact_match"
    if measured.metric_set_before_baseline is not True:
        change["metric_set_before_baseline"] = True
    change |= _rows_right(case, policy)
    gain = measured.oracle_gain
    if "facts" in change.get("goals", answers.goals or ()) or (
        gain is not None and gain >= policy.limit("oracle_gain")
    ):
        change["rows_carry_context"] = True
    else:
        change["oracle_gain"] = 0.0
    causes = measured.failure_causes
    change["failure_causes"] = {"behaviour": max(causes.total if causes else 0, policy.count("tagged_failures"))}
    change["cost_case"] = "pass"
    change["teacher"] = _met(policy, target)
    if answers.training_rights != "yes":
        change["training_rights"] = "yes"
    if not answers.owner:
        change["owner"] = SOMEBODY
    baseline = change["baseline"] = _baseline_right(changed(case, change), policy)
    if "test_rows" in change:
        change["test_rows"] = max(change["test_rows"], baseline.get("total", 0))
    return change


def _target_right(case: Case, policy: Policy) -> float:
    """A target that prompting can be short of: where it is met, the next one up that it is short of."""
    baseline, target = case.measured.baseline, case.answers.target
    if target is None or _short(policy, policy.count("test_rows"), target) is None:
        return DEFAULT_TARGET
    if standing(baseline, target, policy) == "met":
        higher = (step / 100 for step in range(1, 101) if step / 100 > target)
        return next((step for step in higher if standing(baseline, step, policy) == "short"), target)
    return target


def _goals_right(case: Case) -> dict[str, Any]:
    goals = list(case.answers.goals or ())
    main = case.answers.main_goal or (goals[0] if len(goals) == 1 else None)
    change: dict[str, Any] = {}
    if not any(goal in (*BEHAVIOURS, "efficiency") for goal in goals):
        goals.append("style")
        change["goals"] = goals
    if main == "facts" or "goals" in change or (main is None and "facts" in goals):
        change["main_goal"] = next(goal for goal in goals if goal in (*BEHAVIOURS, "efficiency"))
    return change


def _rows_right(case: Case, policy: Policy) -> dict[str, Any]:
    answers, measured = case.answers, case.measured
    change: dict[str, Any] = {}
    if (measured.usable_examples or 0) < policy.limit("usable_examples"):
        change["usable_examples"] = policy.count("usable_examples")
    least = policy.count("calls_per_example") * policy.count("usable_examples")
    if (answers.calls_per_month or 0) * policy.count("months_ahead") < least:
        change["calls_per_month"] = -(-least // policy.count("months_ahead"))
    if (measured.test_rows or 0) < policy.limit("test_rows"):
        change["test_rows"] = policy.count("test_rows")
    if measured.test_overlap_rows != 0:
        change["test_overlap_rows"] = 0
    if measured.test_human_checked is not True:
        change["test_human_checked"] = True
    if measured.contradiction_rate is None or measured.contradiction_rate > policy.limit("contradiction_rate"):
        change["contradiction_rate"] = policy.limit("contradiction_rate")
    if measured.agreement_kappa is None or measured.agreement_kappa < policy.limit("kappa"):
        change["agreement_kappa"] = policy.limit("kappa")
    return change


def _baseline_right(case: Case, policy: Policy) -> dict[str, Any]:
    """The baseline with every arm it may lack, few failed calls, and a best score just short of the target."""
    old, target = case.measured.baseline or Baseline(), case.answers.target or DEFAULT_TARGET
    lacking = arms_needed(case, needs(case, policy))
    least = policy.count("test_rows")
    arms = [*old.arms, *(arm for arm in lacking if arm not in old.arms)]
    score: dict[str, Any] = {"passed": old.passed, "total": old.total} if old.counted else {}
    if old.graded:
        score = {"score": old.score, "low": old.low, "high": old.high}
    if standing(old, target, policy) != "short":
        score = _more_rows(old, target, policy) or _short(policy, max(old.total or 0, least), target) or {}
    rate = old.error_rate if old.error_rate is not None and old.error_rate <= policy.limit("error_rate") else 0.0
    return {"arms": arms, "revised": True, "best_arm": old.best_arm or arms[0], "error_rate": rate, **score}


def _more_rows(old: Baseline, target: float, policy: Policy) -> dict[str, Any] | None:
    """The same rate on as many rows as settle that it is short."""
    total = rows_to_settle(old, target, policy) if standing(old, target, policy) == "unclear" else None
    if total is None or old.passed is None or not old.total:
        return None
    passed = round(old.passed / old.total * total)
    short = standing(Result(passed=passed, total=total), target, policy) == "short"
    return {"passed": passed, "total": total} if short else None


def _short(policy: Policy, total: int, target: float) -> dict[str, Any] | None:
    """The best count that is still SHORT; None if not even 0 is."""
    return _last(total, lambda passed: standing(Result(passed=passed, total=total), target, policy) == "short")


def _met(policy: Policy, target: float) -> dict[str, Any]:
    """The least count that is MET."""
    total = policy.count("test_rows")
    below = _last(total, lambda passed: standing(Result(passed=passed, total=total), target, policy) != "met")
    return {"passed": 0 if below is None else min(below["passed"] + 1, total), "total": total}


def _last(total: int, holds: Callable[[int], bool]) -> dict[str, Any] | None:
    """The last count for which something holds that holds up to a point and no further."""
    if not holds(0):
        return None
    low, high = 0, total
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return {"passed": low, "total": total}


# ------------------------------------------------------------------ single changes


def _singles(case: Case, policy: Policy) -> Iterator[dict[str, Any]]:
    """Each key moved to the next value at which anything could tip, measurements first."""
    answers = case.answers
    yield from _numbers(case, policy)
    yield from _baselines(case, policy)
    for key in ("recurrence", "fact_change", "access_rights", "definition_changes", "training_rights"):
        for value in CHOICES[key]:
            if value != getattr(answers, key):
                yield {key: value}
    goals = list(answers.goals or ())
    for goal in ("facts", "style", "efficiency"):
        if goal not in goals:
            yield {"goals": [*goals, goal]}
        elif len(goals) > 1 and goal != answers.main_goal:
            yield {"goals": [other for other in goals if other != goal]}
    for goal in goals:
        if goal != answers.main_goal and len(goals) > 1:
            yield {"main_goal": goal}
    yield {"owner": None} if answers.owner else {"owner": SOMEBODY}


def _numbers(case: Case, policy: Policy) -> Iterator[dict[str, Any]]:
    answers, measured = case.answers, case.measured
    floor, test = policy.count("usable_examples"), policy.count("test_rows")
    if measured.usable_examples is not None:
        yield {"usable_examples": floor - 1 if measured.usable_examples >= floor else floor}
    if measured.test_rows is not None:
        yield {"test_rows": test - 1 if measured.test_rows >= test else test}
    if measured.test_overlap_rows:
        yield {"test_overlap_rows": 0}
    if measured.test_human_checked is False:
        yield {"test_human_checked": True}
    if measured.contradiction_rate is not None:
        limit = policy.limit("contradiction_rate")
        yield {"contradiction_rate": round(limit + 0.01, 4) if measured.contradiction_rate <= limit else limit}
    if measured.oracle_gain is not None:
        limit = policy.limit("oracle_gain")
        yield {"oracle_gain": limit if measured.oracle_gain < limit else round(limit - 0.01, 4)}
    if measured.rows_carry_context is not None:
        yield {"rows_carry_context": not measured.rows_carry_context}
    if answers.corpus_tokens:
        window = context_window(case, policy)
        yield {"corpus_tokens": window if answers.corpus_tokens > window else window + 1}
    if measured.cost_case in ("pass", "fail"):
        yield {"cost_case": "fail" if measured.cost_case == "pass" else "pass"}


def _baselines(case: Case, policy: Policy) -> Iterator[dict[str, Any]]:
    """The best score at the two ends of its open range, and the target beyond its interval."""
    baseline, target = case.measured.baseline, case.answers.target
    if baseline is None or not baseline.there or target is None:
        return
    old = to_json(case)["measured"]["baseline"]
    now = standing(baseline, target, policy)
    if baseline.total:
        total = baseline.total
        if now != "short" and (short := _short(policy, total, target)):
            yield {"baseline": {**old, **short}}
        if now != "met":
            below = _last(total, lambda passed: standing(Result(passed=passed, total=total), target, policy) != "met")
            if below and below["passed"] < total:
                yield {"baseline": {**old, "passed": below["passed"] + 1, "total": total}}
    for wanted in ("short", "met"):
        if now != wanted:
            steps = range(1, 101) if wanted == "short" else range(100, 0, -1)
            moved = next((step / 100 for step in steps if standing(baseline, step / 100, policy) == wanted), None)
            if moved is not None and (moved > target) == (wanted == "short"):
                yield {"target": moved}


# ------------------------------------------------------------------ words


def _joined(change: dict[str, Any], case: Case) -> str:
    parts = [_words(key, value, case) for key, value in change.items()]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_CHOICES: dict[tuple[str, str | int | None], str] = {
    ("recurrence", "once"): "the job runs once",
    ("recurrence", "months"): "the job runs for some months",
    ("recurrence", "ongoing"): "the job keeps running",
    ("fact_change", "none"): "no outside facts are needed",
    ("access_rights", "yes"): "people have different rights to the information",
    ("access_rights", "some"): "parts of the information are restricted",
    ("access_rights", "no"): "everybody may see all of it",
    ("definition_changes", "monthly"): "the rules of the task change monthly",
    ("definition_changes", "stable"): "the rules of the task are stable",
    ("training_rights", "yes"): "the rows may be used for training",
    ("training_rights", "no"): "the rows may not be used for training",
    ("cost_case", "pass"): "the cost case shows a saving",
    ("cost_case", "fail"): "the cost case shows no saving",
    ("rows_carry_context", True): "every training row carries the looked-up text",
    ("rows_carry_context", False): "training rows lack the looked-up text",
    ("test_human_checked", True): "people check every test answer",
    ("metric_set_before_baseline", True): "the target is set before the results",
    ("test_overlap_rows", 0): "no test row occurs elsewhere",
    ("owner", None): "nobody owns it",
    ("owner", SOMEBODY): "somebody is named as owner",
}
_SENTENCES: dict[str, Callable[[Any], str]] = {
    "goals": lambda goals: f"the goals are {', '.join(goals)}",
    "main_goal": lambda goal: f"the main goal is {goal}",
    "fact_change": lambda often: f"the facts change {often}",
    "metric": lambda metric: f"the metric is {metric.replace('_', ' ')}",
    "target": lambda target: f"the target is {target * 100:g} %",
    "calls_per_month": lambda calls: f"{calls:,} calls come in a month",
    "corpus_tokens": lambda tokens: f"the reference text has {tokens:,} tokens",
    "usable_examples": lambda rows: f"there are {rows:,} usable examples",
    "test_rows": lambda rows: f"there are {rows:,} test rows",
    "contradiction_rate": lambda rate: f"{rate * 100:g} % of similar rows contradict each other",
    "agreement_kappa": lambda kappa: f"two people agree with kappa {kappa:g}",
    "oracle_gain": lambda gain: f"the right passage lifts the score by {gain * 100:g} points",
    "failure_causes": lambda causes: f"{causes['behaviour']} tagged failures are wrong form or label",
    "teacher": lambda teacher: f"the large model reaches {teacher['passed'] / teacher['total'] * 100:.1f} %",
}


def _words(key: str, value: Any, case: Case) -> str:
    if key == "baseline":
        return _baseline_words(value, case.measured.baseline)
    if key in _SENTENCES and (key, value if not isinstance(value, list | dict) else None) not in _CHOICES:
        return _SENTENCES[key](value)
    return _CHOICES[key, value]


def _baseline_words(new: dict[str, Any], old: Baseline | None) -> str:
    """Only what differs from the baseline there is."""
    parts = []
    added = [arm for arm in new["arms"] if old is None or arm not in old.arms]
    if added:
        parts.append("every arm is run")
    if old is None or not old.revised:
        parts.append("the instructions are revised once")
    if old is not None and old.error_rate != new["error_rate"]:
        parts.append("the failed calls are repeated")
    score = new["passed"] / new["total"] if new.get("total") else new["score"]
    if old is None or (old.passed, old.total, old.score) != (new.get("passed"), new.get("total"), new.get("score")):
        rows = f" on {new['total']:,} rows" if new.get("total") and (old is None or old.total != new["total"]) else ""
        parts.append(f"the best arm reaches {score * 100:.1f} %{rows}")
    return " and ".join(parts)
