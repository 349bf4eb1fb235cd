"""What would change the verdict: changes to the case, each tried out on the real function before it is shown.

Three searches, all over `judge`:

- *Single changes*: along every axis (`axes`) in ever larger steps until the outcome is another one, then by bisection
  back to the smallest step that gives it. For each end that is reached the smallest change of each kind counts.
- *Ways to ready*, where training is locked and no single change unlocks it, or none to training on rows with passages
  where facts are needed and can be looked up: put everything right that a gate can ask
  for, then take things back, what is hardest in real life first, for as long as the case stays ready. What is left is
  needed, each part of it; its numbers are then taken back to the smallest that do.
- *Pairs*, for an approach that no single change leads to: two of the changes that can decide by themselves.

Every flip keeps its promise by construction: the changed case was judged by the same function, and what came out is
what the flip says. A `change` holds whole values by key, to be put into the half of the case that has the key.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TypedDict

from app.advice.case import NotACase, changed
from app.advice.facts import BEHAVIOURS, BEYOND, NO_MODEL, Facts, derive_facts, rows_to_settle, standing
from app.advice.policy import Policy
from app.advice.schema import Baseline, Case, Result
from app.advice.scoring import can_look_up, context_window, corpus
from app.advice.sentences import changes as sentences
from app.advice.what_if.axes import SOMEBODY, Axis, Change, axes, baseline_json, fair_try
from app.advice.what_if.changes import EFFORTS, Effort, Part, parts

MOST = 10
EACH_END = 4  # flips that lead to the same end; more of them say nothing new
DEFAULT_TARGET = 0.9
FAR, CLOSE_LOOKS = 200, 50  # an axis shorter than that, on which things come and go, is looked at in even steps


@dataclass(frozen=True, slots=True)
class Outcome:
    approach: str
    training: str


@dataclass(frozen=True, slots=True)
class Flip:
    """A change that leads to another end. parts: what is otherwise. training_now: before the change."""

    change: Change
    approach: str
    training: str
    training_now: str
    parts: tuple[Part, ...]

    @property
    def steps(self) -> int:
        """How many things have to be otherwise."""
        return len(self.parts)

    @property
    def effort(self) -> Effort:
        """What the dearest of them takes."""
        return max((part.effort for part in self.parts), key=EFFORTS.index)

    @property
    def size(self) -> float:
        return sum(part.size for part in self.parts)

    @property
    def condition(self) -> str:
        """`If this were so`, without what would come of it."""
        return sentences.condition([part.clauses for part in self.parts])

    @property
    def text(self) -> str:
        return f"{self.condition}: {sentences.outcome(self.approach, self.training, self.training_now)}."


Judge = Callable[[Case], Outcome]


def flips(case: Case, facts: Facts, now: Outcome, judge: Judge, policy: Policy) -> list[Flip]:
    """At most `MOST`: every end that was found, then the cheapest; in the order of what they take."""
    return _chosen(every(case, facts, now, judge, policy))


def every(case: Case, facts: Facts, now: Outcome, judge: Judge, policy: Policy) -> list[Flip]:
    """All that were found. facts: of this case under this policy."""
    flips = [_flip(change, case, now, then) for change, then in _singles(case, facts, now, judge, policy)]
    ready = [flip for flip in flips if flip.training == "ready"]
    both = facts.knowledge and can_look_up(case) and all(flip.approach != "hybrid" for flip in ready)
    if now.training == "locked" and (not ready or both):
        way = way_to_ready(case, facts, judge, policy)
        flips += [_flip(way, case, now, judge(changed(case, way)))] if way else []
    reached = {flip.approach for flip in flips}
    flips += [_flip(change, case, now, then) for change, then in _pairs(case, facts, now, reached, judge, policy)]
    return flips


def _chosen(flips: Iterable[Flip]) -> list[Flip]:
    """The cheapest few of each end, so that different ends are seen side by side."""
    ends: dict[tuple[str, str], list[Flip]] = {}
    for flip in sorted(flips, key=_cost):
        ends.setdefault((flip.approach, flip.training), []).append(flip)
    each = max(EACH_END, MOST // max(1, len(ends)))
    ranked = [(place, flip) for there in ends.values() for place, flip in enumerate(_mixed(there)[:each])]
    ranked.sort(key=lambda pair: (pair[0] > 0, _cost(pair[1])))
    return sorted((flip for _, flip in ranked[:MOST]), key=_cost)


def _mixed(there: list[Flip]) -> list[Flip]:
    """The cheapest of each effort in turn, so that answers don't hide what a measurement would change."""
    turns: list[tuple[int, Flip]] = []
    for effort in EFFORTS:
        turns += enumerate(flip for flip in there if flip.effort == effort)
    return [flip for _, flip in sorted(turns, key=lambda pair: (pair[0], _cost(pair[1])))]


