"""What is left to do about a report."""

from typing import Any

from app.datasets.pages import todos_view
from tests.support.reports import FULL, REPORT, report_with

ROWS = "/datasets/1/rows"
WANTED: dict[str, Any] = {"ready": True, "decided": (), "usable": 70, "test": 20, "needed_test": 200}


def test_the_gravest_comes_first_and_each_leads_somewhere() -> None:
    todos = todos_view.todos(REPORT, ROWS, **WANTED)

    assert [todo.word for todo in todos] == [
        "Fix", "Check", "Decide", "Fix", "Check", "Check", "Add data", "Add data",
    ]  # fmt: skip
    assert todos[0].text == "2 rows could not be read."
    assert todos[0].url == f"{ROWS}?status=fault&file=upload"
    assert todos[2].text == "3 rows seem to hold personal data or a secret."
    assert todos[-1].text == "180 more test rows are needed to tell 80 % from 87 %."
    assert all(todo.url.startswith(("#", "/datasets/1")) for todo in todos)
    assert todos[3].url == "/datasets/1/contradictions"


def test_a_refused_version_sends_nobody_to_a_part_that_its_report_lacks() -> None:
    report = report_with(
        **FULL
        | {
            "learnability": {"verdict": "unlearnable"},
            "split": {"group_overlap": 3, "untaught": {"labels": 1, "rows": 2}},
        }
    )

    ready, refused = (todos_view.todos(report, ROWS, **WANTED | {"ready": ready}) for ready in (True, False))

    parts = {"/datasets/1?tab=split", "/datasets/1?tab=learnability"}
    assert parts < {todo.url for todo in ready}
    assert {todo.url for todo in refused}.isdisjoint(parts)


def test_one_row_is_spoken_of_as_one() -> None:
    step = {"step": "not_empty", "label": "", "count": 1, "dropped": 1, "status": "empty"}
    report = report_with(waterfall=[step])

    assert todos_view.todos(report, ROWS, **WANTED)[0].text == "1 row has no question or no answer."


def test_test_rows_among_contradictions_are_told_apart() -> None:
    step = {"step": "agreed", "label": "", "count": 6, "dropped": 4, "status": "contradiction"}
    report = report_with(waterfall=[step], counts={"contradiction": 6})

    first = todos_view.todos(report, ROWS, **WANTED)[0]

    assert "6 rows ask the same and are answered differently (2 of them in the test file)" in first.text


def test_decided_personal_data_is_no_longer_to_do() -> None:
    todos = todos_view.todos(REPORT, ROWS, **WANTED | {"decided": {"e-mail address": "mask"}})

    assert "Decide" not in [todo.word for todo in todos]
