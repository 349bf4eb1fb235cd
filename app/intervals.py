"""The interval of a rate and of a mean: one place for every concept that says how sure a number is.

Shares and scores are 0 to 1. `evaluation.statistics` has what takes resampling or two systems.
"""

import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95  # two-sided


class Interval(NamedTuple):
    low: float
    high: float


@cache
def z(confidence: float = CONFIDENCE) -> float:
    """How many standard errors a two-sided interval reaches to either side: 1.96 at 95 %."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(passed: float, total: float, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a rate (Wilson 1927; Brown, Cai and DasGupta 2001 recommend it for small samples).

    `passed` may be a sum of scores: for scores between 0 and 1 the variance is at most that of a rate with the same
    mean, so the interval is then too wide rather than too narrow. `total` may be a part of the rows, where they know of
    each other (`evaluation.grouped`). Nothing measured gives 0 to 1.
    """
    if total <= 0:
        return Interval(0.0, 1.0)
    reach = z(confidence)
    rate = passed / total
    centre = (rate + reach * reach / (2 * total)) / (1 + reach * reach / total)
    half = reach / (1 + reach * reach / total) * math.sqrt(rate * (1 - rate) / total + reach**2 / (4 * total * total))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def normal(mean: float, deviation: float, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a mean of many values, by the central limit theorem. deviation: the values' standard deviation.

    It is not cut at 0 and 1. Below some fifty values it is too narrow.

    Raises:
        ValueError: there is no value.
    """
    if count <= 0:
        raise ValueError("a mean of nothing has no interval")
    half = z(confidence) * deviation / math.sqrt(count)
    return Interval(mean - half, mean + half)
