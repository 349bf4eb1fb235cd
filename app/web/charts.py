"""Charts as geometry: values in, positions out; a partial in `templates/_charts` draws each kind.

No script draws anything, so the same chart is in the page, in the live update, on paper and without JavaScript.
Positions along the page are percentages, so that text keeps its size on a telephone. Colours are classes (`tone-*`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.wording import target_text

Point = tuple[float, float]

HUGE = 1e100  # beyond it, differences and factors of values are no numbers any more


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


# Outlines of markers around 0, in pixels: what is told by a colour is told by a shape as well.
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "M-4.6 -4.6h9.2v9.2h-9.2z",
    "M0 -6.2L6.2 0 0 6.2 -6.2 0z",
    "M0 -6L6 4.8H-6z",
)
SHAPE_OF = {"prompt": 0, "tune": 1, "rag": 2, "open": 3}  # of a tone in a chart of variants; others are circles


def shape_of(tone: str) -> str:
    """The outline of a marker in a colour class."""
    return SHAPES[SHAPE_OF.get(tone, 0)]


def sentence(text: str) -> str:
    """A chart's label as its caption."""
    return text if text.endswith(".") else f"{text}."


def drawable(value: float | None) -> bool:
    """Whether a value can be drawn: a number, and not one that only a diverged computation reaches."""
    return value is not None and math.isfinite(value) and abs(value) < HUGE


def share_of(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


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
        if len(known) == 1:
            ends = [share_text(end, self.difference) for end in (best.low, best.high)]
            between = f", interval {ends[0]} to {ends[1]}" if best.low is not None and best.high is not None else ""
            return f"{self.title}: {best.name} {top}{between}{goal}"
        return f"{self.title}: {len(known)} values, the highest is {best.name} with {top}{goal}"


def share_text(value: float | None, difference: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    text = f"{100 * value:+.1f}" if difference else f"{100 * value:.1f} %"
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
        return round(100 * min(max(share_of(value, low, high), 0.0), 1.0), 2)

    strips = []
    for arm in arms:
        start, end = at(arm.low), at(arm.high)
        whole = start is not None and end is not None
        strips.append(Strip(arm, at(arm.value), start if whole else None, end if whole else None))
    ticks = [Tick(round(100 * share_of(mark, low, high), 2), _tick_text(mark, difference)) for mark in marks]
    place = at(target)
    goal = None
    if place is not None and target is not None:
        goal = Tick(place, share_text(target, difference) if difference else target_text(target))
    return IntervalChart(title, strips, ticks, goal, at(0.0) if difference else None, difference)


def _tick_text(mark: float, difference: bool) -> str:
    text = f"{100 * mark:+g}" if difference and mark else f"{100 * mark:g}"
    return text.replace("-", "\N{MINUS SIGN}") + ("" if difference else " %")


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
        bars = ", ".join(
            f"{bar.part.name} {'minus ' if bar.part.removed else ''}{bar.part.value:,.0f}" for bar in self.bars
        )
        return f"{self.title}: {bars}" if bars else f"{self.title}: nothing yet"

    @property
    def says(self) -> str:
        """What stands above it: the ends of a waterfall, the largest of plain bars."""
        drawn = [bar.part for bar in self.bars]
        if not drawn:
            return f"{self.title}: nothing yet"
        removed = sum(part.value for part in drawn if part.removed)
        if removed:
            first, last = drawn[0], drawn[-1]
            return (
                f"{self.title}: of {first.value:,.0f} {first.name}, {removed:,.0f} are taken out and "
                f"{last.value:,.0f} are {last.name}"
            )
        largest = max(drawn, key=lambda part: abs(part.value))
        return f"{self.title}: the largest is {largest.name} with {largest.value:,.0f}"


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
    ordered = sorted(values, key=lambda entry: entry[2], reverse=True)
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
        filled = [column.bin for column in self.columns if column.bin.value]
        if not filled:
            return f"{self.title}: nothing yet"
        most = max(filled, key=lambda each: each.value)
        span = f"from {short(filled[0].low)} to {short(filled[-1].high)} {self.x_title}"
        over = sum(column.bin.value for column in self.columns if column.over)
        beyond = f"; {over:,.0f} {self.unit} beyond the limit of {self.limit.text}" if self.limit else ""
        peak = f"most of them from {short(most.low)} to {short(most.high)}"
        return f"{self.title}: {span}, {peak}{beyond}"

    @property
    def y_texts(self) -> Sequence[tuple[float, str]]:
        """What stands beside the plot, with the pixel of each text's middle; the plot is 140 high and begins at 20."""
        return [(round(20 + 1.4 * tick.at, 1), tick.text) for tick in self.y_ticks]

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
    bins = [each for each in bins if all(drawable(value) for value in (each.low, each.high, each.value))]
    if not bins:
        return Histogram(title, (), (), (), None, unit, x_title)
    marks = [mark for mark in nice_ticks(0.0, max(*(each.value for each in bins), 1.0), 3) if mark == int(mark)]
    top = marks[-1]
    width = 100 / len(bins)
    columns = [
        Column(
            each,
            start=round(number * width + width * 0.06, 2),
            width=round(width * 0.88, 2),
            height=max(round(100 * each.value / top, 2), 1.0) if each.value > 0 else 0.0,
            over=limit is not None and each.low >= limit and each.high > limit,
        )
        for number, each in enumerate(bins)
    ]
    every = -(-len(bins) // 6)  # labels that fit beside each other on a telephone
    # Where whole numbers are counted, one bin ends at 20 and the next begins at 21: between them stands 20.
    edges = [bins[0].low, *(each.high for each in bins)]
    ticks = [Tick(round(number * width, 2), short(edges[number])) for number in range(0, len(bins), every)]
    place = None if limit is None else _in_bins(bins, limit)
    limit_tick = None if limit is None or place is None else Tick(round(place * width, 2), short(limit))
    return Histogram(
        title,
        columns,
        ticks,
        [Tick(round(100 * (1 - mark / top), 2), short(mark)) for mark in marks],
        limit_tick,
        unit,
        x_title,
    )


def _in_bins(bins: Sequence[Bin], value: float) -> float | None:
    """Where a value lies, counted in bins from the left; None beyond their ends."""
    for number, each in enumerate(bins):
        if each.low <= value <= each.high:
            return number + (value - each.low) / ((each.high - each.low) or 1.0)
    return None
