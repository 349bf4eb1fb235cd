"""How stable a verdict is: the share of slightly different policies under which it stays the same.

Every draw is a whole policy in which each weight is one point higher, one lower or as it is, and each threshold a
tenth higher, a tenth lower or as it is. The verdict is kept if approach, training and leaning all stay. Weights alone
would flatter it: they only rank and explain, and decide no more than whether a locked case leans to training (rule 5),
so most of what can tip a verdict is a value that lies close to a threshold.

The draws are seeded, so the same case under the same policy always gets the same number.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Literal

from app.advice.policy import Policy, Threshold

DRAWS = 300
SEED = 20_261
BAND = 0.1  # a tenth: thresholds marked as our judgement are hardly known better
VERY_STABLE = 0.98  # the share that the golden cases kept on average when the rules were written
STABLE = 0.80

Word = Literal["very stable", "stable", "fragile"]


@dataclass(frozen=True, slots=True)
class Robustness:
    """share: of all draws; by_weights, by_thresholds: what it is when only those move."""

    share: float
    draws: int
    word: Word
    by_weights: float
    by_thresholds: float
    text: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """What one policy's thresholds make of a case, short of adding up points.

    rows: the rows of the table whose points add up. trailing, leading: the verdict where training scores no more than
    prompting, and where it scores more; they differ in the leaning alone, and only where rule 5 looks at it.
    """

    rows: tuple[tuple[str, str], ...]
    trailing: tuple[str, str, str | None]
    leading: tuple[str, str, str | None]


TOGETHER = ("usable_examples", "calls_per_example", "months_ahead")
"""Thresholds that one gate multiplies (G3): none of them may tip it alone, all of them together may."""


def robustness(sketch: Callable[[Policy], Sketch], policy: Policy) -> Robustness:
    """How many of the draws keep the verdict that the policy itself gives."""
    base = sketch(policy)
    margin = sum(_lead(policy, row) for row in base.rows)
    now = base.leading if margin > 0 else base.trailing
    alive = _alive(base, sketch, policy)
    cache: dict[tuple[int, ...], Sketch] = {}
    kept = weights_kept = thresholds_kept = 0
    tips: set[str] = set()
    for steps, shifts in _draws(tuple(sorted(one.name for one in policy.thresholds)), tuple(sorted(_table(policy)))):
        moved = tuple(steps[name] for name in alive)
        if moved not in cache:
            cache[moved] = sketch(_moved(policy, dict(zip(alive, moved, strict=True)))) if any(moved) else base
        other = cache[moved]
        shifted = sum(shifts.get(row, 0) for row in base.rows)
        weights_kept += now == (base.leading if margin + shifted > 0 else base.trailing)
        own = sum(_lead(policy, row) for row in other.rows) if other.trailing != other.leading else 0
        thresholds_kept += now == (other.leading if own > 0 else other.trailing)
        shifted = sum(shifts.get(row, 0) for row in other.rows) if other.trailing != other.leading else 0
        kept += now == (other.leading if own + shifted > 0 else other.trailing)
    for name in alive:
        for step in (-1, 1):
            other = sketch(_moved(policy, {name: step}))
            if now not in (other.leading, other.trailing):
                tips.add(name)
    share = kept / DRAWS
    word: Word = "very stable" if share >= VERY_STABLE else "stable" if share >= STABLE else "fragile"
    return Robustness(share, DRAWS, word, weights_kept / DRAWS, thresholds_kept / DRAWS, _text(share, sorted(tips)))


def _lead(policy: Policy, row: tuple[str, str]) -> int:
    """How much an answer speaks for training rather than prompting."""
    points = policy.weight(*row).points
    return points.fine_tune - points.prompt


def _table(policy: Policy) -> list[tuple[str, str]]:
    return [(weight.factor, weight.answer) for weight in policy.weights]


def _alive(base: Sketch, sketch: Callable[[Policy], Sketch], policy: Policy) -> list[str]:
    """The thresholds that can move anything for this case; the others need no second look in any draw."""
    names = [one.name for one in policy.thresholds]
    alive = {name for name in names for step in (-1, 1) if sketch(_moved(policy, {name: step})) != base}
    for floor, calls, months in ((1, 1, -1), (-1, -1, 1)):
        if sketch(_moved(policy, dict(zip(TOGETHER, (floor, calls, months), strict=True)))) != base:
            alive |= set(TOGETHER)
    return [name for name in names if name in alive]


def _moved(policy: Policy, steps: dict[str, int]) -> Policy:
    return replace(policy, thresholds=tuple(_shifted(one, steps.get(one.name, 0)) for one in policy.thresholds))


def _shifted(threshold: Threshold, step: int) -> Threshold:
    """A tenth up or down; a count stays whole, and moves by one at least."""
    if not step:
        return threshold
    value = threshold.value * (1 + step * BAND)
    if threshold.value > 1 and float(threshold.value).is_integer():
        value = max(1, min(round(value), threshold.value - 1) if step < 0 else max(round(value), threshold.value + 1))
    return replace(threshold, value=value)


Draw = tuple[dict[str, int], dict[tuple[str, str], int]]


@lru_cache(maxsize=8)
def _draws(names: tuple[str, ...], rows: tuple[tuple[str, str], ...]) -> list[Draw]:
    """The steps of each threshold, and by how much each row's lead of training over prompting shifts."""
    random = Random(SEED)
    steps = (-1, 0, 1)
    return [
        (
            {name: random.choice(steps) for name in names},
            {row: random.choice(steps) - random.choice(steps) for row in rows},
        )
        for _ in range(DRAWS)
    ]


def _text(share: float, tips: list[str]) -> str:
    text = (
        f"{share * 100:.0f} % of {DRAWS} slightly different policies (every weight up to a point, every threshold "
        "up to a tenth away) come to the same verdict."
    )
    if tips:
        text += f" It turns on the threshold for {' and for '.join(name.replace('_', ' ') for name in tips)}."
    return text
