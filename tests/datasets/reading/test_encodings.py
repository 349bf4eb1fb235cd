"""A file that is not UTF-8: refused with a way out, read as what a person says, and never guessed."""

import io
import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.__main__ import main
from app.assessments.tables import AssessmentRow
from app.chat import Record
from app.datasets import job, store
from app.datasets.reading import encodings, reader
from app.datasets.reading.faults import Fault
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Reading, Upload
from app.datasets.tables import DatasetRow
from app.db import reading as looking
from app.jobs.claims import Claim
from app.users.tables import UserRow
from tests.support.examples import pairs
from tests.support.places import BAD_FILES

Checked = Callable[..., DatasetRow]
LETTERS = {
    "windows-1252": "Grüße: 5 €",
    "windows-1250": "Zażółć gęślą jaźń",
    "windows-1251": "Съешь ещё",
    "mac-roman": "déjà vu œ",
    "gb18030": "退货需要多久",
    "cp932": "返品はできますか",
    "utf-16-le": "Größe 😀",
    "utf-16-be": "Größe 😀",
}
GERMAN = "Frage;Antwort\n" + "".join(
    f"{one['prompt']}, größer?;{one['completion']} schön\n" for one in map(json.loads, pairs(60).splitlines())
)


def read(data: bytes, encoding: str = "") -> tuple[Reading, list[Record | Fault]]:
    found = reader.read(Upload(io.BytesIO(data), "x", ReadAs(encoding=encoding)))
    return found, list(found)


def records(items: list[Record | Fault]) -> list[tuple[int, str, str]]:
    return [(one.line, one.messages[0].content, one.target) for one in items if isinstance(one, Record)]


def faults(items: list[Record | Fault]) -> list[tuple[int | None, str]]:
    return [(one.line, one.text) for one in items if isinstance(one, Fault)]


def test_every_choice_is_tried() -> None:
    assert set(LETTERS) == set(encodings.CHOICES)


@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize("lines", ['{{"prompt": "{0}", "completion": "b"}}\n', "prompt,completion\n{0},b\n"])
def test_a_chosen_encoding_gives_the_letters_that_were_written(name: str, lines: str) -> None:
    text = lines.format(LETTERS[name])

    found, items = read(text.encode(name), name)

    assert records(items) == [(text.count("\n"), LETTERS[name], "b")]
    assert (None, f"The file was read as {encodings.title(name)}, as chosen.") in faults(items)
    assert (found.encoding, found.undecodable) == (name, 0)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_that_is_no_letter_refuses_its_line_alone(end: str) -> None:
    rows = [f'{{"prompt": "{one}", "completion": "é"}}' for one in ("a", "b\x81", "c")]
    table = ["prompt,completion", "a,é", "b\x81,é", "c,é"]

    for lines, bad, word in ((rows, 2, "line"), (table, 3, "row")):
        data = end.join(lines).encode("latin-1")
        found, items = read(data, "windows-1252")
        assert [prompt for _, prompt, _ in records(items)] == ["a", "c"]
        text = f"The {word} holds byte 0x81, which is no letter in Windows-1252; is that its encoding?"
        assert (bad, text) in faults(items)
        assert found.undecodable == 1


def test_a_mark_weighs_more_than_a_choice() -> None:
    _, items = read("\ufeffprompt,completion\nü,b\n".encode(), "windows-1252")

    assert records(items) == [(2, "ü", "b")]
    assert faults(items) == [(None, "The file begins with the mark of UTF-8, so it was not read as Windows-1252.")]


def test_a_choice_that_garbles_is_named() -> None:
    _, items = read("prompt,completion\nü,b\n".encode(), "windows-1252")

    assert records(items) == [(2, "Ã¼", "b")]
    assert any("so Windows-1252 is probably wrong" in text for _, text in faults(items))


def test_what_is_not_utf_8_is_refused_and_told_the_way_out() -> None:
    found, items = read((BAD_FILES / "files" / "latin1.jsonl").read_bytes())
    table, rows = read(GERMAN.encode("cp1252"))

    assert not records(items)
    assert found.undecodable == 20
    assert all(text.endswith("or say on the data page which encoding it has.") for _, text in faults(items))
    assert not records(rows)
    assert (list(table.columns), table.undecodable) == (["frage", "antwort"], 3)


def test_the_command_line_reads_it_as_told(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(BAD_FILES / "files" / "latin1.jsonl")

    status = main(["check-data", file, "--json", "--encoding", "windows-1252"])

    said = json.loads(capsys.readouterr().out)
    assert (status, said["records"], said["bad_lines"], said["encoding"]) == (0, 20, [], "windows-1252")


def test_a_german_spreadsheet_goes_from_refusal_to_rows(
    people: Callable[[UserRow], TestClient],
    me: UserRow,
    checked: Checked,
    claimed: Callable[[DatasetRow], Claim],
    engine: Engine,
    assessment: AssessmentRow,
) -> None:
    client = people(me)
    row = checked(GERMAN.encode("cp1252"))
    address = f"/datasets/{row.id}/reading"
    chosen = {"shape": "columns", "question": "frage", "answer": "antwort", "encoding": "windows-1252"}

    report = client.get(f"/datasets/{row.id}").text
    guessed = client.get(address).text
    unfinished = client.get(address, params=chosen | {"answer": ""}).text
    preview = client.get(address, params=chosen).text
    made = client.post(address, data=chosen)

    assert row.state == "rejected"
    assert "which encoding it has under Change column mapping" in " ".join(report.split())
    assert f'href="{address}"' in report
    assert '<option value="antwort">' in guessed
    assert "größer" not in guessed
    assert "größer" in unfinished  # the letters are right before the columns are
    assert preview.count("größer?</pre>") == 3
    assert '<option value="windows-1252" selected>' in preview
    assert made.status_code == 303
    with looking(engine) as session:
        second = store.newest(session, assessment.id)
        assert second is not None
    job.check(claimed(second))
    with looking(engine) as session:
        done = store.get(session, second.id)
        assert (done.state, done.read_as.encoding, done.report.undecodable) == ("ready", "windows-1252", 0)
    assert "read as Windows-1252, as chosen" in client.get(f"/datasets/{second.id}").text


def test_an_unknown_encoding_is_refused(people: Callable[[UserRow], TestClient], me: UserRow, checked: Checked) -> None:
    client, row = people(me), checked(pairs(20))

    page = client.post(f"/datasets/{row.id}/reading", data={"encoding": "rot13"})
    by_api = client.post(f"/api/v1/datasets/{row.id}/reading", json={"encoding": "rot13"})

    assert (page.status_code, by_api.status_code) == (422, 422)
    assert "Choose one of windows-1252" in page.text
    assert [error["pointer"] for error in by_api.json()["errors"]] == ["#/encoding"]
