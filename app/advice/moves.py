"""What could be otherwise in a case: every change worth trying, then in words, with what it takes to bring it about.

An `Axis` is one thing that moves away from where it is, step by step: a count, a share, an ordered choice. Step 0 is
where it is now; where nothing is known, it is one of the two ends. The search (`flips`) walks along it until the advice
changes. `told` puts a change into words: clauses for a sentence that begins with "If".

Efforts are judgements [J]: a person writes about a hundred good examples a day and checks four hundred answers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil, floor
from typing import Any, Literal

from app.advice.case import CHOICES, COST_CASES, GOALS, ArmResult, Baseline, Case, FailureCauses, Result
from app.advice.gates import ARM_NAMES, arms_needed
from app.advice.needs import BEHAVIOURS, CAUSES, Needs, interval
from app.advice.policy import Policy
from app.advice.scoring import corpus

Effort = Literal["a new answer", "minutes", "days", "weeks"]
EFFORTS: tuple[Effort, ...] = ("a new answer", "minutes", "days", "weeks")

ROWS_A_DAY = 100  # written
CHECKS_A_DAY = 400  # answers of test rows looked at
WORKING_WEEK = 5  # days
RESULT = ("passed", "total", "score", "low", "high", "rows")
MANY_CALLS = 10**9
MUCH_TEXT = 10**8  # tokens
MOST_ROWS = 100_000
MORE_TEST_ROWS = 4000  # beyond it nobody sets rows aside just to settle a score
SOMEBODY = "a named owner"

Change = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that is otherwise. size: how far it is from what is, 0 to 1, to show the smaller of two first."""

    words: str
    effort: Effort
    size: float


@dataclass(frozen=True, slots=True)
class Axis:
    """The changes `at(step)` for steps from `first` to `last`: 1 where step 0 is the case as it is, else 0.

    straight: what is reached on the way stays so to the end, so that the end alone shows whether anything is.
    """

    last: int
    at: Callable[[int], Change]
    first: int = 1
    straight: bool = True


def axes(case: Case, needs: Needs, policy: Policy) -> Iterator[Axis]:
    """Everything that can move by itself: answers first, then what was measured."""
    yield from _choices(case)
    yield from _goals(case)
    yield from _numbers(case)
    yield from _switches(case)
    yield from _failures(case, policy)
    yield from _results(case, needs, policy)


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

_SAID = {
    ("recurrence", "once"): "the job ran only once",
    ("recurrence", "months"): "the job ran for some months",
    ("recurrence", "ongoing"): "the job kept running",
    ("fact_change", "none"): "no outside facts were needed",
    ("access_rights", "yes"): "people had different rights to the information",
    ("access_rights", "some"): "a part of the information was restricted",
    ("access_rights", "no"): "everybody was allowed to see all of the information",
    ("definition_changes", "monthly"): "the rules of the task changed monthly",
    ("definition_changes", "stable"): "the rules of the task stayed stable",
    ("training_rights", "yes"): "the rows were allowed to be used for training",
    ("training_rights", "no"): "the rows were not allowed to be used for training",
    ("label_agreement", "high"): "experts nearly always agreed",
    ("label_agreement", "medium"): "experts mostly agreed",
    ("label_agreement", "low"): "experts often disagreed",
    ("checker_helps", "most"): "a simple checker caught most wrong answers",
    ("checker_helps", "partly"): "a simple checker caught some wrong answers",
    ("checker_helps", "no"): "no simple checker caught the wrong answers",
    ("prompting_tried", "no"): "nobody had tried prompting",
    ("prompting_tried", "met"): "prompting met the target",
    ("prompting_tried", "unclear"): "nobody could tell what prompting reaches",
    ("prompting_tried", "short_small"): "prompting fell short by less than 10 points",
    ("prompting_tried", "short_large"): "prompting fell short by 10 points or more",
}
GOAL_WORDS = {
    "facts": "knowing facts",
    "format": "a fixed shape",
    "style": "the style",
    "terms": "your own terms",
    "classify": "sorting into categories",
    "extract": "pulling out fields",
    "tools": "calling tools or writing a query language",
    "reasoning": "reasoning",
    "efficiency": "cost or speed",
    "safety": "safety",
    "general": "general help",
}


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
            yield _single({"goals": [one for one in GOALS if one in goals or one == goal]})
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
    # Neither can be measured here yet: what was brought along may be otherwise, and nobody is sent to measure it.
    if measured.agreement_kappa is not None:
        yield from _share("agreement_kappa", measured.agreement_kappa, 0.01, least=-1.0)
    if measured.oracle_gain is not None:
        yield from _share("oracle_gain", measured.oracle_gain, 0.01, least=-1.0)
    if measured.test_overlap_rows != 0:
        yield _single({"test_overlap_rows": 0})


