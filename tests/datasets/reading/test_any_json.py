"""Whatever JSON stands on a line, it becomes a record or a sentence, and never an error of ours."""

import io
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from app.chat import Record
from app.datasets.reading import reader
from app.datasets.reading.canonical import from_line, to_line
from app.datasets.reading.faults import Fault
from app.datasets.reading.messages import ROLES
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload
from app.datasets.reading.shapes import SHAPES

KEYS = (
    *("messages", "prompt", "completion", "instruction", "input", "output", "history", "system", "conversations"),
    *("tools", "role", "content", "from", "value", "weight", "tool_calls", "tool_call_id", "function_call", "name"),
    *("function", "arguments", "id", "type", "text", "label", "split", "group", "vars", "assert", "__expected"),
    *("inputs", "expectations", "expected_response", "question", "answer", "chosen", "rejected", "expectedOutput"),
    *("contents", "parts", "item", "mapping", "data", "annotations", "fields", "responses", "request", "response"),
    *("context", "choices", "title", "functions", "images", "answers", "ideal", "reasoning", "conversation", "toolUse"),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        [*ROLES, "human", "gpt", "function_call", "observation", "equals", "{}", "[]", '{"name": "f"}', "test"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(ROLES), "content": st.one_of(st.none(), st.text(max_size=4), VALUES)},
        optional={"tool_calls": VALUES, "weight": SCALARS, "name": SCALARS, "tool_call_id": SCALARS},
    ),
    max_size=5,
)


def outcome(value: Any, how: ReadAs) -> list[Record | Fault]:
    return list(reader.read(Upload(io.BytesIO(json.dumps(value).encode() + b"\n"), how=how)))


@example({"expectations": None, "__expected": None}, ReadAs())
@example({"contents": [{"role": [], "parts": [{"text": "a"}]}]}, ReadAs())
@given(
    st.one_of(RECORDS, st.fixed_dictionaries({"messages": TURNS}, optional={"tools": VALUES})),
    st.sampled_from([ReadAs(), *(ReadAs(name, "vars.name", "answer", "system", "id", "type") for name in SHAPES)]),
)
def test_a_line_is_a_record_or_a_sentence(value: dict[str, Any], how: ReadAs) -> None:
    found = outcome(value, how)

    assert found
    for item in found:
        if isinstance(item, Record):
            assert item.target.strip()
            assert {turn.role for turn in item.messages} <= {"system", "user", "assistant"}
            assert from_line(to_line(item)) == item
        else:
            assert 0 < len(item.text) < 500
    assert sum(isinstance(item, Record) for item in found) <= 1
