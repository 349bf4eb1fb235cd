"""`advise CASE.json` up to the terminal."""

import json
from pathlib import Path

import pytest

from app.__main__ import main
from app.advice.case import parse
from app.advice.verdict import advise
from tests.support.golden import case


def test_a_case_file_gives_the_advice_of_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case()))

    assert main(["advise", str(path)]) == 0

    given = json.loads(capsys.readouterr().out)
    assert given == json.loads(json.dumps(advise(parse(case())).to_json()))
    assert list(given) == [
        "approach", "technique", "training", "leaning", "confidence", "scores", "gates", "reasons", "flips", "policy",
    ]  # fmt: skip
    assert list(given["gates"][0]) == ["id", "state", "measured", "needed", "change", "meanwhile"]
    assert list(given["reasons"][0]) == ["factor", "answer", "measured", "points", "because", "source"]
    assert all(list(flip) == ["change", "approach", "training", "text"] for flip in given["flips"])
    assert len(given["policy"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON: line 1, column 1"),
        (b"{", "is not JSON"),
        (b'{"answers": {"target": NaN}}', "NaN is not a number"),
        (b'{"answers": {"target": Infinity}}', "Infinity is not a number"),
        (b'{"answers": {}, "answers": {}}', 'the key "answers" stands there twice'),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b"[" * 200_000, "is nested too deeply"),
        (b" " * 1_000_001, "is larger than"),
        (b'{"answers": {"target": ' + b"9" * 5000 + b"}}", "is not a case"),
        (b"7", "The case must be an object, not 7."),
    ],
)
def test_what_is_no_case_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, sentence: str
) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(content)

    assert main(["advise", str(path)]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert sentence in said.err


def test_every_fault_is_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    path.write_text('{"answers": {"target": 2, "gaols": []}}')

    assert main(["advise", str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'none.json'} can't be read: No such file or directory.\n"


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(b"\xef\xbb\xbf{}")

    assert main(["advise", str(path)]) == 0


def test_more_stands_in_a_part_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case({"recurrence": "once"})))

    assert main(["advise", str(path)]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main(["advise", "--more", str(path)]) == 0
    given = json.loads(capsys.readouterr().out)

    more = given.pop("more")
    assert given == plain
    assert list(more) == ["rule", "contradictions", "disagreements", "robustness", "instead", "flips"]
    assert more["contradictions"][0]["keys"] == ["recurrence", "calls_per_month"]
    assert len(more["flips"]) == len(plain["flips"])
