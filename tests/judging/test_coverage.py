"""How often intervals of corrected scores and differences hold the truth, by simulation: 95 % is said."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from app.evaluation import correction
from app.evaluation.comparison import Pair, compare
from app.evaluation.correction import Labels, Tally

Bits = NDArray[np.bool_]

pytestmark = pytest.mark.deep

RUNS = 250
JUDGES = ((0.9, 0.85), (0.95, 0.7), (0.8, 0.8), (0.97, 0.95))  # sensitivity, specificity
SHARES = ((0.3, 0.4, 0.5), (0.6, 0.7, 0.8), (0.75, 0.8, 0.85))  # of three variants, what people would pass
GAINS = (0.0, 0.05, 0.1, 0.2)
DEV = 100  # rows that people label answers of, where they are not the compared ones


def judged(
    draw: np.random.Generator, rows: int, sides: tuple[float, float], shares: tuple[float, ...]
) -> tuple[Bits, Bits]:
    """Truth and judgement of every answer of some variants, which often are right on the same rows."""
    hard = draw.random(rows)
    truth = np.stack([np.where(draw.random(rows) < 0.5, hard, draw.random(rows)) < share for share in shares])
    luck = draw.random(truth.shape)
    return truth, np.where(truth, luck < sides[0], luck > sides[1])


def labelled(draw: np.random.Generator, truth: Bits, passed: Bits, labels: int) -> Labels:
    """What people say of a random sample of all these answers."""
    sampled = draw.permutation(truth.size)[:labels]
    words = np.where(np.stack([truth.ravel()[sampled], passed.ravel()[sampled]]), "pass", "fail")
    return Labels.of([(str(person), str(judge)) for person, judge in words.T])


@pytest.mark.parametrize("source", ["all of them judged", "these", "others"])
def test_a_corrected_interval_covers_what_it_says(source: str) -> None:
    """source: of the labelled answers. With all that they were drawn from judged, with these answers among them but
    the rest unknown, and with other rows of the same variants, as it is with a test set."""
    covered = []
    for case, (rows, labels, sides, shares) in enumerate(product((50, 150, 500), (50, 100), JUDGES, SHARES)):
        draw = np.random.default_rng([17, case])
        held = []
        for run in range(RUNS):
            truth, passed = judged(draw, rows, sides, shares)
            sampled = judged(draw, DEV, sides, shares) if source == "others" else (truth, passed)
            given = labelled(draw, *sampled, labels)
            tallies = [Tally(int(one.sum()), rows) for one in passed]
            pool = tallies if source == "all of them judged" else ()
            came = correction.corrected(tallies[1], given, pool, seed=run)
            if came is not None:
                held.append(came.low <= shares[1] <= came.high)
        covered.append(float(np.mean(held)))
    assert 0.93 <= float(np.mean(covered)) <= 0.97, covered
    assert min(covered) >= 0.9, covered  # of 250 runs each: three standard errors below 94 %


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
def test_a_corrected_difference_covers_what_it_says_and_finds_none_where_there_is_none(source: str) -> None:
    """With labels that let a judge be corrected, of the compared answers or of other rows. The verdict is that of the
    result page."""
    covered, false_better = [], []
    for case, (rows, labels, sides, gain) in enumerate(product((150, 500), (50, 100), JUDGES, GAINS)):
        draw = np.random.default_rng([23, case])
        held, better = [], []
        for _ in range(RUNS):
            shares = (0.5, 0.5 + gain)
            truth, passed = judged(draw, rows, sides, shares)
            sampled = judged(draw, DEV, sides, shares) if source == "others" else (truth, passed)
            given = labelled(draw, *sampled, labels)
            if correction.against(given):
                continue
            pairs = [Pair(row, float(one), float(other)) for row, (one, other) in enumerate(passed.T)]
            came = compare(pairs, binary=True, labels=given, assured=False)  # rows still needed are not looked at
            held.append(came.low <= gain <= came.high)
            better.append(came.verdict == "improved")
        covered.append(float(np.mean(held)))
        if not gain:
            false_better.append(float(np.mean(better)))
    assert 0.93 <= float(np.mean(covered)) <= 0.97, covered
    assert min(covered) >= 0.9, covered
    assert float(np.mean(false_better)) <= 0.05, false_better
