"""Charts as geometry: values in, positions out; a partial in `templates/_charts` draws each kind.

No script draws anything, so the same chart is in the page, in the live update, on paper and without JavaScript.
Positions along the page are percentages, so that text keeps its size on a telephone. Colours are classes (`tone-*`).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

BOX = 1000.0  # the line plot's own coordinates, both ways
HUGE = 1e100  # beyond it, differences and factors of values are no numbers any more
PLOT = 196  # pixels from the top of a line plot to its end
NAME_LINE = 15  # pixels for the name of a mark
THIN = 400  # points of a line that are drawn; more cannot be seen


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: `at` is a percentage of the axis from its start."""

    at: float
    text: str


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span the values: steps of 1, 2, 2.5, 5 and their tens. Takes finite numbers only."""
    if high - low < 1 / HUGE and abs(low) < 1 / HUGE:
        low = high = 0.0  # smaller than what a step can be divided into
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # a difference that the numbers themselves can hardly hold
        margin = abs(low) * 0.1 or 0.5
        low, high = low - margin, high + margin
    raw = (high - low) / max(wanted - 1, 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


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


def drawable(value: float | None) -> bool:
    """Whether a value can be drawn: a number, and not one that only a diverged computation reaches."""
    return value is not None and math.isfinite(value) and abs(value) < HUGE


def finite(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if drawable(point[0]) and drawable(point[1])]


def short(value: float) -> str:
    """A number as short as its axis allows: 1500 -> 1,500, 0.25 -> 0.25, 0.00002 -> 2e-05."""
    if value == 0 or 0.001 <= abs(value) < 1e6:
        text = f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}") if "e" not in text else text


def compact(value: float) -> str:
    """A round number of an axis that spans decades: 1k, 20k, 5M, 0.01."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{letter}".replace("-", "\N{MINUS SIGN}")
    return short(float(f"{value:.3g}"))


# ------------------------------------------------------------------------------------------------------------ lines


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
    """A drawn line: `path` in the plot's box, `last` its last value, `dropped` how many values were no numbers."""

    name: str
    tone: str
    dashed: bool
    path: str
    dots: Sequence[Point]
    last: float | None
    points: Sequence[Point]
    dropped: int


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
        """The chart in one sentence, for who cannot see it."""
        known = [line for line in self.lines if line.last is not None]
        told = ", ".join(f"{line.name} {short(line.last or 0.0)}" if self.numbers else line.name for line in known)
        said = f"{'last values ' if self.numbers else ''}{told}" if told else "no values yet"
        return "; ".join([f"{self.title}: {said}", *(mark.name for mark in self.marks)])

    @property
    def dropped(self) -> int:
        return sum(line.dropped for line in self.lines)

    # Down the page all is in pixels: each mark's name has a line of its own above the plot, the axis' texts are below.
    @property
    def plot_top(self) -> int:
        return NAME_LINE * len(self.marks) + 14

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
    clean = [finite(one.points) for one in series]
    if log:
        clean = [[point for point in points if point[1] > 1 / HUGE] for points in clean]
    if log_x:
        clean = [[point for point in points if point[0] > 1 / HUGE] for points in clean]
    every = [point for points in clean for point in points]
    if not every:
        drawn = [Line(one.name, one.tone, one.dashed, "", (), None, (), len(one.points)) for one in series]
        return LineChart(title, x_title, y_title, drawn, (), (), empty=True)
    x_low, x_high = _span([math.log10(x) if log_x else x for x, _ in every])
    y_values = [math.log10(y) if log else y for _, y in every]
    y_marks = _log_ticks(min(y_values), max(y_values)) if log else nice_ticks(min(y_values), max(y_values))
    y_low = min(y_marks[0], *y_values)
    y_high = max(y_marks[-1], *y_values)

    def across(x: float) -> float:
        return _share(math.log10(x) if log_x else x, x_low, x_high)

    def place(point: Point) -> Point:
        x, y = point
        height = math.log10(y) if log else y
        return (BOX * across(x), BOX * (1 - _share(height, y_low, y_high)))

    drawn = []
    for one, points in zip(series, clean, strict=True):
        shown = thin(points)
        spots = [place(point) for point in shown]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots) if len(spots) > 1 else ""
        # One value makes no line; a few are easier to find as dots.
        dots = [(x / 10, y / 10) for x, y in spots] if len(spots) <= 12 else []
        last = points[-1][1] if points else None
        drawn.append(Line(one.name, one.tone, one.dashed, path, dots, last, shown, len(one.points) - len(points)))
    x_marks = _log_ticks(x_low, x_high) if log_x else nice_ticks(x_low, x_high)
    slack = 1e-9 if log_x else 0.0  # the exponent of a round number is seldom quite round
    x_marks = [mark for mark in x_marks if x_low - slack <= mark <= x_high + slack]
    return LineChart(
        title,
        x_title,
        y_title,
        drawn,
        [
            Tick(round(100 * _share(mark, x_low, x_high), 2), compact(10**mark) if log_x else short(mark))
            for mark in x_marks
        ],
        [
            Tick(
                round(100 * (1 - _share(mark, y_low, y_high)), 2),
                compact(10**mark) if log_x else short(10**mark if log else mark),
            )
            for mark in y_marks
        ],
        empty=False,
        marks=[_drawn(mark, across) for mark in marks if mark.x > 0 or not log_x if 0 <= across(mark.x) <= 1],
        numbers=numbers,
    )


