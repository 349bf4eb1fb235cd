"""What is promised of intervals and of "improved", played through in small; `tests/bench` has the large tables."""

import pytest

from app.evaluation import statistics
from tests.bench import bench_choice, bench_intervals


@pytest.mark.parametrize("rates", bench_choice.SHAPES.values(), ids=bench_choice.SHAPES)
def test_improved_is_seldom_said_of_an_adapter_no_better_than_the_best_prompt(rates: tuple[float, ...]) -> None:
    """Five prompts, 40 dev rows to choose by: what was 10 to 27 % before is at most 5 % now."""
    found = bench_choice.shares(rates, dev=40, gain=0.0, worlds=400, alike=0.5)

    assert found.before > 6
    assert found.after <= 5
    assert found.lost <= 4


def test_a_gain_of_ten_points_is_still_seen() -> None:
    found = bench_choice.shares(bench_choice.SHAPES["50, 46, 45, 45, 35"], dev=40, gain=0.1, worlds=250, alike=0.5)

    assert found.after > 55


@pytest.mark.parametrize(
    ("paired", "name"),
    [(False, name) for name in bench_intervals.MEANS] + [(True, name) for name in bench_intervals.DIFFERENCES],
)
def test_graded_intervals_hold_the_truth_about_as_often_as_they_say(paired: bool, name: str) -> None:
    """50 rows, the shapes that scores have; 250 worlds leave two points of doubt on either side of 93 to 97 %."""
    draw, truth = (bench_intervals.DIFFERENCES if paired else bench_intervals.MEANS)[name]

    _, after, narrow, wide = bench_intervals.covered(draw, truth, 50, 250, paired=paired, draws=400)

    assert 0.915 <= after <= 0.99
    assert wide < 1.4 * narrow


def test_more_rows_need_fewer_unseen_ones() -> None:
    scores = [number % 10 / 9 for number in range(2000)]

    older, newer = statistics.percentile_mean(scores, draws=600), statistics.bootstrap_mean(scores, draws=600)

    assert (newer.low, newer.high) == pytest.approx((older.low, older.high), abs=0.004)


def test_two_in_the_other_order_differ_by_the_sign_alone() -> None:
    one, other = [0.1, 0.4, 0.9, 0.3, 0.3], [0.2, 0.4, 0.1, 0.9, 0.3]

    there, back = statistics.paired_bootstrap(one, other, 3), statistics.paired_bootstrap(other, one, 3)

    assert (back.delta, back.low, back.high) == pytest.approx((-there.delta, -there.high, -there.low), abs=1e-12)
