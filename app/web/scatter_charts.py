"""Scatter charts: a share with its interval against an amount, and the frontier that nothing beats. Pure.

The amount is drawn on a logarithmic axis where its values lie far apart. 0 has no place on one: points at 0 stand in a
column of their own left of it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.web.charts import SHAPE_OF, SHAPES, Point, Tick, compact, drawable, nice_ticks, share_of, short
from app.web.line_charts import log_ticks

FAR_APART = 15.0  # times the smallest amount, from which the axis is logarithmic
ZERO_COLUMN = 0.1  # of the width, for points at 0 beside a logarithmic axis
MARGIN = 0.06  # of the width on both sides, for the markers and their numbers


# Pixels: a plot on a narrow page, half a marker with its ring, and the number of a spot.
WIDTH, HEIGHT, MARKER = 280.0, 230.0, 9.0
TEXT = (18.0, 12.0)
# Where a number may stand, from its marker: the first that is free is taken.
AROUND: tuple[Point, ...] = (
    (12, -6), (-12, -6), (12, 14), (-12, 14), (4, -12), (-4, -12), (4, 24), (-4, 24), (22, 4), (-22, 4), (14, -22),
    (-14, -22), (14, 32), (-14, 32), (30, -10), (-30, -10),
)  # fmt: skip
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """One thing to draw. key: whoever draws knows it by this. x: an amount, 0 or more; y, low, high: shares, 0 to 1.

    x_text: the amount as the table has it; url, note: of its line there. samples: low and high are those of so many
    samples and no interval. estimated: the amount is.
    """

    key: int
    name: str
    x: float
    y: float
    low: float
    high: float
    tone: str = "prompt"
    x_text: str = ""
    url: str = ""
    note: str = ""
    samples: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Unplaced:
    """What has a share and no amount, and why nobody knows it: listed and drawn nowhere."""

    name: str
    y: float
    low: float
    high: float
    why: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class DrawnSpot:
    """A spot with its number from 1; positions in percent of the plot from its left upper corner. leading: nothing is
    both cheaper and better. side: where its number stands: start or end of the marker."""

    spot: Spot
    number: int
    at: Point
    top: float
    bottom: float
    shape: str
    leading: bool
    text_at: Point

    @property
    def anchor(self) -> str:
        return "start" if self.text_at[0] > 0 else "end"


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """frontier: the path along the leading spots, in a box of 1000 by 1000."""

    title: str
    x_title: str
    y_title: str
    spots: Sequence[DrawnSpot]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    frontier: str
    logarithmic: bool
    unplaced: Sequence[Unplaced] = ()

    @property
    def y_texts(self) -> Sequence[tuple[float, str]]:
        """What stands beside the plot, with the pixel of each text's middle; the plot is 230 high and begins at 10."""
        return [(round(10 + 2.3 * tick.at, 1), tick.text) for tick in self.y_ticks]

    @property
    def label(self) -> str:
        """The chart in one sentence."""
        if not self.spots:
            return f"{self.title}: nothing to draw yet"
        leading = ", ".join(spot.spot.name for spot in self.spots if spot.leading)
        return f"{self.title}: of {len(self.spots)}, nothing is both cheaper and better than {leading}"


def leading(spots: Sequence[Spot]) -> list[bool]:
    """For each spot, whether no other one has as much for less or more for as much."""
    return [
        not any(other.x <= spot.x and other.y >= spot.y and (other.x < spot.x or other.y > spot.y) for other in spots)
        for spot in spots
    ]


def scatter(
    title: str, spots: Sequence[Spot], *, x_title: str, y_title: str, unplaced: Sequence[Unplaced] = ()
) -> ScatterChart:
    """Draw spots in the order of their amounts; those that are no numbers are left out."""
    clean = [one for one in spots if all(drawable(value) for value in (one.x, one.y, one.low, one.high))]
    clean = sorted((one for one in clean if one.x >= 0), key=lambda one: (one.x, -one.y))
    if not clean:
        return ScatterChart(title, x_title, y_title, (), (), (), "", logarithmic=False, unplaced=unplaced)
    across, x_ticks, logarithmic = _across(clean)
    marks = nice_ticks(100 * min(one.low for one in clean), 100 * max(one.high for one in clean), 5)
    bottom, top = max(marks[0], 0.0), min(marks[-1], 100.0)
    marks = [mark for mark in marks if bottom <= mark <= top]

    def down(share: float) -> float:
        return round(100 * (1 - share_of(100 * share, bottom, top)), 2)

    first = leading(clean)
    texts = _texts([(round(100 * across(one.x), 2), down(one.y)) for one in clean])
    drawn: list[DrawnSpot] = []
    for number, (one, leads) in enumerate(zip(clean, first, strict=True), start=1):
        at = (round(100 * across(one.x), 2), down(one.y))
        shape = SHAPES[SHAPE_OF.get(one.tone, 0)]
        drawn.append(DrawnSpot(one, number, at, down(one.high), down(one.low), shape, leads, texts[number - 1]))
    return ScatterChart(
        title,
        x_title,
        y_title,
        drawn,
        x_ticks,
        [Tick(down(mark / 100), f"{short(mark)} %") for mark in marks],
        _frontier([one.at for one in drawn if one.leading]),
        logarithmic=logarithmic,
        unplaced=unplaced,
    )


