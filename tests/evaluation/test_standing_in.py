"""The verdict where a stronger model is to be replaced, and on an adapter that changes nothing."""

import pytest

from app.evaluation import standing_in
from app.evaluation.comparison import Comparison, Pair, compare
from app.evaluation.not_worse import NotWorse, not_worse


def against_prompt(fixed: int, broken: int, rows: int = 400) -> Comparison:
    pairs = [Pair(n, 0.0, 1.0) for n in range(fixed)] + [Pair(n + 1000, 1.0, 0.0) for n in range(broken)]
    pairs += [Pair(n + 2000, 1.0, 1.0) for n in range(rows - fixed - broken)]
    return compare(pairs, binary=True)


def against_teacher(lost: int, won: int, rows: int = 400) -> NotWorse:
    teacher = [1.0] * lost + [0.0] * won + [1.0] * (rows - lost - won)
    adapter = [0.0] * lost + [1.0] * won + [1.0] * (rows - lost - won)
    return not_worse(teacher, adapter, binary=True, margin=0.03, names=("Large", "the adapter"))


@pytest.mark.parametrize(
    ("prompt", "teacher", "verdict"),
    [
        ((100, 5), (4, 4), "improved"),  # far above its own prompt, level with the teacher
        ((100, 5), (60, 2), "not better"),  # the same, and 14 points below the teacher
        ((100, 5), (16, 10), "inconclusive"),  # 1.5 points below, and 3 are not ruled out
        ((4, 4), (4, 4), "not better"),  # as good as the teacher, and so is the prompt that costs nothing
        ((5, 100), (4, 4), "regressed"),
    ],
)
def test_both_have_to_hold_where_a_stronger_model_is_replaced(
    prompt: tuple[int, int], teacher: tuple[int, int], verdict: str
) -> None:
    kept = against_teacher(*teacher)
    found = standing_in.in_place_of(against_prompt(*prompt), kept)

    assert found.verdict == verdict
    assert kept.words in found.words


def test_what_is_open_names_the_rows_that_would_show_it() -> None:
    kept = against_teacher(16, 10)
    found = standing_in.in_place_of(against_prompt(100, 5), kept)

    assert found.rows_for_answer == kept.rows_needed
    assert kept.rows_needed is not None
    assert kept.rows_needed > 400


@pytest.mark.parametrize(
    ("changed", "verdict"), [((40, 5), "not better"), ((6, 4), "not better"), ((5, 100), "regressed")]
)
def test_an_adapter_that_changes_nothing_is_no_improvement_and_needs_no_more_rows(
    changed: tuple[int, int], verdict: str
) -> None:
    found = standing_in.changing_nothing(against_prompt(*changed, rows=60 if changed == (6, 4) else 400), 240)

    assert found.verdict == verdict
    assert found.rows_for_answer is None
    assert found.words.startswith("The adapter changes nothing: 240 answers")
