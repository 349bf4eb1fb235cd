"""What the data page makes of reports: of today's, of one with every key, and of those from before a key was known."""

from typing import Any

import pytest

from app.datasets.checks import suspicious
from app.datasets.checks.report import Report
from app.datasets.pages import addresses, labels_view, report_view, todos_view
from tests.support.reports import FULL, REPORT, report_with

ROWS = "/datasets/1/rows"
WANTED: dict[str, Any] = {"ready": True, "decided": (), "usable": 70, "test": 20, "needed_test": 200}


def test_a_report_without_any_key_shows_nothing_and_breaks_nothing() -> None:
    assert report_view.tiles(Report(), ROWS) == []
    assert report_view.waterfall(Report(), ROWS) is None
    assert report_view.lengths(Report(), ROWS) is None
    assert labels_view.label_balance(Report()) is None
    assert report_view.cluster_sizes(Report(), "/clusters") is None
    assert report_view.lines_of(Report(), "refusal") is None
    assert report_view.messages_of_row(Report(), 1, 0) == []
    assert [todo.url for todo in todos_view.todos(Report(), ROWS, **WANTED)] == ["/datasets/1?tab=split"]
    assert report_view.messages(Report()) == []


@pytest.mark.parametrize("key", sorted(FULL))
def test_each_key_may_be_missing_or_empty(key: str) -> None:
    """What an older check did not store is not there on the page, and everything else is as it was."""
    whole = parts_shown(REPORT)

    missing = parts_shown(report_with(**{name: value for name, value in FULL.items() if name != key}))
    empty = parts_shown(report_with(**FULL | {key: type(FULL[key])()}))

    assert missing == empty != whole


def parts_shown(report: Report) -> list[Any]:
    """Everything that the page makes of a report."""
    return [
        report_view.tiles(report, ROWS),
        todos_view.todos(report, ROWS, **WANTED),
        report_view.waterfall(report, ROWS),
        report_view.lengths(report, ROWS),
        labels_view.label_balance(report),
        report_view.cluster_sizes(report, "/clusters"),
        report_view.lines_of(report, "refusal"),
        report_view.messages(report),
    ]


def test_the_tiles_go_from_uploaded_to_usable_and_leave_out_what_took_nothing() -> None:
    told = [(one.name, one.value, one.taken) for one in report_view.tiles(REPORT, ROWS)]

    assert told == [
        ("uploaded", 100, False), ("unreadable", 2, True), ("a step of a later check", 3, True),
        ("also in the test file", 5, True), ("test", 20, True), ("usable", 70, False),
    ]  # fmt: skip
    own = report_with(**FULL | {"split": FULL["split"] | {"own_test": True}})
    assert [(one.name, one.taken) for one in report_view.tiles(own, ROWS)][-2:] == [("usable", False), ("test", False)]


def test_a_file_of_which_nothing_was_read_has_no_numbers() -> None:
    step = {"step": "uploaded", "label": "rows uploaded", "count": 0, "dropped": 0, "status": ""}
    unread = report_with(waterfall=[step])

    assert report_view.tiles(unread, ROWS) == []
    assert report_view.waterfall(unread, ROWS) is None


def test_what_is_odd_about_a_row_is_said_of_it_once() -> None:
    echo = "The answer only repeats the question."

    said = report_view.messages_of_row(REPORT, 3, 0, suspicious.Mark.ECHO | suspicious.Mark.REFUSAL)

    assert [one.text for one in said] == ["It is broken.", "The answer declines to answer.", echo]
    named = report_with(messages=[{"line": 3, "field": "", "text": echo, "level": "warning", "file": 0}])
    assert [one.text for one in report_view.messages_of_row(named, 3, 0, suspicious.Mark.ECHO)] == [echo]


