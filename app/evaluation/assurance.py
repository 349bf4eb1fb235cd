"""How many rows settle a comparison, and with which chance.

The usual formula takes the difference that was seen for the true one, and then says how many rows show it in four of
five tries. But what was seen is uncertain itself: at the number that it names, one comparison in three is still open.
Assurance (O'Hagan, Stevens and Campbell 2005, Pharmaceutical Statistics 4:187) asks over everything that the rows so
far leave possible: how often is it settled with so many rows? The number named is the one at 80 %. Pure.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app import intervals
from app.evaluation.statistics import ALPHA, BOUNDED

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHANCE = 0.8  # of being settled, at the number of rows that is named; what a power is usually set to
WORLDS = 4_000  # futures that are drawn: the chance is known to about a point
MOST = 200_000  # rows beyond which no number is named
STEP = 1.02  # how closely the number is looked for
JEFFREYS = 0.5  # weight of the unseen row on either side of a share
# Rows won and lost that stand for what is known of systems before any row: most differences on one task are small. With
# a fifth of the rows differing, these make six points the usual size of a true gain. Without them fifty rows leave
# gains of twenty points possible, which a few more rows would settle, and the number named is far too small for what
# people compare (`tests/bench/bench_honesty.py --settle`). Our judgement.
USUAL = 5.0
USUAL_GAIN = 0.06  # the same for graded scores


@dataclass(frozen=True, slots=True)
class Needed:
    """rows: in all, those so far among them. chance: that a comparison on so many rows is settled, 0 to 1."""

    rows: int
    chance: float


@cache
def needed_rates(both: float, b: float, c: float, neither: float, worthwhile: float) -> Needed | None:
    """Rows of right and wrong that settle which of two is better (improved, regressed, or no gain of `worthwhile`),
    from the rows so far: the cells of `statistics.paired_rates`. None where no number up to `MOST` does.

    True shares are drawn from their distribution given these rows: of rows that differ, and of those right in both,
    with half an unseen row on either side; of rows won among those that differ with `USUAL`. Further rows are drawn
    from each of them, and what the verdict goes by is worked out on all of them together.
    """
    cells = np.array([both, b, c, neither])
    generator = np.random.default_rng(11)
    differ = generator.beta(b + c + JEFFREYS, both + neither + JEFFREYS, WORLDS)
    won = generator.beta(c + USUAL, b + USUAL, WORLDS)
    right = generator.beta(both + JEFFREYS, neither + JEFFREYS, WORLDS)
    shares = np.stack([(1 - differ) * right, differ * (1 - won), differ * won, (1 - differ) * (1 - right)], axis=1)
    so_far = float(cells.sum())

    def settled(rows: int) -> float:
        more = np.random.default_rng(12).multinomial(max(0, math.ceil(rows - so_far)), shares)
        return float(_settled_rates(cells + more, worthwhile).mean())

    return _least(settled, so_far)


@cache
def needed_graded(rows: float, delta: float, spread: float, worthwhile: float) -> Needed | None:
    """The same for graded scores. delta, spread: mean and standard deviation of the differences so far.

    True mean and variance are drawn from their distribution given these, with gains of the size `USUAL_GAIN` before any
    row. The interval is the bounded one of `statistics.paired_bounded`, by the variance that its unseen rows add.
    """
    if rows < 2 or spread <= 0:
        return None
    generator = np.random.default_rng(13)
    variance = spread**2 * (rows - 1) / generator.chisquare(rows - 1, WORLDS)
    known = rows / variance
    mean = generator.normal(delta * known / (known + USUAL_GAIN**-2), np.sqrt(1 / (known + USUAL_GAIN**-2)))
    noise = generator.standard_normal(WORLDS)

    def settled(total: int) -> float:
        more = max(0.0, total - rows)
        seen = mean + noise * np.sqrt(variance / more) if more else np.zeros(WORLDS)
        middle = (rows * delta + more * seen) / total
        squares = rows * spread**2 + more * variance + 2 * BOUNDED
        half = intervals.z() * np.sqrt(squares) / total
        return float(_settled(middle - half, middle + half, worthwhile).mean())

    return _least(settled, rows)


@cache
def needed_target(score: float, rows: float, target: float, spread: float | None = None) -> Needed | None:
    """Rows after which the interval of one score no longer holds the target, from the rows so far. score: their mean,
    spread: standard deviation of graded scores, None for right and wrong."""
    if rows < 2 or (spread is not None and spread <= 0):
        return None
    generator = np.random.default_rng(14)
    passed = score * rows
    rate = generator.beta(passed + JEFFREYS, rows - passed + JEFFREYS, WORLDS)
    mean = generator.normal(score, (spread or 0.0) / math.sqrt(rows), WORLDS)
    noise = generator.standard_normal(WORLDS)

    def settled(total: int) -> float:
        more = max(0, math.ceil(total - rows))
        if spread is None:
            right = passed + np.random.default_rng(15).binomial(more, rate)
            low, high = _wilson((right / (rows + more)).astype(np.float64), np.full(WORLDS, rows + more), intervals.z())
        else:
            seen = mean + noise * spread / math.sqrt(more) if more else mean
            middle = (rows * score + more * seen) / (rows + more)
            half = intervals.z() * spread / math.sqrt(rows + more)
            low, high = middle - half, middle + half
        return float(((low > target) | (high < target)).mean())

    return _least(settled, rows)


def _least(settled: Callable[[int], float], so_far: float) -> Needed | None:
    """The least number of rows, to two figures, at which the chance is reached."""
    low = high = math.ceil(so_far) + 1
    while settled(high) < CHANCE:
        if high >= MOST:
            return None
        low, high = high, min(MOST, 2 * high)
    while high > low * STEP + 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settled(middle) >= CHANCE else (middle, high)
    rows = rounded(high)
    return Needed(rows, settled(rows))


def rounded(rows: float) -> int:
    """A number of rows to two figures, up: more of them would say more than anybody knows."""
    figures = int(10 ** max(0, len(str(math.ceil(rows))) - 2))
    return math.ceil(rows / figures) * figures


def _settled(low: Floats, high: Floats, worthwhile: float) -> Bools:
    return np.asarray((low > 0) | (high < worthwhile), dtype=np.bool_)


def _settled_rates(cells: Floats, worthwhile: float) -> Bools:
    low, high = rates(*cells.T)
    sure = _surely(cells[:, 1], cells[:, 2])
    return np.asarray(((low > 0) & sure) | (high < worthwhile), dtype=np.bool_)


def _surely(b: Floats, c: Floats) -> Bools:
    """Whether McNemar's test rejects, by its normal form with the correction for continuity (Edwards 1948), which is
    the exact one to about a hundredth where it matters."""
    discordant = np.maximum(b + c, 1.0)
    reach = NormalDist().inv_cdf(1 - ALPHA / 2)
    return np.asarray((np.abs(b - c) - 1) / np.sqrt(discordant) > reach, dtype=np.bool_)


def rates(
    both: Floats, b: Floats, c: Floats, neither: Floats, confidence: float = intervals.CONFIDENCE
) -> tuple[Floats, Floats]:
    """Both ends of `statistics.paired_rates` for many comparisons at once."""
    n = both + b + c + neither
    z = intervals.z(confidence)
    first, second = (both + b) / n, (both + c) / n
    cross = both * neither - b * c
    margins = (both + b) * (c + neither) * (both + c) * (b + neither)
    corrected = np.where(cross < 0, cross, np.maximum(0.0, cross - n / 2))
    phi = np.where(margins > 0, corrected / np.sqrt(np.maximum(margins, 1e-12)), 0.0)
    (low_1, high_1), (low_2, high_2) = _wilson(first, n, z), _wilson(second, n, z)

    def joined(one: Floats, other: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(0.0, one * one - 2 * phi * one * other + other * other)))

    low = second - first - joined(second - low_2, high_1 - first)
    high = second - first + joined(high_2 - second, first - low_1)
    return np.maximum(-1.0, low), np.minimum(1.0, high)


def _wilson(rate: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)
