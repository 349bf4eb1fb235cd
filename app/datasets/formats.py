"""The shapes an uploaded record may have, and how each becomes the one shape we work with.

A record is a conversation up to the answer (`messages`) and the answer wanted (`target`). Which shape a record has is
seen from its keys alone; a file is named after the shape of its first record. Shapes of others that we know but can't
use (preference pairs, plain passages) are called by their name, so that the person knows what to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Level = Literal["error", "warning", "note"]

ROLES = ("system", "developer", "user", "assistant", "tool")
_ROLE_WORDS = "system, developer, user, assistant or tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is one of ROLES."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Record:
    """One usable line: `messages` is what is asked, `target` the answer that is trained on and compared with."""

    line: int
    messages: tuple[Message, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to say about a line, or about the whole file (`line` is None).

    field: the key it is about, empty when it is the line as a whole. level: an error refuses the line unless the
    record is yielded too; a warning never does. kind: `empty` sets blank values apart from values that are wrong.
    """

    line: int | None
    field: str
    text: str
    level: Level = "error"
    kind: Literal["fault", "empty", "shape"] = "fault"


@dataclass(frozen=True, slots=True)
class Shape:
    """A known record shape. `about` says in one sentence what is done with it."""

    name: str
    title: str
    about: str


PROMPT = Shape(
    "prompt_completion", "Prompt and completion", "The prompt is asked, the completion is the answer wanted."
)
CHAT = Shape(
    "chat",
    "Chat messages",
    "The last assistant message is the answer wanted; everything before it is asked.",
)
ALPACA = Shape(
    "alpaca", "Instruction, input and output", "Instruction and input are asked, output is the answer wanted."
)
SHAREGPT = Shape(
    "sharegpt", "Conversations", "The last answer of gpt is the answer wanted; everything before it is asked."
)
PAIRS = {
    ("question", "answer"): Shape(
        "question_answer", "Question and answer", "The question is asked, the answer is wanted."
    ),
    ("query", "response"): Shape("query_response", "Query and response", "The query is asked, the response is wanted."),
    ("input", "output"): Shape("input_output", "Input and output", "The input is asked, the output is wanted."),
    ("instruction", "response"): Shape(
        "instruction_response", "Instruction and response", "The instruction is asked, the response is wanted."
    ),
    ("text", "label"): Shape("text_label", "Text and label", "The text is asked, the label is the answer wanted."),
}
SHAPES = {shape.name: shape for shape in (PROMPT, CHAT, ALPACA, SHAREGPT, *PAIRS.values())}

# Shapes we can name but not use, by the keys that give them away.
_FOREIGN = (
    ({"chosen", "rejected"}, "holds preference pairs (chosen, rejected); give one answer as completion instead"),
    ({"preferred_output"}, "holds preference pairs; give one answer as completion instead"),
    ({"vars"}, "is a promptfoo test case; put the question in prompt and the expected answer in completion"),
    ({"text"}, "is plain text without an answer; upload it as a document for retrieval, not as examples"),
)
_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "observation": "tool",
    "tool": "tool",
}


class Unfit(Exception):
    """This record can't be used; `field` is the key at fault."""

    def __init__(self, field: str, text: str, kind: Literal["fault", "empty"] = "fault") -> None:
        super().__init__(text)
        self.field = field
        self.text = text
        self.kind: Literal["fault", "empty"] = kind


