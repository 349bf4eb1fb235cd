"""The facts that follow from a case before any gate or score: needs, main goal, how a result stands to its target.

The words of the policy, read precisely:

- *Knowledge need*: `facts` is among the goals, or most tagged failures are missing facts, or the right passage
  lifts the score by the threshold or more.
- *Behaviour need*: a goal that examples can teach is named, and unclear instructions aren't the main cause of
  failure.
- *Efficiency need*: `efficiency` is among the goals.
- *Main goal*: the one marked; if none is marked, the only one named; else unknown. An unknown main goal never
  helps: it may be `facts` for G2 and it may be `efficiency` for G6 and G12.
- *Cause of failure*: the commonest tag once enough failures are tagged (30), else nobody has looked yet. On a tie
  the cause that speaks most against training counts.
- *Efficiency path*: efficiency is the main goal, or may be and nobody said that cost isn't the reason; or it is one of
  several goals, its cost case passes and the large model meets the target. The baseline is then the small model with
  its best prompt, and the teacher is the large model or the present pipeline.
- *Standing*: SHORT, MET or UNCLEAR as G6 says. It is unknown without a result, without a target, where more calls
  failed than the threshold allows, nobody counted the failed ones, or most answers were cut, and where the best arm is
  one that nobody could use as it is: the right passage given, another model.
- *Facts unsaid*: the rows look as if answering takes facts that aren't in the input, nobody named facts as a goal, and
  neither the arm that gets the right passage nor enough tagged failures have settled it.
- *Without a model*: an arm that asks no language model (a rule, a small classifier) and meets the target. A language
  model that reaches it too has nothing to add, and training one even less.
- *Free lead*: such an arm that surely beats every prompt, whether or not it meets the target: the best one, if several
  do. Surely: the lower end of the difference lies above 0 for each prompt that was measured (an intersection-union
  test, Berger 1982), where the difference's interval is made of the two results' own 95 % intervals (MOVER; Zou and
  Donner 2008). That takes them to be independent, which is right for different rows and cautious for the same ones.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import exp, hypot, lgamma, log
from typing import Literal, NamedTuple

from app import intervals
from app.advice.policy import Policy
from app.advice.schema import Arm, Case, Result

Standing = Literal["met", "short", "unclear"]

BEHAVIOURS = ("format", "style", "terms", "classify", "extract", "tools")
CAUSES = ("facts", "instructions", "reference", "behaviour")  # on a tie the first counts
NO_MODEL: tuple[Arm, ...] = ("trivial", "small_classifier", "embedding_classifier")  # arms that ask no language model
BEYOND = ("oracle", "stronger_model")  # arms that nobody could use as they are
EPSILON = 1e-9  # 0.8 - 0.7 is not quite 0.1


@dataclass(frozen=True, slots=True)
class Facts:
    knowledge: bool
    behaviour: bool
    efficiency: bool
    main_goal: str | None
    cause: str | None
    efficiency_path: bool
    baseline: Standing | None
    teacher: Standing | None
    facts_unsaid: bool
    without_model: Arm | None
    free_lead: Arm | None


def derive_facts(case: Case, policy: Policy) -> Facts:
    answers, measured = case.answers, case.measured
    goals = answers.goals or ()
    main = answers.main_goal or (goals[0] if len(goals) == 1 else None)
    cause = _cause(case, policy)
    gain = measured.oracle_gain
    baseline = measured.baseline
    teacher = standing(measured.teacher, answers.target, policy)
    trusted = (
        baseline is not None
        and baseline.best_arm not in BEYOND
        and baseline.error_rate is not None
        and baseline.error_rate <= policy.limit("error_rate")
        and baseline.cut_rate is None
    )
    return Facts(
        knowledge="facts" in goals
        or cause == "facts"
        or (gain is not None and gain >= policy.limit("oracle_gain") - EPSILON),
        behaviour=any(goal in BEHAVIOURS for goal in goals) and cause != "instructions",
        efficiency="efficiency" in goals,
        main_goal=main,
        cause=cause,
        efficiency_path="efficiency" in goals
        and (
            main == "efficiency"
            or (main is None and measured.cost_case != "not_goal")
            or (measured.cost_case == "pass" and teacher == "met")
        ),
        baseline=standing(baseline, answers.target, policy) if trusted else None,
        teacher=teacher,
        facts_unsaid=_facts_unsaid(case, cause),
        without_model=_without_model(case, policy),
        free_lead=_free_lead(case),
    )


def _facts_unsaid(case: Case, cause: str | None) -> bool:
    signals = case.measured.signals
    if signals is None or signals.knowledge != "likely" or "facts" in (case.answers.goals or ()):
        return False
    return case.measured.oracle_gain is None and cause is None


def _without_model(case: Case, policy: Policy) -> Arm | None:
    """The one with the highest score, if one meets the target."""
    arms = case.measured.arms
    if not arms:
        return None
    met = [arm for arm in NO_MODEL if standing(arms.get(arm), case.answers.target, policy) == "met"]
    return max(met, key=lambda arm: interval(arms[arm])[0], default=None)


def _free_lead(case: Case) -> Arm | None:
    arms, baseline = case.measured.arms or {}, case.measured.baseline
    prompts: list[Result] = [result for arm, result in arms.items() if arm not in (*NO_MODEL, *BEYOND) and result.there]
    if baseline is not None and baseline.there and baseline.best_arm not in NO_MODEL:
        prompts.append(baseline)
    ahead = [
        arm
        for arm in NO_MODEL
        if arm in arms and arms[arm].there and prompts and all(surely_ahead(arms[arm], prompt) for prompt in prompts)
    ]
    return max(ahead, key=lambda arm: interval(arms[arm])[0], default=None)


def surely_ahead(result: Result, other: Result) -> bool:
    """Whether the lower end of the difference lies above 0; see *Free lead* above."""
    score, low, _ = interval(result)
    theirs, _, high = interval(other)
    return score - theirs > hypot(score - low, high - theirs)


def _cause(case: Case, policy: Policy) -> str | None:
    causes = case.measured.failure_causes
    if causes is None or causes.total < policy.limit("tagged_failures"):
        return None
    return max(CAUSES, key=lambda cause: getattr(causes, cause))


def standing(result: Result | None, target: float | None, policy: Policy) -> Standing | None:
    """Where a result stands to its target, with its 95 % interval."""
    if result is None or target is None or not result.there:
        return None
    return _standing(*interval(result), target, policy.limit("target_grace"))


def _standing(score: float, low: float, high: float, target: float, grace: float) -> Standing:
    if high < target - EPSILON:
        return "short"
    if score >= target - EPSILON and low >= target - grace - EPSILON:
        return "met"
    return "unclear"


def interval(result: Result) -> tuple[float, float, float]:
    """Score, low and high: Wilson's interval for a count, the measured one for a graded score."""
    if result.passed is not None and result.total:
        return (result.passed / result.total, *intervals.wilson(result.passed, result.total))
    if result.score is not None and result.low is not None and result.high is not None:
        return result.score, result.low, result.high
    raise ValueError("There is no result to take an interval of.")


