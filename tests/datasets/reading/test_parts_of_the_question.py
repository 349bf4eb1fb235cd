"""Nothing that belongs to a question is left out in silence: it is asked, or the record is refused by name."""

import io
import json
from typing import Any

import pytest

from app.chat import Record
from app.datasets import exporting
from app.datasets.reading import reader
from app.datasets.reading.faults import Fault
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload


def read(*values: dict[str, Any], how: ReadAs | None = None) -> tuple[list[Record], list[Fault]]:
    data = b"\n".join(json.dumps(value).encode() for value in values)
    found = list(reader.read(Upload(io.BytesIO(data), how=how or ReadAs())))
    return [one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Fault)]


def question_of(value: dict[str, Any]) -> str:
    records, faults = read(value)
    assert records, faults
    return records[0].messages[-1].content


PASSAGE = "The ferry to the island sails at nine and at noon."
DOLLY = {"instruction": "When does it sail?", "context": PASSAGE, "response": "At nine.", "category": "closed_qa"}


@pytest.mark.parametrize(
    ("value", "question"),
    [
        (DOLLY, f"When does it sail?\n\nContext:\n{PASSAGE}"),
        ({**DOLLY, "context": ""}, "When does it sail?"),
        ({**DOLLY, "context": None}, "When does it sail?"),
        ({"question": "When?", "answer": "At nine.", "contexts": [PASSAGE, "Bring a coat."]},
         f"When?\n\nContexts:\n{PASSAGE}\n\nBring a coat."),
        ({"question": "When?", "answer": "At nine.", "documents": [{"title": "Ferry", "text": PASSAGE}]},
         f"When?\n\nDocuments:\ntitle: Ferry\ntext: {PASSAGE}"),
        ({"prompt": "When?", "completion": "At nine.", "passage": PASSAGE}, f"When?\n\nPassage:\n{PASSAGE}"),
        ({"instruction": "Translate.", "input": "Hello", "response": "Hallo"}, "Translate.\n\nHello"),
        ({"instruction": "Translate.", "input": "Hello", "output": "Hallo", "context": "polite"},
         "Translate.\nHello\n\nContext:\npolite"),
        ({"title": "Ferry late", "text": "It waited.", "label": "bad"}, "Ferry late\n\nIt waited."),
        ({"title": "Ferry", "question": "When?", "answer": "At nine."}, "When?\n\nTitle: Ferry"),
        ({"question": "Which?", "choices": ["red", "blue"], "answer": "B"}, "Which?\n\nChoices:\nA) red\nB) blue"),
        ({"question": "Which?", "choices": {"text": ["red", "blue"], "label": ["1", "2"]}, "answer": "2"},
         "Which?\n\nChoices:\n1) red\n2) blue"),
        ({"question": "Which?", "options": {"X": "red", "Y": 7}, "answer": "X"}, "Which?\n\nOptions:\nX) red\nY) 7"),
        ({"question": "How many?", "context": "CREATE TABLE t (a int)", "answer": "SELECT count(*) FROM t"},
         "How many?\n\nContext:\nCREATE TABLE t (a int)"),
        ({"user_input": "When?", "reference": "At nine.", "retrieved_contexts": [PASSAGE], "response": "Noon?"},
         f"When?\n\nRetrieved contexts:\n{PASSAGE}"),
        ({"messages": [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "At nine."}],
          "documents": [PASSAGE]}, f"When?\n\nDocuments:\n{PASSAGE}"),
    ],
)  # fmt: skip
def test_what_has_to_be_read_to_answer_is_asked(value: dict[str, Any], question: str) -> None:
    assert question_of(value) == question


def test_it_is_asked_beside_a_chosen_column_too_unless_it_is_chosen_itself() -> None:
    value = {"q": "When?", "context": PASSAGE, "title": "Ferry", "a": "At nine."}
    chosen = ReadAs(shape="columns", question="q", answer="a")

    (beside,), (said, *_) = read(value, how=chosen)
    (itself,), _ = read(value, how=ReadAs(shape="columns", question="context", answer="a"))

    assert beside.messages[-1].content == f"When?\n\nContext:\n{PASSAGE}"
    assert said.text == "'context' is part of the question in 1 record."
    assert itself.messages[-1].content == PASSAGE


