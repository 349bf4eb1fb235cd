"""Line charts: points of a run against its steps, as SVG paths in a box of their own coordinates. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.web.charts import HUGE, SHAPES, Point, Tick, compact, drawable, nice_ticks, share_of, short
from app.wording import joined

BOX = 1000.0  # the line plot's own coordinates, both ways
PLOT = 196  # pixels from the top of a line plot to its end
NAME_LINE = 15  # pixels for the name of a mark
THIN = 400  # points of a line that are drawn; more cannot be seen


def thin(points: Sequence[Point], limit: int = THIN) -> list[Point]:
    """Leave out points where there are too many; each stretch keeps its least and greatest, so a spike survives."""
    if len(points) <= limit:
        return list(points)
    kept: list[Point] = []
    length = len(points) / (limit // 2)
    for number in range(limit // 2):
        stretch = points[int(number * length) : int((number + 1) * length)]
        lowest = min(stretch, key=lambda point: point[1])
        highest = max(stretch, key=lambda point: point[1])
        kept += sorted({lowest, highest})
    return kept


def finite(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if drawable(point[0]) and drawable(point[1])]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the horizontal axis with its name; low and high are the band around it, if there is one."""

    x: float
    name: str
    tone: str = "accent"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A mark in percent of the plot's width; `width` of the band is 0 without one."""

    at: float
    name: str
    tone: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Series:
    """One line. `tone` is its colour class; `dashed` tells it apart without colour."""

    name: str
    points: Sequence[Point]
    tone: str = "accent"
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn line: `path` in the plot's box, `last` its last value, `dropped` how many values were no numbers;
    `shape` and `end`: the marker of its last point, in percent of the plot."""

    name: str
    tone: str
    dashed: bool
    path: str
    dots: Sequence[Point]
    last: float | None
    points: Sequence[Point]
    dropped: int
    shape: str = ""
    end: Point | None = None


@dataclass(frozen=True, slots=True)
class LineChart:
    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    empty: bool
    marks: Sequence[DrawnMark] = ()
    numbers: bool = True

    @property
    def label(self) -> str:
        """The chart in one sentence: its caption, and all of it for who cannot see it."""
        known = [line for line in self.lines if line.last is not None]
        across = f" by {self.x_title}" if self.x_title and self.x_title.lower() not in self.title.lower() else ""
        if not known:
            return f"{self.title}{across}: no values yet"
        if self.numbers:
            named = joined([f"{line.name} ends at {short(float(f'{line.last or 0.0:.4g}'))}" for line in known])
        else:
            named = joined([line.name for line in known if line.name not in self.title])
        return "; ".join([f"{self.title}{across}{f': {named}' if named else ''}", *(mark.name for mark in self.marks)])

    @property
    def shared(self) -> bool:
        """Whether all lines have their values at the same places, so that one table holds them."""
        first = [x for x, _ in self.lines[0].points] if self.lines else []
        return all([x for x, _ in line.points] == first for line in self.lines)

    @property
    def dropped(self) -> int:
        return sum(line.dropped for line in self.lines)

    # Down the page all is in pixels: each mark's name has a line of its own above the plot, the axis' texts are below.
    @property
    def plot_top(self) -> int:
        return NAME_LINE * len(self.marks) + 14

    @property
    def y_texts(self) -> Sequence[tuple[float, str]]:
        """What stands beside the plot, with the pixel of each text's middle."""
        return [(round(self.plot_top + PLOT * tick.at / 100, 1), tick.text) for tick in self.y_ticks]

    @property
    def plot_end(self) -> int:
        return self.plot_top + PLOT

    @property
    def axis_text(self) -> int:
        return self.plot_end + 20

    @property
    def height(self) -> int:
        return self.plot_end + 26

    @property
    def placed_marks(self) -> Sequence[tuple[DrawnMark, int, int]]:
        """Marks, each with where its name stands and where its line begins."""
        return [(mark, NAME_LINE * row - 3, NAME_LINE * row + 1) for row, mark in enumerate(self.marks, 1)]


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_title: str = "",
    y_title: str = "",
    log: bool = False,
    log_x: bool = False,
    marks: Sequence[Mark] = (),
    numbers: bool = True,
) -> LineChart:
    """Draw lines over a common axis. `log` spreads a loss that falls by orders of magnitude; 0 and less drop out.

    log_x: the same across. marks: places across, those outside the lines left out. numbers: list every value below;
    without, the page has a table of its own.
    """
    clean = [
        [(x, y) for x, y in finite(line.points) if (not log or y > 1 / HUGE) and (not log_x or x > 1 / HUGE)]
        for line in series
    ]
    every = [point for points in clean for point in points]
    if not every:
        drawn = [Line(line.name, line.tone, line.dashed, "", (), None, (), len(line.points)) for line in series]
        return LineChart(title, x_title, y_title, drawn, (), (), empty=True)
    x_low, x_high = _span([math.log10(x) if log_x else x for x, _ in every])
    y_values = [math.log10(y) if log else y for _, y in every]
    y_marks = log_ticks(min(y_values), max(y_values)) if log else nice_ticks(min(y_values), max(y_values))
    y_low = min(y_marks[0], *y_values)
    y_high = max(y_marks[-1], *y_values)

    def across(x: float) -> float:
        return share_of(math.log10(x) if log_x else x, x_low, x_high)

    def place(point: Point) -> Point:
        x, y = point
        return (BOX * across(x), BOX * (1 - share_of(math.log10(y) if log else y, y_low, y_high)))

    x_marks = log_ticks(x_low, x_high) if log_x else nice_ticks(x_low, x_high)
    slack = 1e-9 if log_x else 0.0  # the exponent of a round number is seldom quite round
    x_marks = [mark for mark in x_marks if x_low - slack <= mark <= x_high + slack]
    return LineChart(
        title,
        x_title,
        y_title,
        [
            _line(line, points, place, SHAPES[number % len(SHAPES)])
            for number, (line, points) in enumerate(zip(series, clean, strict=True))
        ],
        [Tick(round(100 * share_of(mark, x_low, x_high), 2), _label(mark, log_x, compactly=log_x)) for mark in x_marks],
        [
            Tick(round(100 * (1 - share_of(mark, y_low, y_high)), 2), _label(mark, log or log_x, compactly=log_x))
            for mark in y_marks
        ],
        empty=False,
        marks=[_drawn(mark, across) for mark in marks if mark.x > 0 or not log_x if 0 <= across(mark.x) <= 1],
        numbers=numbers,
    )


