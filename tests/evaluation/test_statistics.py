import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.evaluation import statistics
from app.intervals import wilson


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0

    assert statistics.mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_holds_for_very_many_rows() -> None:
    assert statistics.mcnemar(20_000, 20_400) == pytest.approx(stats.binomtest(20_000, 40_400).pvalue, rel=1e-6)


def test_bootstrap_agrees_with_scipy() -> None:
    scores = np.random.default_rng(1).beta(2, 3, 150)
    theirs = stats.bootstrap(
        (scores,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval

    ours = statistics.bootstrap_mean(list(scores), seed=3)

    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_same_seed_gives_the_same_interval() -> None:
    scores = [row * row / 900 for row in range(30)]

    assert statistics.bootstrap_mean(scores, 5) == statistics.bootstrap_mean(scores, 5)
    assert statistics.bootstrap_mean(scores, 5) != statistics.bootstrap_mean(scores, 6)


@pytest.mark.parametrize("scores", [[], [0.7], [1.0] * 10])
def test_no_spread_is_not_certainty(scores: list[float]) -> None:
    interval = statistics.bootstrap_mean(scores)

    assert interval.high - interval.low > 0.2


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=80), st.integers(0, 9))
def test_the_paired_interval_holds_the_difference_and_turns_round(rows: list[tuple[bool, bool]], seed: int) -> None:
    a, b = [float(row[0]) for row in rows], [float(row[1]) for row in rows]

    there, back = statistics.paired_bootstrap(a, b, seed), statistics.paired_bootstrap(b, a, seed)

    assert there.delta == pytest.approx(fmean(b) - fmean(a))
    assert there.low <= there.delta <= there.high
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.02)


def test_paired_rates_keep_their_coverage_where_resampling_does_not() -> None:
    """Few rows and few differences: 95 % intervals must hold the truth in about 95 of 100 worlds, never far fewer."""
    generator = np.random.default_rng(4)
    shares = (0.80, 0.02, 0.08, 0.10)  # both, only first, only second, neither: truth is +0.06
    worlds = generator.multinomial(60, shares, size=3000)

    held = [
        difference.low <= 0.06 <= difference.high
        for both, b, c, neither in worlds.tolist()
        if (difference := statistics.paired_rates(both, b, c, neither))
    ]

    assert 0.93 <= fmean(held) <= 0.995


def test_paired_rates_and_the_bootstrap_agree_on_many_rows() -> None:
    a = [1.0] * 500 + [1.0] * 60 + [0.0] * 140 + [0.0] * 300
    b = [1.0] * 500 + [0.0] * 60 + [1.0] * 140 + [0.0] * 300

    exact, drawn = statistics.paired_rates(500, 60, 140, 300), statistics.paired_bootstrap(a, b)

    assert exact.delta == pytest.approx(0.08)
    assert (exact.low, exact.high) == pytest.approx((drawn.low, drawn.high), abs=0.003)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (50, 0, 0, 0), (0, 0, 0, 50), (25, 0, 0, 25)])
def test_no_difference_seen_is_not_no_difference(counts: tuple[int, int, int, int]) -> None:
    difference = statistics.paired_rates(*counts)

    assert difference.delta == 0
    assert difference.low < -0.01
    assert difference.high > 0.01


def test_sign_flip_agrees_with_scipy() -> None:
    generator = np.random.default_rng(6)
    a = generator.beta(2, 2, 40)
    b = np.clip(a + generator.normal(0.04, 0.15, 40), 0, 1)
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(1)
    ).pvalue

    assert statistics.sign_flip(list(a), list(b)) == pytest.approx(theirs, abs=0.02)


def test_sign_flip_of_nothing_is_no_evidence() -> None:
    assert statistics.sign_flip([0.5, 0.5], [0.5, 0.5]) == 1


CONNOR = {
    0.03: {0.10: 870, 0.15: 1306, 0.20: 1742, 0.30: 2614, 0.40: 3487},
    0.05: {0.10: 312, 0.15: 469, 0.20: 626, 0.30: 940, 0.40: 1254},
    0.08: {0.10: 121, 0.15: 182, 0.20: 243, 0.30: 366, 0.40: 489},
    0.10: {0.15: 116, 0.20: 155, 0.30: 234, 0.40: 312},
    0.15: {0.20: 68, 0.30: 103, 0.40: 138},
}


@pytest.mark.parametrize(
    ("gap", "discordant", "rows"),
    [(gap, discordant, rows) for gap, line in CONNOR.items() for discordant, rows in line.items()],
)
def test_rows_needed_are_those_of_the_published_table(gap: float, discordant: float, rows: int) -> None:
    assert abs(statistics.rows_needed(gap, discordant) - rows) <= 1


@pytest.mark.parametrize(("rows", "points"), [(50, 17), (100, 12), (200, 9), (400, 6), (1000, 4)])
def test_the_smallest_gap_is_that_of_the_table(rows: int, points: int) -> None:
    assert round(100 * statistics.smallest_gap(rows)) == points


@given(st.integers(20, 5000), st.floats(0.05, 0.6))
def test_the_smallest_gap_is_one_that_the_rows_can_show(rows: int, discordant: float) -> None:
    gap = statistics.smallest_gap(rows, discordant)

    assert gap == 1 or statistics.rows_needed(gap, discordant) <= rows


@pytest.mark.parametrize(("margin", "discordant", "rows"), [(0.02, 0.1, 1546), (0.03, 0.1, 687), (0.05, 0.1, 248)])
def test_rows_to_show_not_worse_are_those_of_the_table(margin: float, discordant: float, rows: int) -> None:
    assert abs(statistics.rows_not_worse(margin, discordant) - rows) <= 1


def test_power_of_the_needed_rows_is_what_was_asked_for() -> None:
    rows, gap, discordant = statistics.rows_needed(0.08, 0.2), 0.08, 0.2
    generator = np.random.default_rng(8)
    shares = ((discordant - gap) / 2, (discordant + gap) / 2, 1 - discordant)
    worlds = generator.multinomial(rows, shares, size=2000)

    seen = fmean(statistics.mcnemar(b, c) < 0.05 for b, c, _ in worlds.tolist())

    assert 0.74 <= seen <= 0.86  # the exact test is a little less powerful than the formula's normal one


def test_rows_to_settle_is_where_the_interval_leaves_the_target() -> None:
    rows = statistics.rows_to_settle(0.80, 0.85)

    assert rows is not None
    assert wilson(0.80 * rows, rows).high < 0.85
    assert wilson(0.80 * (rows - 2), rows - 2).high > 0.85
    assert statistics.rows_to_settle(0.9, 0.9) is None


def test_graded_rows_needed() -> None:
    expected = math.ceil(((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.25 / 0.05) ** 2)

    assert statistics.rows_needed_graded(0.05, 0.25) == expected


@given(st.floats(0.02, 0.3), st.floats(0.02, 0.4), st.floats(0, 3))
def test_rows_for_graded_scores_solve_their_equation(gap: float, spread: float, unseen: float) -> None:
    """The sum of the differences is (z_a + z_b) of its own deviations from 0: z from tables, 1.95996 and 0.84162."""
    rows = statistics.rows_needed_graded(gap, spread, unseen=unseen)

    def deviations(count: int) -> float:
        return float(count * gap / np.sqrt(count * spread**2 + unseen))

    assert deviations(rows) >= 2.80158 - 1e-3
    assert rows == 2 or deviations(rows - 1) < 2.80158 + 1e-3