def _across(spots: Sequence[Spot]) -> "tuple[_Across, list[Tick], bool]":
    """Where an amount stands across, from 0 to 1, and the ticks."""
    some = [one.x for one in spots if one.x > 0]
    if some and max(some) / min(some) >= FAR_APART:
        start = ZERO_COLUMN if len(some) < len(spots) else 0.0
        marks = log_ticks(math.log10(min(some)), math.log10(max(some)))
        low, high = min(marks[0], math.log10(min(some))), max(marks[-1], math.log10(max(some)))
        place = _Across(low, high, start, logarithmic=True)
        ticks = [Tick(round(100 * place(10**mark), 2), compact(10**mark)) for mark in marks]
        return place, [*([Tick(round(100 * place(0.0), 2), "0")] if start else []), *ticks], True
    marks = nice_ticks(0.0, max(some, default=1.0), 5)
    place = _Across(0.0, marks[-1], 0.0, logarithmic=False)
    return place, [Tick(round(100 * place(mark), 2), compact(mark)) for mark in marks], False


@dataclass(frozen=True, slots=True)
class _Across:
    low: float
    high: float
    start: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if self.logarithmic and value <= 0:
            return MARGIN
        share = share_of(math.log10(value) if self.logarithmic else value, self.low, self.high)
        return MARGIN + self.start + (1 - 2 * MARGIN - self.start) * share


def _texts(spots: Sequence[Point]) -> list[Point]:
    """Where the number of each spot stands, in pixels from its marker: in the first of `AROUND` where it touches no
    marker and no number that is placed already and no other marker is nearer, else where it covers least; reckoned on a
    narrow page, where spots lie closest. spots: in percent of the plot."""
    markers = [(WIDTH * x / 100, HEIGHT * y / 100) for x, y in spots]
    boxes = [(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in markers]
    placed: list[Point] = []
    for number, (x, y) in enumerate(markers):
        others = [box for place, box in enumerate(boxes) if place != number]
        strangers = [marker for marker in markers if marker != (x, y)]
        tried = [
            (_covered(_box(x, y, at), others) + _astray(_box(x, y, at), (x, y), strangers), order, at)
            for order, at in enumerate(AROUND)
        ]
        _, _, best = min(tried)
        boxes.append(_box(x, y, best))
        placed.append(best)
    return placed


def _box(x: float, y: float, at: Point) -> "_Box":
    """The pixels that a number takes; `at` is where its text begins, or ends where that is left of the marker."""
    left = x + at[0] - (TEXT[0] if at[0] < 0 else 0)
    return left, y + at[1] - TEXT[1], left + TEXT[0], y + at[1]


def _astray(box: "_Box", own: Point, strangers: Iterable[Point]) -> float:
    """As much as the whole number covers where another marker is nearer to it: it would be read as that one's."""
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return TEXT[0] * TEXT[1] if any(math.dist(middle, one) < math.dist(middle, own) for one in strangers) else 0.0


def _covered(box: "_Box", others: Iterable["_Box"]) -> float:
    """How many square pixels of others it covers, and those of it that lie outside of the plot."""
    left, top, right, bottom = box
    area = (right - left) * (bottom - top)
    inside = max(0.0, min(right, WIDTH) - max(left, 0.0)) * max(0.0, min(bottom, HEIGHT) - max(top, -10.0))
    common = 0.0
    for x, y, far, low in others:
        common += max(0.0, min(right, far) - max(left, x)) * max(0.0, min(bottom, low) - max(top, y))
    return round(area - inside + common, 6)


def _frontier(corners: Sequence[Point]) -> str:
    """Steps along the leading spots: what is reached for an amount is reached for every larger one."""
    if len(corners) < 2:
        return ""
    x, y = corners[0]
    path = f"M{10 * x:.1f} {10 * y:.1f}"
    for x, y in corners[1:]:
        path += f"H{10 * x:.1f}V{10 * y:.1f}"
    return path
