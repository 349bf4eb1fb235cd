"""What could be otherwise in a case: every change worth trying.

An `Axis` is one thing that moves away from where it is, step by step: a count, a share, an ordered choice. Step 0 is
where it is now; where nothing is known, it is one of the two ends. The search (`flips`) walks along it until the advice
changes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil, floor
from typing import Any

from app.advice.facts import BEHAVIOURS, CAUSES, Facts, interval
from app.advice.gates.prompting import LOOKED_UP, arms_needed
from app.advice.policy import Policy
from app.advice.schema import CHOICES, COST_CASES, GOALS, Arm, ArmResult, Baseline, Case, FailureCauses, Result
from app.advice.scoring import can_compare_labels, can_look_up, corpus

RESULT = ("passed", "total", "score", "low", "high", "rows")
MANY_CALLS = 10**9
MUCH_TEXT = 10**8  # tokens
MOST_ROWS = 100_000
MORE_TEST_ROWS = 4000  # beyond it nobody sets rows aside just to settle a score
SOMEBODY = "a named owner"

Change = dict[str, Any]
"""Whole values by key, for the half of a case that has the key: `case.changed` reads each by its type in `schema`."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The changes `at(step)` for steps from `first` to `last`: 1 where step 0 is the case as it is, else 0.

    straight: what is reached on the way stays so to the end, so that the end alone shows whether anything is.
    """

    last: int
    at: Callable[[int], Change]
    first: int = 1
    straight: bool = True


def axes(case: Case, facts: Facts, policy: Policy) -> Iterator[Axis]:
    """Everything that can move by itself: answers first, then what was measured."""
    yield from _choices(case)
    yield from _goals(case)
    yield from _numbers(case)
    yield from _switches(case)
    yield from _failures(case, policy)
    yield from _results(case, facts, policy)


# ------------------------------------------------------------------ answers

ORDERED: dict[str, tuple[str, ...]] = {
    "recurrence": CHOICES["recurrence"],
    "fact_change": CHOICES["fact_change"],
    "access_rights": ("no", "some", "yes"),
    "definition_changes": ("stable", "monthly"),
    "training_rights": CHOICES["training_rights"],
    "label_agreement": CHOICES["label_agreement"],
    "checker_helps": CHOICES["checker_helps"],
    "prompting_tried": ("no", "short_large", "short_small", "unclear", "met"),
}
"""Answers that can decide by themselves, in an order in which neighbours are close. The others only weigh."""


def _choices(case: Case) -> Iterator[Axis]:
    answers = case.answers
    for key, values in ORDERED.items():
        now = getattr(answers, key)
        if now is None:
            for value in values:
                yield _single({key: value})
            continue
        place = values.index(now)
        for side in (values[place + 1 :], values[:place][::-1]):
            yield _listed([{key: value} for value in side])
    yield _single({"owner": None if answers.owner else SOMEBODY})
    if answers.metric is None:
        yield _single({"metric": "exact_match"})


def _single(change: Change) -> Axis:
    return _listed([change])


def _listed(changes: list[Change]) -> Axis:
    return Axis(len(changes), lambda step: changes[step - 1], straight=len(changes) < 2)


def _goals(case: Case) -> Iterator[Axis]:
    """A goal more, a goal less, and another one that matters most."""
    goals, main = case.answers.goals or (), case.answers.main_goal
    taught = any(goal in BEHAVIOURS for goal in goals)
    for goal in ("facts", "efficiency", "style", "classify"):
        if goal not in goals and not (taught and goal in BEHAVIOURS):
            yield _single({"goals": [name for name in GOALS if name in goals or name == goal]})
    for goal in goals if len(goals) > 1 else ():
        if goal != main:
            yield _single({"goals": [other for other in goals if other != goal]})
            yield _single({"main_goal": goal})


# ------------------------------------------------------------------ numbers


def _numbers(case: Case) -> Iterator[Axis]:
    answers, measured = case.answers, case.measured
    yield from _count("calls_per_month", answers.calls_per_month, MANY_CALLS)
    tokens, _ = corpus(case)
    if tokens is not None:
        yield from _texts(tokens)
    yield from _count("usable_examples", measured.usable_examples, MOST_ROWS)
    yield from _count("test_rows", measured.test_rows, MOST_ROWS)
    yield from _share("target", answers.target, 0.01, straight=False)
    yield from _share("contradiction_rate", measured.contradiction_rate, 0.001)
    # Nobody is sent to measure what can't be: labels that are none, passages where there is nothing to retrieve from.
    if can_compare_labels(case):
        yield from _share("agreement_kappa", measured.agreement_kappa, 0.01, least=-1.0)
    if measured.oracle_gain is not None or can_look_up(case):
        yield from _share("oracle_gain", measured.oracle_gain, 0.01, least=-1.0)
    if measured.test_overlap_rows != 0:
        yield _single({"test_overlap_rows": 0})


def _texts(now: int) -> Iterator[Axis]:
    """More and less reference text. Less ends at one token, since none at all is another answer than a little."""
    yield Axis(max(0, MUCH_TEXT - now), lambda step: {"corpus_tokens": now + step}, straight=False)
    yield Axis(now - 1, lambda step: {"corpus_tokens": now - step})
    if now:
        yield _single({"corpus_tokens": 0})


def _count(key: str, now: int | None, most: int) -> Iterator[Axis]:
    """Up and down from what is there; from both ends where nothing is known."""
    if now is None:
        yield Axis(most, lambda step: {key: step}, 0)
        yield Axis(most, lambda step: {key: most - step}, 0)
        return
    yield Axis(max(0, most - now), lambda step: {key: now + step})
    yield Axis(now, lambda step: {key: now - step})


def _share(key: str, now: float | None, grain: float, least: float = 0.0, *, straight: bool = True) -> Iterator[Axis]:
    """The same for a share, on a grid of round values."""
    last = round((1 - least) / grain)

    def on(place: int) -> Change:
        return {key: round(least + place * grain, 4)}

    if now is None:
        yield Axis(last, on, 0, straight)
        yield Axis(last, lambda step: on(last - step), 0, straight)
        return
    place = round((now - least) / grain, 6)
    below, above = ceil(place), floor(place)
    yield Axis(last - above, lambda step: on(above + step), 1, straight)
    yield Axis(below, lambda step: on(below - step), 1, straight)


def _switches(case: Case) -> Iterator[Axis]:
    """Yes or no, as measured."""
    measured = case.measured
    for key in ("test_human_checked", "metric_set_before_baseline", "rows_carry_context"):
        now = getattr(measured, key)
        if now is None and key == "rows_carry_context" and not can_look_up(case):
            continue
        for value in (True, False) if now is None else (not now,):
            yield _single({key: value})
    if measured.baseline_on_base is False:
        yield _single({"baseline_on_base": True})
    if measured.baseline_unfinished:
        yield _single({"baseline_unfinished": False})
    if measured.judge_holds is False:
        yield _single({"judge_holds": True})
    if measured.identifiers_decided is False:
        yield _single({"identifiers_decided": True})
    for cost in COST_CASES:
        if cost != measured.cost_case:
            yield _single({"cost_case": cost})


# ------------------------------------------------------------------ failures and results


def _failures(case: Case, policy: Policy) -> Iterator[Axis]:
    """Tags that say something else: towards behaviour, away from it; or enough of them where there are too few."""
    causes, least = case.measured.failure_causes, policy.count("tagged_failures")
    if causes is None or causes.total < least:
        for other in ("facts", "instructions"):
            yield Axis(least, partial(_mixed, least, other), first=0)
            yield Axis(least, partial(_mixed_down, least, other), first=0)
        return
    for cause in ("behaviour", "facts", "instructions"):
        yield Axis(causes.total - getattr(causes, cause), partial(towards, causes, cause))


def _mixed(total: int, other: str, behaviour: int) -> Change:
    return _tags({"behaviour": behaviour, other: total - behaviour})


def _mixed_down(total: int, other: str, step: int) -> Change:
    return _mixed(total, other, total - step)


def towards(causes: FailureCauses, cause: str, step: int) -> Change:
    """`step` tags that say `cause` instead, taken from the commonest other cause each time."""
    counts = {name: getattr(causes, name) for name in CAUSES}
    for _ in range(step):
        source = max((name for name in counts if name != cause), key=lambda name: counts[name])
        counts[source] -= 1
        counts[cause] += 1
    return _tags(counts)


def _tags(counts: Mapping[str, int]) -> Change:
    return {"failure_causes": {name: count for name, count in counts.items() if count}}


def _results(case: Case, facts: Facts, policy: Policy) -> Iterator[Axis]:
    """Scores of the best arm, of the large model, and of a small classifier."""
    baseline, teacher, arms = case.measured.baseline, case.measured.teacher, case.measured.arms or {}
    if baseline is not None:
        for last, at in _scores(baseline):
            yield Axis(last, partial(_scored, baseline, at))
        if baseline.counted or baseline.graded:
            yield Axis(MORE_TEST_ROWS, partial(more_rows, case, baseline), straight=False)
        yield _single({"baseline": baseline_json(baseline, fair_try(case, facts, policy))})
        if "rag" in baseline.arms and baseline.best_arm != "rag":
            yield _single({"baseline": baseline_json(baseline, {"best_arm": "rag"})})
    if teacher is not None:
        for last, at in _scores(teacher):
            yield Axis(last, partial(_taught, at))
    # Not "trivial": what copying an answer reaches is what it is on these rows, and nobody can do anything about it.
    for last, at in _scores(arms.get("small_classifier") or Result()):
        yield Axis(last, partial(_armed, arms, "small_classifier", at))


def _scored(baseline: Baseline, at: Callable[[int], Change], step: int) -> Change:
    return {"baseline": baseline_json(baseline, at(step))}


def _taught(at: Callable[[int], Change], step: int) -> Change:
    return {"teacher": at(step)}


def _armed(arms: Mapping[Arm, ArmResult], arm: Arm, at: Callable[[int], Change], step: int) -> Change:
    kept: Change = {name: result_json(result) for name, result in arms.items()}
    more = {"prompt_tokens": arms[arm].prompt_tokens, "split": arms[arm].split}
    return {"arms": kept | {arm: at(step) | {name: value for name, value in more.items() if value is not None}}}


def fair_try(case: Case, facts: Facts, policy: Policy) -> Change:
    """What a fair try of prompting still lacks, as changes to the baseline, at the same score."""
    old = case.measured.baseline or Baseline()
    trusted = old.error_rate is not None and old.error_rate <= policy.limit("error_rate")
    needed = [arm for arm in arms_needed(case, facts, policy) if can_look_up(case) or arm not in LOOKED_UP]
    arms = [*old.arms, *(arm for arm in needed if arm not in old.arms)]
    return {"arms": arms, "revised": True, "error_rate": old.error_rate if trusted else 0.0}


GRAIN = 0.005  # of a graded score


def _scores(result: Result) -> Iterator[tuple[int, Callable[[int], Change]]]:
    """Better and worse: one more or one less right, or half a point together with the interval."""
    if result.passed is not None and result.total:
        passed, total = result.passed, result.total
        yield total - passed, lambda step: {"passed": passed + step, "total": total}
        yield passed, lambda step: {"passed": passed - step, "total": total}
    elif result.graded:
        score, low, high = interval(result)

        def shifted(by: float) -> Change:
            moved = {"score": score + by, "low": low + by, "high": high + by}
            rounded = {name: round(min(max(value, 0.0), 1.0), 6) for name, value in moved.items()}
            return rounded | ({"rows": result.rows} if result.rows is not None else {})

        yield ceil((1 - score) / GRAIN), lambda step: shifted(step * GRAIN)
        yield ceil(score / GRAIN), lambda step: shifted(-step * GRAIN)


def more_rows(case: Case, baseline: Baseline, step: int) -> Change:
    """The same share right on more test rows: what settles an unclear result. A graded score keeps its interval."""
    total = baseline.answered or (1 if baseline.counted else 0)
    rows = total + step
    if baseline.counted:
        result: Change = {"passed": round((baseline.passed or 0) / total * rows), "total": rows}
    else:
        result = {"score": baseline.score, "low": baseline.low, "high": baseline.high, "rows": rows}
    change: Change = {"baseline": baseline_json(baseline, result)}
    kept = case.measured.test_rows
    if kept is not None and kept < rows:
        change["test_rows"] = rows
    return change


def baseline_json(baseline: Baseline, other: Change) -> Change:
    """The baseline as JSON with some of it replaced; a counted result replaces a graded one, and the other way."""
    now: Change = {
        "arms": list(baseline.arms),
        "revised": baseline.revised,
        "best_arm": baseline.best_arm,
        "error_rate": baseline.error_rate,
        "cut_rate": baseline.cut_rate,
    }
    for name in RESULT:
        now[name] = getattr(baseline, name)
    if "passed" in other or "score" in other:
        now |= dict.fromkeys(RESULT)
    return {name: value for name, value in (now | dict(other)).items() if value is not None}


def result_json(result: ArmResult) -> Change:
    return {name: value for name in (*RESULT, "prompt_tokens") if (value := getattr(result, name)) is not None}