def test_messages_in_the_same_words_are_told_once_the_gravest_first() -> None:
    said = [("warning", 4), ("note", None), ("warning", 9), ("error", 12)]
    report = report_with(messages=[{"level": level, "field": "", "text": level, "line": line} for level, line in said])

    assert [(one.level, list(one.rows)) for one in report_view.messages(report)] == [
        ("error", [(12, 0)]), ("warning", [(4, 0), (9, 0)]), ("note", []),
    ]  # fmt: skip


def test_the_waterfall_leads_to_the_rows_that_each_bar_counts() -> None:
    chart = report_view.waterfall(REPORT, ROWS)

    assert chart is not None
    parts = {bar.part.name: (bar.part.value, bar.part.url) for bar in chart.bars}
    assert parts == {
        "rows uploaded": (100, f"{ROWS}?file=upload"),
        "could not be read": (2, f"{ROWS}?status=fault&file=upload"),
        "a step of a later check": (3, f"{ROWS}?status=unheard_of&file=upload"),
        "stand in the test file, or nearly": (5, f"{ROWS}?status=leak&file=upload"),
        "held out for test": (20, f"{ROWS}?split=test"),
        "usable": (70, f"{ROWS}?split=train-dev"),
    }


def test_lengths_beyond_the_limit_are_marked_and_lead_to_their_rows() -> None:
    chart = report_view.lengths(REPORT, ROWS)

    assert chart is not None
    assert [(column.over, column.bin.url) for column in chart.columns] == [
        (False, f"{ROWS}?status=usable&size_from=0&size_to=1024"),
        (True, ""),
        (True, f"{ROWS}?status=usable&size_from=2001&size_to=3000"),
    ]
    assert chart.limit is not None
    assert chart.limit.text == "1,024"
    assert addresses.too_long(REPORT.lengths, ROWS) == f"{ROWS}?status=usable&size_from=1025"


@pytest.mark.parametrize("of", [None, ""])
def test_lengths_that_no_row_carries_lead_nowhere(of: str | None) -> None:
    """None: from before rows kept their length. Empty: being counted anew."""
    report = report_with(**FULL | {"lengths": FULL["lengths"] | {"of": of}})

    chart = report_view.lengths(report, ROWS)

    assert chart is not None
    assert {column.bin.url for column in chart.columns} == {""}
    assert addresses.too_long(report.lengths, ROWS) == ""
    assert "#lengths" in [todo.url for todo in todos_view.todos(report, ROWS, **WANTED)]


def test_languages_that_hardly_occur_are_told_together() -> None:
    found = [("English", 990, 0.99), ("German", 7, 0.007), ("Xhosa", 2, 0.002), ("Scots", 1, 0.001)]
    report = report_with(languages=[{"language": name, "rows": rows, "share": share} for name, rows, share in found])

    told = [(one.language, one.rows) for one in report_view.languages(report)]

    assert told == [("English", 990), ("German", 7), ("2 others, or misjudged", 3)]
    assert report_view.languages(Report()) == []


def test_the_largest_groups_share_a_bar() -> None:
    chart = report_view.cluster_sizes(REPORT, "/clusters")

    assert chart is not None
    assert [bar.part.url for bar in chart.bars[:2]] == ["/clusters?size=2", "/clusters?size=3"]
    last = chart.bars[-1].part
    assert (last.name, last.value, last.note, last.url) == ("10 and more", 6, "64 rows", "/clusters?least=10")


def test_remarks_name_their_rows() -> None:
    assert report_view.lines_of(REPORT, "refusal") == (60, [2, 4])
    assert report_view.lines_of(REPORT, "e-mail address") == (3, [1, 2, 3])
    assert report_view.lines_of(REPORT, "identifiers") == (3, [1, 2, 3])
    assert report_view.lines_of(REPORT, "error") == (1, [3])
    assert report_view.lines_of(REPORT, "warning") == (0, [])
    assert report_view.lines_of(REPORT, "no such thing") is None
    assert [message.text for message in report_view.messages_of_row(REPORT, 3, 1)] == ["It is odd."]
