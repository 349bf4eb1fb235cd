"""Intervals beside those of others: published tables and scipy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.intervals import Interval, normal, wilson, z


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombes_table(passed: int, total: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857, table I, method 3."""
    assert wilson(passed, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 3000), st.data())
def test_wilson_is_that_of_scipy(total: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, total))
    theirs = stats.binomtest(passed, total).proportion_ci(method="wilson")

    assert wilson(passed, total) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_without_rows_promises_nothing() -> None:
    assert wilson(0, 0) == Interval(0, 1)


@pytest.mark.parametrize(("n", "points"), [(60, 8.2), (100, 6.7), (200, 5.0), (400, 3.6), (800, 2.6)])
def test_how_far_below_target_80_percent_must_be(n: int, points: float) -> None:
    assert 100 * (wilson(0.8 * n, n).high - 0.8) == pytest.approx(points, abs=0.06)


@given(st.floats(0, 1), st.floats(0.01, 0.5), st.integers(1, 5000), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_normal_interval_is_that_of_scipy(mean: float, deviation: float, count: int, confidence: float) -> None:
    theirs = stats.norm.interval(confidence, loc=mean, scale=deviation / math.sqrt(count))

    assert normal(mean, deviation, count, confidence) == pytest.approx(theirs, abs=1e-9)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        normal(0.5, 0.1, 0)


def test_95_percent_reach_as_far_as_every_textbook_says() -> None:
    assert z() == pytest.approx(1.959964, abs=5e-7)
