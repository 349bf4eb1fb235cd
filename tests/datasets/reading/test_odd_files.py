"""Files that nobody planned for: what can be read is kept, what can't is named, and nothing is lost in silence."""

import datetime as dt
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat import Record
from app.datasets import command
from app.datasets.reading import json_pieces, reader
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import Upload
from tests.support.depth import depth
from tests.support.examples import pairs

TABLE = "prompt,completion\n" + "".join(f"Ask {n} of it?,Say {n}\n" for n in range(5))
LIST = b"[" + b",".join(pairs(4).splitlines()) + b"]"
CELL = '"[{""role"": ""user"", ""content"": ""a""}, {""role"": ""assistant"", ""content"": ""b""}]"\n'
DEEP = "[" * 300 + "]" * 300


def read(data: bytes | str, name: str = "x.jsonl") -> tuple[list[Record], list[Fault]]:
    raw = data.encode() if isinstance(data, str) else data
    found = list(reader.read(Upload(io.BytesIO(raw), name)))
    faults = [one for one in found if isinstance(one, Fault) and one.level != "note"]
    return [one for one in found if isinstance(one, Record)], faults


def line(**record: Any) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def chat(*messages: dict[str, Any], **more: Any) -> str:
    return line(messages=[*messages], **more)


USER, ASSISTANT = {"role": "user", "content": "Ask"}, {"role": "assistant", "content": "Say"}


def called(arguments: str) -> str:
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    return chat(USER, call)


