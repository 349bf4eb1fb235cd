"""Nothing is often called better that is not, and intervals hold the truth; `bench_honesty` has the large table."""

import pytest

from tests.bench import bench_honesty
from tests.support.depth import depth

WORLDS = depth(120, 800)


@pytest.mark.parametrize("rows", [50, 150])
def test_rows_in_groups_are_not_taken_for_rows(rows: int) -> None:
    """No true gain, thirty groups: 800 worlds leave a doubt of 1.5 points beside 5 % and 95 %."""
    found = bench_honesty.play(0.0, rows, WORLDS, in_groups=True)

    assert found.better["ours"] <= depth(7.5, 5.5)
    assert found.held["ours"] >= depth(89, 92)


@pytest.mark.deep
@pytest.mark.parametrize("in_groups", [False, True])
@pytest.mark.parametrize("rows", bench_honesty.ROWS)
def test_a_false_better_and_a_missed_truth_are_as_rare_as_promised(rows: int, in_groups: bool) -> None:
    none, ten = (bench_honesty.play(gain, rows, WORLDS, in_groups=in_groups) for gain in (0.0, 0.1))

    assert none.better["ours"] <= 5.5
    assert min(none.held["ours"], ten.held["ours"]) >= 92
    assert ten.better["ours"] > none.better["ours"]


@pytest.mark.deep
@pytest.mark.parametrize("rows", [50, 150])
def test_one_comparison_in_five_is_open_at_the_number_that_is_named(rows: int) -> None:
    """Over true gains as they usually are; 300 worlds leave a doubt of 5 points."""
    assert bench_honesty.still_open(None, rows, 300).assured[1] <= 28
