"""How often the interval of a corrected score holds the true share, by simulation: 95 % is said."""

from itertools import product

import numpy as np
import pytest

from app.evaluation import correction
from app.evaluation.comparison import Pair, compare
from app.evaluation.correction import Labels, Tally

pytestmark = pytest.mark.deep

RUNS = 250
JUDGES = ((0.9, 0.85), (0.95, 0.7), (0.8, 0.8), (0.97, 0.95))  # sensitivity, specificity
SHARES = ((0.3, 0.4, 0.5), (0.6, 0.7, 0.8), (0.75, 0.8, 0.85))  # of three variants, what people would pass


def one_run(
    draw: np.random.Generator, rows: int, labels: int, sides: tuple[float, float], shares: tuple[float, ...]
) -> tuple[list[Tally], Labels]:
    """Truth and judgement of every answer of three variants, and the labels of a random sample of all of them."""
    truth = np.stack([draw.random(rows) < share for share in shares])
    luck = draw.random(truth.shape)
    passed = np.where(truth, luck < sides[0], luck > sides[1])
    sampled = draw.permutation(truth.size)[:labels]
    words = np.where(np.stack([truth.ravel()[sampled], passed.ravel()[sampled]]), "pass", "fail")
    pairs = [(str(person), str(judge)) for person, judge in words.T]
    return [Tally(int(one.sum()), rows) for one in passed], Labels.of(pairs)


@pytest.mark.parametrize("whole", [True, False])
def test_a_corrected_interval_covers_what_it_says(whole: bool) -> None:
    """whole: the judge judged all that the sample was drawn from. Where it did not, less is known, and the interval is
    on the safe side."""
    covered = []
    for case, (rows, labels, sides, shares) in enumerate(product((50, 150, 500), (50, 100), JUDGES, SHARES)):
        draw = np.random.default_rng([17, case])
        held = []
        for run in range(RUNS):
            tallies, given = one_run(draw, rows, labels, sides, shares)
            came = correction.corrected(tallies[1], given, tallies if whole else (), seed=run)
            if came is not None:
                held.append(came.low <= shares[1] <= came.high)
        covered.append(float(np.mean(held)))
    mean = float(np.mean(covered))
    assert 0.93 <= mean <= (0.97 if whole else 0.98)
    assert min(covered) >= 0.9  # of 250 runs each: three standard errors below 94 %


def test_the_raw_score_is_far_off_where_the_corrected_one_is_not() -> None:
    draw = np.random.default_rng(3)
    raw, corrected = [], []
    for run in range(300):
        tallies, labels = one_run(draw, 500, 100, (0.95, 0.7), (0.3, 0.4, 0.5))
        came = correction.corrected(tallies[1], labels, tallies, seed=run)
        if came is not None:
            raw.append(tallies[1].share - 0.4)
            corrected.append(came.share - 0.4)
    assert np.mean(raw) == pytest.approx(0.16, abs=0.01)
    assert abs(np.mean(corrected)) < 0.02


def one_pair(
    draw: np.random.Generator, rows: int, labels: int, sides: tuple[float, float], shares: tuple[float, float]
) -> tuple[list[float], list[float], Labels]:
    """A judge's words on two variants that often are right on the same rows, and labels of a sample of both."""
    hard = draw.random(rows)
    truth = np.stack([np.where(draw.random(rows) < 0.5, hard, draw.random(rows)) < share for share in shares])
    luck = draw.random(truth.shape)
    passed = np.where(truth, luck < sides[0], luck > sides[1])
    sampled = draw.permutation(truth.size)[:labels]
    words = np.where(np.stack([truth.ravel()[sampled], passed.ravel()[sampled]]), "pass", "fail")
    pairs = [(str(person), str(judge)) for person, judge in words.T]
    return [float(one) for one in passed[0]], [float(one) for one in passed[1]], Labels.of(pairs)


GAINS = (0.0, 0.05, 0.1, 0.2)


def test_a_corrected_difference_covers_what_it_says_and_finds_none_where_there_is_none() -> None:
    """With a judge that agrees as far as the policy asks. The verdict is that of the result page."""
    covered, false_better = [], []
    for case, (rows, labels, sides, gain) in enumerate(product((150, 500), (50, 100), JUDGES, GAINS)):
        draw = np.random.default_rng([23, case])
        held, better = [], []
        for _ in range(RUNS):
            before, after, given = one_pair(draw, rows, labels, sides, (0.5, 0.5 + gain))
            if correction.against(given):
                continue
            pairs = [Pair(row, one, other) for row, (one, other) in enumerate(zip(before, after, strict=True))]
            came = compare(pairs, binary=True, labels=given)
            held.append(came.low <= gain <= came.high)
            better.append(came.verdict == "improved")
        covered.append(float(np.mean(held)))
        if not gain:
            false_better.append(float(np.mean(better)))
    assert 0.93 <= float(np.mean(covered)) <= 0.985
    assert min(covered) >= 0.9
    assert float(np.mean(false_better)) <= 0.05