def _asks_for_facts(case: Case, needs: Needs) -> bool:
    """Whether a passage could be looked up at all: there is text, or facts change, or they seem to be missing."""
    tokens, _ = corpus(case)
    return needs.knowledge or needs.facts_unsaid or bool(tokens) or case.answers.fact_change not in (None, "none")


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
        if now is None and key == "rows_carry_context":  # nothing here looks for it
            continue
        for value in (True, False) if now is None else (not now,):
            yield _single({key: value})
    if measured.baseline_on_base is False:
        yield _single({"baseline_on_base": True})
    if measured.baseline_unfinished:
        yield _single({"baseline_unfinished": False})
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


def _results(case: Case, needs: Needs, policy: Policy) -> Iterator[Axis]:
    """Scores of the best arm, of the large model, and of a small classifier."""
    baseline, teacher, arms = case.measured.baseline, case.measured.teacher, case.measured.arms or {}
    if baseline is not None:
        for last, at in _scores(baseline):
            yield Axis(last, partial(_scored, baseline, at))
        if baseline.counted or baseline.graded:
            yield Axis(MORE_TEST_ROWS, partial(more_rows, case, baseline), straight=False)
        yield _single({"baseline": baseline_json(baseline, tried(case, needs, policy))})
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


def _armed(arms: Mapping[str, ArmResult], arm: str, at: Callable[[int], Change], step: int) -> Change:
    kept = {name: _result_json(result) for name, result in arms.items()}
    more = {"prompt_tokens": arms[arm].prompt_tokens, "split": arms[arm].split}
    return {"arms": kept | {arm: at(step) | {name: value for name, value in more.items() if value is not None}}}


def tried(case: Case, needs: Needs, policy: Policy) -> Change:
    """What a fair try of prompting still lacks, as changes to the baseline, at the same score."""
    old = case.measured.baseline or Baseline()
    trusted = old.error_rate is not None and old.error_rate <= policy.limit("error_rate")
    arms = [*old.arms, *(arm for arm in arms_needed(case, needs) if arm not in old.arms)]
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


def baseline_json(baseline: Baseline, other: Mapping[str, Any]) -> Change:
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


def _result_json(result: ArmResult) -> Change:
    return {name: value for name in (*RESULT, "prompt_tokens") if (value := getattr(result, name)) is not None}


# ------------------------------------------------------------------ words and efforts


def told(change: Mapping[str, Any], case: Case) -> list[Move]:
    """A change of one or more keys, one move for each thing that is otherwise in the eyes of a reader."""
    moves = []
    goals = {key: change[key] for key in ("goals", "main_goal") if key in change}
    if goals:
        moves.append(Move(_goal_words(goals, case), "a new answer", 0.6 if "goals" in goals else 0.3))
    for key, value in change.items():
        if key in goals or (key == "test_rows" and _answered_as_well(change, case)):
            continue
        if key in ORDERED:
            moves.append(_choice_told(key, value, case))
        else:
            moves.append(Move(*_TOLD[key](value, case)))
    return moves


