"""A change to a case in its parts: what is otherwise in the eyes of a reader, and what it takes to bring it about.

A part is said by codes and numbers; `sentences/changes.py` has the clauses, for a sentence that begins with "If".

Efforts are judgements [J]: a person writes about a hundred good examples a day and checks four hundred answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.advice.facts import CAUSES, interval
from app.advice.schema import Baseline, Case
from app.advice.scoring import corpus
from app.advice.what_if.axes import ORDERED, RESULT, Change, result_json
from app.wording import Statement, state

Effort = Literal["a new answer", "minutes", "days", "weeks"]
EFFORTS: tuple[Effort, ...] = ("a new answer", "minutes", "days", "weeks")

ROWS_A_DAY = 100  # written
CHECKS_A_DAY = 400  # answers of test rows looked at
WORKING_WEEK = 5  # days


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is otherwise.

    clauses: how it is said. size: how far it is from what is, 0 to 1, to show the smaller of two first.
    """

    clauses: tuple[Statement, ...]
    effort: Effort
    size: float


def parts(change: Change, case: Case) -> list[Part]:
    """A change of one or more keys, one part for each thing that is otherwise in the eyes of a reader."""
    changed = []
    goals: Change = {key: change[key] for key in ("goals", "main_goal") if key in change}
    if goals:
        changed.append(Part(_goals(goals, case), "a new answer", 0.6 if "goals" in goals else 0.3))
    for key, value in change.items():
        if key in goals or (key == "test_rows" and _answered_as_well(change, case)):
            continue
        changed.append(_choice(key, value, case) if key in ORDERED else _PARTS[key](value, case))
    return changed


def _answered_as_well(change: Change, case: Case) -> bool:
    """Whether the clause about the baseline already says how many test rows there are."""
    baseline = change.get("baseline")
    test_rows = case.measured.test_rows
    return baseline is not None and test_rows is not None and _answered(baseline) == change["test_rows"]


def _part(effort: Effort, size: float, code: str, /, **values: object) -> Part:
    return Part((state(code, **values),), effort, size)


def _choice(key: str, value: str, case: Case) -> Part:
    now, values = getattr(case.answers, key), ORDERED[key]
    size = 0.5 if now is None else abs(values.index(now) - values.index(value)) / len(values)
    effort: Effort = "days" if (key, value) == ("training_rights", "yes") and now else "a new answer"
    return _part(effort, size, key, value=value)


def _goals(change: Change, case: Case) -> tuple[Statement, ...]:
    before = case.answers.goals or ()
    after, main = change.get("goals", before), change.get("main_goal")
    added = [goal for goal in after if goal not in before]
    dropped = [goal for goal in before if goal not in after]
    clauses = []
    if added:
        clauses.append(state("goals_added", goals=added, first=not before))
    if dropped:
        clauses.append(state("goals_dropped", goals=dropped))
    if main:
        clauses.append(state("mattered_most") if added == [main] else state("main_goal", goal=main))
    return tuple(clauses)


def _relative(now: float | None, value: float) -> float:
    return 1.0 if now is None else abs(value - now) / max(abs(value), abs(now), 1e-9)


def _distance(now: float | None, value: float) -> float:
    return 1.0 if now is None else abs(value - now)


def _writing(rows: int) -> Effort:
    days = rows / ROWS_A_DAY
    return "weeks" if days > WORKING_WEEK else "days" if days > 0.1 else "minutes"


def _calls(value: int, case: Case) -> Part:
    now = case.answers.calls_per_month
    return _part("a new answer", _relative(now, value), "calls_per_month", value=value, now=now)


def _corpus(value: int, case: Case) -> Part:
    now, measured = corpus(case)
    return _part("days" if measured else "a new answer", _relative(now, value), "corpus_tokens", value=value, now=now)


def _usable(value: int, case: Case) -> Part:
    return _rows("usable_examples", value, case.measured.usable_examples)


