"""What stands between the rows of a report and a measurement, each with the address of the rows it is about."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.datasets.checks.report import Report
from app.datasets.checks.statuses import RowStatus, what_rows_do
from app.datasets.pages.addresses import rows_url, too_long
from app.datasets.pages.words import word
from app.datasets.reading import encodings
from app.datasets.thresholds import RARE_LABEL
from app.wording import inflect, plural


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing that a person should see or decide. `word` is the state in a word, `tone` its colour."""

    word: str
    tone: str
    text: str
    url: str
    link: str


def todos(
    report: Report, rows: str, *, ready: bool, decided: Collection[str], usable: int, test: int, needed_test: int
) -> list[Todo]:
    """What stands between these rows and a measurement, the gravest first. decided: kinds of personal data.

    ready: whether the version can be used; the page of one that was refused names every unreadable row, and no split.
    The verdict has said already how many examples are missing; a set without rows to judge by has no size to discuss.
    """
    return [
        *_undecodable(report, rows),
        *(_unread(report, rows) if ready else ()),
        *_leaks(report, rows),
        *(_groups(report, rows) if ready else ()),
        *_identifiers(report, decided, rows),
        *_contradictions(report, rows),
        *(_unlearnable(report, rows) if ready else ()),
        *_too_long(report, rows),
        *_remarks(report, rows),
        *_rare(report, rows),
        *(_missing(rows, test=test, needed_test=needed_test) if ready and usable else ()),
    ]


def _tab(rows: str, name: str) -> str:
    """The address of a part of the report."""
    return f"{rows.removesuffix('/rows')}?tab={name}"


def _undecodable(report: Report, rows: str) -> Iterator[Todo]:
    number = report.undecodable
    if number and report.uploaded:  # of a file that was not read through nobody knows how many
        text = f"{plural(number, 'row')} {inflect(number, 'is', 'are')} no {encodings.title(report.encoding)} text."
        url = f"{rows.removesuffix('/rows')}/reading"
        yield Todo("Decide", "fail", text, url, "Choose encoding")


def _unread(report: Report, rows: str) -> Iterator[Todo]:
    for status in (RowStatus.FAULT, RowStatus.EMPTY):
        if number := report.dropped.get(status, 0):
            text = f"{plural(number, 'row')} {what_rows_do(status, number)}."
            yield Todo("Fix", "fail", text, rows_url(rows, status=status.value, file="upload"), "Read why")


def _leaks(report: Report, rows: str) -> Iterator[Todo]:
    if number := report.dropped.get(RowStatus.LEAK, 0):
        text = f"{plural(number, 'row')} {inflect(number, 'stands', 'stand')} in the test file too"
        if report.counts.near_leaks:
            text += ", or nearly" if report.counts.exact_leaks else " but for a few words"
        text += ", so they are not used for training."
        yield Todo("Check", "fail", text, rows_url(rows, status="leak", file="upload"), "Compare")


def _groups(report: Report, rows: str) -> Iterator[Todo]:
    if number := report.split.group_overlap:
        rows_are = plural(number, "row is", "rows are")
        text = f"{rows_are} used for training though their group is in the test file."
        yield Todo("Decide", "unknown", text, _tab(rows, "split"), "Leave out or use")
    if (untaught := report.split.untaught) and untaught.labels:
        some = f"{plural(untaught.rows, 'row')} of the test set {inflect(untaught.rows, 'wants', 'want')}"
        yield Todo("Check", "fail", f"{some} a label that no training row has.", _tab(rows, "split"), "See which")


def _identifiers(report: Report, decided: Collection[str], rows: str) -> Iterator[Todo]:
    if number := report.identifiers.undecided_rows(decided) if report.identifiers else 0:
        text = f"{plural(number, 'row')} {inflect(number, 'seems', 'seem')} to hold personal data or a secret."
        yield Todo("Decide", "unknown", text, _tab(rows, "personal"), "Mask, leave out or keep")


def _contradictions(report: Report, rows: str) -> Iterator[Todo]:
    if number := report.counts.contradiction:
        tests = report.among_test_rows(RowStatus.CONTRADICTION)
        among = f" ({tests:,} of them in the test file)" if tests > 0 else ""
        text = f"{plural(number, 'row')} ask the same and are answered differently{among}, so none is used."
        yield Todo("Fix", "unknown", text, f"{rows.removesuffix('/rows')}/contradictions", "Compare side by side")


def _unlearnable(report: Report, rows: str) -> Iterator[Todo]:
    if report.unlearnable:
        text = "No link was found between questions and answers."
        yield Todo("Check", "fail", text, _tab(rows, "learnability"), "See what was tried")


def _too_long(report: Report, rows: str) -> Iterator[Todo]:
    number, limit = report.lengths.over, report.lengths.limit
    if number and limit:
        text = f"{plural(number, 'row')} {inflect(number, 'is', 'are')} longer than {limit:,} {report.lengths.unit}"
        text += " and would be cut."
        yield Todo("Check", "unknown", text, too_long(report.lengths, rows) or "#lengths", "See rows")


def _remarks(report: Report, rows: str) -> Iterator[Todo]:
    if number := sum(remark.rows for remark in report.remarks):
        kinds = ", ".join(word(remark.kind) for remark in report.remarks[:3])
        one = report.remarks[0] if len(report.remarks) == 1 else None
        url = rows_url(rows, remark=one.kind) if one else "#remarks"
        text = f"{plural(number, 'row looks', 'rows look')} suspicious: {kinds}."
        yield Todo("Check", "unknown", text, url, f"See {inflect(number, 'row', 'rows')}")


def _rare(report: Report, rows: str) -> Iterator[Todo]:
    if number := report.rare_labels:
        text = f"{plural(number, 'label has', 'labels have')} fewer than {RARE_LABEL} rows."
        yield Todo("Add data", "unknown", text, f"{rows.removesuffix('/rows')}/labels?order=rare", "See labels")


def _missing(rows: str, *, test: int, needed_test: int) -> Iterator[Todo]:
    if test < needed_test:
        text = f"{needed_test - test:,} more test rows are needed to tell 80 % from 87 %."
        yield Todo("Add data", "unknown", text, _tab(rows, "split"), "See split")
