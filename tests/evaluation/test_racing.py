"""Arms that are dropped because another one is surely better: known values, and what chance alone does."""

from statistics import NormalDist

import numpy as np
import pytest

from app.evaluation import racing
from tests.support.depth import depth

ROWS = 200


@pytest.mark.parametrize(
    ("won", "lost", "e"), [(7, 0, 26.8), (8, 0, 50.3), (12, 2, 10.9), (20, 5, 19.5), (40, 20, 3.1)]
)
def test_an_e_value_is_what_was_worked_out_elsewhere(won: int, lost: int, e: float) -> None:
    assert racing.wins(won, lost) == pytest.approx(e, abs=0.051)
    assert racing.wins(lost, won) == racing.wins(won, lost)


def test_an_e_value_is_one_on_average_where_nothing_differs() -> None:
    """After 12 rows, over all 4,096 ways in which a fair coin may fall."""
    from math import comb

    assert sum(comb(12, won) * racing.wins(won, 12 - won) for won in range(13)) / 2**12 == pytest.approx(1)
    steps = (-0.5, 0.5)
    assert np.mean([racing.bets((a, b, c)) for a in steps for b in steps for c in steps]) == pytest.approx(1)


def test_rounds_are_ten_at_most_and_end_with_all_rows() -> None:
    assert racing.ends(0) == []
    assert racing.ends(12) == [12]
    assert racing.ends(100) == [20, 40, 60, 80, 100]
    assert racing.ends(450) == [45, 90, 135, 180, 225, 270, 315, 360, 405, 450]
    assert racing.ends(101)[-2:] == [100, 101]


def test_a_loser_is_dropped_against_the_leader_and_never_the_leader() -> None:
    rows = range(30)
    scores = {
        "good": dict.fromkeys(rows, 1.0),
        "as good": dict.fromkeys(rows, 1.0),
        "bad": dict.fromkeys(rows, 0.0),
        "half": {row: float(row % 2) for row in rows},
        "cannot lead": dict.fromkeys(rows, 1.0),
    }
    able = {"good", "as good", "bad", "half"}
    dropped = racing.losers(scores, binary=True, of=5, may_lead=able)
    assert [(one.arm, one.against, one.rows) for one in dropped] == [("bad", "good", 30), ("half", "good", 30)]
    assert all(one.e >= one.limit == 100 for one in dropped)
    assert not racing.losers(
        {"bad": scores["bad"], "cannot lead": scores["cannot lead"]}, binary=True, of=2, may_lead={"bad"}
    )
    assert not racing.losers({"good": scores["good"]}, binary=True, of=5)


def test_rows_without_an_answer_are_no_defeats() -> None:
    good, bad = dict.fromkeys(range(40), 1.0), dict.fromkeys(range(4), 0.0)
    assert not racing.losers({"good": good, "broken": bad}, binary=True, of=2)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("arms", "alike"), [(5, 0.0), (5, 0.5), (16, 0.0)])
def test_equal_arms_are_dropped_in_at_most_five_runs_of_a_hundred(*, binary: bool, arms: int, alike: float) -> None:
    """Whichever of the equal arms, at whichever look; rows are hard or easy for all of them alike."""
    generator, runs = np.random.default_rng(11), depth(300 // arms, 6000 // arms)
    spoilt = sum(bool(_raced(generator, [0.6] * arms, alike, binary=binary)) for _ in range(runs))
    assert spoilt <= 0.05 * runs


def test_rows_that_belong_together_are_bet_on_as_one() -> None:
    """Equal arms, each with luck of its own with every group of ten rows: row by row most runs drop one of them."""
    generator, size, runs = np.random.default_rng(13), 10, depth(40, 1000)
    groups = {row: row // size for row in range(ROWS)}
    spoilt = {True: 0, False: 0}
    for _ in range(runs):
        luck = np.repeat(generator.standard_normal((5, ROWS // size)), size, axis=1)
        right = (luck + generator.standard_normal((5, ROWS))) / 2**0.5 < NormalDist().inv_cdf(0.6)
        scores = {str(arm): dict(enumerate(by_row.astype(float).tolist())) for arm, by_row in enumerate(right)}
        for aware in spoilt:
            spoilt[aware] += any(
                racing.losers(
                    {arm: {row: by_row[row] for row in racing.whole(range(ROWS), end, groups)}
                     for arm, by_row in scores.items()},
                    binary=True, of=5, groups=groups if aware else None,
                )
                for end in racing.ends(ROWS)
            )  # fmt: skip
    assert spoilt[True] <= 0.05 * runs
    assert spoilt[False] >= 0.3 * runs, "which is why"


def test_a_group_that_is_cut_by_the_end_of_a_round_waits_for_the_next() -> None:
    groups = {1: 7, 2: 7, 3: 8, 4: 8, 5: 9}
    rows = [1, 2, 3, 4, 5]

    assert [list(racing.whole(rows, end, groups)) for end in range(6)] == [[], [], [1, 2], [1, 2], rows[:4], rows]


def test_the_best_arm_wins_and_the_hopeless_are_dropped_early() -> None:
    generator, runs = np.random.default_rng(12), depth(60, 500)
    lost, early = 0, 0
    for _ in range(runs):
        when = _raced(generator, [0.8, 0.7, 0.3, 0.3], 0.3, binary=True)
        lost += "0" in when
        early += all(when.get(arm, ROWS) <= ROWS / 2 for arm in ("2", "3"))
    assert lost <= 0.05 * runs
    assert early >= 0.9 * runs


def _raced(generator: np.random.Generator, rates: list[float], alike: float, *, binary: bool) -> dict[str, int]:
    """The arms that a race over `ROWS` rows drops, with how many rows they had answered."""
    shared = generator.standard_normal(ROWS)
    thresholds = {str(place): NormalDist().inv_cdf(rate) for place, rate in enumerate(rates)}
    scores = {}
    for arm, threshold in thresholds.items():
        ease = alike**0.5 * shared + (1 - alike) ** 0.5 * generator.standard_normal(ROWS)
        right = ease < threshold
        graded = np.clip(threshold - ease, -1, 1) / 4 + 0.5
        scores[arm] = {row: float(score) for row, score in enumerate(right if binary else graded)}
    dropped: dict[str, int] = {}
    for end in racing.ends(ROWS):
        so_far = {arm: {row: by_row[row] for row in range(end)} for arm, by_row in scores.items() if arm not in dropped}
        dropped |= {one.arm: end for one in racing.losers(so_far, binary=binary, of=len(rates))}
    return dropped
