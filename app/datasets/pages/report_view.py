"""What the data page makes of a report: tiles, charts, messages, and the way from a number to its rows.

`rows` is the address of the rows of this version: every number leads to the rows it counts. What an older check did
not find out is left out; nothing is guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.advice.evidence import Evidence, Score
from app.datasets.checks import remark_words, suspicious
from app.datasets.checks.report import Report
from app.datasets.checks.report_parts import LanguageShare, ReportMessage, WaterfallStep
from app.datasets.checks.statuses import ROWS_THAT
from app.datasets.pages.addresses import of_lengths, rows_url
from app.web import charts
from app.wording import inflect, plural

LEVELS = ("error", "warning", "note")  # of messages, the gravest first
SIZES = 8  # cluster sizes that get a bar of their own; the larger ones share one
# Kinds of remarks that each row carries itself, so that all of them can be shown and not only those a report names.
MARKS = {kind: int(mark) for mark, kind in suspicious.KINDS.items()}
FEW = 0.005  # share of the rows below which languages are told in one line: detection errs on short texts


@dataclass(frozen=True, slots=True)
class Tile:
    """One number on the way from what was uploaded to what can be used. taken: these rows were left out.

    tone: pass, unknown, fail, or nothing.
    """

    name: str
    value: int
    url: str = ""
    tone: str = ""
    taken: bool = False


# What is said of the rows that a step dropped, where the step's own words are too long for a tile.
_DROPPED = {
    "fault": "unreadable",
    "empty": "empty",
    "private": "left out by you",
    "too_long": "too long",
    "leak": "also in the test file",
    "test_group": "group in the test file",
}
_COUNTED = {"duplicate": "duplicate", "near_duplicate": "near-duplicate", "contradiction": "contradiction"}
_GRAVE = {"fault", "empty", "leak"}


def tiles(report: Report, rows: str) -> list[Tile]:
    """The way from the rows uploaded to the usable ones, in one line. What took nothing is left out.

    Test rows of an own file are not taken from the upload, so they come last.
    """
    if not report.read_rows:
        return []
    usable, test = report.split.usable, report.split.test
    listed = [Tile("uploaded", report.read_rows, rows_url(rows, file="upload"))]
    for step in report.waterfall[1:-1]:
        if step.dropped:
            url = rows_url(rows, status=step.status, file="upload")
            tone = "fail" if step.status in _GRAVE else "unknown"
            listed.append(Tile(_dropped(step), step.dropped, url, tone, taken=True))
    of_test = Tile("test", test, rows_url(rows, split="test"), "" if test else "fail", taken=not report.split.own_test)
    of_use = Tile("usable", usable, rows_url(rows, split="train-dev"), "pass" if usable else "fail")
    return [*listed, of_use, of_test] if report.split.own_test else [*listed, of_test, of_use]


def _dropped(step: WaterfallStep) -> str:
    """What the rows of a step are called, of which the number stands beside it."""
    if one := _COUNTED.get(step.status):
        return inflect(step.dropped, one, f"{one}s")
    return _DROPPED.get(step.status) or step.label


def reached(measured: Evidence | None) -> float:
    """The best score, 0 to 1, of whatever was measured on the test rows; 0 where nothing was."""
    facts = measured or Evidence()
    results = [facts.baseline, facts.teacher, *(facts.arms or {}).values()]
    return max((_score(result) for result in results if result), default=0.0)


def _score(result: Score) -> float:
    if result.total:
        return (result.passed or 0) / result.total
    return float(result.score or 0.0)


# ---------------------------------------------------------------------- charts
def waterfall(report: Report, rows: str) -> charts.BarChart | None:
    """What is there, then what each check takes away, then what is left."""
    if not report.read_rows:
        return None
    first, *between, last = report.waterfall
    parts = [charts.Part(first.label, first.count, url=rows_url(rows, file="upload"))]
    for step in between:
        if step.dropped:
            url = rows_url(rows, status=step.status, file="upload")
            parts.append(charts.Part(_step(step), step.dropped, removed=True, url=url))
    if last.dropped:
        url = rows_url(rows, split="test")
        parts.append(charts.Part("held out for test", last.dropped, removed=True, url=url))
    parts.append(charts.Part("usable", last.count, url=rows_url(rows, split="train-dev"), tone="good"))
    return charts.waterfall("Rows from uploaded to usable", parts)


def _step(step: WaterfallStep) -> str:
    """What a step took away. A step that a later check added speaks for itself."""
    return ROWS_THAT.get(step.status) or step.label


def lengths(report: Report, rows: str) -> charts.Histogram | None:
    """How long the rows are, each bar with its rows; absent in reports that only have the middle and the ends."""
    measured = report.lengths
    if not measured.histogram:
        return None
    bins = [
        charts.Bin(
            bar.least,
            bar.most,
            bar.rows,
            rows_url(rows, **of_lengths(measured, bar.least, bar.most)) if measured.of and bar.rows else "",
        )
        for bar in measured.histogram
    ]
    return charts.histogram("Rows by length", bins, x_title=f"{measured.unit} a row", limit=measured.limit)


def cluster_sizes(report: Report, clusters: str) -> charts.BarChart | None:
    """How many groups of rows that are (nearly) the same there are, by their size. `clusters`: the page of them."""
    by_size = report.clusters.sizes if report.clusters else ()
    sizes = sorted((size for size in by_size if size.size > 1), key=lambda size: size.size)
    if not sizes:
        return None
    parts = [
        charts.Part(
            f"groups of {size.size:,}",
            size.clusters,
            note=plural(size.rows, "row"),
            url=f"{clusters}?size={size.size}",
            tone="open",
        )
        for size in sizes[:SIZES]
    ]
    if rest := sizes[SIZES:]:
        groups, number = sum(size.clusters for size in rest), sum(size.rows for size in rest)
        url = f"{clusters}?least={rest[0].size}"
        parts.append(
            charts.Part(f"{rest[0].size:,} and more", groups, note=plural(number, "row"), url=url, tone="open")
        )
    return charts.bars("Groups of rows that are the same or nearly so, by size", parts, unit="Groups")


def languages(report: Report) -> list[LanguageShare]:
    """Languages with their share of the rows; the rarest together."""
    listed = [language for language in report.languages if language.share >= FEW]
    if rest := [language for language in report.languages if language.share < FEW]:
        name = f"{plural(len(rest), 'other')}, or misjudged"
        rows, share = sum(language.rows for language in rest), sum(language.share for language in rest)
        listed.append(LanguageShare("", name, rows, share))
    return listed


# ---------------------------------------------------------------------- from a number to its rows
def lines_of(report: Report, remark: str) -> tuple[int, list[int]] | None:
    """All rows that a remark counts, and the lines of those that the report names; None where it knows no such remark.

    remark: a kind of `remarks`, or of `identifiers`; error, warning, note for the messages.
    """
    if remark in LEVELS:
        about = (message for message in report.messages if message.level == remark and not message.file)
        lines = _unique(message.line for message in about if message.line is not None)
        return len(lines), lines
    for odd in report.remarks:
        if odd.kind == remark:
            return odd.rows, _unique(odd.lines)
    identifiers = report.identifiers
    if identifiers is None:
        return None
    if remark == "identifiers" and identifiers.kinds:
        lines = _unique(number for kind in identifiers.kinds for number in kind.lines)
        return identifiers.rows or len(lines), lines
    return next(((kind.rows, _unique(kind.lines)) for kind in identifiers.kinds if kind.kind == remark), None)


def _unique(lines: Iterable[int]) -> list[int]:
    return sorted(set(lines))


@dataclass(frozen=True, slots=True)
class MessageGroup:
    """What is said about one row or, in the same words, about many. rows: their lines, each with its file."""

    level: str
    field: str
    text: str
    rows: Sequence[tuple[int, int]]


def messages(report: Report) -> list[MessageGroup]:
    """The messages, the gravest first; what is said of many rows is said once, about the whole file before its rows."""
    by_words: dict[tuple[str, str, str, bool], list[tuple[int, int]]] = {}
    for message in report.messages:
        whole = message.line is None
        rows = by_words.setdefault((message.level, message.field, message.text, whole), [])
        if message.line is not None:
            rows.append((message.line, message.file))
    groups = [MessageGroup(level, field, text, rows) for (level, field, text, _), rows in by_words.items()]
    return sorted(groups, key=lambda group: LEVELS.index(group.level) if group.level in LEVELS else len(LEVELS))


def messages_of_row(report: Report, line: int, file: int, marks: int = 0) -> list[ReportMessage]:
    """The messages about one line, and what is odd about its content. marks: see `suspicious.Mark`."""
    about = [message for message in report.messages if (message.line, message.file) == (line, file)]
    texts = [message.text for message in about]
    odd = [remark_words.OF_A_ROW[kind] for kind, mark in MARKS.items() if marks & mark]
    return about + [ReportMessage(line, "", text, "warning", file) for text in odd if text not in texts]
