"""What the page about costs draws: the chart, and its numbers as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.economics.costs import PricedWay, Study
from app.economics.sentences import calls
from app.web import line_charts
from app.web.line_charts import Mark, Series

TONES = ("prompt", "accent", "rag", "good", "bad", "soft")
LINES = 5  # of measured ways in the chart, besides the trained model's; the table has all of them
POINTS = 15  # to each tenfold, enough for the steps of machines


def _span(study: Study) -> tuple[int, int]:
    """The powers of ten between which the chart is drawn: around the crossing and the volume that is expected."""
    break_even = study.comparison.break_even if study.comparison else None
    volumes = [volume for volume in (study.calls, break_even) if volume and volume >= 1]
    if not volumes:
        return 3, 7
    low, high = math.floor(math.log10(min(volumes) / 3)), math.ceil(math.log10(max(volumes) * 3))
    return max(0, low), max(high, low + 3, 3)


def drawn(study: Study) -> list[PricedWay]:
    """The lines that the chart has room for: what the trained model is compared with, the best others, itself."""
    priced = [option for option in study.lines if option.way is not None and (option.tokens or option.key == "now")]
    rival = study.compared_with.key if study.compared_with else ""
    kept = sorted(priced, key=lambda option: (option.key != rival, not option.meets, -(option.score or 0.0)))[:LINES]
    trained = [study.trained] if study.trained and study.trained.way else []
    return [*kept, *trained]


def chart(study: Study) -> line_charts.LineChart | None:
    """Monthly cost against calls a month, both by factors of ten; None while nothing has a price."""
    lines = drawn(study)
    if not lines:
        return None
    low, high = _span(study)
    volumes = [10 ** (low + number / POINTS) for number in range((high - low) * POINTS + 1)]
    series = []
    tones = iter(TONES)
    for option in lines:
        way = option.way
        if way is None:
            continue
        tone = "tune" if option.key == "trained" else next(tones)
        points = [(volume, way.month(volume)) for volume in volumes]
        series.append(Series(option.name, points, tone=tone, dashed=option.tokens_how != "measured"))
    return line_charts.lines(
        "Monthly cost by calls a month",
        series,
        x_title="calls a month",
        y_title=f"{study.currency} a month".strip(),
        log=True,
        log_x=True,
        marks=_marks(study),
        numbers=False,
    )


def _marks(study: Study) -> list[Mark]:
    comparison, marks = study.comparison, []
    if comparison and comparison.break_even:
        label = f"pays from {calls(comparison.break_even)}"
        marks.append(Mark(comparison.break_even, label, "tune", comparison.low or 0.0, comparison.high))
    if study.calls:
        marks.append(Mark(study.calls, f"you expect {calls(study.calls)}", "soft"))
    return marks


@dataclass(frozen=True, slots=True)
class Volume:
    """One line of the chart's table: what every way costs at a volume. cheapest: which of them costs least."""

    calls: float
    name: str
    costs: Sequence[float]
    cheapest: int


def table(study: Study) -> list[Volume]:
    """The chart in numbers: each power of ten, the expected volume, and the crossing."""
    lines = drawn(study)
    if not lines:
        return []
    low, high = _span(study)
    named = {float(10**power): "" for power in range(low, high + 1)}
    if study.comparison and study.comparison.break_even and study.comparison.break_even >= 1:
        named[study.comparison.break_even] = "pays from here"
    if study.calls:
        named[study.calls] = "you expect"
    volumes = []
    for volume in sorted(named):
        costs = [option.way.month(volume) for option in lines if option.way is not None]
        volumes.append(Volume(volume, named[volume], costs, costs.index(min(costs))))
    return volumes
