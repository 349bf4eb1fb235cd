"""`check-data`: one JSON object for programs, words for people, and an exit status that a script can go by."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from tests.datasets.examples import pairs

KEYS = {
    "verdict",
    "format",
    "records",
    "bad_lines",
    "messages",
    "waterfall",
    "duplicates",
    "near_duplicates",
    "contradictions",
    "leaks",
    "identifiers",
    "signals",
}


def bad(shared: Path, name: str) -> str:
    return str(shared / "data" / "bad_files" / "files" / name)


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["check-data", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "status", "verdict"),
    [("ok_baseline.jsonl", 0, "accept"), ("pii_and_secrets.jsonl", 0, "warn"), ("empty.jsonl", 1, "reject")],
)
def test_the_exit_status_follows_the_verdict(
    shared: Path, capsys: pytest.CaptureFixture[str], name: str, status: int, verdict: str
) -> None:
    given, said = outcome(capsys, bad(shared, name))

    assert (given, said["verdict"]) == (status, verdict)
    assert set(said) >= KEYS


def test_messages_name_line_field_and_level(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = outcome(capsys, bad(shared, "missing_completion.jsonl"))

    assert said["bad_lines"] == [5]
    assert [(m["line"], m["field"], m["level"]) for m in said["messages"]] == [(5, "completion", "error")]
    assert said["records"] == 8


def test_identifiers_are_named_by_line_and_kind_and_never_shown(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-data", bad(shared, "pii_and_secrets.jsonl"), "--json"]) == 0

    printed = capsys.readouterr().out
    found = json.loads(printed)["identifiers"]
    assert {entry["line"] for entry in found} == {4, 5, 6, 7, 9}
    assert all(entry["kind"] for entry in found)
    assert not any(secret in printed for secret in ("jane.doe", "AKIAIOSFODNN7", "4111", "078-05", "FAKE0"))


def test_leaks_are_named_by_their_line_in_the_test_file(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = outcome(capsys, bad(shared, "leak_train.jsonl"), "--test", bad(shared, "leak_test.jsonl"))

    assert status == 1
    assert [leak["line"] for leak in said["leaks"]] == list(range(11, 21))
    assert all(leak["similarity"] >= 0.8 for leak in said["leaks"])


def test_pairs_come_without_their_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(pairs(40) + pairs(3))

    _, said = outcome(capsys, str(path))

    assert said["duplicates"] == [{"line": 40 + n, "of_line": n, "similarity": 1.0} for n in (1, 2, 3)]


def test_people_get_words(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", bad(shared, "ragged.csv")]) == 1

    said = capsys.readouterr().out
    assert said.startswith("reject: ")
    assert "line 3: The row has 1 cells, but the first row has 2." in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", str(tmp_path / "none.jsonl")]) == 1

    assert "none.jsonl can't be read" in capsys.readouterr().err
