"""Every malformed file of the shared set gives the outcome that its list expects."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.datasets.quality import check
from app.datasets.reading import Upload
from app.datasets.rows import Rows

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "bad_files"
LISTED = FOLDER / "expected.json"
CASES: list[dict[str, Any]] = json.loads(LISTED.read_text(encoding="utf-8"))["files"] if LISTED.is_file() else []

# Where the list says "either", this is what we decided, and why.
DECIDED = {
    "cr_only.jsonl": "accept",  # old line ends harm nobody
    "utf16le_bom.jsonl": "warn",  # the mark says what it is
    "utf16be_bom.jsonl": "warn",
    "latin1.jsonl": "reject",  # a guessed encoding garbles text silently
    "duplicate_keys.jsonl": "reject",  # which of the two is meant is not ours to say
    "json_array.jsonl": "accept",  # the same records in other brackets
    "huge_float.jsonl": "reject",  # no JSON number that a program can hold
    "null_escaped.jsonl": "reject",  # PostgreSQL can't store it
    "wrong_key_case.jsonl": "warn",  # clear enough to read, odd enough to say
    "proto_keys.jsonl": "accept",  # keys like any other here
    "many_keys.jsonl": "reject",  # it is one record
    "chat_ends_with_user.jsonl": "reject",  # no answer wanted
    "chat_assistant_first.jsonl": "warn",  # some chat templates refuse it
    "chat_two_users_in_a_row.jsonl": "warn",
    "semicolons.csv": "accept",  # the header says which sign parts the columns
    "utf16_excel.csv": "warn",
    "huge_field.csv": "reject",  # it is one record, and too long
    "ok.jsonl.gz": "accept",  # unpacked as it is read, with a bound; under another name it would be refused
    "ok.zip": "reject",  # which of its files is meant? documents may come as a zip, examples may not
}


def test_the_list_is_there(shared: Path) -> None:
    assert (shared / "data" / "bad_files" / "expected.json").is_file()
    assert len(CASES) == 83
    assert set(DECIDED) == {case["file"] for case in CASES if case["verdict"] == "either"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_a_bad_file_gets_its_verdict(case: dict[str, Any], tmp_path: Path) -> None:
    pair = case.get("with_file")
    with Rows(tmp_path / "rows") as rows, (FOLDER / "files" / case["file"]).open("rb") as stream:
        file = Upload(stream, case["file"])
        if pair:
            with (FOLDER / "files" / pair).open("rb") as train:
                report = check(train, rows, seed=7, own_test=file).report
        else:
            report = check(file, rows, seed=7).report
    records = report["test_records" if pair else "records"]
    lines = report["test_bad_lines" if pair else "bad_lines"]

    expected = case["verdict"] if case["verdict"] != "either" else DECIDED[case["file"]]
    assert report["verdict"] == expected
    refused_by_choice = case["verdict"] == "either" and expected == "reject"
    if case["records"] is not None and not refused_by_choice:
        assert records == case["records"]
    if case["bad_lines"] and (case["verdict"] != "either" or expected != "accept"):
        # The list names only the first line where all are bad.
        assert lines[: len(case["bad_lines"])] == case["bad_lines"]
        if len(case["bad_lines"]) > 1:
            assert lines == case["bad_lines"]
    elif not refused_by_choice:
        assert lines == []
    assert not set(lines) & set(case.get("not_pii_lines", []))
    if report["verdict"] != "accept":
        assert all(
            message["text"].endswith(".") or message["text"][-1].isalnum() or message["text"][-1] in ")?"
            for message in report["messages"]
        )
        assert all(len(message["text"]) < 400 for message in report["messages"])
        assert report["messages"]
