"""Content that came as a list of parts, in the forms of OpenAI, Anthropic and Bedrock.

`{"text": ...}` alone, `tool_use`, `toolResult` and so on. What a model thought (`thinking`, parts of that kind) is no
part of the text; it is kept beside it with its kind.
"""

from app.datasets.reading.faults import Unfit, short, storable, too_deep
from app.datasets.reading.json_text import to_text
from app.datasets.reading.tool_calls import call_of
from app.datasets.reading.turns import ToolCall, Turn, reasoning_text
from app.json_types import JsonDict
from app.wording import state

# Kinds of parts that hold what a model thought: of Mistral and Anthropic, of Bedrock, of OpenAI's newer interface.
_THOUGHT_PARTS = ("thinking", "redacted_thinking", "reasoning", "reasoningContent")
_MARKS = ("cachePoint", "cache_control")  # parts that say nothing


def joined_texts(parts: list[object], at: str) -> str:
    """Content that came as a list of parts, all of them text."""
    return Parts(parts, at, {}).only_text()


class Parts:
    """Content that came as a list of parts. foreign: not in OpenAI's form, so that an export has to write it anew."""

    def __init__(self, parts: list[object], at: str, names: dict[str, str]) -> None:
        if not parts:
            raise Unfit(at, state("empty_list", at=at), "empty")
        self.at = at
        self.names = names
        self.calls: list[ToolCall] = []
        self.ids: list[str] = []
        self.results: list[Turn] = []
        self.thought = ""
        self.thoughts: list[str] = []
        self.foreign = False
        self.texts: list[str] = []
        for part in parts:
            self._take(part)
        self.text = "".join(self.texts)

    def only_text(self) -> str:
        if self.calls or self.results:
            raise Unfit(self.at, state("call_not_text", at=self.at))
        return self.text

    def _take(self, part: object) -> None:
        if isinstance(part, str):  # a list of bare texts
            self.texts.append(part)
            self.foreign = True
            return
        kind = _kind(part)
        if not isinstance(part, dict) or not kind:
            raise Unfit(self.at, state("part_without_text", at=self.at))
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            self.texts.append(part["text"])
            self.foreign |= part.get("type") != "text"
        elif kind in _THOUGHT_PARTS:
            self.thought, self.foreign = self.thought or kind, True
            self.thoughts.append(reasoning_text(part))
        elif kind in ("tool_use", "toolUse"):
            self._called(part.get("toolUse", part))
        elif kind in ("tool_result", "toolResult"):
            self._result(part.get("toolResult", part))
        elif kind == "text":
            raise Unfit(self.at, state("text_without_text", at=self.at))
        elif kind not in _MARKS:
            raise Unfit(self.at, state("part_type", at=self.at, seen=short(kind)))

    def _called(self, block: object) -> None:
        held = block if isinstance(block, dict) else {}
        call = call_of({"name": held.get("name"), "arguments": held.get("input")}, self.at)
        self.calls.append(call)
        self.ids.append(str(held.get("id") or held.get("toolUseId") or f"call_{len(self.names) + 1}"))
        self.names[self.ids[-1]] = call.name
        self.foreign = True

    def _result(self, block: object) -> None:
        held = block if isinstance(block, dict) else {}
        of = str(held.get("tool_use_id") or held.get("toolUseId") or "")
        content = held.get("content")
        if isinstance(content, list):
            content = "".join(self._result_text(piece) for piece in content)
        text = storable(content if isinstance(content, str) else "", self.at)
        raw: JsonDict = {"role": "tool", "tool_call_id": of, "content": text}
        self.results.append(Turn("tool", text, of=self.names.get(of, "")[:200], raw=raw, plain=False))
        self.foreign = True

    def _result_text(self, part: object) -> str:
        """One part of a tool's result."""
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            return str(part["text"])
        if isinstance(part, dict) and "json" in part and not too_deep(part):
            return to_text(part["json"])
        raise Unfit(self.at, state("result_type", at=self.at, seen=short(_kind(part) or None)))


def _kind(part: object) -> str:
    """The kind of a part: its type, or (Bedrock) the one key that says what it is; a bare text needs no type."""
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("type"), str):
        return str(part["type"])
    if isinstance(part.get("text"), str):
        return "text"
    return next((str(key) for key, held in part.items() if held is not None), "")


def openai_calls(parts: Parts) -> JsonDict:
    """The tool calls of a message in OpenAI's form."""
    if not parts.calls:
        return {}
    return {
        "tool_calls": [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": to_text(call.arguments)},
            }
            for call_id, call in zip(parts.ids, parts.calls, strict=True)
        ]
    }
