"""What the test rows can show."""

from dataclasses import dataclass

from app import intervals
from app.datasets.checks.report import Report
from app.datasets.splits import shares
from app.evaluation import statistics


@dataclass(frozen=True, slots=True)
class Judging:
    """What so many test rows can tell. Scores and gaps are 0 to 1.

    gap: the smallest between two ways of working that they can show, None without rows. low, high: what a way that
    really reaches the target can score on them, None where no target is set. wanted: the gap that the team named by
    what prompts reached so far, None where it named none; needed: test rows for it; more: rows to upload for as many.
    """

    rows: int
    gap: float | None
    low: float | None = None
    high: float | None = None
    wanted: float | None = None
    needed: int = 0
    more: int = 0

    @property
    def missing(self) -> int:
        """Test rows that lack for the gap that the team named."""
        return max(0, self.needed - self.rows)


# What was said of the best prompt so far, as a gap to the target. Of "less than 10 points" the middle.
GAPS = {"short_large": 0.10, "short_small": 0.05}


def judging(report: Report, target: float | None, tried: object) -> Judging | None:
    """What the test rows can tell, with the team's target and its word on prompting where it gave them."""
    split = report.split
    if not split.every:
        return None
    rows = split.test
    gap = statistics.smallest_gap(rows) if rows else None
    low = high = None
    if target is not None and rows:
        interval = intervals.wilson(target * rows, rows)
        low, high = interval.low, interval.high
    wanted = GAPS.get(str(tried)) if target is not None else None
    if wanted is None:
        return Judging(rows, gap, low, high)
    needed = statistics.rows_needed(wanted)
    more = max(0, needed - rows) if split.own_test else shares.rows_for(needed) - split.every
    return Judging(rows, gap, low, high, wanted, needed, max(0, more) if rows < needed else 0)
