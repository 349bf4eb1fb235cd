"""What is cheaper may be a little worse: golden cases, and how often that is said of what is worse."""

import numpy as np
import pytest

from app.evaluation import statistics
from app.evaluation.not_worse import NotWorse, not_worse


def judged(both: int, lost: int, won: int, neither: int, margin: float = 0.03) -> NotWorse:
    kinds = [(1.0, 1.0)] * both + [(1.0, 0.0)] * lost + [(0.0, 1.0)] * won + [(0.0, 0.0)] * neither
    return not_worse(*zip(*kinds, strict=True), binary=True, margin=margin, names=("the teacher", "the adapter"))


@pytest.mark.parametrize(
    ("cells", "margin", "finding"),
    [
        ((600, 30, 32, 138), 0.03, "not worse"),  # 800 rows, as good: shown
        ((150, 8, 8, 34), 0.03, "open"),  # as good on 200 rows: too few to show it
        ((150, 8, 8, 34), 0.05, "not worse"),  # the same rows, more is allowed
        ((700, 70, 10, 20), 0.03, "worse"),  # 7.5 points below
        ((500, 40, 20, 240), 0.03, "open"),  # 2.5 points below, and it may be 4
        ((60, 0, 20, 20), 0.03, "not worse"),  # far better is not worse
        ((20, 0, 0, 0), 0.03, "open"),  # no difference on twenty rows says nothing
    ],
)
def test_golden_cases(cells: tuple[int, int, int, int], margin: float, finding: str) -> None:
    found = judged(*cells, margin=margin)

    assert found.finding == finding
    assert found.delta == pytest.approx((cells[2] - cells[1]) / sum(cells))
    assert found.low < found.delta < found.high
    assert (found.low > -margin) == (finding == "not worse")


def test_it_says_how_many_rows_would_show_it() -> None:
    found = judged(150, 8, 8, 34)

    assert found.rows_needed == pytest.approx(statistics.rows_not_worse(0.03, 16 / 200), abs=1)
    assert "more than the 3 points allowed" in found.words
    assert f"About {found.rows_needed:,} rows" in found.words
    assert judged(600, 30, 32, 138).rows_needed is None
    assert judged(600, 30, 32, 138).words.startswith("Not worse: the adapter is at most")


def test_graded_scores_and_groups_widen_the_bound() -> None:
    generator = np.random.default_rng(5)
    first = generator.beta(4, 2, 300)
    second = np.clip(first + generator.normal(0, 0.1, 300), 0, 1)
    groups = [row // 10 for row in range(300)]
    shifted = np.clip(first + np.repeat(generator.normal(0, 0.1, 30), 10), 0, 1)

    alone = not_worse(first.tolist(), second.tolist(), binary=False, margin=0.03)
    by_group = not_worse(first.tolist(), shifted.tolist(), binary=False, margin=0.03, groups=groups)

    assert alone.finding == "not worse"
    assert by_group.high - by_group.low > 1.5 * (alone.high - alone.low)


@pytest.mark.deep
@pytest.mark.parametrize("rows", [200, 600])
def test_what_is_worse_by_just_the_margin_is_seldom_let_through(rows: int) -> None:
    """At the boundary the one-sided level is 5 %; 4,000 worlds leave a doubt of 0.7."""
    worlds = np.random.default_rng(6).multinomial(rows, (0.70, 0.08, 0.05, 0.17), 4000)
    passed = [statistics.paired_rates(b, c, d, e, 0.9).low > -0.03 for b, c, d, e in worlds.tolist()]

    assert 0.02 < np.mean(passed) < 0.062
