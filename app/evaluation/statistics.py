"""How sure we can be: intervals, exact tests, and how many rows a question needs.

Everything is two-sided at 95 % unless it says otherwise, and every random draw has a seed, so a number on a page is
the same tomorrow. Scores are 0 to 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app import intervals
from app.intervals import CONFIDENCE, Interval, wilson

Floats = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
DRAWS = 10_000
DISCORDANT = 0.2  # share of rows on which two systems differ, when nothing is known yet
UNSEEN = 0.5  # weight of the unseen row at either end, as Jeffreys' prior has it for a rate
BOUNDED = 1.0  # the same for what a verdict has to stand on
SIDE_KNOWN = 5.0  # rows that gain (or lose) after which the size of a gain (or a loss) counts as mostly known
SIZE_KNOWN = 10.0  # rows that change at all after which the size of a change does
GRADED = 3  # how graded intervals are worked out, kept with a result: an older one keeps its numbers
_CHUNK = 2_000_000  # numbers held at once while drawing


@dataclass(frozen=True, slots=True)
class Difference:
    """How much the second is better than the first, and the interval of that."""

    delta: float
    low: float
    high: float


# ------------------------------------------------------------------ one score


def bootstrap_mean(scores: Sequence[float], seed: int = 0, draws: int = DRAWS) -> Interval:
    """Interval of a mean score: the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9:130) with half an unseen row
    at either end of the scale.

    Fifty rows hardly show the rare ones, very good or very bad, that move a skewed mean most, so weighing them alone
    covers 91 to 94 % where it says 95. With a whole row at the end it would be the bound of Gaffke (2005), not known to
    fail but too wide; with half a row it is Jeffreys' interval (Brown, Cai and DasGupta 2001) where all scores are 0
    or 1, and its counterpart where they are not. What the two weigh fades with more rows.
    `tests/bench/bench_intervals.py` has what that covers.

    With fewer than two rows, or when all rows score the same, there is no spread to see, and the interval would promise
    certainty; the Wilson interval of the same mean stands in, which is never too narrow.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size < 2 or np.ptp(values) == 0:
        return wilson(float(np.sum(values)), int(values.size))
    low, high = _weighed_mean(values, (0.0, 1.0), seed, draws)
    mean = float(values.mean())
    return Interval(min(low, mean), max(high, mean))


def former_means(scores: Sequence[float], seed: int = 0, draws: int = DRAWS) -> Iterator[Interval]:
    """The intervals that earlier versions stored with results: the percentile bootstrap of the rows alone (Efron and
    Tibshirani 1993, chapter 13), and with three quarters of a row at either end of the scale."""
    values = np.asarray(scores, dtype=np.float64)
    if values.size < 2 or np.ptp(values) == 0:
        yield wilson(float(np.sum(values)), int(values.size))
        return
    yield Interval(*_resampled_mean(values, np.ones(values.size), seed, draws))
    mean, weights = float(values.mean()), np.append(np.ones(values.size), (0.75, 0.75))
    low, high = _resampled_mean(np.append(values, (0.0, 1.0)), weights, seed, draws)
    yield Interval(min(low, mean), max(high, mean))


def mean_interval(scores: Sequence[float], *, binary: bool, seed: int = 0) -> Interval:
    """The interval that belongs to a metric: Wilson for right and wrong, bootstrap for graded scores."""
    if binary:
        return wilson(sum(scores), len(scores))
    return bootstrap_mean(scores, seed)


