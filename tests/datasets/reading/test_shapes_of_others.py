"""What other tools export is read, or named with what to do; no conversation in one text is taken for a document."""

import io
import json
from typing import Any

import pytest

from app.chat import Record
from app.datasets.reading import reader
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import Upload

Turns = list[tuple[str, str]]


def read(value: dict[str, Any]) -> Record | Fault:
    return next(iter(reader.read(Upload(io.BytesIO(json.dumps(value).encode())))))


CONVERSE: dict[str, Any] = {
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "Where is "}, {"text": "my money?"}]},
        {"role": "assistant", "content": [{"text": "refund"}]},
    ],
}
GEMINI: dict[str, Any] = {
    "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Where is "}, {"text": "my money?"}]},
        {"role": "model", "parts": [{"text": "refund"}]},
    ],
}
TALK: Turns = [("system", "Be brief."), ("user", "Where is my money?")]
ASKED: Turns = [("user", "Where is my money?")]


@pytest.mark.parametrize(
    ("value", "turns"),
    [
        (CONVERSE, TALK),
        ({"schemaVersion": "bedrock-conversation-2024", **CONVERSE}, TALK),
        (GEMINI, TALK),
        ({"contents": GEMINI["contents"], "system_instruction": "Be brief."}, TALK),
        ({"contents": [{**one, "parts": [{"text": "old", "thought": True}, *one["parts"]]} if one["role"] == "model"
                       else one for one in GEMINI["contents"]]}, ASKED),
        ({"text_input": "Where is my money?", "output": "refund"}, ASKED),
        ({"system": "Be brief.", "messages": [{"role": "user", "content": "Where is my money?"},
          {"role": "assistant", "content": [{"type": "text", "text": "refund"}]}]}, TALK),
        ({"item": {"question": "Where is my money?", "ground_truth": "refund"}, "sample": {"text": "no"}}, ASKED),
        ({"input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my money?"}],
          "ideal": ["refund"]}, TALK),
        ({"input": "Where is my money?", "expected": "refund"}, ASKED),
        ({"input": "Where is my money?", "expected_output": "refund", "actual_output": "no"}, ASKED),
        ({"vars": {"q": "Where is my money?"}, "assert": [{"type": "equals", "value": "refund"}]}, ASKED),
        ({"data": {"text": "Where is my money?"}, "annotations": [{"was_cancelled": True, "result": []}, {"result": [
            {"from_name": "kind", "type": "choices", "value": {"choices": ["refund"]}}]}]}, ASKED),
        ({"fields": {"text": "Where is my money?"}, "responses": {"label": [{"value": "refund", "status": "a"}]}},
         ASKED),
        ({"text": "Where is my money?", "annotation": "refund", "prediction": None}, ASKED),
        ({"id": "7", "question": "Where is my money?", "answers": {"text": ["refund", "Refund"], "answer_start": [3]}},
         ASKED),
        ({"conversation": [{"system": "Be brief.", "input": "Where is my money?", "output": "refund"}]}, TALK),
        ({"conversation": [{"role": "user", "content": "Where is my money?"},
          {"role": "assistant", "content": "refund"}]}, ASKED),
        ({"request": {"body": {"messages": [{"role": "user", "content": "Where is my money?"}]}}, "response":
          {"choices": [{"message": {"role": "assistant", "content": "refund"}}]}}, ASKED),
    ],
)  # fmt: skip
def test_the_shapes_of_other_tools_are_read(value: dict[str, Any], turns: Turns) -> None:
    found = read(value)

    assert isinstance(found, Record), found
    assert ([(turn.role, turn.content) for turn in found.messages], found.target) == (turns, "refund")