def _answered_as_well(change: Mapping[str, Any], case: Case) -> bool:
    """Whether the clause about the baseline already says how many test rows there are."""
    baseline = change.get("baseline")
    kept = case.measured.test_rows
    return baseline is not None and kept is not None and _answered(baseline) == change["test_rows"]


def _choice_told(key: str, value: str, case: Case) -> Move:
    words = _SAID.get((key, value)) or f"the facts changed {value}"
    now, values = getattr(case.answers, key), ORDERED[key]
    size = 0.5 if now is None else abs(values.index(now) - values.index(value)) / len(values)
    return Move(words, "days" if (key, value) == ("training_rights", "yes") and now else "a new answer", size)


def _goal_words(change: Mapping[str, Any], case: Case) -> str:
    before, parts = case.answers.goals or (), []
    after, main = change.get("goals", before), change.get("main_goal")
    added = [GOAL_WORDS[goal] for goal in after if goal not in before]
    dropped = [GOAL_WORDS[goal] for goal in before if goal not in after]
    if added:
        parts.append(f"{_and(added)} {'was' if len(added) == 1 else 'were'} among the goals{' too' if before else ''}")
    if dropped:
        parts.append(f"{_and(dropped)} {'was' if len(dropped) == 1 else 'were'} no goal")
    if main:
        parts.append("mattered most" if added == [GOAL_WORDS[main]] else f"{GOAL_WORDS[main]} mattered most")
    return _and(parts)


Told = tuple[str, Effort, float]


def _relative(now: float | None, value: float) -> float:
    return 1.0 if now is None else abs(value - now) / max(abs(value), abs(now), 1e-9)


def _writing(rows: int) -> Effort:
    days = rows / ROWS_A_DAY
    return "weeks" if days > WORKING_WEEK else "days" if days > 0.1 else "minutes"


def _told_calls(value: int, case: Case) -> Told:
    now = case.answers.calls_per_month
    if now is None:
        words = f"{value:,} calls a month were expected"
    else:
        words = f"calls {'rose' if value > now else 'fell'} to {value:,} a month"
    return words, "a new answer", _relative(now, value)


def _told_corpus(value: int, case: Case) -> Told:
    now, measured = corpus(case)
    way = "had" if now is None else "grew to" if value > now else "shrank to"
    return f"the reference text {way} {value:,} tokens", "days" if measured else "a new answer", _relative(now, value)


def _told_usable(value: int, case: Case) -> Told:
    now = case.measured.usable_examples
    if now is None:
        return f"the check found {value:,} usable examples", _writing(value), 1.0
    if value < now:
        return f"only {value:,} of the {now:,} usable examples were left", "minutes", _relative(now, value)
    more = value - now
    examples = "example was" if more == 1 else "examples were"
    return f"{more:,} more different {examples} usable ({value:,} in all)", _writing(more), _relative(now, value)


def _told_test_rows(value: int, case: Case) -> Told:
    now = case.measured.test_rows
    if now is None:
        return f"{value:,} test rows were set aside", _writing(value), 1.0
    if value < now:
        return f"only {value:,} test rows were set aside", "minutes", _relative(now, value)
    more = value - now
    rows = "row was" if more == 1 else "rows were"
    return f"{more:,} more test {rows} set aside ({value:,} in all)", _writing(more), _relative(now, value)


def _told_overlap(value: int, case: Case) -> Told:
    now = case.measured.test_overlap_rows
    if not now:
        return "no test row was found in the other parts", "minutes", 0.2
    rows = "test row that occurs elsewhere was" if now == 1 else "test rows that occur elsewhere were"
    return f"the {now - value:,} {rows} removed", "minutes", 0.2


def _told_target(value: float, case: Case) -> Told:
    now = case.answers.target
    way = "was set to" if now is None else "rose to" if value > now else "fell to"
    return f"the target {way} {value * 100:g} %", "a new answer", 1.0 if now is None else abs(value - now)


