"""`check-data`: one JSON object for programs, words for people, and an exit status that a script can go by."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.datasets import command
from tests.support.examples import pairs
from tests.support.places import BAD_FILES, ROOT

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


def bad(name: str) -> str:
    return str(BAD_FILES / "files" / name)


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["check-data", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "status", "verdict"),
    [("ok_baseline.jsonl", 0, "warn"), ("pii_and_secrets.jsonl", 0, "warn"), ("empty.jsonl", 1, "reject")],
)
def test_the_exit_status_follows_the_verdict(
    capsys: pytest.CaptureFixture[str], name: str, status: int, verdict: str
) -> None:
    given, said = outcome(capsys, bad(name))

    assert (given, said["verdict"]) == (status, verdict)
    assert set(said) >= KEYS


def test_messages_name_line_field_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    _, said = outcome(capsys, bad("missing_completion.jsonl"))

    assert said["bad_lines"] == [5]
    assert [(m["line"], m["field"], m["level"]) for m in said["messages"] if m["line"]] == [(5, "completion", "error")]
    assert said["records"] == 8


def test_identifiers_are_named_by_line_and_kind_and_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", bad("pii_and_secrets.jsonl"), "--json"]) == 0

    printed = capsys.readouterr().out
    found = json.loads(printed)["identifiers"]
    assert {entry["line"] for entry in found} == {4, 5, 6, 7, 9}
    assert all(entry["kind"] for entry in found)
    assert not any(secret in printed for secret in ("jane.doe", "AKIAIOSFODNN7", "4111", "078-05", "FAKE0"))


def test_identifiers_count_as_on_the_page_wherever_they_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in pairs(20).splitlines()]
    rows[4] |= {"group": "jane@firma.de"}
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    _, said = outcome(capsys, str(tmp_path / "data.jsonl"))

    assert said["identifiers"] == [{"line": 5, "kind": "e-mail address"}]
    assert [one["line"] for one in said["messages"] if "e-mail address" in one["text"]] == [5]


def test_leaks_are_named_by_their_line_in_the_test_file(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = outcome(capsys, bad("leak_train.jsonl"), "--test", bad("leak_test.jsonl"))

    assert (status, said["verdict"], said["can_be_used"]) == (0, "warn", True)
    assert [leak["line"] for leak in said["leaks"]] == list(range(11, 21))
    assert all(leak["similarity"] >= 0.8 for leak in said["leaks"])


def test_pairs_come_without_their_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(pairs(40) + pairs(3))

    _, said = outcome(capsys, str(path))

    assert said["duplicates"] == [{"line": 40 + n, "of_line": n, "similarity": 1.0} for n in (1, 2, 3)]


def test_people_get_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", bad("ragged.csv")]) == 1

    said = capsys.readouterr().out
    assert said.startswith("reject: ")
    assert "row 3, 4: The row has 1 cells, but the first row has 2. And the like." in said


def test_messages_that_say_the_same_are_said_once_to_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(pairs(20) + b"nope\n" * 3000)

    assert main(["check-data", str(path), "--strict"]) == 1

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "warn: It can be used without what could not be read; read what was found first."
    assert said[1] == "3,000 of 3,020 rows could not be read."
    assert len(said) < 20
    assert any("line 21, 22, 23, 24, 25 and 2,995 more: The line is not JSON" in line for line in said)


@pytest.mark.parametrize("name", ["none.jsonl", "folder", "loop"])
def test_a_file_that_cannot_be_read_is_a_rejected_one_with_the_same_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(pairs(20))

    status, said = outcome(capsys, str(tmp_path / name))
    _, other = outcome(capsys, str(whole))

    assert (status, said["verdict"], said["records"]) == (1, "reject", 0)
    assert f"{name} can't be read" in said["messages"][0]["text"]
    assert set(said) == set(other)


def test_every_bad_line_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(pairs(1) + b"nope\n" * 3000)

    _, said = outcome(capsys, str(path))

    assert said["bad_lines"] == list(range(2, 3002))
    assert said["message_counts"]["error"] == len(said["messages"])


def test_lines_of_the_test_file_are_not_mixed_with_those_of_the_upload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_bytes(pairs(40))
    mail = {"prompt": "Whom shall I write to about the broken printer?", "completion": "To kim@example.org."}
    test.write_bytes((json.dumps(mail) + "\n").encode() * 2)

    _, said = outcome(capsys, str(train), "--test", str(test))

    assert said["duplicates"] == []
    assert said["identifiers"] == []
    assert {entry["line"] for entry in said["test_identifiers"]} == {1, 2}


def shell(line: str) -> "subprocess.CompletedProcess[str]":
    """What a shell makes of a line that stands in this file."""
    # A pipe that breaks and an input that is closed are a shell's doing.
    return subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S602 - see above


def test_a_pipe_may_break_and_a_pipe_may_be_read() -> None:
    """Real processes: what a shell does to them is the point."""
    python = f"{sys.executable} -m app check-data"
    file = bad("ok_baseline.jsonl")

    assert shell(f"{python} {file} --json | true").stderr == ""
    piped = shell(f"cat {file} | {python} - --json")
    assert (piped.returncode, json.loads(piped.stdout)["records"], piped.stderr) == (0, 20, "")


def test_a_check_that_fails_is_still_one_object_with_the_same_keys(tmp_path: Path) -> None:
    class Fails(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise RuntimeError("never seen before")

    class Strange(type(tmp_path)):  # type: ignore[misc]  # mypy knows no class that is chosen at run time
        def open(self, *_: object, **__: object) -> Fails:
            return Fails()

    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(pairs(20))

    said = command.examine(Strange(tmp_path / "x.jsonl"))

    assert (said["verdict"], said["messages"][0]["level"]) == ("reject", "error")
    assert "(RuntimeError)" in said["messages"][0]["text"]
    assert set(said) == set(command.examine(whole))


def test_a_closed_standard_input_is_said_in_a_sentence() -> None:
    done = shell(f"{sys.executable} -m app check-data - --json <&-")

    assert done.returncode == 1
    assert json.loads(done.stdout)["messages"][0]["text"].startswith("The standard input can't be read")


def test_what_is_odd_about_a_row_is_said_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {
        4: {"prompt": "Who runs the mill in the old town?", "completion": "I'm sorry, but I can't help with that."},
        9: {"prompt": "When does the castle open on Sundays?", "completion": "[insert answer here]"},
        12: {"prompt": "What does the caf\u00e9 sell?", "completion": "A caf\u00c3\u00a9 au lait, for one thing."},
        14: {"prompt": "What does the kiosk sell?", "completion": "Papers &amp; sweets, for one thing."},
    }
    rows = [odd.get(line, json.loads(row)) for line, row in enumerate(pairs(16).splitlines(), 1)]
    file = tmp_path / "odd.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    _, said = outcome(capsys, str(file))

    lines = {m["line"]: (m["text"], m["level"]) for m in said["messages"] if m["line"]}
    assert lines == {
        4: ("The answer declines to answer.", "warning"),
        9: ("Something was never filled in.", "warning"),
        12: ("The answer was read in a wrong encoding once: it holds two signs for one letter.", "warning"),
    }
    assert said["bad_lines"] == [12]  # the other rows are used as they are
    assert any(m["text"].endswith("in line 14.") and m["level"] == "note" for m in said["messages"])
    assert sum(said["message_counts"].values()) == len(said["messages"])