def test_the_export_asks_the_same_as_the_measurement() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    records, _ = read({"messages": [{"role": "user", "content": "When?"}, calls], "context": PASSAGE})
    source = records[0].source
    assert source is not None
    row: exporting.CanonicalRow = {"split": "train", "messages": [], "target": records[0].target, "source": source}

    messages = exporting.chat(row)["messages"]
    assert isinstance(messages, list)
    assert messages[0]["content"] == records[0].messages[-1].content
    assert PASSAGE in records[0].messages[-1].content


def test_the_report_says_which_columns_are_asked() -> None:
    _, faults = read(DOLLY, {**DOLLY, "context": " "}, {**DOLLY, "instruction": "Where?"})

    said = [(one.level, one.text) for one in faults if "part of the question" in one.text]
    assert said == [("note", "'context' is part of the question in 3 records.")]
    assert not [one for one in faults if "context" in one.text and "not used" in one.text]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({**DOLLY, "context": {"sentences": [["a"], ["b"]]}}, "context belongs to the question and has to be text"),
        ({**DOLLY, "image": "cat.png"}, "image holds what can't be read as text"),
        ({"messages": [{"role": "user", "content": "What is it?", "images": ["aGk="]},
                       {"role": "assistant", "content": "a cat"}]}, "messages[0].images holds what can't be read"),
        ({"conversations": [{"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "a cat"}],
          "image": "a.jpg"}, "image holds"),
        ({"prompt": "Say it.", "completion": "hi", "audio": {"path": "a.wav"}}, "audio holds"),
        ({"question": "When?", "answer": "Noon.", "ground_truth": "At nine."}, "a model's answer beside the right one"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_refuses_the_record_by_name(value: dict[str, Any], words: str) -> None:
    records, faults = read(value)

    assert records == []
    assert words in faults[0].text


def test_an_empty_list_of_pictures_refuses_nothing() -> None:
    assert question_of({**DOLLY, "images": [], "audio": None, "context": ""}) == "When does it sail?"


def test_functions_are_the_tools_that_can_be_called() -> None:
    function = {"name": "weather", "description": "Says the weather", "parameters": {"type": "object"}}
    call = {"name": "weather", "arguments": "{}"}
    talk = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": None, "function_call": call}]

    old, new = (read({"messages": talk, **more})[0][0] for more in (
        {"functions": [function]}, {"tools": [{"type": "function", "function": function}]}))  # fmt: skip

    assert '"name":"weather"' in old.messages[0].content
    assert (old.messages, old.target) == (new.messages, new.target)


def test_a_long_text_that_is_not_asked_is_warned_about_and_a_short_one_is_not() -> None:
    rows = [
        {"question": f"When {n}?", "answer": "Nine.", "dossier": PASSAGE * 3, "id": n, "ref": "a"} for n in range(9)
    ]

    _, faults = read(*rows)

    assert [(one.level, one.field) for one in faults] == [("warning", "dossier"), ("note", "")]
    assert "'dossier' holds long texts that are not asked" in faults[0].text


def test_the_name_of_a_conversation_is_not_asked_and_that_is_said() -> None:
    talk = [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "At nine."}]
    records, faults = read({"messages": talk, "title": "Ferry sails at nine"})

    assert records[0].messages[-1].content == "When?"
    (text,) = [one.text for one in faults if one.level == "warning"]
    assert text.startswith("'title' is taken for the conversation's name and is not asked; write it into the first")


# ---------------------------------------------------------------------- reasoning beside the answer
@pytest.mark.parametrize(
    "answer",
    [
        {"content": "refund", "reasoning_content": "They ask for money back."},
        {"content": "refund", "thinking": "They ask for money back."},
        {"content": [{"type": "thinking", "thinking": "They ask."}, {"type": "text", "text": "refund"}]},
        {"content": [{"reasoningContent": {"reasoningText": {"text": "They ask."}}}, {"text": "refund"}]},
    ],
)
def test_reasoning_beside_the_answer_is_counted_and_left_out(answer: dict[str, Any]) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"Money {n}?"}, {"role": "assistant", **answer}]} for n in range(30)
    ]

    records, faults = read(*rows)

    assert {one.target for one in records} == {"refund"}
    (said,) = [one for one in faults if one.level == "warning"]
    assert "stands beside it in 30 records" in said.text
    assert "It is left out: models are asked and trained without it." in said.text
    assert not [one for one in faults if "not used" in one.text]


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "refund", "reasoning_content": "They ask."},
        {"content": "refund", "reasoning_details": [{"type": "reasoning.text", "text": "They ask."}]},
        {"content": [{"type": "thinking", "thinking": "They ask."}, {"type": "text", "text": "refund"}]},
        {"content": [{"reasoningContent": {"reasoningText": {"text": "They ask."}}}, {"text": "refund"}]},
    ],
)
def test_reasoning_is_kept_apart_from_the_answer_where_somebody_wants_it_trained(answer: dict[str, Any]) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"Money {n}?"}, {"role": "assistant", **answer}]} for n in range(3)
    ]

    records, faults = read(*rows, how=ReadAs(reasoning="train"))

    assert {(one.target, one.reasoning) for one in records} == {("refund", "They ask.")}
    assert [one for one in faults if "It is trained before the answer" in one.text]


