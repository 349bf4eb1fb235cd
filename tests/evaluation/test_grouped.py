"""Rows in groups: what `statistics` says where every row is alone, and what others' programs say where they are not."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.evaluation import grouped, statistics
from app.evaluation.comparison import Pair, compare
from app.intervals import wilson
from tests.support.in_groups import AFTER, BEFORE, GROUPS


def test_students_reach_is_that_of_scipy() -> None:
    for freedom in (1, 2, 3, 8, 29, 30, 199, 200, 201, 1000):
        assert grouped.student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=1e-7)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(0, 3))
def test_rows_that_are_alone_are_judged_as_rows(rows: list[tuple[bool, bool]], seed: int) -> None:
    a, b = [float(row[0]) for row in rows], [float(row[1]) for row in rows]
    alone = list(range(100, 100 + len(rows)))

    assert grouped.paired(a, b, binary=True, groups=alone) == statistics.paired(a, b, binary=True)
    assert grouped.mean_interval(a, binary=True, groups=alone) == wilson(sum(a), len(a))
    lost, won = sum(x > y for x, y in rows), sum(y > x for x, y in rows)
    assert grouped.flipped([int(y) - int(x) for x, y in rows]) == pytest.approx(statistics.mcnemar(lost, won), rel=1e-9)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_test_by_group_looks_at_every_way_to_turn_groups_round(sums: list[int]) -> None:
    totals = [
        abs(sum(sign * one for sign, one in zip(signs, sums, strict=True)))
        for signs in product((1, -1), repeat=len(sums))
    ]
    as_far = sum(total >= abs(sum(sums)) for total in totals) / len(totals)

    assert grouped.flipped(sums) == pytest.approx(as_far, abs=1e-12)


def test_one_lucky_group_is_no_evidence() -> None:
    """Twelve rows of one document all fixed: to McNemar twelve coins, to a test by group a single one."""
    pairs = [Pair(row, float(row >= 12 and row % 3 > 0), float(row < 12 or row % 3 > 0)) for row in range(60)]
    documents = {row: row // 12 for row in range(60)}

    by_rows, by_group = compare(pairs, binary=True), compare(pairs, binary=True, groups=documents)

    assert (by_rows.verdict, by_rows.test) == ("improved", "exact McNemar test")
    assert (by_group.verdict, by_group.test, by_group.p) == ("inconclusive", "randomisation test by group", 1.0)
    assert by_group.design is not None
    assert by_group.design.groups == 5
    assert by_group.design.effect > 8
    assert "60 rows in 5 groups" in by_group.words
    assert by_group.low < by_rows.low


@pytest.mark.parametrize("binary", [True, False])
def test_both_ways_round_give_the_same(binary: bool) -> None:
    there = grouped.paired(BEFORE, AFTER, binary=binary, groups=GROUPS)
    back = grouped.paired(AFTER, BEFORE, binary=binary, groups=GROUPS)

    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)
    assert there.low < there.delta < there.high


def test_a_group_in_which_all_are_the_same_counts_once() -> None:
    """Nothing tells how alike rows of a group are where all rows are right, so thirty rows in ten groups are ten."""
    interval = grouped.mean_interval([1.0] * 30, binary=True, groups=[row % 10 for row in range(30)])

    assert interval.low < wilson(10, 10).low
    assert grouped.design([1.0] * 30, [row % 10 for row in range(30)]).effect == 3
    assert grouped.mean_interval([1.0] * 30, binary=False, groups=[0] * 30).low < 0.25


def test_graded_scores_resample_groups() -> None:
    """Groups that differ and rows that do not: the interval is that of as many rows as there are groups."""
    levels = np.random.default_rng(3).beta(3, 2, 40)
    scores, codes = np.repeat(levels, 5).tolist(), np.repeat(np.arange(40), 5).tolist()

    clustered = grouped.mean_interval(scores, binary=False, groups=codes)
    one_each = statistics.bootstrap_mean(levels.tolist())

    assert tuple(clustered) == pytest.approx(tuple(one_each), abs=0.01)
    assert clustered.high - clustered.low > 1.8 * np.subtract(*statistics.bootstrap_mean(scores)[::-1])
