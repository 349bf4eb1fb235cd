"""The turns of OpenAI's `messages` list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.datasets.reading.content_parts import Parts, openai_calls
from app.datasets.reading.faults import Unfit, no_list, short, storable, wrong_kind
from app.datasets.reading.tool_calls import calls_of
from app.datasets.reading.turns import (
    MEDIA,
    THOUGHTS,
    ToolCall,
    Turn,
    reasoning_text,
    refuse_media,
)
from app.json_types import JsonDict, JsonObject
from app.wording import state

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
KNOWN_KEYS = frozenset(
    (
        *(
            "role",
            "content",
            "name",
            "weight",
            "tool_calls",
            "tool_call_id",
            "function_call",
            "refusal",
            "from",
            "value",
        ),
        *THOUGHTS,
        *MEDIA,
    )
)


# ---------------------------------------------------------------------- OpenAI's messages
def turns_of_messages(messages: object, at: str) -> list[Turn]:
    """The turns of a `messages` list; `at` is its key, for what is said about it."""
    if not isinstance(messages, list):
        raise no_list(at, "messages", messages)
    if not messages:
        raise Unfit(at, state("empty_list", at=at), "empty")
    names: dict[str, str] = {}
    return [turn for number, message in enumerate(messages) for turn in _message(message, f"{at}[{number}]", names)]


def _message(message: object, at: str, names: dict[str, str]) -> Iterator[Turn]:
    """The turns of a message: one, but for results of tools that stand as parts in a user's message."""
    if not isinstance(message, dict):
        raise wrong_kind(at, "message", message)
    role = message.get("role")
    if role not in ROLES:
        raise Unfit(f"{at}.role", state("role", at=f"{at}.role", seen=short(role)))
    refuse_media(message, at)
    content = _content(message, at, names)
    if content.results and role == "user":
        yield from content.results
        if not content.text.strip():
            return
    calls, raw = content.calls if role == "assistant" else [], content.raw
    text = storable(content.text, f"{at}.content")
    if role in ("tool", "function"):
        of = message.get("name") or names.get(str(message.get("tool_call_id")), "")
        yield Turn("tool", text, of=str(of)[:200], raw=raw, plain=False)
        return
    trained = True
    if role == "assistant" and message.get("weight") is not None:
        if message["weight"] not in (0, 1) or isinstance(message["weight"], bool):
            raise Unfit(f"{at}.weight", state("weight", at=f"{at}.weight", seen=short(message["weight"])))
        trained = bool(message["weight"])
    plain = not calls and role != "developer" and set(message) <= {"role", "content"}
    speaker = "system" if role == "developer" else str(role)
    yield Turn(
        speaker,
        text,
        calls,
        raw=raw,
        plain=plain,
        trained=trained,
        thought=content.thought,
        reasoning=content.reasoning,
    )


@dataclass(slots=True)
class _Content:
    """What a message says: its text and calls, results of tools among its parts, and its form for the export."""

    text: str
    calls: list[ToolCall]
    raw: JsonDict
    thought: str = ""
    reasoning: str = ""
    results: Sequence[Turn] = ()


def _content(message: JsonObject, at: str, names: dict[str, str]) -> _Content:
    assistant = message.get("role") == "assistant"
    calls = calls_of(message, at, names) if assistant else []
    thought = next((key for key in THOUGHTS if assistant and _holds_text(message.get(key))), "")
    content, raw = message.get("content"), _without_none(message)
    if isinstance(content, list):
        parts = Parts(content, f"{at}.content", names)
        calls = calls or parts.calls
        if parts.foreign:
            raw = {**raw, "content": parts.text or None, **openai_calls(parts)}
        reasoning = reasoning_text(message[thought] if thought else parts.thoughts)
        return _Content(parts.text, calls, raw, thought or parts.thought, reasoning, parts.results)
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise wrong_kind(f"{at}.content", "text", content)
    return _Content(content, calls, raw, thought, reasoning_text(message[thought]) if thought else "")


def _holds_text(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _without_none(message: JsonObject) -> JsonDict:
    """The message as it was, without keys that a table had to fill with nothing."""
    return {key: value for key, value in message.items() if value is not None or key == "content"}