@pytest.mark.parametrize(
    ("data", "records", "where", "words"),
    [
        # Nesting that a parser takes and Python's stack, or the writer, does not.
        (pairs(2) + line(prompt="a", completion="b", m=json.loads(DEEP)).encode(), 2, [3], "more than 100 deep"),
        (pairs(2).decode() + '{"prompt":"a","prompt":"b","m":' + DEEP + "}", 2, [3], "more than 100 deep"),
        (called('{"a":' * 300 + "1" + "}" * 300), 0, [1], "nested more than 100 deep"),
        (chat(USER, ASSISTANT, tools=DEEP), 0, [1], "tools is nested"),
        # What parts a table's columns, said in a sign that parts nothing
        (b"sep=\xbb\nprompt,completion\na,b\n", 0, [None], "neither JSON nor a table"),
        (b'sep="\nprompt,completion\na,b\n', 0, [None], "neither JSON nor a table"),
        # Lists
        (LIST[:-1], 4, [None], "never closed"),
        (LIST[:-30], 3, [4], "in the middle"),
        (LIST[:-1] + b",", 4, [None], "never closed"),
        (LIST[:-1] + b",]", 4, [None], "A comma stands after the last record"),
        (LIST.replace(b"},", b"},,", 1), 4, [2], "A comma stands where"),
        (b"[," + LIST[1:], 4, [1], "A comma stands where"),
        (LIST.replace(b"},", b"}}, ", 1), 3, [1], "follows the object"),
        (LIST.replace(b"},", b"} ", 1), 2, [1], "a comma is missing"),
        (LIST + LIST, 4, [None], "follows the end of the list"),
        (b"[\n]", 0, [None], "The list is empty"),
        (b'[{"prompt": "a", "completion": "' + b"x" * (5 << 20) + b'\\""},' + LIST[1:], 4, [1], "longer than 4 MiB"),
        # Lines
        ("// by me\n" + pairs(2).decode() + "# end\n", 2, [1, 4], "comment"),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + pairs(2) + b"\xef\xbb\xbf" + pairs(2), 4, [], ""),
        (b"\x1e" + pairs(3).replace(b"\n{", b"\n\x1e{"), 3, [], ""),
        (b" " * 300_000 + pairs(2), 0, [None], "begins with over 256 KiB of blanks"),
        (b"\n" * 300_000, 0, [None], "empty"),
        # Bytes
        (pairs(3).decode().encode("utf-32"), 3, [None], "UTF-32"),
        (pairs(3).decode().encode("utf-32-be"), 0, [None], "looks like UTF-32"),
        (pairs(3).decode().encode("utf-16") + b"x", 3, [None, 4], "half of a character"),
        (bytes(range(256)) * 8, 0, [None], "no text"),
        (b"data.jsonl".ljust(257, b" ") + b"ustar", 0, [None], "tar archive"),
        (b"PAREsecret", 0, [None], "encrypted Parquet"),
        # Tables
        (TABLE.replace("\n", "\r"), 5, [], ""),
        (TABLE.replace("\n", "\r\n", 3).replace("\n", "\r", 1), 5, [], ""),
        ("\n\n" + TABLE + "short\n", 5, [9], "1 cells"),
        ('prompt,completion\n"a\nb",c\nshort\nd,e\n', 2, [3], "(Line 4 of the file.)"),
        (TABLE + 'the 5" pipe,"fits"x\n' + "f,g\n", 7, [], ""),
        (TABLE + 'the 5" pipe,"fits"x,y\n' + "f,g\n", 6, [7], "closing quotation mark"),
        (TABLE + '"open,a\n' + "b,c\n" * 9, 5, [7], "The 9 lines after it"),
        (TABLE.encode() + "caf\u00e9,au lait\n".encode("latin-1") + b"f,g\n", 6, [7], "byte 0xe9"),
        ("pr\u00e9,b\na,b\n".encode("latin-1"), 0, [1], "byte 0xe9"),
        ("sep=;\n" + TABLE.replace(",", ";"), 5, [], ""),
        (TABLE.replace(",", ', "').replace("\n", '"\n'), 5, [], ""),
        (TABLE.replace("\n", ",,\n").replace("completion,,", "completion", 1), 5, [], ""),
        ("prompt,completion\n", 0, [None], "No row follows"),
        ("text\none\n", 0, [None], "one column only, 'text'"),
        ("a," * (3 << 20), 0, [1], "Nothing after it was read"),
        ("Dear all\nhow are you\n", 0, [None], "neither JSON nor a table"),
        ("messages\n" + CELL, 1, [], ""),
        # Conversations and cases
        (chat({"role": "user", "content": [{"type": "image_url"}]}, ASSISTANT), 0, [1], "part of type 'image_url'"),
        (chat({"role": "user", "content": []}, ASSISTANT), 0, [1], "an empty list"),
        (chat(USER, ASSISTANT, tools=["f"]), 0, [1], "tools[0] has to be an object"),
        (chat(USER, ASSISTANT, tools=[{"function": "f"}]), 0, [1], "tools[0] has to be an object"),
        (line(conversations=[USER, ASSISTANT]), 1, [], ""),
        (line(conversations=[{"from": "human", "value": "a"}, {"from": "chatgpt", "value": "b"}]), 1, [], ""),
        (line(chosen=[USER, ASSISTANT], rejected=[USER]), 0, [1], "without a prompt; take rejected out"),
        (line(prompt="a", completion="b", label="False"), 0, [1], "unwanted"),
        (line(input={"q": "a"}, expectedOutput="b"), 1, [], ""),
        (line(vars="file://x", **{"assert": [{"type": "equals", "value": "a"}]}), 0, [1], "names a file"),
        (line(inputs={}, expectations={"expected_response": "a"}), 0, [1], "inputs is empty"),
    ],
)  # fmt: skip
def test_an_odd_file_keeps_its_good_rows_and_names_the_others(
    data: bytes | str, records: int, where: list[int | None], words: str
) -> None:
    kept, said = read(data)

    assert len(kept) == records
    assert [one.line for one in said] == where
    assert words in " ".join(one.text for one in said)


@pytest.mark.parametrize(("cut", "words"), [(8, "cut off"), (2000, "cut off")])
def test_what_stands_before_the_cut_of_a_packed_file_is_kept(cut: int, words: str) -> None:
    kept, said = read(gzip.compress(pairs(2000))[:-cut], "x.jsonl.gz")

    assert len(kept) > 1000
    assert words in said[-1].text


