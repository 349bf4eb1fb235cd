"""How far two people agree on the same rows: the share, and Cohen's kappa with its interval.

Kappa is (observed - expected) / (1 - expected): the share on which they agree, over what two people would agree on by
chance who use each word as often as these two do (Cohen 1960, Educational and Psychological Measurement 20:37). It is
written out here because the library that has it, scikit-learn, takes a second and 120 MB to load, and the pages of the
gate ask for it; a test holds that the two come to the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluation.statistics import ALPHA, DRAWS
from app.intervals import Interval, wilson

Numbers = NDArray[np.int64]
Pair = tuple[str, str]
"""What two people said of one row, the first one's word first."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people's words on the same rows. same: rows on which they agree.

    kappa: None while there are no rows, and where both used one word alone: then nothing tells agreement from habit.
    """

    rows: int
    same: int
    kappa: float | None

    @property
    def share(self) -> float:
        """Of the rows, 0 to 1; 0 of none."""
        return self.same / self.rows if self.rows else 0.0


def agreement(pairs: Iterable[Pair]) -> Agreement:
    """Share and kappa."""
    listed = list(pairs)
    first, second, words = _coded(listed)
    same = int((first == second).sum())
    expected = _expected(first, second, words)
    kappa = None if expected is None else (same / len(listed) - expected) / (1 - expected)
    return Agreement(len(listed), same, kappa)


def kappa_interval(pairs: Iterable[Pair], seed: int = 0) -> Interval | None:
    """The 95 % interval of kappa; None where there is no kappa.

    Percentile bootstrap over the rows (Efron and Tibshirani 1993, chapter 13), widened to what Wilson's interval of the
    agreeing share comes to at the same chance agreement. Without that, two people who agree on each of fifty rows would
    look as if they agreed for sure: no draw of those rows has a disagreement in it.
    """
    listed = list(pairs)
    first, second, words = _coded(listed)
    expected, total = _expected(first, second, words), len(listed)
    if expected is None:
        return None
    cells, counts = np.unique(first * words + second, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=DRAWS)
    firsts = drawn @ np.eye(words, dtype=np.int64)[cells // words]
    seconds = drawn @ np.eye(words, dtype=np.int64)[cells % words]
    by_chance = (firsts * seconds).sum(axis=1) / total**2
    observed = drawn[:, cells // words == cells % words].sum(axis=1) / total
    known = by_chance < 1
    kappas = (observed[known] - by_chance[known]) / (1 - by_chance[known])
    low, high = np.quantile(kappas, [ALPHA / 2, 1 - ALPHA / 2])
    ends = [(end - expected) / (1 - expected) for end in wilson(int((first == second).sum()), total)]
    return Interval(max(-1.0, min(float(low), ends[0])), min(1.0, max(float(high), ends[1])))


def _coded(pairs: Sequence[Pair]) -> tuple[Numbers, Numbers, int]:
    """Both people's words as numbers, and how many different words there are."""
    words = {word: place for place, word in enumerate(dict.fromkeys(word for pair in pairs for word in pair))}
    first = np.array([words[one] for one, _ in pairs], dtype=np.int64)
    second = np.array([words[other] for _, other in pairs], dtype=np.int64)
    return first, second, len(words)


def _expected(first: Numbers, second: Numbers, words: int) -> float | None:
    """The share on which they would agree by chance; None where that is all, or where there are no rows."""
    if first.size == 0:
        return None
    share = float((np.bincount(first, minlength=words) * np.bincount(second, minlength=words)).sum()) / first.size**2
    return None if share >= 1 else share
