"""Bytes in, records and faults out: line numbers, chunk borders, bounds."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import Record
from app.datasets.reading import json_pieces, reader
from app.datasets.reading.faults import Fault
from tests.support.places import DATA


class Dribble(io.RawIOBase):
    """A stream that gives `size` bytes at a time, so that every border of a chunk is met."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at = data, size, 0

    def read(self, wanted: int = -1) -> bytes:
        piece = self.data[self.at : self.at + self.size]
        self.at += len(piece)
        return piece


def read(data: bytes, **options: Any) -> list[Record | Fault]:
    return list(reader.read(io.BytesIO(data), **options))


def pair(prompt: str, completion: str) -> bytes:
    return json.dumps({"prompt": prompt, "completion": completion}, ensure_ascii=False).encode()


def records(items: list[Record | Fault]) -> list[tuple[int, str, str]]:
    return [(r.line, r.messages[-1].content, r.target) for r in items if isinstance(r, Record)]


@given(
    st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(min_value=1, max_value=40),
)
def test_chunk_borders_and_line_ends_change_nothing(rows: list[tuple[str, str]], end: str, size: int) -> None:
    data = end.encode().join(json.dumps({"prompt": p, "completion": c}).encode() for p, c in rows)
    whole = read(data)

    # The head is what formats are seen by, so it comes whole; all after it dribbles.
    lines = list(json_pieces.lines(iter([data[i : i + size] for i in range(0, len(data), size)]), 1 << 20))

    assert [line for line in lines if line[1]] == list(enumerate(data.split(end.encode()), start=1))
    assert all(1 <= item.line <= len(rows) for item in whole if item.line is not None)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=6), st.integers(1, 30))
def test_an_array_gives_the_same_elements_however_it_comes(rows: list[tuple[str, str]], size: int) -> None:
    value = [{"prompt": p, "completion": [c, {"x": "]}"}]} for p, c in rows]
    data = json.dumps(value, indent=1, ensure_ascii=True).encode()

    pieces = list(json_pieces.elements((data[i : i + size] for i in range(0, len(data), size)), 1 << 20))

    assert [json.loads(raw) if isinstance(raw, bytes) else raw for _, raw in pieces] == value
    assert [number for number, _ in pieces] == list(range(1, len(rows) + 1))


def test_line_numbers_are_physical_lines() -> None:
    data = b"\n" + pair("a", "b") + b"\r\n\r\n" + pair("c\u2028\u0085", "d") + b"\rnope\n" + pair("e", "f")

    found = read(data)

    assert [line for line, _, _ in records(found)] == [2, 4, 6]
    assert [f.line for f in found if isinstance(f, Fault)] == [5]


def test_elements_of_an_array_carry_their_place() -> None:
    data = b"[\n  " + pair("a", "b") + b",\n\n  " + pair("c", "d") + b",\n 7\n]\n"

    found = read(data)

    assert [line for line, _, _ in records(found)] == [1, 2]
    assert [(f.line, f.level) for f in found if isinstance(f, Fault)] == [(3, "error")]


def test_a_line_that_is_too_long_is_named_and_not_kept() -> None:
    data = pair("a", "b") + b"\n" + pair("x" * 5000, "y") + b"\n" + pair("c", "d")

    found = read(data, longest_line=4000)

    assert [line for line, _, _ in records(found)] == [1, 3]
    assert [f.line for f in found if isinstance(f, Fault)] == [2]


@pytest.mark.parametrize("byte", [b"\0", b"x", b"[", b'"', b"\r"])
def test_a_file_without_a_line_end_needs_no_more_memory_than_its_longest_line(byte: bytes) -> None:
    class Endless(io.RawIOBase):
        left = 32 << 20

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return byte * size

    tracemalloc.start()
    try:
        found = list(reader.read(Endless(), longest_line=1 << 18))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found
    assert all(isinstance(item, Fault) for item in found)
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        ({"prompt": "a"}, "completion", "no completion"),
        ({"prompt": "a", "completion": 7}, "completion", "not a number"),
        ({"prompt": " ", "completion": "b"}, "prompt", "prompt is empty"),
        ({"chosen": "a", "rejected": "b", "prompt": "c"}, "chosen", "preference pairs"),
        ({"text": "only text"}, "text", "retrieval"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role", "'bot'"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages", "no assistant"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{}]}]},
            "messages[1].tool_calls",
            "tool",
        ),
        ({"conversations": [{"from": "alien", "value": "x"}]}, "conversations[0].from", "'alien'"),
    ],
)
def test_a_fault_names_the_field_and_says_what_is_wrong(record: dict[str, Any], field: str, words: str) -> None:
    (fault,) = read(json.dumps(record).encode())

    assert isinstance(fault, Fault)
    assert (fault.line, fault.field) == (1, field)
    assert words in fault.text


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "ask", "completion": "answer"},
        {"messages": [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "answer"}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "ask"}]},
                {"role": "assistant", "content": "answer"},
            ]
        },
        {"instruction": "ask", "input": "", "output": "answer"},
        {"conversations": [{"from": "human", "value": "ask"}, {"from": "gpt", "value": "answer"}]},
        {"prompt": [{"role": "user", "content": "ask"}], "completion": [{"role": "assistant", "content": "answer"}]},
        {"question": "ask", "answer": "answer"},
        {"text": "ask", "label": "answer"},
    ],
)
def test_every_shape_becomes_the_same_record(record: dict[str, Any]) -> None:
    (found,) = read(json.dumps(record).encode())

    assert isinstance(found, Record)
    assert [(turn.role, turn.content) for turn in found.messages] == [("user", "ask")]
    assert found.target == "answer"


def test_the_three_shapes_of_one_set_give_the_same_records() -> None:
    alpaca = (DATA / "chat" / "alpaca_with_input_120.jsonl").read_bytes()
    rows = [json.loads(line) for line in alpaca.splitlines()]
    pairs = [("\n".join(filter(None, (row["instruction"], row["input"]))), row["output"]) for row in rows]
    chat = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs]
    sharegpt = [{"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for q, a in pairs]
    shapes = [alpaca, json.dumps(rows, indent=1).encode()]
    shapes += ["\n".join(json.dumps(one) for one in made).encode() for made in (chat, sharegpt)]

    found = [[(r.messages, r.target) for r in read(shape) if isinstance(r, Record)] for shape in shapes]

    assert len(found[0]) == 120
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.deep
def test_the_three_shapes_of_a_large_set_give_the_same_records(sets: Path) -> None:
    found = []
    for name in ("openai_messages.jsonl", "alpaca.jsonl", "alpaca_array.json", "sharegpt.jsonl"):
        with (sets / "chat" / name).open("rb") as stream:
            found.append([r.target for r in reader.read(stream) if isinstance(r, Record)])

    assert len(found[0]) == 1000
    assert found[0] == found[1] == found[2] == found[3]