def _drawn(mark: Mark, across: Callable[[float], float]) -> DrawnMark:
    """A mark with its band, cut where the plot ends; a band without an upper end reaches to the edge."""
    if mark.low is None:
        return DrawnMark(round(100 * across(mark.x), 2), mark.name, mark.tone, 0.0, 0.0)
    start = max(across(mark.low), 0.0) if mark.low > 0 else 0.0
    end = 1.0 if mark.high is None else min(across(mark.high), 1.0)
    return DrawnMark(
        round(100 * across(mark.x), 2), mark.name, mark.tone, round(100 * start, 2), round(100 * max(end - start, 0), 2)
    )


def _log_ticks(low: float, high: float) -> list[float]:
    """Decades as exponents, with 2 and 5 between them where there are few; more decades than fit are thinned."""
    decades = range(math.floor(low) - 1, math.ceil(high) + 2)
    if high - low > 2.01:
        every = 1 + int((high - low) // 7)
        found = [float(decade) for decade in decades if decade % every == 0]
        return [mark for mark in found if low - every < mark < high + every]
    marks = [decade + math.log10(step) for decade in decades for step in (1, 2, 5)]
    below = [mark for mark in marks if mark <= low + 1e-9]
    above = [mark for mark in marks if mark >= high - 1e-9]
    return [mark for mark in marks if below[-1] <= mark <= max(above[0], below[-1] + 0.01)] or marks


def _span(values: Sequence[float]) -> Point:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


# -------------------------------------------------------------------------------------------------------- intervals


@dataclass(frozen=True, slots=True)
class Arm:
    """A value with its interval, from 0 to 1 (a difference: -1 to 1). `note` stands in when there is none."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    tone: str = "prompt"
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """One drawn row: positions in percent of the strip."""

    arm: Arm
    at: float | None
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class IntervalChart:
    title: str
    strips: Sequence[Strip]
    ticks: Sequence[Tick]
    target: Tick | None
    zero: float | None
    difference: bool

    @property
    def label(self) -> str:
        known = [strip.arm for strip in self.strips if strip.arm.value is not None]
        if not known:
            return f"{self.title}: nothing measured yet"
        best = max(known, key=lambda arm: arm.value or 0.0)
        goal = f"; target {self.target.text}" if self.target else ""
        top = share_text(best.value, self.difference)
        return f"{self.title}: {len(known)} values, highest {best.name} with {top}{goal}"


def share_text(value: float | None, difference: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    text = f"{100 * value:+.1f}" if difference else f"{100 * value:.1f}%"
    return text.replace("-", "\N{MINUS SIGN}")


def intervals(
    title: str, arms: Sequence[Arm], *, target: float | None = None, difference: bool = False
) -> IntervalChart:
    """Draw values with intervals above each other. A difference is drawn around 0, a score from 0 to 1."""
    if difference:
        ends = [end for arm in arms for end in (arm.value, arm.low, arm.high) if end is not None and drawable(end)]
        edge = nice_ticks(0.0, max([abs(end) for end in ends] + [0.01]), 3)[-1]
        low, high = -edge, edge
        marks = [-edge, -edge / 2, 0.0, edge / 2, edge]
    else:
        low, high = 0.0, 1.0
        marks = [0.0, 0.25, 0.5, 0.75, 1.0]

    def at(value: float | None) -> float | None:
        if value is None or not drawable(value):
            return None
        return round(100 * min(max(_share(value, low, high), 0.0), 1.0), 2)

    strips = []
    for arm in arms:
        start, end = at(arm.low), at(arm.high)
        whole = start is not None and end is not None
        strips.append(Strip(arm, at(arm.value), start if whole else None, end if whole else None))
    ticks = [Tick(round(100 * _share(mark, low, high), 2), _tick_text(mark, difference)) for mark in marks]
    place = at(target)
    goal = None if place is None else Tick(place, share_text(target, difference))
    return IntervalChart(title, strips, ticks, goal, at(0.0) if difference else None, difference)


def _tick_text(mark: float, difference: bool) -> str:
    text = f"{100 * mark:+g}" if difference and mark else f"{100 * mark:g}"
    return text.replace("-", "\N{MINUS SIGN}") + ("" if difference else "%")


# -------------------------------------------------------------------------------------------------------- bars


@dataclass(frozen=True, slots=True)
class Part:
    """One bar of a waterfall: rows that are there (`removed` False) or that a check takes away."""

    name: str
    value: float
    removed: bool = False
    note: str = ""
    url: str = ""
    tone: str = "accent"


@dataclass(frozen=True, slots=True)
class Bar:
    part: Part
    start: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class BarChart:
    title: str
    bars: Sequence[Bar]
    unit: str
    signed: bool = False

    @property
    def label(self) -> str:
        told = ", ".join(
            f"{bar.part.name} {'minus ' if bar.part.removed else ''}{bar.part.value:,.0f}" for bar in self.bars
        )
        return f"{self.title}: {told}" if told else f"{self.title}: nothing yet"


def waterfall(title: str, parts: Sequence[Part], *, unit: str = "rows") -> BarChart:
    """Draw what is left after each check: a removed part hangs where the one before it ended."""
    top = max((part.value for part in parts if not part.removed and drawable(part.value)), default=0.0)
    left = 0.0
    drawn = []
    for part in parts:
        value = min(max(part.value, 0.0), top) if drawable(part.value) else 0.0
        if part.removed:
            left = max(left - value, 0.0)
            start, tone = left, "bad"
        else:
            start, left, tone = 0.0, value, part.tone
        drawn.append(Bar(part, *_extent(start, value, top), tone))
    return BarChart(title, drawn, unit)


def bars(title: str, parts: Sequence[Part], *, unit: str = "") -> BarChart:
    """Draw plain bars; the longest fills the width. Once a value is below 0, all start in the middle."""
    values = [part.value for part in parts if drawable(part.value)]
    most = max((abs(value) for value in values), default=0.0)
    below = any(value < 0 for value in values)
    drawn = []
    for part in parts:
        value = part.value if drawable(part.value) else 0.0
        start, width = _extent(0.0, abs(value), most)
        if below:
            width = round(width / 2, 2)
            start = 50.0 if value >= 0 else round(50.0 - width, 2)
        drawn.append(Bar(part, start, width, part.tone))
    return BarChart(title, drawn, unit, signed=below)


@dataclass(frozen=True, slots=True)
class Rank:
    """One of a few signed values side by side; places in percent of the width."""

    name: str
    tone: str
    value: float
    start: float
    width: float


ZERO = 30  # percent of the width left of 0; the values below it are fewer and smaller


def ranks(values: Iterable[tuple[str, str, float]]) -> list[Rank]:
    """Draw values (name, tone, value) on either side of 0, the largest first. The largest size fills its side."""
    ordered = sorted(values, key=lambda one: one[2], reverse=True)
    top = max([abs(value) for _, _, value in ordered] + [1])
    return [
        Rank(name, tone, value, ZERO, round((100 - ZERO) * value / top, 1))
        if value >= 0
        else Rank(name, tone, value, round(ZERO + ZERO * value / top, 1), round(-ZERO * value / top, 1))
        for name, tone, value in ordered
    ]


def _extent(start: float, value: float, top: float) -> Point:
    """Place a bar in percent; one that is there but tiny stays visible."""
    if not top:
        return 0.0, 0.0
    width = round(100 * (value / top), 2)
    return round(100 * (start / top), 2), max(width, 0.4) if value else 0.0


# -------------------------------------------------------------------------------------------------- histograms


@dataclass(frozen=True, slots=True)
class Bin:
    """How many things lie from `low` up to `high`; `url` leads to them."""

    low: float
    high: float
    value: float
    url: str = ""

    @property
    def span(self) -> str:
        """Its ends in words; one number where they are the same."""
        return short(self.low) if self.high == self.low else f"{short(self.low)} to {short(self.high)}"


@dataclass(frozen=True, slots=True)
class Column:
    """One drawn bin: places in percent of the plot. `over`: it lies beyond the limit."""

    bin: Bin
    start: float
    width: float
    height: float
    over: bool

    @property
    def top(self) -> float:
        """Where the column begins, in percent of the plot from above."""
        return round(100 - self.height, 2)


@dataclass(frozen=True, slots=True)
class Histogram:
    title: str
    columns: Sequence[Column]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    limit: Tick | None
    unit: str
    x_title: str

    @property
    def label(self) -> str:
        told = [column.bin for column in self.columns if column.bin.value]
        if not told:
            return f"{self.title}: nothing yet"
        most = max(told, key=lambda one: one.value)
        span = f"from {short(told[0].low)} to {short(told[-1].high)} {self.x_title}"
        over = sum(column.bin.value for column in self.columns if column.over)
        beyond = f"; {over:,.0f} {self.unit} beyond the limit of {self.limit.text}" if self.limit else ""
        peak = f"most of them from {short(most.low)} to {short(most.high)}"
        return f"{self.title}: {span}, {peak}{beyond}"

    def words_of(self, column: Column) -> str:
        """Say one column for whoever points at it: 3 rows, 20 to 30 characters a row."""
        unit = self.unit.removesuffix("s") if column.bin.value == 1 else self.unit
        beyond = ", beyond the limit" if column.over else ""
        return f"{column.bin.value:,.0f} {unit}, {column.bin.span} {self.x_title}{beyond}"


def histogram(
    title: str, bins: Sequence[Bin], *, unit: str = "rows", x_title: str = "", limit: float | None = None
) -> Histogram:
    """Draw columns of one width, whatever their bins span: lengths are spread over orders of magnitude.

    limit: a value on the bins' axis; bins that begin at or beyond it are marked, and a line shows where it is.
    """
    bins = [one for one in bins if all(drawable(value) for value in (one.low, one.high, one.value))]
    if not bins:
        return Histogram(title, (), (), (), None, unit, x_title)
    marks = [mark for mark in nice_ticks(0.0, max(*(one.value for one in bins), 1.0), 3) if mark == int(mark)]
    top = marks[-1]
    width = 100 / len(bins)
    columns = [
        Column(
            one,
            start=round(number * width + width * 0.06, 2),
            width=round(width * 0.88, 2),
            height=max(round(100 * one.value / top, 2), 1.0) if one.value > 0 else 0.0,
            over=limit is not None and one.low >= limit and one.high > limit,
        )
        for number, one in enumerate(bins)
    ]
    every = -(-len(bins) // 6)  # labels that fit beside each other on a telephone
    # Where whole numbers are counted, one bin ends at 20 and the next begins at 21: between them stands 20.
    edges = [bins[0].low, *(one.high for one in bins)]
    ticks = [Tick(round(number * width, 2), short(edges[number])) for number in range(0, len(bins), every)]
    place = None if limit is None else _in_bins(bins, limit)
    line = None if limit is None or place is None else Tick(round(place * width, 2), short(limit))
    return Histogram(
        title,
        columns,
        ticks,
        [Tick(round(100 * (1 - mark / top), 2), short(mark)) for mark in marks],
        line,
        unit,
        x_title,
    )


def _in_bins(bins: Sequence[Bin], value: float) -> float | None:
    """Where a value lies, counted in bins from the left; None beyond their ends."""
    for number, one in enumerate(bins):
        if one.low <= value <= one.high:
            return number + (value - one.low) / ((one.high - one.low) or 1.0)
    return None
