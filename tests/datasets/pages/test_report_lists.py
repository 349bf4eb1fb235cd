"""Parts of the report's page: pairs, personal data, labels that a side lacks."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from app.datasets.checks.report import Report
from app.datasets.pages import report_lists
from app.privacy.decisions import Decision, Decisions

ROWS = "/datasets/1/rows"
PAIR = {"line": 3, "of_line": 1}


@dataclass(frozen=True)
class Version:
    version: int
    decisions: Decisions = field(default_factory=dict)


def kind(**changed: Any) -> Report:
    return Report.from_json(
        {"identifiers": {"kinds": [{"kind": "e-mail", "rows": 2, "lines": [4, 5], "test_lines": [], **changed}]}}
    )


@pytest.mark.parametrize("report", [{}, {"counts": {}}, {"duplicates": [], "counts": {"duplicate": 4}}])
def test_a_report_without_pairs_lists_none(report: dict[str, Any]) -> None:
    assert report_lists.pair_lists(Report.from_json(report), ROWS) == []


@pytest.mark.parametrize(("dropped", "judged"), [(None, 0), (5, 0), (3, 2)])
def test_what_the_upload_did_not_lose_stands_in_the_test_file(dropped: int | None, judged: int) -> None:
    step = {"step": "unique", "label": "ask something different", "count": 9, "dropped": dropped, "status": "duplicate"}
    waterfall = [] if dropped is None else [step]
    stored = {"duplicates": [PAIR], "counts": {"duplicate": 5}, "waterfall": waterfall}
    (found,) = report_lists.pair_lists(Report.from_json(stored), ROWS)

    assert (found.anchor, found.total, found.rows, found.judged) == ("duplicates", 5, 5, judged)
    assert found.link == "/datasets/1/rows?status=duplicate"


@pytest.mark.parametrize(("exact", "nearly"), [(2, False), (1, True)])
def test_leaks_are_called_near_where_some_are(exact: int, nearly: bool) -> None:
    counts = {"leaks": 2, "exact_leaks": exact, "leak": 2}
    (found,) = report_lists.pair_lists(Report.from_json({"leaks": [PAIR], "counts": counts}), ROWS)

    assert found.title.endswith("or nearly") is nearly
    assert found.judged == 0


@pytest.mark.parametrize(
    ("lines", "test_lines", "rows", "more"),
    [([4, 5], [], 2, False), ([4, 5], [], 3, True), ([4, 5], [1], 3, False), (list(range(9)), [], 20, False)],
)
def test_lines_that_are_not_named_are_hinted_at(lines: list[int], test_lines: list[int], rows: int, more: bool) -> None:
    """Nine lines are cut by the list itself, which says so."""
    (found,) = report_lists.personal(kind(rows=rows, lines=lines, test_lines=test_lines), Version(1), [])

    assert found.more is more


def test_a_word_given_for_an_earlier_version_is_named_until_there_is_a_new_one() -> None:
    kept = Version(1, {"e-mail": Decision("attest")})
    masked = Version(2, {"e-mail": Decision("mask")})
    decided = Version(3, {"e-mail": Decision("mask", version=3)})

    (undecided,) = report_lists.personal(kind(), Version(3), [Version(3), masked, kept])
    (settled,) = report_lists.personal(kind(), decided, [decided, masked, kept])

    assert (undecided.decision, undecided.kept_in) == (None, 1)
    assert (settled.kept_in, settled.from_before) == (0, False)


@pytest.mark.parametrize(("made_for", "before"), [(1, True), (2, False), (3, False)])
def test_a_decision_that_was_carried_over_says_for_which_version(made_for: int, before: bool) -> None:
    """What masks or leaves out makes the next version, so one step back is the decision for this one."""
    decided = Version(3, {"e-mail": Decision("mask", version=made_for)})

    assert report_lists.personal(kind(), decided, [decided])[0].from_before is before


@pytest.mark.parametrize(("labels", "more"), [(2, 0), (3, 1)])
def test_labels_beyond_the_named_ones_are_counted(labels: int, more: int) -> None:
    gap = Report.from_json({"split": {"untested": {"labels": labels, "names": ["a", "b"]}}}).split.untested

    assert gap is not None
    assert gap.unnamed == more


@pytest.mark.parametrize(("last", "begins"), [(30, None), (300, 20)])
def test_a_last_column_that_holds_the_rest_says_where_it_begins(last: int, begins: int | None) -> None:
    bins = [{"from": 0, "to": 10, "rows": 1}, {"from": 10, "to": 20, "rows": 1}, {"from": 20, "to": last, "rows": 1}]
    bar = Report.from_json({"lengths": {"histogram": bins}}).lengths.open_bar

    assert (bar and bar.least) == begins
