"""The quality report as a value: what was stored before stays byte for byte, and older shapes are read in one place."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.datasets.checks.report import TOO_FEW, Report
from app.datasets.checks.report_parts import LengthBar, LengthReport
from app.datasets.checks.statuses import ROWS_THAT, TAGS, RowStatus, what_rows_do
from app.privacy.identifier_report import IdentifierKind, IdentifierReport
from tests.support.reports import report_with

# Reports as the version before this type stored them: of labels, texts and JSON, with an own test file, groups, times,
# masked and left-out rows, refusals, and of whole uploads with what their job adds.
STORED = gzip.decompress((Path(__file__).parent / "reports_of_before.jsonl.gz").read_bytes()).splitlines()


@pytest.mark.parametrize("number", range(len(STORED)))
def test_a_stored_report_is_the_same_when_it_is_written_again(number: int) -> None:
    stored = STORED[number]

    report = Report.from_json(orjson.loads(stored))

    assert orjson.dumps(report.to_json()) == stored


def test_an_upload_that_was_not_checked_has_an_empty_report() -> None:
    report = Report.from_json({})

    assert report == Report()
    assert (report.verdict, report.can_be_used, report.identifiers, report.clusters) == ("reject", False, None, None)


@pytest.mark.parametrize("empty", [None, {}])
def test_null_and_an_empty_part_say_no_more_than_a_missing_key(empty: object) -> None:
    assert Report.from_json({"split": empty, "lengths": empty, "signals": empty, "changes": empty}) == Report()


def test_what_was_stored_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="uploaded"):
        Report.from_json({"uploaded": "many"})


def test_a_key_of_a_later_program_is_left_alone() -> None:
    assert Report.from_json({"uploaded": 3, "of_tomorrow": {"a": 1}}) == report_with(uploaded=3)


# ---------------------------------------------------------------------- older shapes
def test_leaks_were_word_for_word_before_near_ones_were_looked_for() -> None:
    assert report_with(counts={"leaks": 3}).counts.exact_leaks == 3
    assert report_with(counts={"leaks": 3, "exact_leaks": 1}).counts.near_leaks == 2


def test_a_pair_of_the_same_text_stored_it_once() -> None:
    report = report_with(contradictions=[{"line": 3, "of_line": 1, "text": "Where?"}])

    (pair,) = report.contradictions
    assert (pair.text, pair.of_text, pair.cluster) == ("Where?", "Where?", None)


def test_labels_were_counted_by_the_page_before_the_check_did() -> None:
    report = report_with(labels=[{"label": "a", "rows": 30}, {"label": "b", "rows": 4}])

    assert (report.rare_labels, report.different_labels, report.labelled_rows) == (1, 2, 34)


@pytest.mark.parametrize(("agreement", "ceiling"), [({}, None), ({"label_agreement": {"questions": 40}}, 0.9)])
def test_a_ceiling_from_rows_that_only_look_alike_is_none(agreement: dict[str, Any], ceiling: float | None) -> None:
    report = report_with(learnability={"verdict": "learnable", "ceiling": 0.9, "ceiling_high": 0.95}, **agreement)

    assert report.learnability is not None
    assert report.learnability.ceiling == ceiling


def test_what_the_advice_reads_of_an_older_check_gets_nothing_new() -> None:
    """Else an approved subject would have another digest than when it was approved."""
    signals = {"rows": 30, "knowledge": "unclear"}

    report = report_with(signals=signals)

    assert report.to_json()["signals"] == signals | {"evidence": []}


# ---------------------------------------------------------------------- what templates would have to work out
def test_rows_of_the_test_file_are_what_the_waterfall_does_not_count() -> None:
    step = {"step": "agreed", "label": "", "count": 6, "dropped": 4, "status": "contradiction"}

    report = report_with(waterfall=[step], counts={"contradiction": 6, "duplicate": 2})

    assert report.among_test_rows("contradiction") == 2
    assert report.among_test_rows("duplicate") == 0


def test_only_a_last_bar_that_is_wider_holds_all_the_rest() -> None:
    bars = (LengthBar(0, 10, 5), LengthBar(11, 20, 2))

    assert LengthReport(histogram=bars).open_bar is None
    assert LengthReport(histogram=(*bars, LengthBar(21, 90, 1))).open_bar == LengthBar(21, 90, 1)


def test_rows_with_two_kinds_of_personal_data_count_once() -> None:
    kinds = (IdentifierKind("e-mail address", 3), IdentifierKind("phone number", 2))
    found = IdentifierReport(rows=4, kinds=kinds)

    assert found.undecided(()) == ["e-mail address", "phone number"]
    assert found.undecided_rows(()) == 4
    assert found.undecided_rows({"e-mail address"}) == 2
    assert found.undecided_rows({"e-mail address", "phone number"}) == 0


def test_the_reason_that_too_few_are_usable_can_be_told_from_the_others() -> None:
    assert report_with(why=["All are cut.", f"Too few. {TOO_FEW}"]).why_besides_rows == ("All are cut.",)


# ---------------------------------------------------------------------- statuses
def test_each_status_that_takes_a_row_out_has_its_words() -> None:
    assert set(TAGS) == set(ROWS_THAT) == set(RowStatus) - {RowStatus.USABLE}
    assert list(ROWS_THAT) == [status for status in RowStatus if status is not RowStatus.USABLE]


def test_one_row_is_spoken_of_as_one() -> None:
    assert [what_rows_do("leak", number) for number in (1, 2)] == [
        "stands in the test file, or nearly",
        "stand in the test file, or nearly",
    ]
