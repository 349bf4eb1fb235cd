"""Where a score comes from: by label and by field of JSON."""

import json

import pytest

from app.evaluation.parts import Answered, by_field, by_label, confusions


def rows(*groups: tuple[str, str, float | None, int]) -> list[Answered]:
    return [Answered(target, output, score) for target, output, score, times in groups for _ in range(times)]


def test_each_label_has_its_rows_score_and_interval() -> None:
    found = by_label(
        rows(("pause", "pause", 1, 8), ("pause", "mute", 0, 2), ("mute", "pause", 0, 3), ("mute", "", None, 2)),
        binary=True,
    )

    pause, mute = found
    assert (pause.label, pause.rows, pause.errors, pause.score, pause.instead) == ("pause", 10, 0, 0.8, "mute")
    assert (round(pause.low or 0, 4), round(pause.high or 0, 4)) == (0.4902, 0.9433)  # Wilson, 8 of 10
    assert (mute.label, mute.rows, mute.errors, mute.score, mute.instead) == ("mute", 5, 2, 0, "pause")


def test_a_label_that_nobody_answered_has_no_score() -> None:
    (found, _) = by_label(rows(("a", "", None, 4), ("b", "b", 1, 3)), binary=True)

    assert (found.score, found.low, found.high, found.errors, found.instead) == (None, None, None, 4, None)


def test_graded_scores_have_a_mean_and_no_interval_of_a_rate() -> None:
    (found, _) = by_label(rows(("a", "x", 0.25, 2), ("a", "y", 0.75, 2), ("b", "b", 1, 2)), binary=False)

    assert (found.score, found.low, found.high, found.instead) == (0.5, None, None, None)


@pytest.mark.parametrize(
    "answers",
    [
        [],
        rows(("only", "only", 1, 9)),
        [Answered(f"text {number}", "", 0) for number in range(20)],
        rows(("x" * 101, "x", 0, 5), ("y", "y", 1, 5)),
        rows(("two\nlines", "x", 0, 5), ("y", "y", 1, 5)),
    ],
)
def test_what_is_no_set_of_labels_has_no_parts(answers: list[Answered]) -> None:
    assert by_label(answers, binary=True) == []


WANTED = json.dumps({"street": "Main St", "zip": "36608", "unit": None})


def test_each_field_is_right_other_or_missing() -> None:
    found = by_field(
        [
            Answered(WANTED, '{"zip": "36608", "street": "Main St", "unit": null}', 1),
            Answered(WANTED, '{"zip": 36608, "street": "Main St"}', 0),
            Answered(WANTED, '{"street": "main st", "unit": null, "city": "Mobile"}', 0),
            Answered(WANTED, "no JSON", 0),
            Answered(WANTED, "", None),
        ],
        {},
    )
    counts = {one.field: (one.rows, one.right, one.other, one.missing, one.extra) for one in found}

    assert counts == {
        "street": (4, 2, 1, 1, 0),
        "zip": (4, 1, 1, 2, 0),
        "unit": (4, 2, 0, 2, 0),
        "city": (0, 0, 0, 0, 1),
    }
    street, city = found[0], found[-1]
    assert (street.score, round(street.low or 0, 4), round(street.high or 0, 4)) == (0.5, 0.15, 0.85)  # Wilson, 2 of 4
    assert (city.score, city.low, city.high) == (None, None, None)


def test_how_far_around_the_json_is_looked_is_the_metrics() -> None:
    fenced = [Answered(WANTED, f"```json\n{WANTED}\n```", 1)]

    assert [one.right for one in by_field(fenced, {})] == [0, 0, 0]
    assert [one.right for one in by_field(fenced, {"fence": True})] == [1, 1, 1]


@pytest.mark.parametrize("target", ["label", "[1]", "7", ""])
def test_where_answers_are_no_objects_there_are_no_fields(target: str) -> None:
    assert by_field([Answered(WANTED, WANTED, 1), Answered(target, target, 1)], {}) == []


def test_numbers_count_digit_by_digit() -> None:
    (found,) = by_field([Answered('{"n": 10000000000000001}', '{"n": 10000000000000000}', 0)], {})

    assert (found.right, found.other) == (0, 1)


def test_confusions_count_one_label_given_for_another() -> None:
    answers = rows(
        ("pause", "mute", 0, 3), ("pause", " stop ", 0, 1), ("mute", "pause", 0, 3), ("mute", "mute", 1, 5),
        ("stop", "Label: stop", 0, 2), ("stop", "", None, 4),
    )  # fmt: skip

    confused = confusions(answers, {"pause", "mute", "stop"})

    assert [(pair.expected, pair.output, pair.rows) for pair in confused.pairs] == [
        ("mute", "pause", 3), ("pause", "mute", 3), ("pause", "stop", 1),
    ]  # fmt: skip
    assert (confused.rows, confused.outside) == (7, 2)


def test_a_label_that_only_other_rows_have_is_a_label_too() -> None:
    answers = rows(("pause", "play", 0, 2), ("pause", "pause", 1, 2))

    assert confusions(answers, {"pause"}).outside == 2
    assert confusions(answers, {"pause", "play"}).pairs[0].output == "play"
