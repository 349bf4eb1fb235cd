"""Whether one system is no worse than another by more than a margin that was set before: non-inferiority.

What is trained to cost less or to answer sooner need not be better; it must not be much worse than what it replaces. A
comparison that finds no difference does not show that: few rows find none either. So the question is turned round: the
95 % bound of the difference has to lie above minus the margin (one-sided; Piaggio et al. 2012, JAMA 308:2594). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from app.evaluation import correction, grouped, statistics
from app.evaluation.comparison import ONE_SIDED, by_judge
from app.evaluation.correction import Labels
from app.evaluation.statistics import Difference
from app.wording import signed_points

Finding = Literal["not worse", "worse", "open"]


@dataclass(frozen=True, slots=True)
class NotWorse:
    """second minus first, on the same rows. low, high: its two 95 % bounds, each one-sided. margin: 0 to 1.

    finding: not worse, where the lower bound lies above minus the margin; worse, where the upper one lies below it;
    else open. rows_needed: rows that would show it in four of five tries if the two are equally good, where it is open.
    """

    margin: float
    rows: int
    first: float
    second: float
    delta: float
    low: float
    high: float
    finding: Finding
    rows_needed: int | None
    words: str


def not_worse(
    first: Sequence[float],
    second: Sequence[float],
    *,
    binary: bool,
    margin: float,
    groups: grouped.Codes | None = None,
    seed: int = 0,
    names: tuple[str, str] = ("the first", "the second"),
    labels: Labels | None = None,
) -> NotWorse:
    """Look at scores of the same rows. names: of the two, in a sentence. labels: as for `comparison.compare`.

    Raises:
        ValueError: there is no row, or no margin.
    """
    if not len(first) or not 0 < margin < 1:
        raise ValueError("rows and a margin between 0 and 1 are needed")
    seen = grouped.paired(first, second, binary=binary, seed=seed, confidence=ONE_SIDED, groups=groups)
    if not binary:
        bounded = grouped.paired_bounded(first, second, seed, ONE_SIDED, groups)
        seen = replace(seen, low=min(seen.low, bounded.low), high=max(seen.high, bounded.high))
    shares, told = (fmean(first), fmean(second)), 1.0
    if labels is not None:
        seen, shares = by_judge(seen, first, second, labels, ONE_SIDED)
        told = correction.discernment(labels)
    finding: Finding = "not worse" if seen.low > -margin else "worse" if seen.high < -margin else "open"
    needed = _rows_needed(first, second, margin * told, groups) if finding == "open" else None
    needed = needed if needed is not None and needed > len(first) else None
    return NotWorse(
        margin=margin,
        rows=len(first),
        first=shares[0],
        second=shares[1],
        delta=seen.delta,
        low=seen.low,
        high=seen.high,
        finding=finding,
        rows_needed=needed,
        words=_words(finding, seen, margin, len(first), needed, names),
    )


def _rows_needed(first: Sequence[float], second: Sequence[float], margin: float, groups: grouped.Codes | None) -> int:
    """From the mean square of the differences, which for right and wrong is the share of rows that differ."""
    changes = [other - one for one, other in zip(first, second, strict=True)]
    differ = max(fmean(change * change for change in changes), 1 / len(changes))
    effect = 1.0 if groups is None or grouped.alone(groups) else grouped.design(changes, groups).effect
    return round(effect * statistics.rows_not_worse(margin, differ))


def _words(
    finding: Finding, seen: Difference, margin: float, rows: int, needed: int | None, names: tuple[str, str]
) -> str:
    first, second = names
    allowed = f"{100 * margin:g} points"
    facts = f"{signed_points(seen.delta)} points on the same {rows:,} rows"
    if finding == "not worse":
        return f"Not worse: {second} is at most {_most(seen.low)} below {first} ({facts}); {allowed} are allowed."
    if finding == "worse":
        return f"Worse: {second} is more than {allowed} below {first} ({facts}, 95 % bound {signed_points(seen.high)})."
    more = f" About {needed:,} rows would show it in four of five tries if both are equally good." if needed else ""
    return (
        f"Not shown: {second} may be up to {_most(seen.low)} below {first} ({facts}), more than the {allowed} allowed."
        f"{more}"
    )


def _most(low: float) -> str:
    return f"{max(0.0, -100 * low):.1f} points"
