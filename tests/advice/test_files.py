"""`advise CASE.json` up to the terminal."""

import json
from pathlib import Path

import pytest

from app.advice.case import parse
from app.advice.files import advise_file
from app.advice.verdict import advise
from tests.advice.golden import case


def test_a_case_file_gives_the_advice_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case()))

    text = advise_file(path)

    assert isinstance(text, str)
    given = json.loads(text)
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
def test_what_is_no_case_is_refused_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(content)

    found = advise_file(path)

    assert isinstance(found, list)
    assert len(found) == 1
    assert sentence in found[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    found = advise_file(tmp_path / "none.json")

    assert found == [f"{tmp_path / 'none.json'} can't be read: No such file or directory."]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(b"\xef\xbb\xbf{}")

    assert isinstance(advise_file(path), str)
