import pytest

from app.evaluation.comparison import Pair, compare


def binary(both: int, fixed: int, broken: int, neither: int) -> list[Pair]:
    kinds = [(1.0, 1.0)] * both + [(0.0, 1.0)] * fixed + [(1.0, 0.0)] * broken + [(0.0, 0.0)] * neither
    return [Pair(id, before, after) for id, (before, after) in enumerate(kinds)]  # noqa: A001 - the field's name


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((130, 40, 10, 20), "improved"),
        ((130, 10, 40, 20), "regressed"),
        ((180, 0, 3, 217), "not better"),
        ((50, 6, 3, 1), "inconclusive"),
        ((60, 0, 0, 0), "inconclusive"),
        ((3, 5, 0, 0), "inconclusive"),
    ],
)
def test_the_verdict_is_about_the_difference(counts: tuple[int, int, int, int], verdict: str) -> None:
    compared = compare(binary(*counts), binary=True)

    assert compared.verdict == verdict
    assert compared.words.lower().startswith(verdict)
    assert compared.delta == pytest.approx(compared.after - compared.before)
    assert compared.low <= compared.delta <= compared.high


def test_the_rows_that_changed_are_named() -> None:
    compared = compare(binary(1, 2, 1, 1), binary=True)

    assert compared.fixed == (1, 2)
    assert compared.broken == (3,)
    assert compared.test == "exact McNemar test"


def test_inconclusive_says_how_many_rows_would_do() -> None:
    compared = compare(binary(40, 8, 5, 7), binary=True)

    assert compared.rows_for_answer is not None
    assert compared.rows_for_answer > 60
    assert f"With about {compared.rows_for_answer:,} rows it is settled" in compared.words


def test_graded_scores_are_compared_by_how_far_they_moved() -> None:
    pairs = [Pair(row, 0.4, 0.4 + 0.02 * (row % 10)) for row in range(100)]

    compared = compare([*pairs, Pair(100, 0.9, 0.1)], binary=False)

    assert compared.verdict == "improved"
    assert compared.broken == (100,)
    assert compared.fixed[0] == 9
    assert len(compared.fixed) == 50
    assert compared.p < 0.01


def test_a_gain_is_ruled_out_only_where_the_interval_ends_below_it() -> None:
    """Both sides of the boundary: the same rows, and a gain just above and just below where their interval ends."""
    pairs = binary(300, 6, 8, 300)
    end = compare(pairs, binary=True).high

    assert compare(pairs, binary=True, worthwhile=end + 0.001).verdict == "not better"
    assert compare(pairs, binary=True, worthwhile=end - 0.001).verdict == "inconclusive"


def test_nothing_in_common_says_nothing() -> None:
    compared = compare([], binary=True)

    assert compared.verdict == "inconclusive"
    assert (compared.low, compared.high) == (-1, 1)
    assert compared.rows_for_answer is None
