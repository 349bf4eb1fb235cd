"""Rows that were asked twice."""

import pytest

from app.evaluation import rerun
from app.evaluation.comparison import Pair


def pairs(same: int, gained: int, lost: int) -> list[Pair]:
    kinds = [(float(row % 2), float(row % 2)) for row in range(same)] + [(0.0, 1.0)] * gained + [(1.0, 0.0)] * lost
    return [Pair(row, *scores) for row, scores in enumerate(kinds)]


@pytest.mark.parametrize(
    ("same", "gained", "lost", "two_runs", "shifted"),
    [(50, 0, 0, False, False), (99, 1, 0, False, False), (95, 3, 2, True, False), (90, 0, 10, True, True)],
)
def test_above_two_per_cent_two_runs_are_asked_for(
    same: int, gained: int, lost: int, two_runs: bool, shifted: bool
) -> None:
    found = rerun.flips(pairs(same, gained, lost), texts=gained + lost, binary=True)

    assert (found.two_runs, found.shifted) == (two_runs, shifted)
    assert found.flipped == gained + lost
    assert found.interval.low <= found.rate <= found.interval.high
    assert ("one run is not enough" in " ".join(rerun.words(found))) == two_runs
    assert ("does not cover" in " ".join(rerun.words(found))) == shifted


def test_graded_scores_flip_when_they_move() -> None:
    twice = [Pair(0, 0.5, 0.52), Pair(1, 0.5, 0.7), Pair(2, 0.9, 0.3), Pair(3, 0.4, 0.4)]

    found = rerun.flips(twice, texts=3, binary=False)

    assert (found.flipped, found.gained, found.lost, found.texts) == (2, 1, 1, 3)
    assert found.both.low < (found.first + found.second) / 2 < found.both.high


def test_two_runs_narrow_what_flips_alone_widen() -> None:
    noisy = rerun.flips(pairs(60, 20, 20), texts=40, binary=True)

    assert noisy.narrower > 0
