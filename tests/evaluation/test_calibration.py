"""Whether probabilities hold, and what passing unsure rows on brings: by hand-counted rows."""

import random

import pytest

from app.evaluation import calibration
from app.evaluation.calibration import Sure


def test_the_reliability_table_and_its_sum_are_those_counted_by_hand() -> None:
    answers = [*[Sure(0.95, True)] * 6, *[Sure(0.95, False)] * 2, *[Sure(0.25, False)] * 3, Sure(1.0, True)]
    found = calibration.reliability(answers)

    assert [(part.low, part.high, part.rows) for part in found.bins] == [(0.2, 0.3, 3), (0.9, 1.0, 9)]
    assert found.bins[1].right == pytest.approx(7 / 9)
    assert found.bins[1].chance == pytest.approx((8 * 0.95 + 1.0) / 9)
    assert found.error == pytest.approx((3 * 0.25 + 9 * ((8 * 0.95 + 1) / 9 - 7 / 9)) / 12)
    assert found.lean == pytest.approx(found.error)  # too sure in both
    assert found.bins[1].interval.low < 7 / 9 < found.bins[1].interval.high


def test_probabilities_that_hold_have_almost_no_error_and_wrong_ones_have_it_all() -> None:
    draw = random.Random(5)
    chances = [draw.random() for _ in range(20_000)]
    honest = calibration.reliability([Sure(chance, draw.random() < chance) for chance in chances])
    boastful = calibration.reliability([Sure(0.99, draw.random() < 0.6) for _ in chances])

    assert honest.error < 0.02
    assert boastful.error == pytest.approx(0.39, abs=0.02)
    assert calibration.reliability([]).error == 0


def test_what_is_answered_shrinks_and_gets_righter_where_probabilities_say_anything() -> None:
    draw = random.Random(8)
    answers = [Sure(chance, draw.random() < chance) for chance in (draw.random() for _ in range(2000))]
    curve = calibration.curve(answers)

    assert curve[0].share == 1
    assert curve[0].right == pytest.approx(sum(answer.right for answer in answers) / 2000)
    assert [point.share for point in curve] == sorted((point.share for point in curve), reverse=True)
    assert [point.right for point in curve] == sorted(point.right or 0 for point in curve)
    assert calibration.curve([]) == []


def test_equal_probabilities_are_answered_together() -> None:
    answers = [Sure(0.5, number % 2 == 0) for number in range(50)]

    assert [(point.share, point.right) for point in calibration.curve(answers)] == [(1.0, 0.5)]


def test_the_threshold_is_the_lowest_that_reaches_the_target_on_enough_answers() -> None:
    answers = [Sure(1 - number / 200, number < 40 or number % 2 == 0) for number in range(100)]
    found = calibration.threshold_for(answers, 0.9)

    assert found is not None
    assert found.right is not None
    assert found.right >= 0.9
    below = [answer for answer in answers if answer.chance < found.threshold]
    worse = calibration.at(answers, max(answer.chance for answer in below) - 1e-9)
    further = [calibration.at(answers, answer.chance).right or 0 for answer in below]
    assert worse.share > found.share
    assert max(further) < 0.9  # no lower one reaches it
    assert calibration.threshold_for(answers[:10], 0.9) is None  # too few
    assert calibration.threshold_for(answers, 0.4) == calibration.at(answers, answers[-1].chance)  # all of them
    assert calibration.threshold_for([Sure(0.9, False)] * 60, 0.5) is None
