"""What has to hold besides the score: what passes, what fails, and what so few answers cannot tell."""

import pytest

from app.release import judgement
from app.release.judgement import Row


def pairs(both: int, lost: int, gained: int, neither: int) -> list[tuple[float, float]]:
    return [(1.0, 1.0)] * both + [(1.0, 0.0)] * lost + [(0.0, 1.0)] * gained + [(0.0, 0.0)] * neither


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        (pairs(120, 2, 3, 115), "pass"),
        (pairs(120, 5, 0, 115), "pass"),  # 2 points fewer; a drop of 6 can be ruled out
        (pairs(100, 40, 5, 95), "fail"),
        (pairs(110, 14, 7, 109), "open"),  # nearly 3 points fewer, and 6 are possible
        (pairs(5, 1, 0, 4), "open"),
        ([], "open"),
    ],
)
def test_forgetting_is_ruled_out_shown_or_left_open(answers: list[tuple[float, float]], state: str) -> None:
    assert judgement.forgetting(answers).state == state


@pytest.mark.parametrize(
    ("harmful", "state"),
    [
        (pairs(30, 0, 0, 10), "pass"),
        (pairs(20, 1, 1, 18), "pass"),
        (pairs(10, 20, 0, 10), "fail"),
        (pairs(30, 4, 1, 5), "open"),  # 7 points fewer, which chance does now and then
        (pairs(0, 0, 0, 40), "open"),  # nothing to lose is not the same as safe
        ([], "open"),
    ],
)
def test_refusals_are_not_to_get_fewer(harmful: list[tuple[float, float]], state: str) -> None:
    assert judgement.refusing(harmful, pairs(0, 0, 0, 20)).state == state


@pytest.mark.parametrize(
    ("train", "test", "copied", "state"),
    [
        ([1.0] * 80 + [0.0] * 20, [1.0] * 75 + [0.0] * 25, 0, "pass"),
        ([1.0] * 100, [1.0] * 60 + [0.0] * 40, 0, "fail"),
        ([1.0] * 9 + [0.0], [1.0] * 15 + [0.0] * 5, 0, "open"),  # 15 points, on so few rows
        ([1.0] * 80 + [0.0] * 20, [1.0] * 80 + [0.0] * 20, 2, "fail"),  # 2 % copied
        ([1.0] * 80 + [0.0] * 20, [1.0] * 80 + [0.0] * 20, 1, "pass"),
        ([], [1.0], 0, "open"),
    ],
)
def test_rows_learnt_by_heart_show_in_the_gap(train: list[float], test: list[float], copied: int, state: str) -> None:
    assert judgement.by_heart(train, test, copied, binary=True).state == state


def test_an_adapter_that_changes_no_answer_fails() -> None:
    assert judgement.changing(["a", "b"], ["a", "b"]).state == "fail"
    assert judgement.changing(["a", "b"], ["a", "c"]).state == "pass"


def test_a_copied_span_counts_unless_the_row_itself_has_it() -> None:
    span = " ".join(f"word{number}" for number in range(judgement.SPAN))
    answers = [(f"so {span} it is", "a question"), (span, f"quote: {span}"), (span[:-8], "a question"), ("short", "")]

    assert judgement.copied(answers, ["nothing", f"it begins. {span} and ends"]) == 1
    assert judgement.copied(answers, ["nothing of it"]) == 0


def rows(label: str, both: int, lost: int, gained: int, neither: int) -> list[Row]:
    return [Row(before, after, {"label": label}) for before, after in pairs(both, lost, gained, neither)]


def test_a_part_that_got_worse_is_found_among_parts_that_did_not() -> None:
    parts = judgement.slices(rows("ok", 40, 0, 5, 5) + rows("bad", 5, 25, 0, 0) + rows("few", 0, 9, 0, 0), binary=True)

    assert [(part.value, part.state) for part in parts] == [("bad", "fail"), ("ok", "pass")]  # nine rows tell nothing
    assert judgement.sliced(parts).state == "fail"


def test_one_part_in_twenty_that_looks_worse_by_chance_is_left_open() -> None:
    fine = [row for number in range(19) for row in rows(f"label {number}", 8, 0, 1, 1)]
    parts = judgement.slices(fine + rows("unlucky", 7, 4, 0, 1), binary=True)

    assert judgement.sliced(parts).state == "open"
    assert "33.3 points on 12 rows" in judgement.sliced(parts).words


def test_all_rows_are_no_part() -> None:
    assert judgement.slices(rows("only", 10, 5, 0, 5), binary=True) == []
    assert judgement.sliced([]).state == "open"


def test_lengths_go_by_thirds() -> None:
    assert judgement.lengths([1, 2, 3, 10, 20, 30, 100, 200, 300]) == ["short"] * 3 + ["middle"] * 3 + ["long"] * 3
    assert judgement.lengths([5, 7]) == ["middle", "middle"]
