"""How evenly labels are spread, and the page of all of them."""

from typing import Any

import pytest

from app.datasets.checks.report import Report
from app.datasets.pages import labels_view, todos_view
from tests.support.reports import REPORT, report_with

ROWS = "/datasets/1/rows"
WANTED: dict[str, Any] = {"ready": True, "decided": (), "usable": 70, "test": 20, "needed_test": 200}


def test_labels_are_spread_as_the_report_counts_them() -> None:
    balance = labels_view.label_balance(REPORT)

    assert balance is not None
    assert (balance.different, balance.rare) == (20, 9)
    assert round(balance.share, 4) == round(40 / 420, 4)


def test_a_thousand_labels_are_counted_whole() -> None:
    labels = [{"label": f"a rather long label with the number {n:04}", "rows": 12} for n in range(500)]
    report = report_with(labels=labels, different_labels=1000, labelled_rows=12_000, rare_labels=1000)
    balance = labels_view.label_balance(report)

    assert balance is not None
    assert (balance.different, balance.rare, balance.share) == (1000, 1000, 0.001)
    assert todos_view.todos(report, ROWS, **WANTED)[0].text == "1,000 labels have fewer than 20 rows."


def test_labels_know_their_parts_and_their_other_spellings() -> None:
    found = labels_view.counted_labels(
        [("Refund", "train", 30), ("Refund", "test", 10), ("refund ", "", 2), ("lost", "train", 5), ("lost", "", 3)]
    )

    assert [(one.label, one.rows, one.train, one.dev, one.test, one.unused) for one in found] == [
        ("Refund", 40, 30, 0, 10, 0),
        ("lost", 8, 5, 0, 0, 3),
        ("refund ", 2, 0, 0, 0, 2),
    ]
    assert [list(one.variants) for one in found] == [["refund "], [], ["Refund"]]
    assert [one.label for one in labels_view.ordered(found, "rare")] == ["refund ", "lost", "Refund"]
    assert [one.label for one in labels_view.ordered(found, "name")] == ["lost", "Refund", "refund "]
    assert [one.rare for one in found] == [False, True, True]


def test_labels_of_a_large_set_come_from_its_report() -> None:
    found = labels_view.labels_of(REPORT)

    assert (found[0].label, found[0].rows, found[0].train, found[0].unused) == ("label 0", 40, None, 0)
    assert sum(one.share for one in found) == pytest.approx(1)
    assert labels_view.labels_of(Report()) == []
