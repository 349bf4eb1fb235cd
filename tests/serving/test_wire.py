"""What clients of OpenAI's protocol may send, and what streams pass on."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from app.chat import Message
from app.errors import Invalid
from app.inference.generator import Answer
from app.serving.wire import ChatRequest, Completion, Visible

USER = {"role": "user", "content": "Hi"}


def request(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [USER], **more})


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0, "top_p": 0.9, "n": 1, "seed": 7, "presence_penalty": 0, "user": "x", "logprobs": False},
        {"response_format": {"type": "text"}, "tools": [], "stop": None, "max_tokens": None, "logit_bias": {}},
        {"max_completion_tokens": 5, "stop": ["a", "\n\n"], "stream": True, "stream_options": {"include_usage": True}},
    ],
)
def test_what_means_nothing_at_temperature_0_is_taken(more: dict[str, Any]) -> None:
    assert request(**more).check() is None


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"temperature": 0.7}, "temperature"),
        ({"n": 2}, "n"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 3}}}}, "response_format"),
    ],
)
def test_what_models_here_can_not_do_is_refused_by_name(more: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid) as refusal:
        request(**more).check()

    assert [error.field for error in refusal.value.errors] == [named]


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 0},
        {"max_tokens": 10**9},
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": "a\0b"}]},
        {"messages": [{"role": "user", "content": "x" * 500_000}]},
        {"stop": ["x"] * 17},
        {"best_of": 3},
    ],
)
def test_what_can_not_be_read_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**more)


def test_messages_are_those_of_a_row() -> None:
    parts = [{"type": "text", "text": "a"}] * 2
    sent = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]

    assert request(messages=sent).asked() == (Message("system", "Be brief."), Message("user", "aa"))


def test_a_schema_becomes_a_constraint() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    made = request(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}).check()

    assert made is not None
    assert (made.kind, json.loads(made.text)) == ("json_schema", schema)


@pytest.mark.parametrize(
    ("pieces", "whole", "passed_on"),
    [
        (["Ha", "rd", "ware"], "Hardware", ["Ha", "rd", "ware", ""]),
        (["<thi", "nk>hm", "</think>\n", "Yes"], "Yes", ["", "", "", "Yes", ""]),
        (["<", "b>"], "<b>", ["", "<b>", ""]),
        (["hm", "</think>", "Yes"], "Yes", ["hm", "", "", ""]),
    ],
)
def test_a_stream_holds_thinking_back_and_ends_as_the_whole_answer_does(
    pieces: list[str], whole: str, passed_on: list[str]
) -> None:
    seen = Visible()

    assert [*(seen.added(piece) for piece in pieces), seen.end(whole)] == passed_on


def test_a_completion_has_every_part_that_clients_read() -> None:
    openai = pytest.importorskip("openai.types.chat")
    completion = Completion.begun("1", "m", "tg_1")
    answer = Answer("1", "Hardware", "length", 7, 2, 0.1)

    read = openai.ChatCompletion.model_validate(completion.whole(answer))
    events = (completion.first() + completion.piece("é") + completion.last(answer, with_usage=True)).decode()

    assert (read.choices[0].message.content, read.choices[0].finish_reason) == ("Hardware", "length")
    assert (read.usage.prompt_tokens, read.usage.completion_tokens, read.usage.total_tokens) == (7, 2, 9)
    lines = events.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [openai.ChatCompletionChunk.model_validate_json(line.removeprefix("data: ")) for line in lines[:-2]]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "é"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [None, None, "length"]
    assert chunks[-1].usage.total_tokens == 9


def test_an_answer_cannot_write_an_event_of_its_own() -> None:
    """Clients that split lines as Unicode does end one at U+2028, at U+0085 and at a form feed."""
    text = 'a\u2028data: {"x": 1}\u0085\n\ndata: [DONE]\x0c\ud800'
    event = Completion.begun("1", "m", "tg_1").piece(text).decode()

    (line,) = [line for line in event.splitlines() if line]
    assert json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"] == text
