"""Score against an amount: the frontier, and where things are drawn."""

import math

import pytest

from app.web.scatter_charts import HEIGHT, TEXT, WIDTH, Spot, leading, scatter


def spot(key: int, x: float, y: float) -> Spot:
    return Spot(key, f"v{key}", x, y, y - 0.05, y + 0.05)


def test_the_frontier_is_what_nothing_beats_for_less() -> None:
    spots = [spot(1, 0, 0.4), spot(2, 1, 0.6), spot(3, 2, 0.6), spot(4, 3, 0.5), spot(5, 9, 0.9), spot(6, 1, 0.6)]

    assert leading(spots) == [True, True, False, False, True, True]
    chart = scatter("Score", spots, x_title="cost", y_title="score")
    assert [one.spot.key for one in chart.spots if one.leading] == [1, 2, 6, 5]
    assert [one.number for one in chart.spots] == [1, 2, 3, 4, 5, 6]
    assert chart.label.startswith("Score: of 6, nothing is both cheaper and better than v1, v2")
    assert chart.frontier.startswith("M")


@pytest.mark.parametrize(("amounts", "logarithmic"), [((0, 1, 2), False), ((0, 0.01, 30), True), ((0, 0), False)])
def test_everything_lies_inside_in_the_order_of_its_amount(amounts: tuple[float, ...], logarithmic: bool) -> None:
    chart = scatter("Score", [spot(key, x, 0.5) for key, x in enumerate(amounts)], x_title="", y_title="")

    places = [one.at[0] for one in chart.spots]
    assert chart.logarithmic is logarithmic
    assert places == sorted(places)
    assert all(0 < place < 100 for place in places)
    assert all(0 <= one.top <= one.at[1] <= one.bottom <= 100 for one in chart.spots)
    assert "0" in [tick.text for tick in chart.x_ticks]
    assert all(0 <= tick.at <= 100 for tick in (*chart.x_ticks, *chart.y_ticks))


def test_no_number_and_nothing_are_no_spots() -> None:
    assert scatter("Score", [spot(1, float("nan"), 0.5)], x_title="", y_title="").spots == ()


def test_the_numbers_of_spots_that_lie_together_touch_neither_markers_nor_each_other() -> None:
    close = [spot(key, 1 + key / 50, 0.5 + key % 3 / 60) for key in range(6)]
    chart = scatter("Score", close, x_title="", y_title="")

    boxes = [
        (left := WIDTH * one.at[0] / 100 + one.text_at[0] - (TEXT[0] if one.anchor == "end" else 0),
         bottom := HEIGHT * one.at[1] / 100 + one.text_at[1], left + TEXT[0], bottom - TEXT[1])
        for one in chart.spots
    ]  # fmt: skip
    for number, (left, bottom, right, top) in enumerate(boxes):
        for other_left, other_bottom, other_right, other_top in boxes[:number]:
            apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
            assert apart, "two numbers cover each other"


def test_a_number_stands_beside_its_own_marker() -> None:
    """Small classifiers, all at no cost: each number would be read as that of the marker nearest to it."""
    shares = {1: 1.0, 2: 0.95, 3: 0.825, 4: 0.35}
    chart = scatter("Score", [spot(key, 0, y) for key, y in shares.items()] + [spot(5, 9, 0.1)], x_title="", y_title="")

    markers = {one.number: (WIDTH * one.at[0] / 100, HEIGHT * one.at[1] / 100) for one in chart.spots}
    for one in chart.spots:
        x, y = markers[one.number]
        middle = (
            x + one.text_at[0] + TEXT[0] / 2 * (1 if one.anchor == "start" else -1),
            y + one.text_at[1] - TEXT[1] / 2,
        )
        assert min(markers, key=lambda number: math.dist(markers[number], middle)) == one.number