def _test_rows(value: int, case: Case) -> Part:
    return _rows("test_rows", value, case.measured.test_rows)


def _rows(key: str, value: int, now: int | None) -> Part:
    """More rows have to be written; fewer are left out."""
    if now is None:
        return _part(_writing(value), 1.0, f"{key}_first", value=value)
    if value < now:
        return _part("minutes", _relative(now, value), f"{key}_fewer", value=value, now=now)
    return _part(_writing(value - now), _relative(now, value), f"{key}_more", value=value, more=value - now)


def _overlap(value: int, case: Case) -> Part:
    now = case.measured.test_overlap_rows
    if not now:
        return _part("minutes", 0.2, "no_overlap")
    return _part("minutes", 0.2, "overlap_removed", removed=now - value, overlapping=now)


def _target(value: float, case: Case) -> Part:
    now = case.answers.target
    return _part("a new answer", _distance(now, value), "target", value=value, now=now)


def _contradictions(value: float, case: Case) -> Part:
    now = case.measured.contradiction_rate
    effort: Effort = "minutes" if now is None or value > now else "days"
    return _part(effort, abs(value - (now or 0)), "contradiction_rate", value=value, now=now)


def _kappa(value: float, case: Case) -> Part:
    now = case.measured.agreement_kappa
    return _part("minutes" if now is None else "days", _distance(now, value), "agreement_kappa", value=value, now=now)


def _references(value: int, case: Case) -> Part:
    now = case.measured.references_wrong or 0
    return _part(_writing(abs(now - value)), _relative(now, value), "references_wrong", value=value)


def _context(value: bool, case: Case) -> Part:
    """Passages are put into rows by the app; the documents have to be there first."""
    return _part("minutes" if case.measured.corpus_tokens else "days", 0.4, "rows_carry_context", value=value)


def _gain(value: float, case: Case) -> Part:
    now = case.measured.oracle_gain
    return _part("minutes", _distance(now, value), "oracle_gain", value=value, now=now)


def _causes(value: Mapping[str, int], case: Case) -> Part:
    now, total = case.measured.failure_causes, sum(value.values())
    if now is None or now.total != total:
        most = max(CAUSE_ORDER, key=lambda cause: (value.get(cause, 0), cause != "behaviour"))
        return _part("minutes", 0.5, "tagged", total=total, cause=most, number=value[most])
    gained = {name: value.get(name, 0) - getattr(now, name) for name in CAUSE_ORDER}
    name, more = max(gained.items(), key=lambda pair: pair[1])
    return _part("minutes", more / total, "tagged_more", total=total, cause=name, more=more)


CAUSE_ORDER = ("behaviour", *(cause for cause in CAUSES if cause != "behaviour"))


def _owner(value: str | None, _case: Case) -> Part:
    return _part("a new answer", 0.1, "owner" if value else "no_owner")


def _metric(_value: str, _case: Case) -> Part:
    return _part("a new answer", 0.1, "metric")


def _arms(value: Mapping[str, Change], case: Case) -> Part:
    clauses, size = [], 0.0
    for arm, old in (case.measured.arms or {}).items():
        result = value.get(arm)
        if result is None or result_json(old) == result or not old.there:
            continue
        score, was = _score(result), interval(old)[0]
        clauses.append(state("arm_reached", arm=arm, score=score, was=was))
        size = max(size, abs(score - was))
    return Part(tuple(clauses), "minutes", size)


def _switch(key: str, effort: Effort) -> Callable[[bool, Case], Part]:
    return lambda value, _case: _part(effort, 0.4, key, value=value)


def _checked(value: bool, case: Case) -> Part:
    rows = case.measured.test_rows or 0
    return _part("weeks" if rows > CHECKS_A_DAY * WORKING_WEEK else "days", 0.4, "test_human_checked", value=value)