def _weighed_mean(
    values: Floats,
    unseen: tuple[float, float],
    seed: int,
    draws: int,
    confidence: float = CONFIDENCE,
    weight: float = UNSEEN,
) -> tuple[float, float]:
    """The middle part of the means under weights drawn from Dirichlet(1, ..., 1, weight, weight), the last two those of
    the unseen rows; a slice at a time, so that memory stays bounded."""
    generator = np.random.default_rng(seed)
    at_once = max(1, min(draws, _CHUNK // values.size))
    means = []
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        seen = generator.standard_exponential((count, values.size))
        ends = generator.standard_gamma(weight, (count, 2))
        means.append((seen @ values + ends @ unseen) / (seen.sum(axis=1) + ends.sum(axis=1)))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_mean(values: Floats, weights: Floats, seed: int, draws: int) -> tuple[float, float]:
    """The middle 95 % of the means of as many rows as the weights sum to, drawn by their weights."""
    generator = np.random.default_rng(seed)
    size, shares = round(float(weights.sum())), weights / weights.sum()
    at_once = max(1, min(draws, _CHUNK // shares.size))
    means = [
        generator.multinomial(size, shares, size=min(at_once, draws - start)) @ values / size
        for start in range(0, draws, at_once)
    ]
    low, high = np.quantile(np.concatenate(means), [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


# ------------------------------------------------------------------ two systems, same rows


def mcnemar(b: int, c: int) -> float:
    """Exact p-value from the rows only one of two systems gets right: b only the first, c only the second.

    p = min(1, 2 * sum over i <= min(b, c) of C(b + c, i) / 2^(b + c)) (McNemar 1947, exact binomial form).
    Integers all the way, so it is right for any number of rows.
    """
    n, fewer = b + c, min(b, c)
    total, term = 0, 1
    for i in range(fewer + 1):
        total += term
        term = term * (n - i) // (i + 1)
    return float(min(1.0, 2 * total / (1 << n)))


def paired_bootstrap(
    a: Sequence[float], b: Sequence[float], seed: int = 0, draws: int = DRAWS, confidence: float = CONFIDENCE
) -> Difference:
    """How much b is better than a on the same rows: mean of b - a, and its interval over rows.

    Rows are weighed, not scores, so what the two systems share on a row cancels out. As in `bootstrap_mean` half an
    unseen row is weighed with them on either side: one that gains and one that loses. How much these two change depends
    on what was seen: the largest gain (or loss) where many rows gain (or lose), all of the scale where hardly any does,
    since then nobody knows what such a row looks like.

    When no two rows differ in their difference, there is no spread to see; the interval is then as wide as that of a
    rate nobody has seen in n rows.
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    if differences.size == 0:
        return Difference(0.0, -1.0, 1.0)
    delta = float(differences.mean())
    if differences.size < 2 or np.ptp(differences) == 0:
        room = wilson(0, int(differences.size), confidence).high
        return Difference(delta, max(-1.0, delta - room), min(1.0, delta + room))
    return _weighed_difference(differences, unseen_changes(differences, differences), seed, draws, confidence)


def paired_bounded(
    a: Sequence[float], b: Sequence[float], seed: int = 0, draws: int = DRAWS, confidence: float = CONFIDENCE
) -> Difference:
    """The same where nothing is taken from how large the changes seen are: a whole unseen row on either side, which may
    lose or gain all of the scale, as rows may where answers are right or wrong.

    Too wide for quiet differences to be shown, but what a verdict has to stand on: fifty small gains do not rule out
    that one row in forty collapses.
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    if differences.size == 0:
        return Difference(0.0, -1.0, 1.0)
    return _weighed_difference(differences, (1.0, 1.0), seed, draws, confidence, BOUNDED)


def _telling(changes: Floats) -> float:
    """Over how many rows the change is spread: the square of the sum over the sum of squares (as Kish 1965 counts rows
    of unequal weight). n equal changes count n, one large one among small ones little more than 1, none 0."""
    squares = float(np.square(changes).sum())
    return float(np.abs(changes).sum()) ** 2 / squares if squares else 0.0


def unseen_changes(differences: Floats, independent: Floats) -> tuple[float, float]:
    """The sizes of an unseen loss and an unseen gain (`paired_bootstrap`). independent: the changes of what knows
    nothing of each other, which say how much the sizes seen tell: the rows', or those of groups of rows."""
    unknown = math.exp(-_telling(independent) / SIZE_KNOWN)
    sizes = []
    for side in (-1.0, 1.0):
        largest = float(np.maximum(side * differences, 0.0).max())
        telling = _telling(np.maximum(side * independent, 0.0))
        sizes.append(largest + max(unknown, math.exp(-telling / SIDE_KNOWN)) * (1.0 - largest))
    return sizes[0], sizes[1]


def _weighed_difference(
    differences: Floats,
    unseen: tuple[float, float],
    seed: int,
    draws: int,
    confidence: float,
    weight: float = UNSEEN,
) -> Difference:
    """unseen: sizes of the unseen loss and gain. Worked out with the first change as a gain, so that a and b in the
    other order give the same, turned round."""
    delta = float(differences.mean())
    changed = differences[np.flatnonzero(differences)[:1]]
    loss, gain = unseen
    if changed.size and changed[0] < 0:
        low, high = _weighed_mean(-differences, (-gain, loss), seed, draws, confidence, weight)
        low, high = -high, -low
    else:
        low, high = _weighed_mean(differences, (-loss, gain), seed, draws, confidence, weight)
    return Difference(delta, min(low, delta), max(high, delta))


def paired(
    a: Sequence[float], b: Sequence[float], *, binary: bool, seed: int = 0, confidence: float = CONFIDENCE
) -> Difference:
    """How much b is better than a on the same rows, by the method that belongs to a metric."""
    if not binary:
        return paired_bootstrap(a, b, seed, confidence=confidence)
    both = sum(one > 0 and other > 0 for one, other in zip(a, b, strict=True))
    first, second = sum(one > 0 for one in a), sum(other > 0 for other in b)
    return paired_rates(both, first - both, second - both, len(a) - first - second + both, confidence)


def chained(one: Difference, other: Difference) -> Difference:
    """The sum of two differences that were seen on different rows: c over b, and b over a, give c over a.

    Distances from the limits add up by squares (MOVER; Zou and Donner 2008, Statistics in Medicine 27:1693).
    """
    delta = one.delta + other.delta
    down = math.hypot(one.delta - one.low, other.delta - other.low)
    up = math.hypot(one.high - one.delta, other.high - other.delta)
    return Difference(delta, max(-1.0, delta - down), min(1.0, delta + up))


def paired_rates(both: float, b: float, c: float, neither: float, confidence: float = CONFIDENCE) -> Difference:
    """Difference of two rates on the same rows, second minus first, by Newcombe's method 10.

    b rows only the first gets right, c only the second; no whole numbers where rows of a group count for less. Built
    from two Wilson intervals and the correlation between the systems, it keeps its coverage where few rows differ, or
    none, and where resampling is too sure of itself (Newcombe 1998, Statistics in Medicine 17:2635, method 10).
    """
    n = both + b + c + neither
    if n == 0:
        return Difference(0.0, -1.0, 1.0)
    first, second = (both + b) / n, (both + c) / n
    one, two = wilson(both + b, n, confidence), wilson(both + c, n, confidence)
    cross = both * neither - b * c
    margins = (both + b) * (c + neither) * (both + c) * (b + neither)
    if margins == 0:
        phi = 0.0
    else:
        corrected = cross if cross < 0 else max(0.0, cross - n / 2)
        phi = corrected / math.sqrt(margins)
    down, up = _combined(second - two.low, one.high - first, phi), _combined(two.high - second, first - one.low, phi)
    delta = second - first
    return Difference(delta, max(-1.0, delta - down), min(1.0, delta + up))


def _combined(one: float, other: float, phi: float) -> float:
    """Half width from those of two correlated parts."""
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def sign_flip(a: Sequence[float], b: Sequence[float], seed: int = 0, draws: int = DRAWS) -> float:
    """p-value of "a and b are the same" for graded scores: the paired randomisation test.

    Under that belief each row's difference could as well have the other sign. The observed arrangement is counted in,
    so p is never 0 (Edgington and Onghena 2007, section 3.2; Phipson and Smyth 2010).
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    differences = differences[differences != 0]
    if differences.size == 0:
        return 1.0
    generator = np.random.default_rng(seed)
    observed = abs(float(differences.sum())) - 1e-12
    as_far = 0
    at_once = max(1, min(draws, _CHUNK // differences.size))
    for start in range(0, draws, at_once):
        shape = (min(at_once, draws - start), differences.size)
        signs = generator.integers(0, 2, size=shape, dtype=np.int8) * 2 - 1
        as_far += int((np.abs(signs @ differences) >= observed).sum())
    return (as_far + 1) / (draws + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values of comparisons that are looked at together, adjusted so that any of them is called different by chance
    in at most one of twenty such looks: the smallest times their number, the next times one less, never falling (Holm
    1979, Scandinavian Journal of Statistics 6:65)."""
    adjusted, least = [0.0] * len(ps), 0.0
    for place, at in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        least = max(least, min(1.0, (len(ps) - place) * ps[at]))
        adjusted[at] = least
    return adjusted


# ------------------------------------------------------------------ how many rows


def rows_needed(gap: float, discordant: float = DISCORDANT, alpha: float = ALPHA, power: float = POWER) -> int:
    """Rows on which two systems must be compared to see a gap in their rates (Connor 1987, Biometrics 43:207).

    n = (z_a * sqrt(p) + z_b * sqrt(p - d^2))^2 / d^2, with d the gap and p the share of rows on which they differ.
    A gap cannot be larger than that share; then the share is taken to be the gap.
    """
    if not 0 < gap <= 1:
        raise ValueError("a gap is above 0 and at most 1")
    discordant = max(discordant, gap)
    z_a, z_b = intervals.z(1 - alpha), NormalDist().inv_cdf(power)
    root = z_a * math.sqrt(discordant) + z_b * math.sqrt(max(0.0, discordant - gap * gap))
    return math.ceil(root * root / (gap * gap))


def smallest_gap(rows: int, discordant: float = DISCORDANT) -> float:
    """The smallest gap between two systems that so many rows can show, the other way round than `rows_needed`."""
    if rows <= 0 or rows_needed(1.0, discordant) > rows:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if rows_needed(middle, discordant) <= rows else (middle, high)
    return high


def rows_needed_graded(
    gap: float, spread: float, alpha: float = ALPHA, power: float = POWER, unseen: float = 0.0
) -> int:
    """The same for graded scores: n = ((z_a + z_b) * s / d)^2, s the standard deviation of the differences.

    unseen: weight of the unseen rows on both sides together, each as far off as the scale goes (`BOUNDED` twice for a
    verdict). The sum of n changes then varies by n * s^2 + unseen, so n solves (n * d)^2 = (z_a + z_b)^2 * (n * s^2 +
    unseen).
    """
    if gap <= 0:
        raise ValueError("a gap is above 0")
    z = intervals.z(1 - alpha) + NormalDist().inv_cdf(power)
    half = (z * spread / gap) ** 2 / 2
    return max(2, math.ceil(half + math.sqrt(half * half + unseen * (z / gap) ** 2)))


def rows_not_worse(margin: float, discordant: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Rows to show that one system is worse by less than a margin, one-sided: n = (z_a + z_b)^2 * p / m^2."""
    if margin <= 0:
        raise ValueError("a margin is above 0")
    z = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(power)
    return math.ceil(z * z * discordant / (margin * margin))


def narrower(width: float, rows: int, more: int) -> float:
    """By how much an interval that is `width` wide on so many rows would shrink with so many more like them: widths go
    with one over the root of the rows."""
    return width * (1 - math.sqrt(rows / (rows + more))) if rows > 0 else 0.0


def rows_to_settle(score: float, target: float, spread: float | None = None) -> int | None:
    """Rows after which the interval of this score would no longer hold the target, if the score stays as it is.

    For a rate this is where the Wilson interval leaves the target: n > z^2 * t * (1 - t) / (t - p)^2. `spread` is the
    standard deviation of graded scores. None when the score is on the target: no number of rows would do.
    """
    distance = target - score
    if abs(distance) < 1e-9:
        return None
    variance = spread * spread if spread is not None else target * (1 - target)
    return math.floor(intervals.z(CONFIDENCE) ** 2 * variance / distance**2) + 1