class Score(NamedTuple):
    """A result as numbers: the score, the ends of its 95 % interval, and on how many rows; None where nobody said."""

    score: float
    low: float
    high: float
    rows: int | None


def score_of(result: Result) -> Score:
    return Score(*interval(result), result.answered)


# Test rows that might be added: nobody plans finer than these.
MORE_ROWS: tuple[int, ...] = (*range(10, 200, 10), 200, 300, 400, 600, 800, 1200, 2000, 4000)


CHANCE = 0.8  # of being settled, at the number of rows that is named; what a power is usually set to


class Settled(NamedTuple):
    """rows: test rows in all. chance: that an unclear result is clear on so many, 0 to 1."""

    rows: int
    chance: float


def rows_to_settle(result: Result, target: float, policy: Policy) -> Settled | None:
    """How many test rows in all settle an unclear result with a chance of `CHANCE`; None if no sensible number does.

    What was seen is uncertain itself, so a number at which the rate that was seen would be clear leaves about one
    result in two open. Asked is over every rate that the rows so far leave possible (assurance: O'Hagan, Stevens and
    Campbell 2005, Pharmaceutical Statistics 4:187), with half an unseen row on either side (Jeffreys). Never fewer than
    a test set needs anyway, so that two gates don't ask for two numbers.
    """
    if result.passed is None or not result.total:
        return None
    grace = policy.limit("target_grace")
    low, high = 0, len(MORE_ROWS)  # the first of these steps at which the chance is reached
    while low < high:
        middle = (low + high) // 2
        if _chance(result.passed, result.total, MORE_ROWS[middle], target, grace) >= CHANCE:
            high = middle
        else:
            low = middle + 1
    if low == len(MORE_ROWS):
        return None
    total = max(result.total + MORE_ROWS[low], policy.count("test_rows"))
    return Settled(total, _chance(result.passed, result.total, total - result.total, target, grace))


@lru_cache(maxsize=4096)
def _chance(passed: int, total: int, more: int, target: float, grace: float) -> float:
    """The chance that so many further rows make a result clear: rows right among them are beta-binomial."""
    rows = total + more

    def stands(right: int) -> Standing:
        score, (low, high) = (passed + right) / rows, intervals.wilson(passed + right, rows)
        return _standing(score, low, high, target, grace)

    # Standings come in order: short for few right, met for many.
    open_from = bisect_left(range(more + 1), x=True, key=lambda right: stands(right) != "short")
    met_from = bisect_left(range(more + 1), x=True, key=lambda right: stands(right) == "met")
    a, b = passed + 0.5, total - passed + 0.5
    log_chance = lgamma(a + b) - lgamma(b) + lgamma(more + b) - lgamma(more + a + b)  # none of them right
    unclear = 0.0
    for right in range(min(met_from, more + 1)):
        if right >= open_from:
            unclear += exp(log_chance)
        if right < more:
            log_chance += log((more - right) * (right + a) / ((right + 1) * (more - right - 1 + b)))
    return 1.0 - min(1.0, unclear)
