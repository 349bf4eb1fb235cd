"""Charts as geometry: nothing drawn outside, nothing that is not a number, no spike lost."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.web import charts, line_charts
from app.web.charts import Arm, Part
from app.web.line_charts import Series

finite = st.floats(-1e9, 1e9, allow_nan=False)
anything = st.floats(allow_nan=True, allow_infinity=True)
points = st.lists(st.tuples(finite, finite), max_size=60)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 10, [0, 2.5, 5, 7.5, 10]),
        (0.31, 2.9, [0, 1, 2, 3]),
        (-6, 17, [-10, 0, 10, 20]),
        (5, 5, [4.5, 4.75, 5, 5.25, 5.5]),
        (0, 0, [-0.5, -0.25, 0, 0.25, 0.5]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert charts.nice_ticks(low, high) == pytest.approx(ticks)


@given(finite, finite)
@example(1e9, 999999999.9999999)
def test_ticks_span_the_values_and_are_few(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = charts.nice_ticks(low, high)

    slack = 1e-6 * max(abs(low), abs(high), 1e-9)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=2000), st.integers(2, 50))
def test_thinning_keeps_the_extremes(given_points: list[charts.Point], limit: int) -> None:
    kept = line_charts.thin(given_points, limit)

    assert len(kept) <= max(limit, 2)
    heights = [height for _, height in given_points]
    assert {max(heights), min(heights)} <= {height for _, height in kept}


@given(st.lists(st.lists(st.tuples(anything, anything), max_size=30), max_size=3), st.booleans())
def test_lines_stay_inside_whatever_comes(several: list[list[charts.Point]], log: bool) -> None:
    chart = line_charts.lines("Loss", [Series(str(n), one) for n, one in enumerate(several)], log=log)

    for line in chart.lines:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+(?:e[-+]?\d+)?", line.path)]
        assert all(-0.1 <= number <= line_charts.BOX + 0.1 for number in numbers)
        assert "nan" not in line.path
        assert "inf" not in line.path
    assert all(-0.1 <= tick.at <= 100.1 for tick in (*chart.x_ticks, *chart.y_ticks))
    assert sum(map(len, several)) == chart.dropped + sum(
        len([p for p in one if all(map(charts.drawable, p)) and (p[1] > 1 / charts.HUGE or not log)]) for one in several
    )


def test_a_diverged_loss_is_said_and_the_rest_drawn() -> None:
    chart = line_charts.lines("Loss", [Series("train", [(1, 2.0), (2, 1.5), (3, math.nan), (4, math.inf)])])

    assert (chart.dropped, chart.empty) == (2, False)
    assert chart.label == "Loss: train ends at 1.5"


def test_nothing_yet_is_no_chart() -> None:
    chart = line_charts.lines("Loss", [Series("train", [])])

    assert chart.empty
    assert chart.label == "Loss: no values yet"


def test_a_long_line_is_small() -> None:
    chart = line_charts.lines("Loss", [Series("train", [(n, math.sin(n)) for n in range(20_000)])])

    assert len(chart.lines[0].points) <= line_charts.THIN
    assert len(chart.lines[0].path) < 6000


def test_a_log_axis_gives_each_factor_the_same_height() -> None:
    chart = line_charts.lines("Loss", [Series("train", [(0, 10.0), (1, 1.0), (2, 0.1)])], log=True)

    heights = [tick.at for tick in chart.y_ticks if tick.text in {"10", "1", "0.1"}]
    assert heights == pytest.approx([100, 50, 0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1500, "1,500"), (0.25, "0.25"), (-3.0, "\N{MINUS SIGN}3"), (2e-5, "2e-05"), (1.0, "1"), (12.5, "12.5")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert charts.short(value) == text


# -------------------------------------------------------------------------------------------------------- intervals


def test_arms_lie_where_their_values_are() -> None:
    chart = charts.intervals("Arms", [Arm("zero-shot", 0.3, 0.25, 0.36), Arm("later", None)], target=0.9)

    first, later = chart.strips
    assert (first.at, first.start, first.end) == (30, 25, 36)
    assert (later.at, later.start, later.end) == (None, None, None)
    assert chart.target == charts.Tick(90, "90 %")
    assert chart.label == "Arms: zero-shot 30.0 %, interval 25.0 % to 36.0 %; target 90 %"


def test_differences_lie_around_nothing() -> None:
    chart = charts.intervals("Difference", [Arm("adapter", 0.05, -0.01, 0.11)], difference=True)

    assert chart.zero == 50
    assert chart.strips[0].at is not None
    assert chart.strips[0].at > 50 > (chart.strips[0].start or 100)
    assert charts.share_text(-0.01, difference=True) == "\N{MINUS SIGN}1.0"


@given(anything, anything, anything, st.booleans())
def test_no_interval_leaves_its_strip(value: float, low: float, high: float, difference: bool) -> None:
    chart = charts.intervals("Arms", [Arm("one", value, low, high)], target=value, difference=difference)

    for place in (chart.strips[0].at, chart.strips[0].start, chart.strips[0].end, chart.zero):
        assert place is None or 0 <= place <= 100
    assert chart.label


# ------------------------------------------------------------------------------------------------------------- bars


def test_what_is_taken_away_hangs_where_the_last_one_ended() -> None:
    parts = [
        Part("Read", 1000),
        Part("Faults", 100, removed=True),
        Part("Twins", 400, removed=True),
        Part("Usable", 500),
    ]

    placed = [(bar.start, bar.width) for bar in charts.waterfall("Rows", parts).bars]

    assert placed == [(0, 100), (90, 10), (50, 40), (0, 50)]


def test_values_below_nothing_grow_to_the_left() -> None:
    chart = charts.bars("Scores", [Part("tune", 17), Part("rag", -17), Part("none", 0)])

    assert [(bar.start, bar.width) for bar in chart.bars] == [(50, 50), (0, 50), (50, 0)]
    assert chart.signed


@given(st.lists(st.tuples(anything, st.booleans()), max_size=8))
def test_no_bar_leaves_its_place(values: list[tuple[float, bool]]) -> None:
    parts = [Part(str(n), value, removed) for n, (value, removed) in enumerate(values)]

    for chart in (charts.bars("x", parts), charts.waterfall("x", [p for p in parts if not p.removed])):
        for bar in chart.bars:
            assert bar.start >= 0
            assert bar.width >= 0
            assert bar.start + bar.width <= 100.5


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 10**7)), max_size=40), points)
def test_columns_stay_in_the_plot(spans: list[tuple[int, int, int]], odd: list[tuple[float, float]]) -> None:
    bins = [charts.Bin(low, low + wide, rows) for low, wide, rows in spans]
    bins += [charts.Bin(x, math.inf, y) for x, y in odd]

    chart = charts.histogram("Lengths", bins, limit=1000)

    assert len(chart.columns) == len(spans)
    for column in chart.columns:
        assert 0 <= column.start <= column.start + column.width <= 100.01
        assert 0 <= column.height <= 100
        assert (column.height > 0) == (column.bin.value > 0)
    assert chart.label.startswith("Lengths: ")


def test_a_histogram_marks_its_limit_and_what_lies_beyond() -> None:
    bins = [charts.Bin(0, 100, 5), charts.Bin(101, 200, 20), charts.Bin(201, 300, 2), charts.Bin(301, 400, 0)]

    chart = charts.histogram("Lengths", bins, x_title="tokens", limit=200)

    assert [column.over for column in chart.columns] == [False, False, True, True]
    assert chart.limit == charts.Tick(50.0, "200")
    assert [tick.text for tick in chart.y_ticks] == ["0", "10", "20"]
    assert [tick.text for tick in chart.x_ticks] == ["0", "100", "200", "300"]
    assert chart.label == "Lengths: from 0 to 300 tokens, most of them from 101 to 200; 2 rows beyond the limit of 200"


def test_a_histogram_of_nothing_says_so() -> None:
    assert charts.histogram("Lengths", []).label == "Lengths: nothing yet"
    assert charts.histogram("Lengths", [charts.Bin(0, 9, 0)]).label == "Lengths: nothing yet"
    assert charts.histogram("Lengths", [charts.Bin(0, 9, 1)], limit=50).limit is None


def test_ranks_lie_on_either_side_of_nothing_the_largest_first() -> None:
    drawn = charts.ranks([("A", "a", 2), ("B", "b", -3), ("C", "c", 6)])

    assert [(one.name, one.start, one.width) for one in drawn] == [("C", 30, 70.0), ("A", 30, 23.3), ("B", 15.0, 15.0)]
    assert [one.width for one in charts.ranks([("A", "a", 0), ("B", "b", 0)])] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 rows, 1 to 20 tokens"), (1, "1 row, 1 to 20 tokens"), (2, "2 rows, 1 to 20 tokens")],
)
def test_a_column_says_what_it_counts(value: int, words: str) -> None:
    chart = charts.histogram("Lengths", [charts.Bin(1, 20, value), charts.Bin(21, 21, 3)], x_title="tokens")

    assert chart.words_of(chart.columns[0]) == words
    assert chart.words_of(chart.columns[1]) == "3 rows, 21 tokens"
    assert chart.columns[1].top == 100 - chart.columns[1].height


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_mark_has_a_line_above_the_plot(number: int) -> None:
    marks = [line_charts.Mark(1.0, f"mark {index}") for index in range(number)]
    chart = line_charts.lines("Loss", [Series("train", [(0, 1), (1, 2)])], marks=marks)

    names = [place for _, place, _ in chart.placed_marks]
    assert names == [12, 27][:number]
    assert all(place < chart.plot_top for place in names)
    assert chart.plot_top < chart.plot_end < chart.axis_text < chart.height
