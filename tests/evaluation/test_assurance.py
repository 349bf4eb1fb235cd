"""The number of rows that is named settles it with the chance that is named."""

import numpy as np
import pytest

from app.evaluation import assurance, statistics
from app.evaluation.comparison import WORTHWHILE, Pair, compare
from tests.bench import bench_honesty


def test_many_comparisons_at_once_are_worked_out_like_one() -> None:
    cells = np.random.default_rng(2).multinomial(80, (0.5, 0.1, 0.15, 0.25), 60).astype(float)
    cells[:3] = [(80, 0, 0, 0), (0, 0, 0, 80), (40, 0, 0, 40)]

    low, high = assurance.rates(*cells.T)

    for world, (both, b, c, neither) in enumerate(cells.tolist()):
        one = statistics.paired_rates(both, b, c, neither)
        assert (low[world], high[world]) == pytest.approx((one.low, one.high), abs=1e-12)


def test_at_the_number_named_most_comparisons_are_settled() -> None:
    """Played from true shares that these rows leave possible; the power formula leaves a third of them open."""
    seen = np.array([60, 10, 16, 14])
    named = assurance.needed_rates(*(float(one) for one in seen), WORTHWHILE)
    assert named is not None
    generator = np.random.default_rng(4)

    def settled(rows: int) -> float:
        differ, won = generator.beta(26.5, 74.5, 400), generator.beta(16 + 5, 10 + 5, 400)
        right = generator.beta(60.5, 14.5, 400)
        shares = np.stack([(1 - differ) * right, differ * (1 - won), differ * won, (1 - differ) * (1 - right)], axis=1)
        return float(np.mean([bench_honesty.settled(seen + generator.multinomial(rows - 100, one)) for one in shares]))

    assert named.chance == pytest.approx(0.8, abs=0.02)
    assert settled(named.rows) == pytest.approx(named.chance, abs=0.06)
    assert settled(statistics.rows_needed(0.06, 0.26)) < 0.7


def test_a_verdict_that_is_open_names_rows_and_their_chance() -> None:
    kinds = [(1.0, 1.0)] * 60 + [(0.0, 1.0)] * 16 + [(1.0, 0.0)] * 10 + [(0.0, 0.0)] * 14
    pairs = [Pair(row, *scores) for row, scores in enumerate(kinds)]

    now, before = compare(pairs, binary=True), compare(pairs, binary=True, assured=False)

    assert now.rows_for_answer is not None
    assert now.chance is not None
    assert f"{now.rows_for_answer:,} rows it is settled with a chance of {100 * now.chance:.0f} %" in now.words
    assert before.chance is None
    assert (now.verdict, now.low, now.p) == (before.verdict, before.low, before.p)
    assert "in four of five tries" in before.words
    in_pairs = compare(pairs, binary=True, groups={row: row // 2 for row in range(100)})
    assert in_pairs.rows_for_answer is not None
    assert in_pairs.rows_for_answer > now.rows_for_answer


def test_a_score_near_its_target_needs_more_rows_than_one_far_off() -> None:
    near, far = assurance.needed_target(0.8, 100, 0.85), assurance.needed_target(0.76, 100, 0.85)
    graded = assurance.needed_target(0.8, 100, 0.85, 0.2)

    assert near is not None
    assert far is not None
    assert graded is not None
    assert graded.rows < near.rows
    assert far.rows < near.rows
    assert near.chance == pytest.approx(0.8, abs=0.02)


def test_more_rows_narrow_an_interval_as_a_larger_sample_does() -> None:
    from app.intervals import wilson

    wide, narrow = wilson(140, 200), wilson(175, 250)

    assert statistics.narrower(wide.high - wide.low, 200, 50) == pytest.approx(
        (wide.high - wide.low) - (narrow.high - narrow.low), abs=0.0005
    )
