"""Two systems on the same rows: is the second better, and on which rows.

The verdict is about the difference, never about two intervals that do or do not overlap. "Inconclusive" is an
answer: it says that these rows cannot tell, and how many could.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.evaluation import statistics

Verdict = Literal["improved", "not better", "regressed", "inconclusive"]

WORTHWHILE = 0.03  # a gain below 3 points is not worth a model of one's own; "not better" rules out more than this
CHANGED = 0.1  # a graded row counts as fixed or broken when its score moves by at least this much


@dataclass(frozen=True, slots=True)
class Pair:
    """One row, scored for both systems."""

    id: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the rows say about "after" against "before".

    delta, low, high: after minus before with its 95 % interval. p and test: the exact McNemar test for right and
    wrong, the paired randomisation test for graded scores. fixed, broken: ids of the rows that changed, the largest
    change first. rows_for_answer: how many rows would settle it, when these do not.
    """

    rows: int
    before: float
    after: float
    delta: float
    low: float
    high: float
    p: float
    test: str
    fixed: tuple[int, ...]
    broken: tuple[int, ...]
    verdict: Verdict
    rows_for_answer: int | None
    words: str


def compare(pairs: Sequence[Pair], *, binary: bool, seed: int = 0, worthwhile: float = WORTHWHILE) -> Comparison:
    """Compare row by row. Rows that one of the two could not answer must be left out by the caller, and counted.

    improved: the interval of the difference lies above 0 and the test agrees (p < 0.05). regressed: the same below 0.
    not better: the interval rules out a gain of `worthwhile` or more. inconclusive: anything else.
    """
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    if binary:
        fixed = tuple(pair.id for pair in pairs if pair.after > pair.before)
        broken = tuple(pair.id for pair in pairs if pair.after < pair.before)
        both = sum(pair.before > 0 and pair.after > 0 for pair in pairs)
        neither = len(pairs) - both - len(fixed) - len(broken)
        difference = statistics.paired_rates(both, len(broken), len(fixed), neither)
        p, test = statistics.mcnemar(len(broken), len(fixed)), "exact McNemar test"
    else:
        moved = sorted(pairs, key=lambda pair: (-abs(pair.after - pair.before), pair.id))
        fixed = tuple(pair.id for pair in moved if pair.after - pair.before >= CHANGED - 1e-9)
        broken = tuple(pair.id for pair in moved if pair.before - pair.after >= CHANGED - 1e-9)
        difference = statistics.paired_bootstrap(before, after, seed)
        p, test = statistics.sign_flip(before, after, seed), "paired randomisation test"
    verdict = _verdict(difference, p, worthwhile)
    rows_for_answer = (
        _rows_for_answer(pairs, difference.delta, worthwhile, binary) if verdict == "inconclusive" else None
    )
    return Comparison(
        rows=len(pairs),
        before=_mean(before),
        after=_mean(after),
        delta=difference.delta,
        low=difference.low,
        high=difference.high,
        p=p,
        test=test,
        fixed=fixed,
        broken=broken,
        verdict=verdict,
        rows_for_answer=rows_for_answer,
        words=_words(len(pairs), difference, verdict, worthwhile, rows_for_answer),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _verdict(difference: statistics.Difference, p: float, worthwhile: float) -> Verdict:
    if difference.low > 0 and p < statistics.ALPHA:
        return "improved"
    if difference.high < 0 and p < statistics.ALPHA:
        return "regressed"
    if difference.high < worthwhile:
        return "not better"
    return "inconclusive"


def _rows_for_answer(pairs: Sequence[Pair], delta: float, worthwhile: float, binary: bool) -> int | None:
    """Rows that would show a gap as large as the one seen, or the smallest worthwhile one if that is larger."""
    if len(pairs) < 2:
        return None
    gap = max(abs(delta), worthwhile)
    changes = np.array([pair.after - pair.before for pair in pairs])
    if binary:
        return statistics.rows_needed(gap, max(float(np.mean(changes != 0)), gap))
    return statistics.rows_needed_graded(gap, float(changes.std(ddof=1)))


def _words(
    rows: int, difference: statistics.Difference, verdict: Verdict, worthwhile: float, needed: int | None
) -> str:
    low, high = f"{100 * difference.low:+.1f}", f"{100 * difference.high:+.1f}"
    seen = f"{100 * difference.delta:+.1f} points on the same {rows:,} rows (95 % interval {low} to {high})"
    if verdict == "improved":
        return f"Improved: {seen}. Chance alone would hardly show this."
    if verdict == "regressed":
        return f"Regressed: {seen}. It is worse than what it was compared with."
    if verdict == "not better":
        return f"Not better: {seen}. A gain of {100 * worthwhile:.0f} points or more can be ruled out."
    more = f" About {needed:,} rows would settle it." if needed is not None and needed > rows else ""
    return f"Inconclusive: {seen}. These rows cannot tell whether it is better.{more}"
