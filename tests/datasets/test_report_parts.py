"""Parts of the report's page: pairs, personal data, labels that a side lacks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.datasets import report_parts

ROWS = "/datasets/1/rows"
PAIR = {"line": 3, "of_line": 1}


@dataclass(frozen=True)
class Version:
    version: int
    decisions: Mapping[str, Any] = field(default_factory=dict)


def kind(**changed: Any) -> dict[str, Any]:
    return {"identifiers": {"kinds": [{"kind": "e-mail", "rows": 2, "lines": [4, 5], "test_lines": [], **changed}]}}


@pytest.mark.parametrize("report", [{}, {"counts": {}}, {"duplicates": [], "counts": {"duplicate": 4}}])
def test_a_report_without_pairs_lists_none(report: dict[str, Any]) -> None:
    assert report_parts.pair_lists(report, ROWS, {}) == []


@pytest.mark.parametrize(("taken", "judged"), [({}, 0), ({"duplicate": 5}, 0), ({"duplicate": 3}, 2)])
def test_what_the_upload_did_not_lose_stands_in_the_test_file(taken: dict[str, int], judged: int) -> None:
    (found,) = report_parts.pair_lists({"duplicates": [PAIR], "counts": {"duplicate": 5}}, ROWS, taken)

    assert (found.anchor, found.total, found.rows, found.judged) == ("duplicates", 5, 5, judged)
    assert found.link == "/datasets/1/rows?status=duplicate"


@pytest.mark.parametrize(("exact", "nearly"), [(2, False), (1, True)])
def test_leaks_are_called_near_where_some_are(exact: int, nearly: bool) -> None:
    counts = {"leaks": 2, "exact_leaks": exact, "leak": 2}
    (found,) = report_parts.pair_lists({"leaks": [PAIR], "counts": counts}, ROWS, {})

    assert found.title.endswith("or nearly") is nearly
    assert found.judged == 0


@pytest.mark.parametrize(
    ("lines", "test_lines", "rows", "more"),
    [([4, 5], [], 2, False), ([4, 5], [], 3, True), ([4, 5], [1], 3, False), (list(range(9)), [], 20, False)],
)
def test_lines_that_are_not_named_are_hinted_at(lines: list[int], test_lines: list[int], rows: int, more: bool) -> None:
    """Nine lines are cut by the list itself, which says so."""
    (found,) = report_parts.personal(kind(rows=rows, lines=lines, test_lines=test_lines), Version(1), [])

    assert found.more is more


def test_a_word_given_for_an_earlier_version_is_named_until_there_is_a_new_one() -> None:
    kept = Version(1, {"e-mail": {"action": "attest"}})
    masked = Version(2, {"e-mail": {"action": "mask"}})
    decided = Version(3, {"e-mail": {"action": "mask", "version": 3}})

    (undecided,) = report_parts.personal(kind(), Version(3), [Version(3), masked, kept])
    (settled,) = report_parts.personal(kind(), decided, [decided, masked, kept])

    assert (undecided.decision, undecided.kept_in) == (None, 1)
    assert (settled.kept_in, settled.from_before) == (0, False)


@pytest.mark.parametrize(("made_for", "before"), [(1, True), (2, False), (3, False)])
def test_a_decision_that_was_carried_over_says_for_which_version(made_for: int, before: bool) -> None:
    """What masks or leaves out makes the next version, so one step back is the decision for this one."""
    decided = Version(3, {"e-mail": {"action": "mask", "version": made_for}})

    assert report_parts.personal(kind(), decided, [decided])[0].from_before is before


@pytest.mark.parametrize("split", [{}, {"untaught": None}, {"untaught": {}}, {"untaught": {"labels": 0}}])
def test_no_label_is_lacking_where_the_report_names_none(split: dict[str, Any]) -> None:
    assert report_parts.lacking({"split": split}, "untaught") is None


@pytest.mark.parametrize(("labels", "more"), [(2, 0), (3, 1)])
def test_labels_beyond_the_named_ones_are_counted(labels: int, more: int) -> None:
    found = report_parts.lacking({"split": {"untested": {"labels": labels, "names": ["a", "b"]}}}, "untested")

    assert found is not None
    assert found.more == more


@pytest.mark.parametrize(("times", "some"), [(0, False), (9, True), (10, False)])
def test_rows_without_a_time_are_told_only_beside_rows_with_one(times: int, some: bool) -> None:
    assert report_parts.some_undated({"split": {"times": times, "usable": 8, "test": 2}}) is some


@pytest.mark.parametrize(("last", "begins"), [(30, None), (300, 20)])
def test_a_last_column_that_holds_the_rest_says_where_it_begins(last: int, begins: int | None) -> None:
    bins = [{"from": 0, "to": 10}, {"from": 10, "to": 20}, {"from": 20, "to": last}]

    assert report_parts.open_ended({"lengths": {"histogram": bins}}) == begins