def _told_contradictions(value: float, case: Case) -> Told:
    now = case.measured.contradiction_rate
    only = "at most " if now is None or value < now else ""
    fixed: Effort = "minutes" if now is None or value > now else "days"
    return f"{only}{value * 100:g} % of similar rows contradicted each other", fixed, abs(value - (now or 0))


def _told_kappa(value: float, case: Case) -> Told:
    now = case.measured.agreement_kappa
    least = "at least " if now is None or value > now else "only "
    words = f"two people who label the same rows agreed with a kappa of {least}{value:.2f}"
    return words, "days", 1.0 if now is None else abs(value - now)


def _told_gain(value: float, case: Case) -> Told:
    now = case.measured.oracle_gain
    least = "only " if now is not None and value < now else ""
    words = f"the right passage lifted the score by {least}{value * 100:g} points"
    return words, "minutes", 1.0 if now is None else abs(value - now)


def _told_causes(value: Mapping[str, int], case: Case) -> Told:
    now, total = case.measured.failure_causes, sum(value.values())
    if now is None or now.total != total:
        most = max(_CAUSES, key=lambda cause: (value.get(cause, 0), cause != "behaviour"))
        some = "all" if value[most] == total else f"{value[most]}"
        return f"{total} failures were tagged, {some} of them {_CAUSES[most]}", "minutes", 0.5
    gained = {name: value.get(name, 0) - getattr(now, name) for name in _CAUSES}
    name, more = max(gained.items(), key=lambda pair: pair[1])
    plural = "was" if more == 1 else "were"
    return f"{more} more of the {total} tagged failures {plural} {_CAUSES[name]}", "minutes", more / total


def _told_owner(value: str | None, _case: Case) -> Told:
    return "somebody was named as owner" if value else "nobody owned it", "a new answer", 0.1


def _told_metric(_value: str, _case: Case) -> Told:
    return "a metric was picked", "a new answer", 0.1


def _told_arms(value: Mapping[str, Change], case: Case) -> Told:
    before, parts, size = case.measured.arms or {}, [], 0.0
    for arm, result in value.items():
        old = before.get(arm)
        if old is None or _result_json(old) == result or not old.there:
            continue
        score, was = _score(result), interval(old)[0]
        parts.append(f"{ARM_NAMES[arm]} reached {'only ' * (score < was)}{score * 100:.1f} %")
        size = max(size, abs(score - was))
    return _and(parts), "minutes", size


_CAUSES = {
    "behaviour": "wrong form or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong references",
}


def _told_switch(words: Mapping[Any, str], effort: Effort) -> Callable[[Any, Case], Told]:
    return lambda value, _case: (words[value], effort, 0.4)


def _told_checked(value: bool, case: Case) -> Told:
    rows = case.measured.test_rows or 0
    words = "people checked every test answer" if value else "nobody had checked the test answers"
    return words, "weeks" if rows > CHECKS_A_DAY * WORKING_WEEK else "days", 0.4


def _told_cost(value: str, case: Case) -> Told:
    now = case.measured.cost_case
    words = {
        "pass": "the cost case showed a saving",
        "fail": "the cost case showed no saving",
        "not_goal": "cost was not the reason",
    }[value]
    if value == "not_goal":
        return words, "a new answer", 0.5
    return words, "weeks" if (now, value) == ("fail", "pass") else "minutes", 0.5


def _told_teacher(value: Change, case: Case) -> Told:
    score, now = _score(value), case.measured.teacher
    if now is None or not now.there:
        return f"the large model reached {score * 100:.1f} % on the test rows", "minutes", 1.0
    before = interval(now)[0]
    return f"the large model reached {'only ' * (score < before)}{score * 100:.1f} %", "minutes", abs(score - before)


def _score(result: Mapping[str, Any]) -> float:
    return float(result["score"]) if "score" in result else result["passed"] / max(1, result["total"])