def _cost(flip: Flip) -> tuple[int, int, float]:
    return EFFORTS.index(flip.effort), flip.steps, flip.size


def _flip(change: Change, case: Case, now: Outcome, then: Outcome) -> Flip:
    return Flip(change, then.approach, then.training, now.training, tuple(parts(change, case)))


# ------------------------------------------------------------------ single changes


def _singles(case: Case, facts: Facts, now: Outcome, judge: Judge, policy: Policy) -> Iterator[tuple[Change, Outcome]]:
    """For each key and end the smallest change found."""
    best: dict[tuple[tuple[str, ...], Outcome], tuple[float, Change]] = {}
    for axis in axes(case, facts, policy):
        for change, then in _along(axis, case, now, judge):
            size = sum(part.size for part in parts(change, case))
            kind = (tuple(sorted(change)), then)
            if kind not in best or size < best[kind][0]:
                best[kind] = (size, change)
    yield from ((change, then) for (_, then), (_, change) in best.items())


def _along(axis: Axis, case: Case, now: Outcome, judge: Judge) -> Iterator[tuple[Change, Outcome]]:
    """Each other outcome on the way, at the first step that has it."""

    def at(step: int) -> Outcome:
        return judge(changed(case, axis.at(step)))

    if axis.last < axis.first:
        return
    before = now if axis.first else at(0)
    if axis.straight and at(axis.last) == before:
        return
    seen, place = {now, before}, 0
    stride = max(1, axis.last // CLOSE_LOOKS) if not axis.straight and axis.last < FAR else 0
    step = 1
    while place < axis.last:
        step = min(step, axis.last)
        then = at(step)
        if then not in seen:
            low, high = place, step
            while high - low > 1:
                middle = (low + high) // 2
                if at(middle) == then:
                    high = middle
                else:
                    low = middle
            yield axis.at(high), then
            seen.add(then)
        place, step = step, step + stride if stride else step * 2


# ------------------------------------------------------------------ ways to ready


def way_to_ready(case: Case, facts: Facts, judge: Judge, policy: Policy) -> Change:
    """Empty if there is none."""

    def ready(change: Change) -> bool:
        try:
            return judge(changed(case, change)).training == "ready"
        except NotACase:  # a main goal has to stay among the goals
            return False

    change = _everything_right(case, policy)
    if not ready(change):
        return {}
    for key in list(change):
        without = {name: value for name, value in change.items() if name != key}
        if ready(without):
            change = without
    return _smallest(case, facts, change, ready, policy)


def _smallest(case: Case, facts: Facts, change: Change, ready: Callable[[Change], bool], policy: Policy) -> Change:
    """The same way with its counts and shares taken back as far as they go."""
    for axis in axes(case, facts, policy):
        keys = axis.at(axis.last).keys() if axis.last >= axis.first else ()
        key = next(iter(keys), None)
        if len(keys) != 1 or key not in _TAKEN_BACK or key not in change:
            continue
        if not ready(change | axis.at(axis.last)) or ready(change | axis.at(axis.first)):
            continue
        low, high = axis.first, axis.last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if ready(change | axis.at(middle)) else (middle, high)
        change = change | axis.at(high)
    return change


_TAKEN_BACK = ("calls_per_month", "contradiction_rate", "agreement_kappa", "oracle_gain", "failure_causes", "teacher")
"""The others stand at their threshold already."""


def _everything_right(case: Case, policy: Policy) -> Change:
    """Everything a gate can ask for, what is hardest to change in real life first, since that is taken back first."""
    answers, measured, target = case.answers, case.measured, _target_right(case, policy)
    change = _use_right(case, policy)
    change |= _rows_right(case, policy)
    gain = measured.oracle_gain
    facts = "facts" in change.get("goals", answers.goals or ())
    if facts or (gain is not None and gain >= policy.limit("oracle_gain") and can_look_up(case)):
        change["rows_carry_context"] = True
    elif gain is not None:
        change["oracle_gain"] = 0.0
    causes = measured.failure_causes
    change["failure_causes"] = {"behaviour": max(causes.total if causes else 0, policy.count("tagged_failures"))}
    change["cost_case"] = "pass"
    change["teacher"] = _met(policy, target)
    if answers.training_rights != "yes":
        change["training_rights"] = "yes"
    change |= _switches_right(case)
    if not answers.owner:
        change["owner"] = SOMEBODY
    if measured.arms and (arms := _arms_right(case, target, policy)):
        change["arms"] = arms
    baseline = change["baseline"] = _baseline_right(changed(case, change), policy)
    rows = max(change.get("test_rows", measured.test_rows or 0), baseline.get("total", baseline.get("rows", 0)))
    if rows != measured.test_rows:
        change["test_rows"] = rows
    return change


def _switches_right(case: Case) -> Change:
    """What is there and stands against it."""
    measured = case.measured
    switches = {
        "judge_holds": (measured.judge_holds is False, True),
        "identifiers_decided": (measured.identifiers_decided is False, True),
        "baseline_on_base": (measured.baseline_on_base is False, True),
        "baseline_unfinished": (bool(measured.baseline_unfinished), False),
        "references_wrong": (bool(measured.references_wrong), 0),
    }
    return {key: right for key, (wrong, right) in switches.items() if wrong}


def _use_right(case: Case, policy: Policy) -> Change:
    """What it is for, and what is good enough."""
    answers = case.answers
    change: Change = {}
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
    if case.measured.metric_set_before_baseline is not True:
        change["metric_set_before_baseline"] = True
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


def _arms_right(case: Case, target: float, policy: Policy) -> Change:
    """Arms without a language model, just short of the target where they meet it; empty if none does."""
    arms: Change = {}
    lowered = False
    for arm, result in (case.measured.arms or {}).items():
        arms[arm] = {name: value for name, value in asdict(result).items() if value is not None}
        if arm in NO_MODEL and standing(result, target, policy) == "met":
            least = _short(policy, max(result.total or 0, policy.count("test_rows")), target)
            arms[arm] = least or {"passed": 0, "total": policy.count("test_rows")}
            lowered = True
    return arms if lowered else {}


def _goals_right(case: Case) -> Change:
    goals = list(case.answers.goals or ())
    main = case.answers.main_goal or (goals[0] if len(goals) == 1 else None)
    change: Change = {}
    if "facts" in goals and not can_look_up(case):
        goals.remove("facts")
        change["goals"] = goals
    if not any(goal in (*BEHAVIOURS, "efficiency") for goal in goals):
        goals.append("style")
        change["goals"] = goals
    if main == "facts" or "goals" in change or (main is None and "facts" in goals):
        change["main_goal"] = next(goal for goal in goals if goal in (*BEHAVIOURS, "efficiency"))
    return change


def _rows_right(case: Case, policy: Policy) -> Change:
    answers, measured = case.answers, case.measured
    change: Change = {}
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
    if measured.agreement_kappa is not None and measured.agreement_kappa < policy.limit("kappa"):
        change["agreement_kappa"] = policy.limit("kappa")
    elif measured.agreement_kappa is None and answers.label_agreement == "low":
        change["label_agreement"] = "medium"
    return change


def _baseline_right(case: Case, policy: Policy) -> Change:
    """The baseline with every arm it may lack, few failed calls, and a best score just short of the target."""
    old, target = case.measured.baseline or Baseline(), case.answers.target or DEFAULT_TARGET
    other = fair_try(case, derive_facts(case, policy), policy)
    if standing(old, target, policy) != "short":
        least = max(old.total or 0, policy.count("test_rows"))
        other |= _more_rows(old, target, policy) or _short(policy, least, target) or {}
    elif (old.answered or 0) < policy.count("test_rows"):
        other |= _on_enough_rows(old, target, policy)
    if old.best_arm is None or old.best_arm in BEYOND:  # nobody could use that one
        other |= {"best_arm": next(arm for arm in other["arms"] if arm not in BEYOND)}
    return baseline_json(old, other)


class Counted(TypedDict):
    """A result by its count."""

    passed: int
    total: int


def _on_enough_rows(old: Baseline, target: float, policy: Policy) -> Change:
    """As short as it is, on as many rows as prove it."""
    floor = policy.count("test_rows")
    if not old.counted:
        return {"score": old.score, "low": old.low, "high": old.high, "rows": floor}
    passed = round((old.passed or 0) / (old.total or 1) * floor)
    if standing(Result(passed=passed, total=floor), target, policy) == "short":
        return {"passed": passed, "total": floor}
    return {**(_short(policy, floor, target) or {})}


def _more_rows(old: Baseline, target: float, policy: Policy) -> Counted | None:
    """The same rate on as many rows as settle that it is short."""
    settled = rows_to_settle(old, target, policy) if standing(old, target, policy) == "unclear" else None
    if settled is None or old.passed is None or not old.total:
        return None
    total = settled.rows
    passed = round(old.passed / old.total * total)
    short = standing(Result(passed=passed, total=total), target, policy) == "short"
    return {"passed": passed, "total": total} if short else None


def _short(policy: Policy, total: int, target: float) -> Counted | None:
    """The best count that is still SHORT; None if not even 0 is."""
    return _last(total, lambda passed: standing(Result(passed=passed, total=total), target, policy) == "short")


def _met(policy: Policy, target: float) -> Counted:
    """The least count that is MET."""
    total = policy.count("test_rows")
    below = _last(total, lambda passed: standing(Result(passed=passed, total=total), target, policy) != "met")
    return {"passed": 0 if below is None else min(below["passed"] + 1, total), "total": total}


def _last(total: int, holds: Callable[[int], bool]) -> Counted | None:
    """The last count for which something holds that holds up to a point and no further."""
    if not holds(0):
        return None
    low, high = 0, total
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return {"passed": low, "total": total}


# ------------------------------------------------------------------ pairs

DECIDE = ("fact_change", "access_rights", "goals", "prompting_tried")
"""Answers that choose an approach together with another one."""


def _pairs(
    case: Case, facts: Facts, now: Outcome, reached: set[str], judge: Judge, policy: Policy
) -> Iterator[tuple[Change, Outcome]]:
    """Two changes to an approach that no single one leads to: the pair that moves least."""
    wanted = {"prompt", "rag"} - reached - {now.approach}
    best: dict[str, tuple[float, Change, Outcome]] = {}
    for first, second in combinations(_deciding(case, facts, policy) if wanted else (), 2):
        if first.keys() & second.keys():
            continue
        then = judge(changed(case, first | second))
        if then.approach in wanted:
            size = sum(part.size for part in parts(first | second, case))
            if then.approach not in best or size < best[then.approach][0]:
                best[then.approach] = (size, first | second, then)
    yield from ((change, then) for _, change, then in best.values())


def _deciding(case: Case, facts: Facts, policy: Policy) -> Iterator[Change]:
    for axis in axes(case, facts, policy):
        if axis.last >= axis.first and set(axis.at(axis.last)) <= set(DECIDE):
            yield from (axis.at(step) for step in range(axis.first, axis.last + 1))
    tokens, _ = corpus(case)
    window = context_window(case, policy)
    if tokens is None or tokens > window or tokens == 0:
        yield {"corpus_tokens": window}
    gain = case.measured.oracle_gain
    if gain is not None or can_look_up(case):
        yield {"oracle_gain": 0.0 if (gain or 0) >= policy.limit("oracle_gain") else policy.limit("oracle_gain")}
    causes = case.measured.failure_causes
    if causes is not None and facts.cause is not None:
        yield {"failure_causes": {"behaviour" if facts.cause != "behaviour" else "facts": causes.total}}
    target = _target_right(case, policy)
    if target != case.answers.target:
        yield {"target": target}
