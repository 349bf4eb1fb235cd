"""How often intervals of corrected scores and differences hold the truth, by simulation: 95 % is said."""

import numpy as np
import pytest

from app.evaluation import correction
from app.evaluation.correction import Tally
from tests.support.judge_runs import Source, differences, judged, labelled, scores

pytestmark = pytest.mark.deep

RUNS = 250
LEAST = 0.9  # of so many runs each: three standard errors below 94 %


@pytest.mark.parametrize("source", ["all of them judged", "these", "others"])
def test_a_corrected_interval_covers_what_it_says(source: Source) -> None:
    covered = [case.covered for case in scores(source, RUNS)]

    assert 0.93 <= float(np.mean(covered)) <= 0.97, covered
    assert min(covered) >= LEAST, covered


def test_the_raw_score_is_far_off_where_the_corrected_one_is_not() -> None:
    draw = np.random.default_rng(3)
    raw, corrected = [], []
    for run in range(300):
        truth, passed = judged(draw, 500, (0.95, 0.7), (0.3, 0.4, 0.5))
        tallies = [Tally(int(one.sum()), 500) for one in passed]
        came = correction.corrected(tallies[1], labelled(draw, truth, passed, 100), tallies, seed=run)
        if came is not None:
            raw.append(tallies[1].share - 0.4)
            corrected.append(came.share - 0.4)
    assert np.mean(raw) == pytest.approx(0.16, abs=0.01)
    assert abs(np.mean(corrected)) < 0.02


@pytest.mark.parametrize("source", ["these", "others"])
def test_a_corrected_difference_covers_what_it_says_and_finds_none_where_there_is_none(source: Source) -> None:
    """With labels that let a judge be corrected."""
    cases = list(differences(source, RUNS))
    covered = [case.covered for case in cases]
    false_better = [case.better for case in cases if not case.truth]

    assert 0.93 <= float(np.mean(covered)) <= 0.97, covered
    assert min(covered) >= LEAST, covered
    assert float(np.mean(false_better)) <= 0.05, false_better
