"""Labels and cells are what the person wrote, in every kind of file, and plain quotation marks lose no row."""

import io
import json
from pathlib import Path

import pytest

from app.chat import Record
from app.datasets.reading import reader
from app.datasets.reading.faults import Fault
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload
from app.datasets.reading.shapes import COLUMNS


def read(data: bytes, name: str = "", how: ReadAs | None = None) -> tuple[list[Record], list[Fault]]:
    found = list(reader.read(Upload(io.BytesIO(data), name, how or ReadAs())))
    return [one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Fault)]


WRITTEN = ["true", "false", "0.0", "0.10", "1e3", "-1", "0", "12345678901234567890123", "1.0"]


def test_labels_are_what_was_written_in_json() -> None:
    data = "\n".join(f'{{"text": "row {n}", "label": {label}}}' for n, label in enumerate(WRITTEN)).encode()

    records, faults = read(data)

    assert ([one.target for one in records], faults) == (WRITTEN, [])


@pytest.mark.parametrize("sign", [",", "\t", ";"])
def test_labels_are_what_was_written_in_a_table(sign: str) -> None:
    rows = "\n".join(f"row {n}{sign}{label}" for n, label in enumerate(WRITTEN))

    records, faults = read(f"text{sign}label\n{rows}\n".encode())

    assert ([one.target for one in records], faults) == (WRITTEN, [])


def test_labels_are_what_was_written_in_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"bool": [True, False], "float": [0.0, 1.5], "int": [-1, 3], "list": [["a", "b"], ["c"]]}
    found = {}
    for name, labels in columns.items():
        pq.write_table(pa.table({"text": ["one", "two"], "label": labels}), tmp_path / name)
        records, faults = read((tmp_path / name).read_bytes())
        assert faults == []
        found[name] = [one.target for one in records]

    assert found == {
        "bool": ["true", "false"],
        "float": ["0.0", "1.5"],
        "int": ["-1", "3"],
        "list": ['["a","b"]', '["c"]'],
    }


def test_a_list_of_labels_is_the_list() -> None:
    records, _ = read(b'{"text": "a", "label": ["red", "blue"]}\n{"text": "b", "label": [1, 2.5, true]}')

    assert [json.loads(one.target) for one in records] == [["red", "blue"], [1, 2.5, True]]


def test_yes_and_no_may_be_true_and_false_in_any_pair_and_in_a_chosen_column() -> None:
    (one,), _ = read(b'{"question": "Is it?", "passage": "It is.", "answer": true}')
    (two,), _ = read(b'{"q": "Is it?", "ok": false}', how=ReadAs(shape=COLUMNS.name, question="q", answer="ok"))

    assert (one.target, two.target) == ("true", "false")


@pytest.mark.parametrize("label", ["null", "{}", "[]", '""', "[[1]]"])
def test_what_is_no_label_is_named(label: str) -> None:
    records, faults = read(f'{{"text": "a", "label": {label}}}'.encode())

    assert (records, faults[0].field) == ([], "label")


# ---------------------------------------------------------------------- quotation marks
PLAIN = [
    ('"Help" Letter 1 of the 3rd', "refund"),
    ('He said "hi" and left', "greeting"),
    ('The 5" pipe', "goods"),
    ('"Help me', "refund"),
    ('"', "other"),
    ('Where is my "order', "order"),
    ('"So what?" he asked, "and why?"', "question"),
    ("Plain", '"odd" label'),
    ("it's over", "order"),
]


def test_plain_marks_between_tabs_lose_no_row() -> None:
    rows = PLAIN * 3
    data = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)

    records, faults = read(data.encode(), "x.tsv")

    assert [(one.messages[0].content, one.target) for one in records] == rows
    assert [one for one in faults if one.level == "error"] == []
    assert [one.line for one in records] == list(range(2, len(rows) + 2))


def test_plain_marks_between_commas_lose_no_row() -> None:
    rows = ('"Help" Letter 1,x', 'He said "hi" twice,x', '"He said "hi", twice",x', '"a ""b"" c",x')
    data = "\n".join(("text,label", *rows))

    records, faults = read(data.encode(), "x.csv")

    assert [one.messages[0].content for one in records] == [
        '"Help" Letter 1', 'He said "hi" twice', 'He said "hi", twice', 'a "b" c']  # fmt: skip
    assert faults == []


@pytest.mark.parametrize("sign", [",", "\t"])
def test_cells_with_lines_and_signs_in_marks_stay_whole(sign: str) -> None:
    cells = [(f"one{sign}two\nthree{sign}four", "a"), ('say "hi"\n\nthere', "b"), (f"x{sign}", "c")]
    quoted = "".join('"' + text.replace('"', '""') + f'"{sign}{label}\n' for text, label in cells)

    records, faults = read(f"text{sign}label\n{quoted}".encode())

    assert ([(one.messages[0].content, one.target) for one in records], faults) == (cells, [])
    assert [one.line for one in records] == [2, 3, 4]


def test_many_open_marks_take_no_time() -> None:
    rows = 20_000
    data = "text\tlabel\n" + "".join(f'"Open {n}\trefund\n' for n in range(rows))

    records, _ = read(data.encode(), "x.tsv")

    assert len(records) == rows
