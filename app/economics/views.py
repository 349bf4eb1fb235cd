"""What the pages about costs show, as plain values: the answer in a sentence, the chart, and money in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.advice.economics import Comparison
from app.economics.cost_model import Line, Study
from app.economics.words import calls, money, paid_back
from app.web import charts
from app.web.charts import Mark, Series

TONES = ("prompt", "accent", "rag", "good", "bad", "soft")
LINES = 5  # of measured ways in the chart, besides the trained model's; the table has all of them
POINTS = 15  # to each tenfold, enough for the steps of machines


@dataclass(frozen=True, slots=True)
class Answer:
    """The page's answer. tone: a class of the answer's box."""

    text: str
    tone: str
    why: str


def answer(study: Study) -> Answer:
    """Whether a trained model pays, in one sentence, with what it is held against."""
    found = study.comparison
    if found is None or study.compared_with is None:
        why = study.lacks[0].text if study.lacks else ""
        return Answer("Not known yet whether a trained model would pay.", "", why)
    against = _against(study, study.compared_with)
    if not study.sound:
        return Answer("Not known yet: no measured way meets the target, so there is nothing to save on.", "", against)
    if found.break_even is None:
        return Answer("Never at these prices: a trained model costs more at every volume.", "bad", against)
    if found.calls is None:
        text = f"A trained model would cost less from about {calls(found.break_even)} calls a month."
        return Answer(text, "", against)
    if found.saved is None or found.saved <= 0:
        text = (
            f"It does not pay: a trained model costs less only from about {calls(found.break_even)} calls a month, "
            f"and you expect {calls(found.calls)}."
        )
        return Answer(text, "bad", against)
    return _saving(study, found, against)


def _against(study: Study, instead: Line) -> str:
    if not study.sound:
        return f"Below it is compared with “{instead.name}”, the best so far, to show the order of magnitude."
    if instead.key == "now":
        return f"Compared with “{instead.name}”, which costs the least of all that meet the target."
    return f"Compared with “{instead.name}”, the cheapest measured way that meets the target."


def _saving(study: Study, found: Comparison, against: str) -> Answer:
    """The answer where a trained model costs less at the volume that is expected."""
    saved = f"about {money(found.saved, study.currency)} less a month at {calls(found.calls)} calls"
    if not found.pays:
        text = f"It does not pay in time: {saved}, but making it is paid back only {paid_back(found.months)}."
        return Answer(text, "bad", against)
    if study.unsaid:
        return Answer(f"It may pay: {saved}. Not everything is said yet.", "", against)
    return Answer(f"It pays: {saved}, and making it is paid back {paid_back(found.months)}.", "ready", against)


# ------------------------------------------------------------------------------------------------------ the chart


def _span(study: Study) -> tuple[int, int]:
    """The powers of ten between which the chart is drawn: around the crossing and the volume that is expected."""
    found = study.comparison
    named = [value for value in (study.calls, found.break_even if found else None) if value and value >= 1]
    if not named:
        return 3, 7
    low, high = math.floor(math.log10(min(named) / 3)), math.ceil(math.log10(max(named) * 3))
    return max(0, low), max(high, low + 3, 3)


def drawn(study: Study) -> list[Line]:
    """The lines that the chart has room for: what the trained model is compared with, the best others, itself."""
    priced = [line for line in study.lines if line.way is not None and (line.tokens or line.key == "now")]
    instead = study.compared_with.key if study.compared_with else ""
    kept = sorted(priced, key=lambda line: (line.key != instead, not line.meets, -(line.score or 0.0)))[:LINES]
    trained = [study.trained] if study.trained and study.trained.way else []
    return [*kept, *trained]


def chart(study: Study) -> charts.LineChart | None:
    """Monthly cost against calls a month, both by factors of ten; None while nothing has a price."""
    lines = drawn(study)
    if not lines:
        return None
    low, high = _span(study)
    volumes = [10 ** (low + number / POINTS) for number in range((high - low) * POINTS + 1)]
    series = []
    tones = iter(TONES)
    for line in lines:
        way = line.way
        if way is None:
            continue
        tone = "tune" if line.key == "trained" else next(tones)
        points = [(calls, way.month(calls)) for calls in volumes]
        series.append(Series(line.name, points, tone=tone, dashed=line.tokens_how != "measured"))
    return charts.lines(
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
    found, marks = study.comparison, []
    if found and found.break_even:
        low, high = found.low or 0.0, found.high
        marks.append(Mark(found.break_even, f"pays from {calls(found.break_even)}", "tune", low, high))
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
    found = []
    for volume in sorted(named):
        costs = [line.way.month(volume) for line in lines if line.way is not None]
        found.append(Volume(volume, named[volume], costs, costs.index(min(costs))))
    return found
