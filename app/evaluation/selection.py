"""What picking the best of several prompts on the same rows gains by luck alone.

Score k prompts that are equally good on n rows, and the highest score lies above what each of them is worth: the more
are tried and the fewer the rows, the more so. Whoever reports the winner's gain has to show that floor beside it. Pure.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist, fmean

import numpy as np

from app.wording import plural

_REACH = 9.0  # standard deviations that the integral goes out to; beyond them is less than 1e-18 for any k we meet
_STEPS = 20_001
PAIRS_MOST = 60  # candidates of which every pair is compared; the first ones stand for the others


@cache
def largest_of(k: int) -> float:
    """The expected largest of k independent standard normal values: the integral of 1 - F^k above 0 less that of F^k
    below (David and Nagaraja 2003, Order Statistics, 3.1). 0.564 for 2, 1.539 for 10, 2.043 for 30.
    """
    if k < 2:
        return 0.0
    at = np.linspace(0.0, _REACH, _STEPS)
    above = np.array([NormalDist().cdf(float(x)) for x in at])
    return float(np.trapezoid((1 - above**k) - (1 - above) ** k, at))


def luck(candidates: int, rows: int, differ: float) -> float:
    """How much better than it is the best of so many equally good prompts looks on so many rows, on a scale of 0 to 1.

    candidates: all that were scored on these rows, the one that was there before among them. differ: how far two of
    them are apart on one row, as the mean square of the difference of their scores; for right and wrong the share of
    rows on which one is right and the other is not, which for independent ones of rate p is 2 p (1 - p). What all of
    them get right or wrong alike cannot make one of them look better.
    """
    if candidates < 2 or rows < 1 or differ <= 0:
        return 0.0
    return largest_of(candidates) * math.sqrt(differ / (2 * rows))


def words(candidates: int, floor: float) -> str:
    """The floor in a sentence, without its full stop."""
    prompts = plural(candidates, "equally good prompt")
    return f"The best of {prompts} looks {100 * floor:.1f} points better here by luck alone"


def apart(scores: Sequence[Mapping[int, float]]) -> float:
    """How far two candidates are apart on one row (`luck`), on average over pairs; 0 with fewer than two.

    scores: of each candidate, by row; rows that both have count.
    """
    squares = [
        fmean((one[row] - other[row]) ** 2 for row in common)
        for one, other in combinations(scores[:PAIRS_MOST], 2)
        if (common := one.keys() & other.keys())
    ]
    return fmean(squares) if squares else 0.0
