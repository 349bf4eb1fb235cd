"""Packed and columnar files: honest ones are read as if they came plain, the others stop early and say why."""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.chat import Record
from app.datasets.reading import gzip_stream, parquet, reader
from app.datasets.reading.faults import Fault, Unreadable
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload
from app.wording import state
from tests.support.examples import pairs
from tests.support.processes import children

Items = list[Record | Fault]


def read(data: bytes, name: str, how: ReadAs | None = None) -> Items:
    return list(reader.read(Upload(io.BytesIO(data), name, how or ReadAs())))


def texts(items: Items) -> list[str]:
    return [item.text for item in items if isinstance(item, Fault)]


def table(path: Path, columns: dict[str, object], **options: object) -> bytes:
    pq.write_table(pa.table(columns), path, **options)
    return path.read_bytes()


# ---------------------------------------------------------------------- gzip
def test_gzip_is_read_as_what_is_in_it() -> None:
    plain = pairs(3000)

    assert read(gzip.compress(plain), "x.jsonl.gz") == read(plain, "x.jsonl")
    assert read(gzip.compress(plain[:500]) + gzip.compress(plain[500:]) + b"\0" * 9, "x.gz") == read(plain, "x.jsonl")


def test_a_packed_table_is_a_table() -> None:
    found = read(gzip.compress(b"question,answer\nwhy?,so\n"), "x.csv.gz")

    assert [item.target for item in found if isinstance(item, Record)] == ["so"]


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (gzip.compress(pairs(9)), "x.jsonl", "under another name"),
        (gzip.compress(pairs(9))[:-9], "x.gz", "cut off"),
        (gzip.compress(pairs(9))[:40] + b"damage" * 9, "x.gz", "damaged"),
        (gzip.compress(pairs(9)) + b"more", "x.gz", "not gzip follows"),
        (gzip.compress(gzip.compress(pairs(9))), "x.gz", "packed twice"),
        (gzip.compress(b"PK\x03\x04 and so on"), "x.gz", "zip archive"),
        (gzip.compress(b""), "x.gz", "empty"),
    ],
    ids=["name", "cut", "damage", "more", "twice", "zip", "nothing"],
)
def test_what_is_wrong_with_packed_data_is_said_in_a_sentence(data: bytes, name: str, words: str) -> None:
    assert words in " ".join(texts(read(data, name)))


def test_a_bomb_is_put_down_before_it_grows() -> None:
    line = json.dumps({"prompt": "p", "completion": "x" * 1000}).encode() + b"\n"
    bomb = gzip.compress(line * 200_000, 9)  # 200 MB in half a megabyte
    stream = gzip_stream.Unpacked(io.BytesIO(bomb), b"")

    with pytest.raises(Unreadable) as refusal:
        list(iter(lambda: stream.read(1 << 18), b""))

    assert refusal.value.statement == state("gzip_bomb", times=100)

    assert stream._given <= max(gzip_stream.FREE, 100 * stream._taken) + (1 << 18)


# ---------------------------------------------------------------------- Parquet
def test_parquet_gives_the_same_records_as_json_lines(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in pairs(1000).splitlines()]
    columns: dict[str, object] = {name: [line[name] for line in lines] for name in ("prompt", "completion")}
    table(tmp_path / "x.parquet", columns, row_group_size=300)

    with (tmp_path / "x.parquet").open("rb") as stream:
        upload = reader.read(Upload(stream, "x.parquet"))
        found = list(upload)

    assert found == read(pairs(1000), "x.jsonl")
    assert (upload.layout, upload.line_word) == ("Parquet", "row")


def test_conversations_in_parquet_have_no_keys_that_the_table_filled_with_nothing(tmp_path: Path) -> None:
    messages = [
        [{"role": "user", "content": "ask", "weight": None}, {"role": "assistant", "content": "a", "weight": 1}]
    ]

    (record,) = read(table(tmp_path / "x.parquet", {"messages": messages}), "x.parquet")

    assert isinstance(record, Record)
    assert (record.messages[0].content, record.target) == ("ask", "a")


def test_numbers_and_named_labels_of_a_table_are_text(tmp_path: Path) -> None:
    notes = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
    made = pa.table({"text": ["x", "y"], "label": [1, 0], "stars": [5, 1]})
    pq.write_table(made.replace_schema_metadata({"huggingface": json.dumps(notes)}), tmp_path / "x.parquet")
    data = (tmp_path / "x.parquet").read_bytes()

    named = [item.target for item in read(data, "x") if isinstance(item, Record)]
    chosen = [item.target for item in read(data, "x", ReadAs("columns", "text", "stars")) if isinstance(item, Record)]

    assert (named, chosen) == (["good", "bad"], ["5", "1"])


@pytest.mark.parametrize("cut", [4, 50, -1, -6])
def test_a_damaged_parquet_file_is_refused_in_a_sentence(tmp_path: Path, cut: int) -> None:
    data = table(tmp_path / "x.parquet", {"prompt": ["a"] * 50, "completion": ["b"] * 50})

    (said,) = texts(read(data[:cut], "x.parquet"))

    assert said.startswith("The Parquet file")
    assert len(said) < 400


def test_a_parquet_file_that_claims_a_huge_page_dies_alone(tmp_path: Path) -> None:
    columns: dict[str, object] = {"prompt": ["a" * 500], "completion": ["b"]}
    data = bytearray(table(tmp_path / "x.parquet", columns, compression="gzip", use_dictionary=False))
    at = data.index(b"\x15\x00\x15") + 3  # a data page begins: its kind, then its unpacked size as a varint
    data[at : at + 2] = b"\xfe\xff"  # says the next bytes belong to the number too, so it becomes enormous

    said = texts(read(bytes(data), "x.parquet"))

    assert said[0].startswith("The Parquet file")


def test_a_table_that_repeats_one_value_is_a_bomb_too(tmp_path: Path) -> None:
    size = 300_000
    values = pa.DictionaryArray.from_arrays(pa.array([0] * size, pa.int32()), pa.array(["x" * 1000]))
    data = table(tmp_path / "x.parquet", {"prompt": values, "completion": values})
    assert len(data) < 1 << 20

    found = read(data, "x.parquet")

    assert "over 100 times its size" in texts(found)[-1]
    assert len(found) < size / 2


def test_the_child_ends_when_nobody_reads_on(tmp_path: Path) -> None:
    data = table(tmp_path / "x.parquet", {"prompt": [f"{n}" * 50 for n in range(50_000)], "completion": ["b"] * 50_000})

    before = children()
    lines = parquet.lines(io.BytesIO(data), b"")
    next(lines)
    (child,) = children() - before
    del lines

    assert child not in children()
