"""What asking the same rows twice shows: how many answers change by themselves, and whether the second time is worse.

At temperature 0 a server still answers otherwise now and then: sums come out in another order under load. A stated
interval has that in it as far as rows do it each on its own, because every row is asked at some moment (Miller 2024,
arXiv 2411.00640, section 3: the variance of a score is that of rows and that within rows). What it does not have is all
of a run being shifted. So above 2 % of flips nothing is widened: two runs are asked for, whose mean halves the part
within rows, and whether the second run was shifted is tested. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from app.evaluation import grouped, statistics
from app.evaluation.comparison import CHANGED, Pair
from app.intervals import Interval, wilson
from app.wording import interval_text, percent, plural, signed_points

LIMIT = 0.02  # share of flipped rows above which one run is not enough
ROWS = 50  # proposed: with none of them flipped, at most 7 % do (Wilson)


@dataclass(frozen=True, slots=True)
class Flips:
    """Rows that one arm answered twice. flipped: those whose score changed, of graded scores by `comparison.CHANGED` or
    more; texts: those whose answer is another text. rate: share of flips with its 95 % interval.

    gained, lost: flips for the better and for the worse. p: of "the second time is as good as the first". both: mean of
    the two runs on these rows, with its interval; single: how wide the interval of one run is on the same rows.
    """

    rows: int
    flipped: int
    texts: int
    rate: float
    interval: Interval
    gained: int
    lost: int
    p: float
    first: float
    second: float
    both: Interval
    single: Interval

    @property
    def two_runs(self) -> bool:
        """Whether one run is not enough."""
        return self.rate > LIMIT

    @property
    def mean(self) -> float:
        """Of both runs."""
        return (self.first + self.second) / 2

    @property
    def shifted(self) -> bool:
        """Whether the second run as a whole was surely better or worse."""
        return self.p < statistics.ALPHA

    @property
    def narrower(self) -> float:
        """By how much the interval of the mean of two runs is narrower than that of one, from end to end."""
        return max(0.0, (self.single.high - self.single.low) - (self.both.high - self.both.low))


def flips(pairs: Sequence[Pair], texts: int, *, binary: bool, groups: grouped.Codes | None = None) -> Flips:
    """Compare two runs. pairs: rows that were answered both times. texts: how many of them got another text.

    Raises:
        ValueError: there is no row.
    """
    if not pairs:
        raise ValueError("rows that were answered twice are needed")
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    least = 1.0 if binary else CHANGED
    gained = sum(pair.after - pair.before >= least - 1e-9 for pair in pairs)
    lost = sum(pair.before - pair.after >= least - 1e-9 for pair in pairs)
    p, _ = grouped.difference_test(before, after, binary=binary, groups=groups)
    halves = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
    return Flips(
        rows=len(pairs),
        flipped=gained + lost,
        texts=texts,
        rate=(gained + lost) / len(pairs),
        interval=wilson(gained + lost, len(pairs)),
        gained=gained,
        lost=lost,
        p=p,
        first=fmean(before),
        second=fmean(after),
        both=grouped.mean_interval(halves, binary=binary and before == after, groups=groups),
        single=grouped.mean_interval(before, binary=binary, groups=groups),
    )


def words(flips_seen: Flips) -> tuple[str, ...]:
    """What it says, the weightiest first."""
    rows, interval = plural(flips_seen.rows, "row"), interval_text(*flips_seen.interval)
    sentences = [f"{flips_seen.flipped:,} of {rows} came out otherwise when asked again ({interval})."]
    if flips_seen.shifted:
        moved = signed_points(flips_seen.second - flips_seen.first)
        sentences.append(f"The second run as a whole differs by {moved} points, which the interval does not cover.")
    if flips_seen.two_runs:
        sentences.append(
            f"Above {percent(LIMIT, 0)} one run is not enough: ask everything twice before you rely on a difference of "
            "a few points."
        )
    elif flips_seen.interval.high > LIMIT:
        sentences.append(f"Up to {percent(flips_seen.interval.high)} may flip; more rows would tell.")
    return tuple(sentences)