def _line(series: Series, points: Sequence[Point], place: Callable[[Point], Point], shape: str) -> Line:
    """A line of those of its points that can be drawn."""
    points_drawn = thin(points)
    spots = [place(point) for point in points_drawn]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots) if len(spots) > 1 else ""
    # One value makes no line; a few are easier to find as dots.
    dots = [(x / 10, y / 10) for x, y in spots] if len(spots) <= 12 else []
    last = points[-1][1] if points else None
    dropped = len(series.points) - len(points)
    end = (round(spots[-1][0] / 10, 2), round(spots[-1][1] / 10, 2)) if spots else None
    return Line(series.name, series.tone, series.dashed, path, dots, last, points_drawn, dropped, shape, end)


def _label(mark: float, power: bool, *, compactly: bool) -> str:
    """What stands at a tick. power: the mark is the exponent of ten."""
    value = 10**mark if power else mark
    return compact(value) if compactly else short(value)


def _drawn(mark: Mark, across: Callable[[float], float]) -> DrawnMark:
    """A mark with its band, cut where the plot ends; a band without an upper end reaches to the edge."""
    if mark.low is None:
        return DrawnMark(round(100 * across(mark.x), 2), mark.name, mark.tone, 0.0, 0.0)
    start = max(across(mark.low), 0.0) if mark.low > 0 else 0.0
    end = 1.0 if mark.high is None else min(across(mark.high), 1.0)
    return DrawnMark(
        round(100 * across(mark.x), 2), mark.name, mark.tone, round(100 * start, 2), round(100 * max(end - start, 0), 2)
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Decades as exponents, with 2 and 5 between them where there are few; more decades than fit are thinned."""
    decades = range(math.floor(low) - 1, math.ceil(high) + 2)
    if high - low > 2.01:
        every = 1 + int((high - low) // 7)
        decades_drawn = [float(decade) for decade in decades if decade % every == 0]
        return [mark for mark in decades_drawn if low - every < mark < high + every]
    marks = [decade + math.log10(step) for decade in decades for step in (1, 2, 5)]
    below = [mark for mark in marks if mark <= low + 1e-9]
    above = [mark for mark in marks if mark >= high - 1e-9]
    return [mark for mark in marks if below[-1] <= mark <= max(above[0], below[-1] + 0.01)] or marks


def _span(values: Sequence[float]) -> Point:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
