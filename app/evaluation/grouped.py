"""The same questions where rows come in groups: several questions on one document, several tickets of one customer.

Rows of a group are right or wrong together, so a hundred rows in thirty groups know less than a hundred rows. Here
groups vary and not rows: they are resampled, flipped and counted whole. Where every row is a group of its own, all of
it is what `statistics` says, to the last digit. Which rows belong together is what splits keep on one side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app import intervals
from app.evaluation import statistics
from app.evaluation.statistics import BOUNDED, DRAWS, UNSEEN, Difference
from app.intervals import CONFIDENCE, Interval

Floats = NDArray[np.float64]
Codes = Sequence[int]
"""For each row the number of its group; rows of the same number belong together."""

EXACT_MOST = 5_000  # sum of a group's changes over all groups, up to which the test is worked out exactly
MANY = 200  # degrees of freedom
MCNEMAR, RANDOMISED = "exact McNemar test", "paired randomisation test"
BY_GROUP = "randomisation test by group"


@dataclass(frozen=True, slots=True)
class Design:
    """How rows hang together. groups: how many there are. effect: the design effect, by how much the variance of a mean
    is larger than that of as many rows that know nothing of each other (Kish 1965); at least 1. rows: independent rows
    that would know as much.
    """

    groups: int
    effect: float
    rows: float


# ------------------------------------------------------------------ how much rows in groups know


def clustered_variance(values: Sequence[float], groups: Codes) -> float:
    """The variance of a mean of rows in groups: C / (C - 1) times the sum over the C groups of the squared sum of their
    rows' deviations, over n^2 (Liang and Zeger 1986; Miller 2024, arXiv 2411.00640, appendix A).

    Raises:
        ValueError: there are fewer than two groups.
    """
    sums, _ = _by_group(np.asarray(values, dtype=np.float64) - float(np.mean(values)), groups)
    if sums.size < 2:
        raise ValueError("the variance between groups needs two of them")
    return float(np.square(sums).sum()) * sums.size / (sums.size - 1) / len(values) ** 2


def design(values: Sequence[float], groups: Codes) -> Design:
    """values: scores, or differences of scores.

    Where all rows are the same nothing tells how alike rows of a group are, and each group counts as one row. The
    interval of few groups is Student's, with a degree of freedom less than there are groups: independent rows are fewer
    by the square of what that is wider (Korn and Graubard 1998, Survey Methodology 24:193).
    """
    rows, number = len(values), len(set(groups))
    if number < 2:
        return Design(number, float(max(1, rows)), min(1.0, rows))
    spread = float(np.var(np.asarray(values, dtype=np.float64), ddof=1))
    effect = clustered_variance(values, groups) / (spread / rows) if spread > 0 else rows / number
    effect = max(1.0, effect)
    reach = intervals.z() / student(number - 1)
    return Design(number, effect, rows / effect * reach * reach)


@cache
def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors a two-sided interval reaches with so many degrees of freedom: 2.045 at 29 and 95 %.

    Bisection on Student's distribution, whose integral is a finite sum for whole degrees (Abramowitz and Stegun 1964,
    26.7.3 and 26.7.4); above `MANY` its expansion (26.7.5), which is then right to nine digits.
    """
    if freedom > MANY:
        z = intervals.z(confidence)
        one, two = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
        three = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + one / freedom + two / freedom**2 + three / freedom**3
    low, high = 0.0, 1.0
    while _inside(high, freedom) < confidence:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < confidence else (low, middle)
    return high


