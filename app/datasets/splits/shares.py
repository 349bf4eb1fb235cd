"""How many rows train, choose and judge, and what so many test rows can tell apart.

70/10/20, raised to 200 test and 100 dev rows where the set is large enough to give them (decision-rules 4.2).
"""

from dataclasses import dataclass

from app.evaluation import statistics

TEST_SHARE, DEV_SHARE = 0.2, 0.1
TEST_ROWS, DEV_ROWS = 200, 100
# A small set gives at most this much of itself to reach the row counts above; the rest has to be left to learn from.
MOST_TEST, MOST_DEV = 0.3, 0.15


@dataclass(frozen=True, slots=True)
class Sizes:
    train: int
    dev: int
    test: int


def sizes(rows: int, *, own_test: bool = False) -> Sizes:
    """How many rows go where; with the uploader's own test file, `rows` are those besides it."""
    test = 0 if own_test else max(round(TEST_SHARE * rows), min(TEST_ROWS, round(MOST_TEST * rows)))
    dev = max(round(DEV_SHARE * rows), min(DEV_ROWS, round(MOST_DEV * rows)))
    return Sizes(rows - test - dev, dev, test)


def rows_for(test_rows: int) -> int:
    """The usable rows of which so many are drawn to judge."""
    low, high = 0, max(1, round(2 * test_rows / TEST_SHARE))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sizes(middle).test >= test_rows else (middle + 1, high)
    return low


# ---------------------------------------------------------------------- how many rows it takes
GAPS = (0.03, 0.05, 0.08, 0.10, 0.15)


@dataclass(frozen=True, slots=True)
class Needed:
    """gap: the smallest that so many test rows can show, 0 to 1, None without any; table: other gaps and their rows."""

    gap: float | None
    table: tuple[tuple[float, int], ...]


def needs_rows(test_rows: int) -> Needed:
    """What so many test rows can tell apart, and how many other gaps would take (decision-rules 4.5).

    Two systems on the same rows, which differ on 20 % of them; two-sided at 5 %, seen with a chance of 80 %.
    """
    gap = round(statistics.smallest_gap(test_rows), 4) if test_rows else None
    return Needed(gap, tuple((each, statistics.rows_needed(each)) for each in GAPS))