def _told_baseline(value: Change, case: Case) -> Told:
    """Only what differs from the baseline there is."""
    old = case.measured.baseline or Baseline()
    parts: list[str] = []
    effort: Effort = "minutes"
    size = 0.3
    added = [arm for arm in value["arms"] if arm not in old.arms]
    if added:
        parts.append(f"{_and([ARM_NAMES[arm] for arm in added])} {'was' if len(added) == 1 else 'were'} measured too"
                     if old.arms else "every kind of prompt was measured")  # fmt: skip
    if value["revised"] and not old.revised:
        parts.append("the instructions were revised once")
    if value.get("error_rate") != old.error_rate:
        parts.append("the failed calls were repeated" if old.error_rate else "few calls failed")
    if value.get("best_arm") != old.best_arm and value.get("best_arm") == "rag":
        parts.append("looked-up passages were the best arm")
    if ("passed" in value or "score" in value) and not _same_result(value, old):
        score = _score(value)
        if not old.there:
            parts.append(f"the best of them reached {score * 100:.1f} %{_on(value)}")
        elif old.answered != _answered(value) and abs(score - interval(old)[0]) < 0.5 / max(1, old.answered or 1):
            parts_of, effort, size = _more_answered(_answered(value), old, case)
            parts.append(parts_of)
        else:
            before = interval(old)[0]
            rows = _on(value) if old.answered != _answered(value) else ""
            parts.append(f"the best prompt reached {'only ' * (score < before)}{score * 100:.1f} %{rows}")
            effort, size = "minutes" if score < before else "days", abs(score - before)
    return _and(parts), effort, size


def _more_answered(rows: int, old: Baseline, case: Case) -> tuple[str, Effort, float]:
    """Rows that lie in the file only have to be asked, which takes minutes; others have to be written first."""
    kept = case.measured.test_rows or 0
    if old.answered is None:
        return f"the score stood on {rows:,} test rows", "minutes", 0.3
    more = rows - old.answered
    words = f"{more:,} more test rows were answered as well as those so far ({rows:,} in all)"
    return words, "minutes" if rows <= kept else _writing(more), abs(more) / max(1, rows)


def _same_result(value: Mapping[str, Any], old: Baseline) -> bool:
    return all(value.get(name) == getattr(old, name) for name in RESULT)


def _answered(value: Mapping[str, Any]) -> int:
    return int(value.get("total") or value.get("rows") or 0)


def _on(value: Mapping[str, Any]) -> str:
    return f" on {_answered(value):,} rows" if _answered(value) else ""


_TOLD: dict[str, Callable[[Any, Case], Told]] = {
    "owner": _told_owner,
    "metric": _told_metric,
    "arms": _told_arms,
    "calls_per_month": _told_calls,
    "corpus_tokens": _told_corpus,
    "usable_examples": _told_usable,
    "test_rows": _told_test_rows,
    "test_overlap_rows": _told_overlap,
    "test_human_checked": _told_checked,
    "target": _told_target,
    "contradiction_rate": _told_contradictions,
    "agreement_kappa": _told_kappa,
    "oracle_gain": _told_gain,
    "failure_causes": _told_causes,
    "metric_set_before_baseline": _told_switch(
        {True: "the target was set before fresh results", False: "the target was set after the results"}, "minutes"
    ),
    "rows_carry_context": _told_switch(
        {True: "every training row carried the looked-up text", False: "training rows lacked the looked-up text"},
        "days",
    ),
    "baseline_on_base": _told_switch({True: "prompting was measured on the base that would be trained"}, "minutes"),
    "baseline_unfinished": _told_switch({False: "the newer measurement was finished, with the same result"}, "minutes"),
    "identifiers_decided": _told_switch(
        {True: "somebody decided about the personal data that was found", False: "personal data was found"}, "minutes"
    ),
    "cost_case": _told_cost,
    "teacher": _told_teacher,
    "baseline": _told_baseline,
}


def _and(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
