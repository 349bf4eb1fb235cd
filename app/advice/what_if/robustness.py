"""How stable a verdict is: the share of slightly different policies under which it stays the same.

Every draw is a whole policy in which each weight is one point higher, one lower or as it is, and each threshold a
tenth higher, a tenth lower or as it is. The verdict is kept if approach, training and leaning all stay. Weights alone
would flatter it: they only rank and explain, and decide no more than whether a locked case leans to training (rule 5),
so most of what can tip a verdict is a value that lies close to a threshold.

The draws are seeded, so the same case under the same policy always gets the same number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Literal

from app.advice.policy import Policy, Threshold
from app.advice.sentences import robustness as sentences

DRAWS = 300
SEED = 20_261
BAND = 0.1  # a tenth: thresholds marked as our judgement are hardly known better
VERY_STABLE = 0.98  # the share that the golden cases kept on average when the rules were written
STABLE = 0.80

Word = Literal["very stable", "stable", "fragile"]


@dataclass(frozen=True, slots=True)
class Robustness:
    """share: of all draws; by_weights, by_thresholds: what it is when only those move.

    tips: titles of the thresholds of which one step is enough to tip the verdict.
    """

    share: float
    draws: int
    word: Word
    by_weights: float
    by_thresholds: float
    tips: tuple[str, ...]

    @property
    def text(self) -> str:
        return sentences.text(self.share, self.draws, self.tips)


Verdict = tuple[str, str, str | None]  # approach, training, leaning


@dataclass(frozen=True, slots=True)
class Sketch:
    """What one policy's thresholds make of a case, short of adding up points.

    rows: the rows of the table whose points add up. trailing, leading: the verdict where training scores no more than
    prompting, and where it scores more; they differ in the leaning alone, and only where rule 5 looks at it.
    """

    rows: tuple[tuple[str, str], ...]
    trailing: Verdict
    leading: Verdict

    @property
    def torn(self) -> bool:
        """Whether points decide anything at all."""
        return self.trailing != self.leading

    def verdict(self, lead: int) -> Verdict:
        """What it comes to when training scores `lead` points more than prompting."""
        return self.leading if lead > 0 else self.trailing


TOGETHER = ("usable_examples", "calls_per_example", "months_ahead")
"""Thresholds that one gate multiplies (G3): none of them may tip it alone, all of them together may."""


def robustness(sketch: Callable[[Policy], Sketch], policy: Policy) -> Robustness:
    """How many of the draws keep the verdict that the policy itself gives."""
    draws = kept(sketch, policy)
    share, by_weights, by_thresholds = (sum(column) / DRAWS for column in zip(*draws, strict=True))
    word: Word = "very stable" if share >= VERY_STABLE else "stable" if share >= STABLE else "fragile"
    return Robustness(share, DRAWS, word, by_weights, by_thresholds, _tips(sketch, policy))


def kept(sketch: Callable[[Policy], Sketch], policy: Policy) -> list[tuple[bool, bool, bool]]:
    """For each draw whether the verdict stays: with everything moved, with the weights alone, the thresholds alone."""
    base = sketch(policy)
    margin = sum(_lead(policy, row) for row in base.rows)
    now = base.verdict(margin)
    alive = _alive(base, sketch, policy)
    cache = {(0,) * len(alive): base}
    stays = []
    for steps, shifts in _draws(
        tuple(sorted(threshold.name for threshold in policy.thresholds)), tuple(sorted(_table(policy)))
    ):
        moved = tuple(steps[name] for name in alive)
        if moved not in cache:
            cache[moved] = sketch(_moved(policy, dict(zip(alive, moved, strict=True))))
        other = cache[moved]
        lead = sum(_lead(policy, row) for row in other.rows) if other.torn else 0
        everything = other.verdict(lead + _shift(other, shifts))
        stays.append(
            (now == everything, now == base.verdict(margin + _shift(base, shifts)), now == other.verdict(lead))
        )
    return stays


def _tips(sketch: Callable[[Policy], Sketch], policy: Policy) -> tuple[str, ...]:
    """Titles of the thresholds of which one step is enough."""
    base = sketch(policy)
    now = base.verdict(sum(_lead(policy, row) for row in base.rows))
    return tuple(
        threshold.title or threshold.name
        for threshold in policy.thresholds
        if any(now not in (other.leading, other.trailing) for other in _neighbours(threshold.name, sketch, policy))
    )


def _shift(sketch: Sketch, shifts: dict[tuple[str, str], int]) -> int:
    return sum(shifts.get(row, 0) for row in sketch.rows) if sketch.torn else 0


def _neighbours(name: str, sketch: Callable[[Policy], Sketch], policy: Policy) -> Iterator[Sketch]:
    return (sketch(_moved(policy, {name: step})) for step in (-1, 1))


def _lead(policy: Policy, row: tuple[str, str]) -> int:
    """How much an answer speaks for training rather than prompting."""
    points = policy.weight(*row).points
    return points.fine_tune - points.prompt


def _table(policy: Policy) -> list[tuple[str, str]]:
    return [(weight.factor, weight.answer) for weight in policy.weights]


def _alive(base: Sketch, sketch: Callable[[Policy], Sketch], policy: Policy) -> list[str]:
    """The thresholds that can move anything for this case; the others need no second look in any draw."""
    names = [threshold.name for threshold in policy.thresholds]
    alive = {name for name in names if any(other != base for other in _neighbours(name, sketch, policy))}
    for floor, calls, months in ((1, 1, -1), (-1, -1, 1)):
        if sketch(_moved(policy, dict(zip(TOGETHER, (floor, calls, months), strict=True)))) != base:
            alive |= set(TOGETHER)
    return [name for name in names if name in alive]


def _moved(policy: Policy, steps: dict[str, int]) -> Policy:
    return _variant(policy, tuple(sorted((name, step) for name, step in steps.items() if step)))


@lru_cache(maxsize=512)
def _variant(policy: Policy, steps: tuple[tuple[str, int], ...]) -> Policy:
    """Kept, since every case is held against the same variants of one policy first."""
    by_name = dict(steps)
    return replace(
        policy, thresholds=tuple(_shifted(threshold, by_name.get(threshold.name, 0)) for threshold in policy.thresholds)
    )


def _shifted(threshold: Threshold, step: int) -> Threshold:
    """A tenth up or down; a count stays whole, and moves by one at least."""
    if not step:
        return threshold
    value = threshold.value * (1 + step * BAND)
    if threshold.whole:
        value = max(1, threshold.value + step * max(1, round(threshold.value * BAND)))
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