def test_reasoning_beside_a_pair_is_counted_too() -> None:
    _, faults = read(*({"question": f"{n}?", "answer": "a", "reasoning": "because"} for n in range(4)), {
        "question": "5?", "answer": "a", "reasoning": " "})  # fmt: skip

    assert [one.text for one in faults if "stands beside it in 4 records ('reasoning')" in one.text]


# ---------------------------------------------------------------------- what a table put into tool calls
def tool(name: str, *arguments: str, padded: tuple[str, ...] = ()) -> dict[str, Any]:
    properties = {**{one: {"type": "string"} for one in arguments}, **dict.fromkeys(padded)}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


@pytest.mark.parametrize("padded", [(), ("x", "y", "city")])
@pytest.mark.parametrize("as_text", [True, False])
def test_arguments_that_only_a_table_added_are_dropped_and_counted(padded: tuple[str, ...], as_text: bool) -> None:
    tools = [
        tool("move", "x", "y", padded=tuple(one for one in padded if one == "city")),
        tool("weather", "city", padded=tuple(one for one in padded if one != "city")),
    ]
    rows = []
    for number in range(40):
        given = {"x": None, "y": None, "city": "Lund"} if number % 2 else {"x": 1, "y": None, "city": None}
        call = {"name": "weather" if number % 2 else "move", "arguments": json.dumps(given) if as_text else given}
        rows.append({"messages": [{"role": "user", "content": f"Do {number}"}, {"role": "assistant", "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": call}]}], "tools": tools})  # fmt: skip

    records, faults = read(*rows)

    wanted = [json.loads(one.target)["arguments"] for one in records[:2]]
    assert wanted == [{"x": 1, "y": None}, {"city": "Lund"}]  # y is an argument of move, and null is what it says
    (text,) = [one.text for one in faults if "only the table added" in one.text]
    assert text.startswith("60 empty arguments that only the table added were taken out of tool calls: the tools that")
    source = records[1].source
    assert source is not None
    messages = source["messages"]
    assert isinstance(messages, list)
    arguments = messages[1]["tool_calls"][0]["function"]["arguments"]
    assert (json.loads(arguments) if as_text else arguments) == {"city": "Lund"}


def test_without_a_definition_nobody_knows_what_a_table_added() -> None:
    call = {"function": {"name": "move", "arguments": {"x": 1, "city": None}}}
    talk = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": None, "tool_calls": [call]}]

    assert json.loads(read({"messages": talk})[0][0].target)["arguments"] == {"x": 1, "city": None}