def _cost(value: str, case: Case) -> Part:
    now = case.measured.cost_case
    effort: Effort = "weeks" if (now, value) == ("fail", "pass") else "minutes"
    return _part("a new answer" if value == "not_goal" else effort, 0.5, "cost_case", value=value)


def _teacher(value: Change, case: Case) -> Part:
    score, now = _score(value), case.measured.teacher
    was = interval(now)[0] if now is not None and now.there else None
    return _part("minutes", _distance(was, score), "teacher", score=score, was=was)


def _score(result: Change) -> float:
    return float(result["score"]) if "score" in result else result["passed"] / max(1, result["total"])


def _baseline(value: Change, case: Case) -> Part:
    """Only what differs from the baseline there is."""
    old = case.measured.baseline or Baseline()
    clauses: list[Statement] = []
    added = [arm for arm in value["arms"] if arm not in old.arms]
    if added:
        clauses.append(state("arms_measured", arms=added, first=not old.arms))
    if value["revised"] and not old.revised:
        clauses.append(state("revised"))
    if value.get("error_rate") != old.error_rate:
        clauses.append(state("calls_repeated" if old.error_rate else "few_calls_failed"))
    if value.get("best_arm") != old.best_arm and value.get("best_arm") == "rag":
        clauses.append(state("passages_best"))
    if ("passed" in value or "score" in value) and not _same_result(value, old):
        scored = _scored(value, old, case)
        return Part((*clauses, *scored.clauses), scored.effort, scored.size)
    return Part(tuple(clauses), "minutes", 0.3)


def _scored(value: Change, old: Baseline, case: Case) -> Part:
    """Another result of the best prompt."""
    score, answered = _score(value), _answered(value)
    if not old.there:
        return _part("minutes", 0.3, "best_of_them", score=score, rows=answered)
    before = interval(old)[0]
    if old.answered != answered and abs(score - before) < 0.5 / max(1, old.answered or 1):
        return _more_answered(answered, old, case)
    rows = answered if old.answered != answered else 0
    effort: Effort = "minutes" if score < before else "days"
    return _part(effort, abs(score - before), "best_prompt", score=score, was=before, rows=rows)


def _more_answered(rows: int, old: Baseline, case: Case) -> Part:
    """Rows that lie in the file only have to be asked, which takes minutes; others have to be written first."""
    if old.answered is None:
        return _part("minutes", 0.3, "score_on_rows", rows=rows)
    more = rows - old.answered
    effort = "minutes" if rows <= (case.measured.test_rows or 0) else _writing(more)
    return _part(effort, abs(more) / max(1, rows), "more_answered", more=more, rows=rows)


def _same_result(value: Change, old: Baseline) -> bool:
    return all(value.get(name) == getattr(old, name) for name in RESULT)


def _answered(value: Change) -> int:
    return int(value.get("total") or value.get("rows") or 0)


_PARTS: Mapping[str, Callable[[Any, Case], Part]] = {
    "owner": _owner,
    "metric": _metric,
    "arms": _arms,
    "calls_per_month": _calls,
    "corpus_tokens": _corpus,
    "usable_examples": _usable,
    "test_rows": _test_rows,
    "test_overlap_rows": _overlap,
    "test_human_checked": _checked,
    "target": _target,
    "contradiction_rate": _contradictions,
    "agreement_kappa": _kappa,
    "oracle_gain": _gain,
    "failure_causes": _causes,
    "metric_set_before_baseline": _switch("metric_set_before_baseline", "minutes"),
    "rows_carry_context": _context,
    "references_wrong": _references,
    "baseline_on_base": _switch("baseline_on_base", "minutes"),
    "baseline_unfinished": _switch("baseline_unfinished", "minutes"),
    "judge_holds": _switch("judge_holds", "days"),
    "identifiers_decided": _switch("identifiers_decided", "minutes"),
    "cost_case": _cost,
    "teacher": _teacher,
    "baseline": _baseline,
}