ANTHROPIC = {
    "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {"city": {}}}}],
    "messages": [
        {"role": "user", "content": "Rain in Lund?"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Lund"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "dry"}]},
        {"role": "assistant", "content": "No."},
    ],
}  # fmt: skip
BEDROCK = {
    "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "description": "d", "inputSchema": {"json":
        {"type": "object", "properties": {"city": {}}}}}}]},
    "messages": [
        {"role": "user", "content": [{"text": "Rain in Lund?"}]},
        {"role": "assistant", "content": [{"text": "I look."},
            {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Lund"}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "dry"}]}}]},
        {"role": "assistant", "content": [{"text": "No."}]},
    ],
}  # fmt: skip
VERTEX = {
    "tools": [{"functionDeclarations": [{"name": "weather", "description": "d", "parameters":
        {"type": "object", "properties": {"city": {}}}}]}],
    "contents": [
        {"role": "user", "parts": [{"text": "Rain in Lund?"}]},
        {"role": "model", "parts": [{"text": "I look."},
            {"functionCall": {"name": "weather", "args": {"city": "Lund"}}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "weather", "response": "dry"}}]},
        {"role": "model", "parts": [{"text": "No."}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("value", "result"), [(ANTHROPIC, "dry"), (BEDROCK, "dry"), (VERTEX, '"dry"')])
def test_tools_of_other_clouds_are_called_alike(value: dict[str, Any], result: str) -> None:
    found = read(value)

    assert isinstance(found, Record), found
    assert found.messages[0].content.endswith(
        '{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{}}}}'
    )
    assert [(turn.role, turn.content) for turn in found.messages[1:]] == [
        ("user", "Rain in Lund?"),
        ("assistant", 'I look.\n{"name":"weather","arguments":{"city":"Lund"}}'),
        ("user", f"Result of weather:\n{result}"),
    ]
    assert found.source is not None
    messages = found.source["messages"]
    assert isinstance(messages, list)
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "assistant"]
    again = read(found.source)
    assert isinstance(again, Record)
    assert (again.messages, again.target) == (found.messages, found.target)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]}, "a part of type 'image'"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "a part of text without text"),
        ({"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://b"}}]}]}, "a picture, sound or file"),
        ({"input": "a", "ideal": ["b", "c"]}, "2 right answers"),
        ({"data": {"text": "a"}, "annotations": [{"result": [{"value": {"start": 1, "end": 2, "labels": ["X"]}}]}]},
         "marks parts of its text"),
        ({"fields": {"text": "a"}, "responses": {"x": [{"value": "1"}], "y": [{"value": "2"}]}}, "one of Argilla"),
        ({"mapping": {"a": {"message": None}}, "title": "t"}, "ChatGPT's export"),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "c"}, "take rejected out and rename chosen"),
        ({"conversation_a": [], "conversation_b": [], "winner": "model_a"}, "compares two conversations"),
        ({"request": {"a": 1}, "response": {"b": 2}}, "a log of a request"),
    ],
)  # fmt: skip
def test_what_names_no_single_answer_is_named(value: dict[str, Any], words: str) -> None:
    found = read(value)

    assert isinstance(found, Fault)
    assert words in found.text


# ---------------------------------------------------------------------- conversations in one text
@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("### Human: Where is my money?### Assistant: refund", ASKED),
        ("### Human: Where is my money?\n### Assistant: refund", ASKED),
        ("<s>[INST] Where is my money? [/INST] refund </s>", ASKED),
        ("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhere is my money? [/INST] refund </s>", TALK),
        (("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere is my money?<|im_end|>\n"
         "<|im_start|>assistant\nrefund<|im_end|>\n"), TALK),
        (("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhere is my money?<|eot_id|>"
         "<|start_header_id|>assistant<|end_header_id|>\n\nrefund<|eot_id|>"), ASKED),
        ("<bos><start_of_turn>user\nWhere is my money?<end_of_turn>\n<start_of_turn>model\nrefund<end_of_turn>", ASKED),
        ("<|system|>\nBe brief.</s>\n<|user|>\nWhere is my money?</s>\n<|assistant|>\nrefund</s>", TALK),
        ("\n\nHuman: Where is my money?\n\nAssistant: refund", ASKED),
        ("USER: Where is my money?\nASSISTANT: refund</s>", ASKED),
        (("Below is an instruction that describes a task. Write a response.\n\n### Instruction:\nWhere is my money?\n\n"
         "### Response:\nrefund"), ASKED),
        ("### Instruction:\nWhere is\n\n### Input:\nmy money?\n\n### Response:\nrefund",
         [("user", "Where is\nmy money?")]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["text", "prompt", "conversation"])
def test_a_conversation_in_one_text_is_read_as_one(key: str, text: str, turns: Turns) -> None:
    found = read({key: text})

    assert isinstance(found, Record), found
    assert ([(turn.role, turn.content) for turn in found.messages], found.target) == (turns, "refund")


def test_several_turns_keep_their_order() -> None:
    found = read({"text": "### Human: One?\n### Assistant: 1\n### Human: Two?\n### Assistant: 2"})

    assert isinstance(found, Record)
    assert [turn.role for turn in found.messages] == ["user", "assistant", "user"]
    assert found.target == "2"


@pytest.mark.parametrize(
    "text",
    [
        "### Human: One?\n### Assistant: 1\n### Human: Two?",
        "### Human: One?\n### Human: Two?\n### Assistant: 2",
        "[INST] One? [/INST]",
        "### Assistant: 1\n### Human: Two?",
    ],
)
def test_one_that_cannot_be_cut_is_named_and_never_sent_to_the_documents(text: str) -> None:
    found = read({"text": text})

    assert isinstance(found, Fault)
    assert "a conversation in one text" in found.text
    assert "retrieval" not in found.text


def test_a_passage_is_still_a_document() -> None:
    found = read({"text": "The user: a person who sails. The ferry sails at nine.", "id": 1})

    assert isinstance(found, Fault)
    assert "upload it as a document for retrieval" in found.text