def tidy_keys(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record with its keys trimmed and in lower case, or None where that changes nothing or makes two alike."""
    if all(key == key.strip().casefold() for key in record):
        return None
    tidy = {key.strip().casefold(): value for key, value in record.items()}
    return tidy if len(tidy) == len(record) else None


def shape_of(keys: Mapping[str, Any] | Sequence[str]) -> Shape | None:
    """Which shape a record with these keys has, or None."""
    have = set(keys)
    if "messages" in have:
        return CHAT
    if {"prompt", "completion"} <= have:
        return PROMPT
    if {"instruction", "output"} <= have:
        return ALPACA
    if "conversations" in have:
        return SHAREGPT
    return next((shape for pair, shape in PAIRS.items() if have >= set(pair)), None)


def stranger(record: Mapping[str, Any]) -> Unfit:
    """Say what a record of no known shape lacks, as precisely as its keys allow."""
    have = set(record)
    if not have:
        return Unfit("", "The object is empty; it needs prompt and completion, or messages.")
    for keys, words in _FOREIGN:
        if keys <= have:
            return Unfit(min(keys), f"The record {words}.")
    for asked, wanted in (("prompt", "completion"), ("instruction", "output"), *PAIRS):
        if asked in have:
            return Unfit(wanted, f"The record has {asked} but no {wanted}.")
        if wanted in have and wanted not in ("input", "text", "label"):
            return Unfit(asked, f"The record has {wanted} but no {asked}.")
    seen = ", ".join(sorted(repr(key[:40]) for key in list(have)[:4]))
    return Unfit("", f"The record has neither prompt and completion nor messages; its keys are {seen}.")


def used_keys(shape: Shape) -> frozenset[str]:
    """The keys that `convert` reads; all others are kept out."""
    if shape is CHAT:
        return frozenset({"messages"})
    if shape is SHAREGPT:
        return frozenset({"conversations", "system"})
    if shape is ALPACA:
        return frozenset({"instruction", "input", "output", "system"})
    if shape is PROMPT:
        return frozenset({"prompt", "completion", "system"})
    return frozenset(next(pair for pair, known in PAIRS.items() if known is shape)) | {"system"}


def convert(shape: Shape, record: Mapping[str, Any], line: int) -> Record:
    """The record in our own shape.

    Raises:
        Unfit: a value is missing, blank or of the wrong kind.
    """
    if shape is CHAT:
        return _conversation(_chat(record["messages"], "messages"), line, "messages")
    if shape is SHAREGPT:
        turns = _sharegpt(record["conversations"])
        return _conversation((*_system(record, turns), *turns), line, "conversations")
    if shape is PROMPT and isinstance(record["prompt"], list):
        return _conversation((*_chat(record["prompt"], "prompt"), *_answer(record["completion"])), line, "completion")
    if shape is ALPACA:
        asked = _text(record, "instruction")
        extra = record.get("input") or ""
        if not isinstance(extra, str):
            raise Unfit("input", f"input has to be text, not {_kind(extra)}.")
        asked, target = f"{asked}\n{extra}" if extra.strip() else asked, _text(record, "output")
    else:
        first, second = ("prompt", "completion") if shape is PROMPT else _pair_of(shape)
        asked, target = _text(record, first), _text(record, second)
    return Record(line, (*_system(record, ()), Message("user", asked)), target)


def _pair_of(shape: Shape) -> tuple[str, str]:
    return next(pair for pair, known in PAIRS.items() if known is shape)


def _system(record: Mapping[str, Any], turns: Sequence[Message]) -> tuple[Message, ...]:
    text = record.get("system")
    if isinstance(text, str) and text.strip() and not any(turn.role == "system" for turn in turns):
        return (Message("system", _storable(text, "system")),)
    return ()


def _text(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str):
        raise Unfit(field, f"{field} has to be text in quotes, not {_kind(value)}.")
    if not value.strip():
        raise Unfit(field, f"{field} is empty.", "empty")
    return _storable(value, field)


def _storable(text: str, field: str) -> str:
    """Refuse what a database or an encoder will choke on later; better here, with a line number."""
    if "\0" in text:
        raise Unfit(field, f"{field} holds a NUL character (U+0000), which no text field can store.")
    return text


def _chat(messages: object, field: str) -> tuple[Message, ...]:
    if not isinstance(messages, list):
        raise Unfit(field, f"{field} has to be a list of messages, not {_kind(messages)}.")
    if not messages:
        raise Unfit(field, f"{field} is an empty list.", "empty")
    return tuple(_message(message, f"{field}[{number}]") for number, message in enumerate(messages))


def _message(message: object, field: str) -> Message:
    if not isinstance(message, dict):
        raise Unfit(field, f"{field} has to be an object with role and content, not {_kind(message)}.")
    role = message.get("role")
    if role not in ROLES:
        raise Unfit(f"{field}.role", f"{field}.role is {_short(role)}; it has to be {_ROLE_WORDS}.")
    if message.get("tool_calls") or message.get("function_call"):
        raise Unfit(f"{field}.tool_calls", f"{field} calls a tool; conversations with tool calls cannot be used yet.")
    content = message.get("content")
    if isinstance(content, list) and content and all(_text_part(part) for part in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise Unfit(f"{field}.content", f"{field}.content has to be text, not {_kind(content)}.")
    return Message(str(role), _storable(content, f"{field}.content"))


def _text_part(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _answer(completion: object) -> tuple[Message, ...]:
    if isinstance(completion, str):
        return (Message("assistant", _storable(completion, "completion")),)
    return _chat(completion, "completion")


def _sharegpt(turns: object) -> tuple[Message, ...]:
    if not isinstance(turns, list):
        raise Unfit("conversations", f"conversations has to be a list of turns, not {_kind(turns)}.")
    found = []
    for number, turn in enumerate(turns):
        field = f"conversations[{number}]"
        if not isinstance(turn, dict):
            raise Unfit(field, f"{field} has to be an object with from and value, not {_kind(turn)}.")
        speaker = turn.get("from")
        if speaker == "function_call":
            raise Unfit(f"{field}.from", f"{field} calls a tool; conversations with tool calls cannot be used yet.")
        role = _SPEAKERS.get(speaker) if isinstance(speaker, str) else None
        if role is None:
            raise Unfit(f"{field}.from", f"{field}.from is {_short(speaker)}; it has to be human, gpt, system or tool.")
        if not isinstance(turn.get("value"), str):
            raise Unfit(f"{field}.value", f"{field}.value has to be text, not {_kind(turn.get('value'))}.")
        found.append(Message(role, _storable(turn["value"], f"{field}.value")))
    return tuple(found)


def _conversation(turns: tuple[Message, ...], line: int, field: str) -> Record:
    if not any(turn.role == "assistant" for turn in turns):
        raise Unfit(field, "The conversation has no assistant message, so there is no answer to learn or compare with.")
    *asked, last = turns
    if last.role != "assistant":
        raise Unfit(field, f"The conversation ends with the {last.role}; the last message has to be the answer wanted.")
    if not last.content.strip():
        raise Unfit(field, "The last answer is empty.", "empty")
    if not any(turn.role == "user" and turn.content.strip() for turn in asked):
        raise Unfit(field, "Nothing is asked before the last answer: there is no user message with text.", "empty")
    return Record(line, tuple(asked), last.content)


def order_remark(record: Record) -> str:
    """A sentence when the turns come in an order that some chat templates refuse, else empty."""
    spoken = [turn.role for turn in record.messages if turn.role in ("user", "assistant")] + ["assistant"]
    if spoken[0] == "assistant":
        return "The assistant speaks first; some models' chat templates refuse that."
    if any(one == next_one for one, next_one in pairwise(spoken)):
        return "Two messages of the same speaker follow each other; some models' chat templates refuse that."
    return ""


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def _short(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else _kind(value)