def _inside(t: float, freedom: int) -> float:
    """The chance that Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    square = cosine * cosine
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for step in range(freedom // 2):
        total += term
        term *= square * (2 * step + (2 if odd else 1)) / (2 * step + (3 if odd else 2))
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def _by_group(values: Floats, groups: Codes) -> tuple[Floats, Floats]:
    """The sum and the number of rows of each group."""
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(place, weights=values).astype(np.float64), np.bincount(place).astype(np.float64)


def alone(groups: Codes | None) -> bool:
    """Whether no two rows belong together."""
    return groups is None or len(set(groups)) == len(groups)


# ------------------------------------------------------------------ one score


def mean_interval(scores: Sequence[float], *, binary: bool, seed: int = 0, groups: Codes | None = None) -> Interval:
    """The interval that belongs to a metric. Right and wrong: Wilson's, over as many rows as the design leaves (Dean
    and Pagano 2015, Journal of Survey Statistics and Methodology 3:484). Graded: the Bayesian bootstrap of
    `statistics.bootstrap_mean` over groups, with half an unseen group at either end."""
    if groups is None or alone(groups) or not scores:
        return statistics.mean_interval(scores, binary=binary, seed=seed)
    values = np.asarray(scores, dtype=np.float64)
    mean = float(values.mean())
    if binary or np.ptp(values) == 0 or len(set(groups)) < 2:
        rows = design(scores, groups).rows
        return intervals.wilson(mean * rows, rows)
    low, high = _weighed(values, groups, (0.0, 1.0), UNSEEN, seed)
    return Interval(min(low, mean), max(high, mean))


# ------------------------------------------------------------------ two systems, same rows


def paired(
    a: Sequence[float],
    b: Sequence[float],
    *,
    binary: bool,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    groups: Codes | None = None,
) -> Difference:
    """How much b is better than a on the same rows. Right and wrong: Newcombe's method 10 over as many rows as the
    design of the differences leaves. Graded: the Bayesian bootstrap over groups (`statistics.paired_bootstrap`)."""
    if groups is None or alone(groups) or not len(a):
        return statistics.paired(a, b, binary=binary, seed=seed, confidence=confidence)
    changes = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    delta = float(changes.mean())
    if binary:
        both = sum(one > 0 and other > 0 for one, other in zip(a, b, strict=True))
        first, second = sum(one > 0 for one in a), sum(other > 0 for other in b)
        cells = (both, first - both, second - both, len(a) - first - second + both)
        share = design(changes.tolist(), groups).rows / len(a)
        both_right, lost, gained, neither = (cell * share for cell in cells)
        return replace(statistics.paired_rates(both_right, lost, gained, neither, confidence), delta=delta)
    if np.ptp(changes) == 0 or len(set(groups)) < 2:
        room = intervals.wilson(0, design(changes.tolist(), groups).rows, confidence).high
        return Difference(delta, max(-1.0, delta - room), min(1.0, delta + room))
    sums, sizes = _by_group(changes, groups)
    ends = statistics.unseen_changes(sums / sizes, sums / sizes)
    return _weighed_difference(changes, groups, ends, UNSEEN, seed, confidence)


def paired_bounded(
    a: Sequence[float],
    b: Sequence[float],
    seed: int = 0,
    confidence: float = CONFIDENCE,
    groups: Codes | None = None,
) -> Difference:
    """`statistics.paired_bounded` with a whole unseen group on either side."""
    if groups is None or alone(groups) or not len(a):
        return statistics.paired_bounded(a, b, seed, confidence=confidence)
    changes = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    return _weighed_difference(changes, groups, (1.0, 1.0), BOUNDED, seed, confidence)


def _weighed_difference(
    changes: Floats, groups: Codes, ends: tuple[float, float], weight: float, seed: int, confidence: float
) -> Difference:
    """ends: sizes of the unseen loss and gain. Worked out with a gain first, so that a and b in the other order give
    the same, turned round."""
    delta, (loss, gain) = float(changes.mean()), ends
    changed = changes[np.flatnonzero(changes)[:1]]
    if changed.size and changed[0] < 0:
        low, high = _weighed(-changes, groups, (-gain, loss), weight, seed, confidence)
        low, high = -high, -low
    else:
        low, high = _weighed(changes, groups, (-loss, gain), weight, seed, confidence)
    return Difference(delta, min(low, delta), max(high, delta))


def _weighed(
    values: Floats,
    groups: Codes,
    unseen: tuple[float, float],
    weight: float,
    seed: int,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """The middle part of the means under exponential weights of the groups, and gamma weights of two unseen ones whose
    rows all have the values `unseen`. These are of as many rows as the design effect, which is what tells as much as
    one row that is alone. Drawn over C groups the means vary by (C - 1) / (C + 1) too little, and few groups need
    Student's reach: the interval is stretched by both."""
    sums, sizes = _by_group(values, groups)
    usual = min(float(sizes.mean()), design(values.tolist(), groups).effect)
    generator = np.random.default_rng(seed)
    seen = generator.standard_exponential((draws, sums.size))
    ends = generator.standard_gamma(weight, (draws, 2)) * usual
    means = (seen @ sums + ends @ unseen) / (seen @ sizes + ends.sum(axis=1))
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    number, middle = int(sums.size), float(values.mean())
    stretch = student(number - 1, confidence) / intervals.z(confidence) * math.sqrt((number + 1) / (number - 1))
    least, most = min(*unseen, float(values.min())), max(*unseen, float(values.max()))
    return max(least, middle - (middle - float(low)) * stretch), min(most, middle + (float(high) - middle) * stretch)


# ------------------------------------------------------------------ tests


def difference_test(
    a: Sequence[float], b: Sequence[float], *, binary: bool, seed: int = 0, groups: Codes | None = None
) -> tuple[float, str]:
    """p-value of "the two are the same" and what the test is called.

    In groups, a group's whole change could as well have the other sign, not each row's: McNemar's test and the
    randomisation over rows would call chance what is one lucky document. Right and wrong give an exact p-value, graded
    scores 10,000 drawn signs.
    """
    changes = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    if groups is not None and not alone(groups):
        sums, _ = _by_group(changes, groups)
        if binary and np.abs(sums).sum() <= EXACT_MOST:
            return flipped(np.rint(sums).astype(np.int64).tolist()), BY_GROUP
        return statistics.sign_flip([0.0] * sums.size, sums.tolist(), seed), BY_GROUP
    if binary:
        return statistics.mcnemar(int((changes < 0).sum()), int((changes > 0).sum())), MCNEMAR
    return statistics.sign_flip(a, b, seed), RANDOMISED


def flipped(sums: Sequence[int]) -> float:
    """Exact p-value from each group's whole change, rows won less rows lost: of all ways to give these a sign, the
    share whose total is as far from 0 as what was seen. Groups of one row make it McNemar's exact test.

    The distribution of the total is built up group by group, so it takes no draws (as for Wilcoxon's signed ranks:
    Pagano and Tritchler 1983, JASA 78:435).
    """
    changes = [abs(one) for one in sums if one]
    reach = sum(changes)
    if not reach:
        return 1.0
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for change in changes:
        up, down = np.roll(chances, change), np.roll(chances, -change)  # what is rolled over the end is 0
        chances = (up + down) / 2
    far = abs(sum(sums))
    return float(min(1.0, chances[: reach - far + 1].sum() + chances[reach + far :].sum())) if far else 1.0
