"""OpenAI's chat completions as they stand on the wire: what can be asked, what is refused, what comes back. Pure.

What a model of this machine can't do is refused by name and never left out in silence: a harness that asks for a
temperature of 1 and gets the likeliest answer would report a number for something else.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.chat import Message
from app.errors import FieldError, Invalid
from app.inference import answer_text, constraints
from app.inference.constraints import Constraint
from app.inference.generator import Answer
from app.json_types import JsonDict
from app.web.params import NO_NUL, OneLine, Whole

LONGEST_PROMPT = 400_000  # characters of one message; a window of 32,000 tokens holds about a quarter of that
MOST_MESSAGES = 500
MOST_STOPS, LONGEST_STOP = 16, 200
MOST_TOKENS = answer_text.LONGEST
USUAL_TOKENS = 512  # of an answer where nobody says how long it may be and no measurement did

Written = Annotated[str, Field(max_length=LONGEST_PROMPT, pattern=NO_NUL)]
Stop = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP, pattern=NO_NUL)]


class TextPart(BaseModel):
    """A part of a message that is text; others are refused."""

    type: Literal["text"]
    text: Written


class ChatMessage(BaseModel):
    """One turn. developer is what newer clients call system."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Written | Annotated[list[TextPart], Field(max_length=MOST_MESSAGES)]

    def message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class StreamOptions(BaseModel):
    """Whether the stream ends with how many tokens there were."""

    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(BaseModel):
    """A chat completion as OpenAI's clients ask for it. Unknown arguments are refused by name."""

    model_config = ConfigDict(extra="forbid")

    model: OneLine
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    seed: Whole | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_format: dict[OneLine, object] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    logit_bias: dict[OneLine, float] | None = None
    tools: Annotated[list[object], Field(max_length=128)] | None = None
    tool_choice: object = None
    user: OneLine | None = None
    metadata: dict[OneLine, object] | None = None
    store: bool | None = None

    def asked(self) -> tuple[Message, ...]:
        return tuple(message.message() for message in self.messages)

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def with_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def check(self) -> Constraint | None:
        """What the answer is held to, if anything.

        Raises:
            Invalid: an argument asks for what these models can't do.
        """
        if faults := list(self._refused()):
            raise Invalid("This can't be done here.", faults)
        return self._constraint()

    def _refused(self) -> Iterator[FieldError]:
        if self.temperature:
            text = "Models here give the likeliest token at each step. Send temperature 0, or leave it out."
            yield FieldError("#/temperature", text)
        for name in ("presence_penalty", "frequency_penalty"):
            if getattr(self, name):
                yield FieldError(f"#/{name}", "Not supported. Send 0, or leave it out.")
        if self.n not in (None, 1):
            yield FieldError("#/n", "There is one answer to each question, the likeliest. Send 1, or leave it out.")
        for name in ("logprobs", "top_logprobs", "logit_bias", "tools"):
            if getattr(self, name):
                yield FieldError(f"#/{name}", "Not supported. Leave it out.")

    def _constraint(self) -> Constraint | None:
        wanted = self.response_format or {"type": "text"}
        if wanted.get("type") == "text":
            return None
        held = wanted.get("json_schema")
        schema = held.get("schema") if wanted.get("type") == "json_schema" and isinstance(held, dict) else None
        if schema is None:
            text = "Only text, and json_schema with a schema, are supported."
            raise Invalid("This can't be done here.", [FieldError("#/response_format", text)])
        try:
            return constraints.checked("json_schema", json.dumps(schema))
        except (constraints.Unusable, ValueError) as fault:
            raise Invalid("This can't be done here.", [FieldError("#/response_format", str(fault))]) from fault


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer on its way out. fingerprint: what answers, so that a change of it can be seen."""

    id: str
    model: str
    fingerprint: str
    created: int

    @classmethod
    def begun(cls, id_: str, model: str, fingerprint: str) -> "Completion":
        return cls(f"chatcmpl-{id_}", model, fingerprint, int(time.time()))

    def whole(self, answer: Answer) -> JsonDict:
        """The answer to a request that does not stream."""
        message: JsonDict = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish or "stop"}
        return self._frame("chat.completion") | {"choices": [choice], "usage": usage(answer)}

    def first(self) -> bytes:
        return self._event({"role": "assistant", "content": "", "refusal": None}, None)

    def piece(self, text: str) -> bytes:
        return self._event({"content": text}, None)

    def last(self, answer: Answer, *, with_usage: bool) -> bytes:
        """The end of a stream."""
        end = self._event({}, answer.finish or "stop")
        if with_usage:
            end += _sent(self._frame("chat.completion.chunk") | {"choices": [], "usage": usage(answer)})
        return end + b"data: [DONE]\n\n"

    def _event(self, delta: JsonDict, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sent(self._frame("chat.completion.chunk") | {"choices": [choice]})

    def _frame(self, kind: str) -> JsonDict:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def broken_off(message: str) -> bytes:
    """What a stream ends with that can't go on: clients raise it."""
    error = {"message": message, "type": "server_error", "param": None, "code": None}
    return _sent({"error": error})


def usage(answer: Answer) -> dict[str, int]:
    total = answer.prompt_tokens + answer.completion_tokens
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": total,
    }


def _sent(value: JsonDict) -> bytes:
    """One event, in ASCII: clients that split lines as Unicode does would take U+2028 in an answer for the end of one,
    and what follows it for an event of ours."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


class Visible:
    """What of a text that grows can be passed on: not the thinking before an answer, once it is known to be none."""

    def __init__(self) -> None:
        self._text = ""
        self._sent = ""

    def added(self, piece: str) -> str:
        """What can be passed on now."""
        self._text += piece
        return self._rest(_answer_in(self._text))

    def end(self, text: str) -> str:
        """What is left of the whole answer; nothing where what was passed on turned out to be no part of it."""
        return self._rest(text)

    def _rest(self, text: str) -> str:
        if not text.startswith(self._sent):
            return ""
        rest, self._sent = text[len(self._sent) :], text
        return rest


def _answer_in(text: str) -> str:
    """The answer so far; nothing while it may still be thinking."""
    start = text.lstrip().lower()
    if any(opened.lower().startswith(start) for opened, _ in answer_text.MARKS):
        return ""
    apart = answer_text.apart(text)
    return "" if apart.unfinished else apart.answer
