"""What the data page makes of reports: of today's, of one with every key, and of those from before a key was known."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.checks import suspicious
from app.datasets.pages import report_view
from app.datasets.pages.report_view import Piece

ROWS = "/datasets/1/rows"

FULL: dict[str, Any] = {
    "waterfall": [
        {"step": "uploaded", "label": "rows uploaded", "count": 100, "dropped": 0, "status": ""},
        {"step": "valid", "label": "could be read", "count": 98, "dropped": 2, "status": "fault"},
        {"step": "unique", "label": "ask something different", "count": 98, "dropped": 0, "status": "duplicate"},
        {"step": "later", "label": "a step of a later check", "count": 95, "dropped": 3, "status": "unheard_of"},
        {"step": "not_in_test", "label": "not in the test file", "count": 90, "dropped": 5, "status": "leak"},
        {"step": "usable", "label": "usable", "count": 70, "dropped": 20, "status": "usable"},
    ],
    "split": {"train": 60, "dev": 10, "test": 20, "usable": 70, "own_test": False},
    "counts": {"contradiction": 4, "leak": 5, "leaks": 3},
    "lengths": {
        "unit": "tokens", "median": 10, "p95": 90, "longest": 2000, "limit": 1024, "over": 3,
        "of": "usable", "rows": 93,
        "histogram": [
            {"from": 0, "to": 1024, "rows": 90}, {"from": 1025, "to": 2000, "rows": 0},
            {"from": 2001, "to": 3000, "rows": 3},
        ],
    },
    "labels": [{"label": f"label {n}", "rows": 40 - 2 * n} for n in range(20)],
    "clusters": {"count": 13, "sizes": [{"size": n, "clusters": 13 - n, "rows": n * (13 - n)} for n in range(2, 13)]},
    "remarks": [{"kind": "refusal", "rows": 60, "lines": [4, 2, 4], "text": "The answer declines."}],
    "identifiers": {"rows": 3, "kinds": [{"kind": "e-mail address", "rows": 3, "lines": [1, 2, 3]}], "decided": None},
    "messages": [
        {"line": 3, "field": "", "text": "It is broken.", "level": "error", "file": 0},
        {"line": 3, "field": "", "text": "It is odd.", "level": "warning", "file": 1},
        {"line": None, "field": "", "text": "All of it.", "level": "error", "file": 0},
    ],
}  # fmt: skip
WANTED: dict[str, Any] = {"ready": True, "decided": (), "usable": 70, "test": 20, "needed_test": 200}
STATE: dict[str, Any] = {
    "state": "ready", "usable": 70, "needed": 1000, "decided": (), "frozen": False, "measure": "/m",
    "reading": "/r", "newer": None,
}  # fmt: skip


def test_a_report_without_any_key_shows_nothing_and_breaks_nothing() -> None:
    assert report_view.figures({}, ROWS) == []
    assert report_view.waterfall({}, ROWS) is None
    assert report_view.lengths({}, ROWS) is None
    assert report_view.label_balance({}, ROWS) is None
    assert report_view.cluster_sizes({}, "/clusters") is None
    assert report_view.lines_of({}, "refusal") is None
    assert report_view.said_of({}, 1, 0) == []
    assert [todo.url for todo in report_view.todos({}, ROWS, **WANTED)] == ["#split"]
    assert report_view.messages({}) == []


@pytest.mark.parametrize("key", sorted(FULL))
def test_each_key_may_be_missing_or_empty(key: str) -> None:
    for report in ({name: value for name, value in FULL.items() if name != key}, FULL | {key: type(FULL[key])()}):
        report_view.figures(report, ROWS)
        report_view.todos(report, ROWS, **WANTED)
        report_view.waterfall(report, ROWS)
        report_view.lengths(report, ROWS)
        report_view.label_balance(report, ROWS)
        report_view.cluster_sizes(report, "/clusters")
        report_view.lines_of(report, "refusal")


def test_the_gravest_comes_first_and_each_leads_somewhere() -> None:
    todos = report_view.todos(FULL, ROWS, **WANTED)

    assert [todo.word for todo in todos] == [
        "correct", "look", "decide", "correct", "look", "look", "collect", "collect",
    ]  # fmt: skip
    assert todos[0].text == "2 rows could not be read."
    assert todos[0].url == f"{ROWS}?status=fault&file=upload"
    assert todos[2].text == "3 rows seem to hold personal data or a secret."
    assert todos[-1].text == "180 more test rows are needed to tell 80% from 87%."
    assert all(todo.url.startswith(("#", "/datasets/1/")) for todo in todos)


def test_a_refused_version_sends_nobody_to_a_part_that_its_report_lacks() -> None:
    report = FULL | {
        "learnability": {"verdict": "unlearnable"},
        "split": {"group_overlap": 3, "untaught": {"labels": 1, "rows": 2}},
    }

    ready, refused = (report_view.todos(report, ROWS, **WANTED | {"ready": ready}) for ready in (True, False))

    assert {"#split", "#learnability"} < {todo.url for todo in ready}
    assert {todo.url for todo in refused}.isdisjoint({"#split", "#learnability"})


def test_a_file_of_which_nothing_was_read_has_no_numbers() -> None:
    unread = {"waterfall": [{"step": "uploaded", "label": "rows uploaded", "count": 0, "dropped": 0, "status": ""}]}

    assert report_view.figures(unread, ROWS) == []
    assert report_view.waterfall(unread, ROWS) is None


def test_what_is_odd_about_a_row_is_said_of_it_once() -> None:
    echo = "The answer only repeats the question."

    said = report_view.said_of(FULL, 3, 0, suspicious.Mark.ECHO | suspicious.Mark.REFUSAL)

    assert [one["text"] for one in said] == ["It is broken.", "The answer declines to answer.", echo]
    named = {"messages": [{"line": 3, "field": "", "text": echo, "level": "warning", "file": 0}]}
    assert [one["text"] for one in report_view.said_of(named, 3, 0, suspicious.Mark.ECHO)] == [echo]


def test_one_row_is_spoken_of_as_one() -> None:
    report = {"waterfall": [{"step": "not_empty", "label": "", "count": 1, "dropped": 1, "status": "empty"}]}

    assert report_view.todos(report, ROWS, **WANTED)[0].text == "1 row has no question or no answer."


@pytest.mark.parametrize(
    ("different", "text", "url"),
    [
        ({}, "70 usable examples besides the test set; training needs 1,000.", "#personal"),
        ({"usable": 1, "decided": {"e-mail address": 1}}, "1 usable example besides", "#split"),
        ({"decided": {"e-mail address": 1}, "frozen": True}, "70 usable", "/m"),
        ({"newer": (3, "/datasets/9")}, "70 usable", "/datasets/9"),
        ({"state": "rejected"}, "This upload can't be used.", "#upload"),
    ],
)
def test_the_verdict_names_the_one_thing_to_do_next(different: dict[str, Any], text: str, url: str) -> None:
    found = report_view.verdict(FULL, **STATE | different)

    assert found.text.startswith(text)
    assert found.url == url


def test_a_file_with_names_of_its_own_is_not_to_be_corrected_but_explained() -> None:
    unknown = {"format": "unknown", "columns": [{"name": "frage", "samples": []}], "layout": "CSV"}

    found = report_view.verdict(unknown, **STATE | {"state": "rejected"})

    assert (found.text, found.url, found.link) == ("This upload can't be used yet.", "/r", "Choose the columns")
    assert (
        report_view.verdict(unknown | {"layout": "JSON lines"}, **STATE | {"state": "rejected"}).link
        == "Choose the keys"
    )
    assert report_view.verdict(unknown | {"columns": []}, **STATE | {"state": "rejected"}).url == "#upload"


def test_a_verdict_on_too_few_examples_says_how_many_are_missing() -> None:
    assert "About 930 more" in report_view.verdict(FULL, **STATE).why
    enough = report_view.verdict(FULL, **STATE | {"usable": 1000})
    assert (enough.why, enough.tone) == ("", "ready")


def test_rows_in_which_nothing_can_be_learnt_are_not_called_ready() -> None:
    random = {"learnability": {"verdict": "unlearnable"}}

    found = report_view.verdict(random, **STATE | {"usable": 80_000})

    assert (found.tone, found.url) == ("", "#learnability")
    assert found.next.startswith("No link was found between what is asked and what is answered.")
    assert report_view.verdict(random, **STATE | {"usable": 80_000, "frozen": True}).url == "/m"


def test_a_refusal_says_why_in_the_words_of_the_first_fault() -> None:
    refused = STATE | {"state": "rejected", "newer": (1, "/datasets/1")}

    assert report_view.verdict(FULL, **refused).why == (
        "Line 3: It is broken. The upload replaces nothing: version 1 is still the one that counts."
    )
    assert report_view.verdict(FULL, **refused, newer_waits=True).why.endswith("the check of version 1 has not ended.")
    conflict = {"uploaded": 30, "counts": {"contradiction": 30}}
    assert report_view.verdict(conflict, **refused | {"newer": None}).why == "30 of 30 rows contradict another row."
    assert report_view.verdict({}, **refused | {"newer": None}).why.startswith("Too few rows")


def test_messages_in_the_same_words_are_told_once_the_gravest_first() -> None:
    said = [("warning", 4), ("note", None), ("warning", 9), ("error", 12)]
    report = {"messages": [{"level": level, "field": "", "text": level, "line": line} for level, line in said]}

    assert [(one.level, list(one.rows)) for one in report_view.messages(report)] == [
        ("error", [(12, 0)]), ("warning", [(4, 0), (9, 0)]), ("note", []),
    ]  # fmt: skip


def test_test_rows_among_contradictions_are_told_apart() -> None:
    step = {"step": "agreed", "label": "", "count": 6, "dropped": 4, "status": "contradiction"}
    found = report_view.todos({"waterfall": [step], "counts": {"contradiction": 6}}, ROWS, **WANTED)

    assert "6 rows ask the same and are answered differently (2 of them in the test file)" in found[0].text


def test_decided_personal_data_is_no_longer_to_do() -> None:
    todos = report_view.todos(FULL, ROWS, **WANTED | {"decided": {"e-mail address": "mask"}})

    assert "decide" not in [todo.word for todo in todos]


def test_the_waterfall_leads_to_the_rows_that_each_bar_counts() -> None:
    chart = report_view.waterfall(FULL, ROWS)

    assert chart is not None
    parts = {bar.part.name: (bar.part.value, bar.part.url) for bar in chart.bars}
    assert parts == {
        "rows uploaded": (100, f"{ROWS}?file=upload"),
        "could not be read": (2, f"{ROWS}?status=fault&file=upload"),
        "a step of a later check": (3, f"{ROWS}?status=unheard_of&file=upload"),
        "stand in the test file, or nearly": (5, f"{ROWS}?status=leak&file=upload"),
        "kept aside to test": (20, f"{ROWS}?split=test"),
        "usable": (70, f"{ROWS}?split=train-dev"),
    }


def test_lengths_beyond_the_limit_are_marked_and_lead_to_their_rows() -> None:
    chart = report_view.lengths(FULL, ROWS)

    assert chart is not None
    assert [(column.over, column.bin.url) for column in chart.columns] == [
        (False, f"{ROWS}?status=usable&size_from=0&size_to=1024"),
        (True, ""),
        (True, f"{ROWS}?status=usable&size_from=2001&size_to=3000"),
    ]
    assert chart.limit is not None
    assert chart.limit.text == "1,024"
    assert report_view.too_long(FULL, ROWS) == f"{ROWS}?status=usable&size_from=1025"


@pytest.mark.parametrize("of", [None, ""])
def test_lengths_that_no_row_carries_lead_nowhere(of: str | None) -> None:
    """None: from before rows kept their length. Empty: being counted anew."""
    report = FULL | {"lengths": FULL["lengths"] | {"of": of}}

    chart = report_view.lengths(report, ROWS)

    assert chart is not None
    assert {column.bin.url for column in chart.columns} == {""}
    assert report_view.too_long(report, ROWS) == ""
    assert "#lengths" in [todo.url for todo in report_view.todos(report, ROWS, **WANTED)]


def test_languages_that_hardly_occur_are_told_together() -> None:
    found = [("English", 990, 0.99), ("German", 7, 0.007), ("Xhosa", 2, 0.002), ("Scots", 1, 0.001)]
    report = {"languages": [{"language": name, "rows": rows, "share": share} for name, rows, share in found]}

    told = [(one["language"], one["rows"]) for one in report_view.languages(report)]

    assert told == [("English", 990), ("German", 7), ("2 others, or misjudged", 3)]
    assert report_view.languages({}) == []


def test_labels_show_both_ends_and_what_lies_between() -> None:
    balance = report_view.label_balance(FULL, ROWS)

    assert balance is not None
    assert [bar.part.value for bar in balance.chart.bars] == [40, 38, 36, 34, 32, 30, 12, 10, 8, 6, 4, 2]
    assert (balance.different, balance.left_out, balance.rare) == (20, 8, 9)
    assert balance.chart.bars[-1].part.note == "rare"
    assert balance.chart.bars[0].part.url == f"{ROWS}?label=label+0"


def test_a_thousand_long_labels_are_counted_whole_and_told_apart() -> None:
    labels = [{"label": f"a rather long label with the number {n:04}", "rows": 12} for n in range(500)]
    report = {"labels": labels, "different_labels": 1000, "labelled_rows": 12_000, "rare_labels": 1000}
    balance = report_view.label_balance(report, ROWS)

    assert balance is not None
    assert (balance.different, balance.left_out, balance.rare, balance.share) == (1000, 988, 1000, 0.001)
    assert len({bar.part.name for bar in balance.chart.bars}) == 12
    assert report_view.todos(report, ROWS, **WANTED)[0].text == "1,000 labels have fewer than 20 rows."


def test_the_largest_groups_share_a_bar() -> None:
    chart = report_view.cluster_sizes(FULL, "/clusters")

    assert chart is not None
    assert [bar.part.url for bar in chart.bars[:2]] == ["/clusters?size=2", "/clusters?size=3"]
    last = chart.bars[-1].part
    assert (last.name, last.value, last.note, last.url) == ("10 and more", 6, "64 rows", "/clusters?least=10")


def test_remarks_name_their_rows() -> None:
    assert report_view.lines_of(FULL, "refusal") == (60, [2, 4])
    assert report_view.lines_of(FULL, "e-mail address") == (3, [1, 2, 3])
    assert report_view.lines_of(FULL, "identifiers") == (3, [1, 2, 3])
    assert report_view.lines_of(FULL, "error") == (1, [3])
    assert report_view.lines_of(FULL, "warning") == (0, [])
    assert report_view.lines_of(FULL, "no such thing") is None
    assert [said["text"] for said in report_view.said_of(FULL, 3, 1)] == ["It is odd."]


def test_labels_know_their_parts_and_their_other_spellings() -> None:
    found = report_view.labels(
        [("Refund", "train", 30), ("Refund", "test", 10), ("refund ", "", 2), ("lost", "train", 5), ("lost", "", 3)]
    )

    assert [(one.label, one.rows, one.train, one.dev, one.test, one.unused) for one in found] == [
        ("Refund", 40, 30, 0, 10, 0),
        ("lost", 8, 5, 0, 0, 3),
        ("refund ", 2, 0, 0, 0, 2),
    ]
    assert [list(one.variants) for one in found] == [["refund "], [], ["Refund"]]
    assert [one.label for one in report_view.ordered(found, "rare")] == ["refund ", "lost", "Refund"]
    assert [one.label for one in report_view.ordered(found, "name")] == ["lost", "Refund", "refund "]
    assert [one.rare for one in found] == [False, True, True]


def test_labels_of_a_large_set_come_from_its_report() -> None:
    found = report_view.labels_of(FULL)

    assert (found[0].label, found[0].rows, found[0].train, found[0].unused) == ("label 0", 40, None, 0)
    assert sum(one.share for one in found) == pytest.approx(1)
    assert report_view.labels_of({}) == []


def test_what_differs_is_marked_word_by_word() -> None:
    left, right = report_view.differences("How can I pay?", "How may I pay now?")

    assert left == [Piece("How ", False), Piece("can", True), Piece(" I pay", False), Piece("?", False)]
    assert "".join(piece.text for piece in right if piece.changed) == "may now"


@given(st.text(max_size=80), st.text(max_size=80))
def test_differences_never_change_a_text(one: str, other: str) -> None:
    left, right = report_view.differences(one, other)

    assert "".join(piece.text for piece in left) == one
    assert "".join(piece.text for piece in right) == other
    assert "".join(p.text for p in left if not p.changed) == "".join(p.text for p in right if not p.changed)


def test_a_very_long_text_is_shown_unmarked_at_once() -> None:
    text = "word " * 20_000

    assert report_view.differences(text, "other") == ([Piece(text, False)], [Piece("other", False)])