def test_what_is_read_as_a_variable_or_a_mark_is_not_called_unused() -> None:
    table = "question,__expected\n" + "".join(f"Ask {n},equals: {n}\n" for n in range(3))
    marked = line(prompt="a", completion="b", label=True) * 2

    unused = [
        one.text for data in (table, marked) for one in reader.read(io.BytesIO(data.encode())) if isinstance(one, Fault)
    ]

    assert unused == []


@settings(max_examples=depth(100, 300))
@given(st.text('[]{},:"\\ax1 \n', max_size=40), st.integers(1, 7), st.integers(3, 40))
def test_no_list_is_lost_in_silence_or_ends_in_a_crash(text: str, size: int, longest: int) -> None:
    """However a list is broken and however it comes: as many elements as the parser sees, or a fault."""
    data = f"[{text}".encode()

    pieces = list(json_pieces.elements((data[at : at + size] for at in range(0, len(data), size)), longest))

    try:
        value = json.loads(data)
    except ValueError:
        value = None
    read_all = value is not None and all(isinstance(piece, bytes) for _, piece in pieces)
    if read_all:
        assert [json.loads(piece) for _, piece in pieces if isinstance(piece, bytes)] == value
    if value is not None and any(isinstance(piece, Fault) for _, piece in pieces):
        assert value == []
    if value is None and all(isinstance(piece, bytes) for _, piece in pieces):
        assert any(not json_pieces._whole(piece) for _, piece in pieces if isinstance(piece, bytes))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b'{"prompt":"a","completion":"b"}\n', b"[", b"prompt,completion\n", b"PAR1"]),
)
def test_no_bytes_end_in_a_crash(data: bytes, start: bytes) -> None:
    if start == b"PAR1":
        data = data[:4]
    kept, said = read(start + data)

    assert kept or said


# ---------------------------------------------------------------------- Parquet
ASK = [f"Ask {n} of it?" for n in range(4)]
SAY = [f"Say {n}" for n in range(4)]


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def twice() -> bytes:
    out = io.BytesIO()
    names = ["prompt", "completion", "completion"]
    pq.write_table(pa.Table.from_arrays([pa.array(ASK), pa.array(SAY), pa.array(SAY)], names=names), out)
    return out.getvalue()


FAR = pa.array([2**60] * 4, pa.timestamp("ms"))
FINE = pa.array([2**62 + n for n in range(4)], pa.timestamp("ns"))
SPAN = pa.array([dt.timedelta(days=n) for n in range(4)])


@pytest.mark.parametrize(
    ("data", "records", "words"),
    [
        (parquet(prompt=ASK, completion=SAY, time=FINE, far=FAR, span=SPAN), 4, ""),
        (parquet(text=ASK, label=[True, False, True, False]), 4, ""),
        (parquet(prompt=ASK, completion=SAY, label=[True, False, True, False]), 2, "unwanted"),
        (parquet(text=ASK, label=[1.5, float("nan"), 2.0, 1.0]), 3, "not null"),
        (twice(), 0, "'completion' stands twice"),
        (parquet(prompt=pa.array([], pa.string()), completion=pa.array([], pa.string())), 0, "has no rows"),
        (parquet(messages=[json.dumps([USER, ASSISTANT])] * 4), 4, ""),
    ],
)
def test_parquet_of_any_kind_of_column(data: bytes, records: int, words: str) -> None:
    kept, said = read(data, "x.parquet")

    assert len(kept) == records
    assert words in " ".join(one.text for one in said)


def test_a_check_that_runs_out_of_memory_says_so(tmp_path: Path) -> None:
    class Greedy(type(tmp_path)):  # type: ignore[misc]  # a path is made by the kind of system
        def open(self, *given: Any, **more: Any) -> Any:
            raise MemoryError

    outcome = command.examine(Greedy(tmp_path / "x"))

    assert outcome["verdict"] == "reject"
    assert "needs more memory" in outcome["messages"][0]["text"]
