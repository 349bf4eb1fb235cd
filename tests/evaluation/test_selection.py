"""The gain that luck alone gives, against simulation and against known values of order statistics."""

import numpy as np
import pytest

from app.evaluation import selection


@pytest.mark.parametrize(("k", "expected"), [(2, 0.5642), (3, 0.8463), (5, 1.1630), (10, 1.5388), (30, 2.0428)])
def test_the_expected_largest_of_k_normals_is_that_of_the_tables(k: int, expected: float) -> None:
    assert selection.largest_of(k) == pytest.approx(expected, abs=1e-4)


def test_the_best_of_30_equal_prompts_on_200_rows_looks_7_points_better() -> None:
    assert selection.luck(30, 200, differ=0.5) == pytest.approx(0.072, abs=0.001)


@pytest.mark.parametrize(("k", "rows", "rate", "shared"), [(30, 200, 0.5, 0.0), (10, 60, 0.7, 0.0), (8, 100, 0.6, 0.8)])
def test_luck_is_what_a_simulation_of_equal_prompts_gains(k: int, rows: int, rate: float, shared: float) -> None:
    """shared: of the rows, that all prompts get right or wrong alike; what `apart` finds is all that luck needs."""
    draw = np.random.default_rng(11)
    gains, lucks = [], []
    for _ in range(400):
        hard = draw.random(rows) < shared
        alike = draw.random(rows) < rate
        scores = np.where(hard, alike, draw.random((k, rows)) < rate)
        means = scores.mean(axis=1)
        gains.append(means.max() - means.mean())
        by_row = [{row: float(score) for row, score in enumerate(one)} for one in scores[:4]]
        lucks.append(selection.luck(k, rows, selection.apart(by_row)))
    assert np.mean(lucks) == pytest.approx(np.mean(gains), abs=0.004)


def test_one_prompt_or_prompts_that_agree_gain_nothing_by_luck() -> None:
    same = {1: 1.0, 2: 0.0}
    assert selection.luck(1, 100, 0.5) == 0
    assert selection.apart([same]) == 0
    assert selection.luck(5, 100, selection.apart([same] * 5)) == 0
    assert selection.apart([{1: 1.0, 2: 0.0}, {1: 0.5, 3: 1.0}]) == pytest.approx(0.25)
