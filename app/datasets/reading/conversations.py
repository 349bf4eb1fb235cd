"""Conversations as people upload them (OpenAI's messages, ShareGPT's turns) in the form that is measured and trained.

Measuring and training know three speakers, system, user and assistant, and text. What does not fit is written as text,
the same way for every model, and the report says so:

- a `developer` message is a system message;
- the definitions of `tools` stand in the system message, one JSON object a line, below the words of CALLING;
- an assistant's tool call is the JSON that CALLING asks for, `{"name": ..., "arguments": {...}}`, or a list of them;
- a tool's result is a user's message that names the tool. Results that follow each other are one message.

So a model is asked for its calls in words, and a row that ends with one is scored like any JSON answer. A server's own
interface for tools is not used: it differs between servers, and many small models' templates have none. `source` keeps
the conversation in OpenAI's form, so that nothing is lost for an export.

Content in parts is read in the forms of OpenAI, Anthropic and Bedrock (`{"text": ...}` alone, `tool_use`, `toolResult`
and so on). What a model thought before it answered (`reasoning_content`, `thinking`, parts of that kind) is left out,
and counted. A null for an argument that the tool does not define was put there by a table that gathers the arguments of
all tools into one form; it is dropped, and counted.

An assistant message of `weight` 0 is asked along and never learned. The answer wanted is the last one that is not;
what comes after that is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import orjson

from app.chat import Message
from app.datasets.reading.faults import DEEPEST, Unfit, kind_of, short, storable, too_deep

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_ROLE_WORDS = "system, developer, user, assistant or tool"
_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    **dict.fromkeys(("chatgpt", "bing", "bard"), "assistant"),  # in ShareGPT's own early files
    "system": "system",
    "observation": "tool",
    "tool": "tool",
    "function_call": "assistant",
}
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts", "reasoning_details", "rationale")
# Kinds of parts that hold what a model thought: of Mistral and Anthropic, of Bedrock, of OpenAI's newer interface.
_THOUGHT_PARTS = ("thinking", "redacted_thinking", "reasoning", "reasoningContent")
_MARKS = ("cachePoint", "cache_control")  # parts that say nothing
# What can be seen or heard and not read; a row that holds some asks about it.
MEDIA = (
    "image",
    "images",
    "image_url",
    "image_path",
    "image_paths",
    "audio",
    "audios",
    "video",
    "videos",
    "pixel_values",
)
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

CALLING = (
    "You can call the tools below. To call one, answer with nothing but JSON: "
    '{"name": "...", "arguments": {...}}. To call several at once, answer with a list of such objects.'
)


class Written(float):
    """A number with the words it was written in: 0.10 and 0.1 may be two labels."""

    __slots__ = ("words",)

    def __new__(cls, words: str) -> Self:
        """Read the words as a number."""
        found = super().__new__(cls, words)
        found.words = words
        return found

    words: str


@dataclass(slots=True)
class Turn:
    """One message as it was uploaded. calls: what it calls, as {"name", "arguments"}; of: the tool whose result it is.

    raw: the message in OpenAI's form. plain: whether role and text say all of it. trained: an answer to learn from.
    thought: the key or kind of part that holds what was thought before it, empty where there is none.
    """

    role: str
    text: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    of: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    plain: bool = True
    trained: bool = True
    thought: str = ""


# ---------------------------------------------------------------------- OpenAI's messages
def chat(messages: object, at: str) -> list[Turn]:
    """The turns of a `messages` list; `at` is its key, for what is said about it."""
    if not isinstance(messages, list):
        raise Unfit(at, f"{at} has to be a list of messages, not {_kept_as(messages)}.")
    if not messages:
        raise Unfit(at, f"{at} is an empty list.", "empty")
    names: dict[str, str] = {}
    return [turn for number, one in enumerate(messages) for turn in _message(one, f"{at}[{number}]", names)]


def _message(message: object, at: str, names: dict[str, str]) -> Iterator[Turn]:
    """The turns of a message: one, but for results of tools that stand as parts in a user's message."""
    if not isinstance(message, dict):
        raise Unfit(at, f"{at} has to be an object with role and content, not {kind_of(message)}.")
    role = message.get("role")
    if role not in ROLES:
        raise Unfit(f"{at}.role", f"{at}.role is {short(role)}; it has to be {_ROLE_WORDS}.")
    refuse_media(message, at)
    said = _content(message, at, names)
    if said.results and role == "user":
        yield from said.results
        if not said.text.strip():
            return
    calls, raw = said.calls if role == "assistant" else [], said.raw
    text = storable(said.text, f"{at}.content")
    if role in ("tool", "function"):
        of = message.get("name") or names.get(str(message.get("tool_call_id")), "")
        yield Turn("tool", text, of=str(of)[:200], raw=raw, plain=False)
        return
    trained = True
    if role == "assistant" and message.get("weight") is not None:
        if message["weight"] not in (0, 1) or isinstance(message["weight"], bool):
            raise Unfit(f"{at}.weight", f"{at}.weight is {short(message['weight'])}; it has to be 0 or 1.")
        trained = bool(message["weight"])
    plain = not calls and role != "developer" and set(message) <= {"role", "content"}
    speaker = "system" if role == "developer" else str(role)
    yield Turn(speaker, text, calls, raw=raw, plain=plain, trained=trained, thought=said.thought)


@dataclass(slots=True)
class _Said:
    """What a message says: its text and calls, results of tools among its parts, and its form for the export."""

    text: str
    calls: list[dict[str, Any]]
    raw: dict[str, Any]
    thought: str = ""
    results: Sequence[Turn] = ()


def _content(message: Mapping[str, Any], at: str, names: dict[str, str]) -> _Said:
    assistant = message.get("role") == "assistant"
    calls = _calls(message, at, names) if assistant else []
    thought = next((key for key in THOUGHTS if assistant and _holds_text(message.get(key))), "")
    content, raw = message.get("content"), _without_none(message)
    if isinstance(content, list):
        parts = _Parts(content, f"{at}.content", names)
        calls = calls or parts.calls
        if parts.foreign:
            raw = {**raw, "content": parts.text or None, **_called(parts)}
        return _Said(parts.text, calls, raw, thought or parts.thought, parts.results)
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise Unfit(f"{at}.content", f"{at}.content has to be text, not {kind_of(content)}.")
    return _Said(content, calls, raw, thought)


def refuse_media(given: Mapping[str, Any], at: str = "") -> None:
    """
    Raises:
        Unfit: a picture, sound or film stands beside the text.
    """
    if found := next((key for key in MEDIA if given.get(key)), None):
        where = f"{at}.{found}" if at else found
        text = f"{where} holds what can't be read as text; nothing here can ask about it, so leave such records out."
        raise Unfit(where, text)


def _holds_text(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def joined(parts: list[object], at: str) -> str:
    """Content that came as a list of parts, all of them text."""
    return _Parts(parts, at, {}).only_text()


class _Parts:
    """Content that came as a list of parts. foreign: not in OpenAI's form, so that an export has to write it anew."""

    def __init__(self, parts: list[object], at: str, names: dict[str, str]) -> None:
        if not parts:
            raise Unfit(at, f"{at} is an empty list.", "empty")
        self.at = at
        self.names = names
        self.calls: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.results: list[Turn] = []
        self.thought = ""
        self.foreign = False
        self.texts: list[str] = []
        for part in parts:
            self._take(part)
        self.text = "".join(self.texts)

    def only_text(self) -> str:
        if self.calls or self.results:
            raise Unfit(self.at, f"{self.at} holds a tool call; only parts of text can be used there.")
        return self.text

    def _take(self, part: object) -> None:
        if isinstance(part, str):  # a list of bare texts
            self.texts.append(part)
            self.foreign = True
            return
        kind = _kind(part)
        if not isinstance(part, dict) or not kind:
            raise Unfit(self.at, f"{self.at} holds a part without text; only parts of text can be used.")
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            self.texts.append(part["text"])
            self.foreign |= part.get("type") != "text"
        elif kind in _THOUGHT_PARTS:
            self.thought, self.foreign = self.thought or kind, True
        elif kind in ("tool_use", "toolUse"):
            self._called(part.get("toolUse", part))
        elif kind in ("tool_result", "toolResult"):
            self._result(part.get("toolResult", part))
        elif kind not in _MARKS:
            said = "a part of text without text" if kind == "text" else f"a part of type {short(kind)}"
            raise Unfit(self.at, f"{self.at} holds {said}; only parts of text can be used.")

    def _called(self, given: object) -> None:
        held = given if isinstance(given, dict) else {}
        call = _call({"name": held.get("name"), "arguments": held.get("input")}, self.at)
        self.calls.append(call)
        self.ids.append(str(held.get("id") or held.get("toolUseId") or f"call_{len(self.names) + 1}"))
        self.names[self.ids[-1]] = call["name"]
        self.foreign = True

    def _result(self, given: object) -> None:
        held = given if isinstance(given, dict) else {}
        of = str(held.get("tool_use_id") or held.get("toolUseId") or "")
        content = held.get("content")
        if isinstance(content, list):
            content = "".join(self._told(one) for one in content)
        text = storable(content if isinstance(content, str) else "", self.at)
        raw = {"role": "tool", "tool_call_id": of, "content": text}
        self.results.append(Turn("tool", text, of=self.names.get(of, "")[:200], raw=raw, plain=False))
        self.foreign = True

    def _told(self, part: object) -> str:
        """One part of a tool's result."""
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            return str(part["text"])
        if isinstance(part, dict) and "json" in part and not too_deep(part):
            return _json(part["json"])
        raise Unfit(
            self.at, f"{self.at} holds a tool's result of type {short(_kind(part) or None)}; only text can be used."
        )


def _kind(part: object) -> str:
    """The kind of a part: its type, or (Bedrock) the one key that says what it is; a bare text needs no type."""
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("type"), str):
        return str(part["type"])
    if isinstance(part.get("text"), str):
        return "text"
    return next((str(key) for key, held in part.items() if held is not None), "")


def _called(parts: _Parts) -> dict[str, Any]:
    """The tool calls of a message in OpenAI's form."""
    if not parts.calls:
        return {}
    return {
        "tool_calls": [
            {"id": at, "type": "function", "function": {"name": one["name"], "arguments": _json(one["arguments"])}}
            for at, one in zip(parts.ids, parts.calls, strict=True)
        ]
    }


def listed(given: object, opening: str = "[") -> object:
    """The list that a table holds as JSON text in one of its cells; anything else as it is. `{`: an object."""
    if isinstance(given, str) and given.lstrip().startswith(opening):
        try:
            value = orjson.loads(given)
        except orjson.JSONDecodeError:
            return given
        return given if too_deep(value) else value
    return given


def written(value: object, at: str) -> Any:
    """An answer that came as a number, as true or false, or as a list of such or of names, in the words of the file.

    What holds messages, and an object, is let be: there the words are further in.
    """
    if isinstance(value, Written):
        return value.words
    if isinstance(value, bool | int | float):
        return _json(value)
    if isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
        return storable(_json(value), at)
    return value


def _kept_as(given: object) -> str:
    """What stands where a list has to; most often a table into which Python wrote its lists in its own notation."""
    if isinstance(given, str) and given.lstrip().startswith("["):
        return "text that is not JSON; save the file as JSON lines or Parquet, where lists stay lists"
    return kind_of(given)


def _without_none(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message as it was, without keys that a table had to fill with nothing."""
    return {key: value for key, value in message.items() if value is not None or key == "content"}


def _calls(message: Mapping[str, Any], at: str, names: dict[str, str]) -> list[dict[str, Any]]:
    """What an assistant message calls; `names` learns which call has which id."""
    given = message.get("tool_calls")
    if not given:
        single = message.get("function_call")
        return [_call(single, f"{at}.function_call")] if isinstance(single, dict) else []
    where = f"{at}.tool_calls"
    if not isinstance(given, list):
        raise Unfit(where, f"{where} has to be a list of tool calls, not {kind_of(given)}.")
    calls = []
    for one in given:
        function = one.get("function", one) if isinstance(one, dict) else one
        calls.append(_call(function, where))
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            names[one["id"]] = calls[-1]["name"]
    return calls


def _call(function: object, at: str) -> dict[str, Any]:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"].strip():
        raise Unfit(at, f"{at} holds a tool call without a function name.")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            text = f"{at} calls {short(function['name'])} with arguments that are not JSON."
            raise Unfit(at, text) from None
    if too_deep(arguments):
        raise Unfit(at, f"{at} calls {short(function['name'])} with arguments nested more than {DEEPEST} deep.")
    return {"name": function["name"], "arguments": {} if arguments is None else arguments}


# ---------------------------------------------------------------------- ShareGPT's turns
def sharegpt(turns: object, at: str = "conversations") -> list[Turn]:
    """The turns of a `conversations` list. A `function_call` that is not JSON stays the text it is."""
    if not isinstance(turns, list):
        raise Unfit(at, f"{at} has to be a list of turns, not {_kept_as(turns)}.")
    if not turns:
        raise Unfit(at, f"{at} is an empty list.", "empty")
    if isinstance(turns[0], dict) and "role" in turns[0] and "from" not in turns[0]:
        return chat(turns, at)  # OpenAI's messages under ShareGPT's key, as many converters write them
    found: list[Turn] = []
    ids, last = 0, ""
    for number, turn in enumerate(turns):
        one = _spoken(turn, f"{at}[{number}]")
        for call in one.calls:
            ids, last = ids + 1, call["name"]
            function = {"name": call["name"], "arguments": _json(call["arguments"])}
            one.raw["tool_calls"] = [{"id": f"call_{ids}", "type": "function", "function": function}]
        if one.role == "tool":
            one.of = last
            one.raw["tool_call_id"] = f"call_{ids}"
        found.append(one)
    return found


def _spoken(turn: object, at: str) -> Turn:
    if not isinstance(turn, dict):
        raise Unfit(at, f"{at} has to be an object with from and value, not {kind_of(turn)}.")
    speaker = turn.get("from")
    role = _SPEAKERS.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise Unfit(f"{at}.from", f"{at}.from is {short(speaker)}; it has to be human, gpt, system or tool.")
    value = turn.get("value")
    if not isinstance(value, str):
        raise Unfit(f"{at}.value", f"{at}.value has to be text, not {kind_of(value)}.")
    text = storable(value, f"{at}.value")
    if speaker == "function_call":
        try:
            calls = [_call(orjson.loads(text), at)]
        except (orjson.JSONDecodeError, Unfit):
            return Turn(role, text, raw={"role": role, "content": text})
        return Turn(role, "", calls, raw={"role": role, "content": None}, plain=False)
    return Turn(role, text, raw={"role": role, "content": text}, plain=role != "tool")


# ---------------------------------------------------------------------- tools
def tools(given: object) -> list[dict[str, Any]]:
    """The tool definitions of a record, in OpenAI's form: a list, or (ShareGPT) that list as JSON text."""
    if isinstance(given, str):
        try:
            given = orjson.loads(given) if given.strip() else []
        except orjson.JSONDecodeError:
            raise Unfit("tools", "tools is text that is not JSON.") from None
    if given is None:
        return []
    if isinstance(given, dict) and isinstance(given.get("tools"), list):
        given = given["tools"]  # Bedrock's toolConfig
    if not isinstance(given, list):
        raise Unfit("tools", f"tools has to be a list of tool definitions, not {kind_of(given)}.")
    if too_deep(given):
        raise Unfit("tools", f"tools is nested more than {DEEPEST} deep.")
    given = [one for tool in given for one in _opened(tool)]
    return [_definition(tool, f"tools[{number}]") for number, tool in enumerate(given)]


def _opened(tool: object) -> list[object]:
    """The tools that one entry defines: of Gemini's several, of others one."""
    held = tool.get("functionDeclarations", tool.get("function_declarations")) if isinstance(tool, dict) else None
    return held if isinstance(held, list) else [tool]


def _definition(tool: object, at: str) -> dict[str, Any]:
    """A tool in OpenAI's form, or the bare function, or as Anthropic and Bedrock define one."""
    if isinstance(tool, dict) and isinstance(tool.get("toolSpec"), dict):
        spec = tool["toolSpec"]
        schema = spec.get("inputSchema")
        tool = {**spec, "parameters": schema.get("json") if isinstance(schema, dict) else None}
        del tool["inputSchema"]
    elif isinstance(tool, dict) and "input_schema" in tool and "function" not in tool:
        tool = {("parameters" if key == "input_schema" else key): held for key, held in tool.items()}
    function = tool.get("function", tool) if isinstance(tool, dict) else tool
    if not isinstance(tool, dict) or not isinstance(function, dict):
        raise Unfit(at, f"{at} has to be an object that defines a function, not {kind_of(function)}.")
    return tool if "function" in tool else {"type": "function", "function": tool}


def unpadded(turns: Sequence[Turn], definitions: Sequence[Mapping[str, Any]]) -> int:
    """Take out of the calls the nulls for arguments that the tool called does not define; how many there were."""
    known = {str(one["function"].get("name")): one["function"].get("parameters") for one in definitions}
    dropped = 0
    for turn in turns:
        before = dropped
        for call in turn.calls:
            call["arguments"], number = _unpadded(call["arguments"], known.get(call["name"]))
            dropped += number
        given = turn.raw.get("tool_calls")
        if dropped > before and isinstance(given, list) and len(given) == len(turn.calls):
            turn.raw = {**turn.raw, "tool_calls": [_rewritten(*pair) for pair in zip(given, turn.calls, strict=True)]}
    return dropped


def _unpadded(given: Any, schema: object) -> tuple[Any, int]:
    held = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(given, dict) or not isinstance(held, Mapping):
        return given, 0
    known = {name: one for name, one in held.items() if one is not None}  # a table pads the definitions, too
    kept, dropped = {}, 0
    for name, value in given.items():
        if value is None and name not in known:
            dropped += 1
            continue
        kept[name], number = _unpadded(value, known.get(name))
        dropped += number
    return kept, dropped


def _rewritten(given: Any, call: Mapping[str, Any]) -> Any:
    """A tool call as it was, with these arguments."""
    function = given.get("function") if isinstance(given, dict) else None
    if not isinstance(function, dict):
        return given
    arguments = call["arguments"]
    return {**given, "function": {**function, "arguments": _json(arguments) if isinstance(function["arguments"], str)
                                  else arguments}}  # fmt: skip


def explained(definitions: Sequence[Mapping[str, Any]]) -> str:
    """The words that tell a model which tools there are; empty where there are none."""
    if not definitions:
        return ""
    lines = [_json(tool["function"]) for tool in definitions]
    return storable("\n".join((CALLING, "", *lines)), "tools")


# ---------------------------------------------------------------------- into text
@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation in our form. source: see `Record`. cut: turns after the answer wanted were left out.

    thought: see `Turn`, of any answer; padded: see `unpadded`.
    """

    messages: tuple[Message, ...]
    target: str
    source: dict[str, Any] | None
    cut: bool = False
    thought: str = ""
    padded: int = 0


def asked(turns: Sequence[Turn], definitions: Sequence[dict[str, Any]], at: str) -> Asked:
    """What is asked and the answer wanted.

    Raises:
        Unfit: there is no answer, or nothing is asked before it.
    """
    if not any(turn.role == "assistant" for turn in turns):
        raise Unfit(at, "The conversation has no assistant message, so there is no answer to learn or compare with.")
    if turns[-1].role != "assistant":
        text = f"The conversation ends with the {turns[-1].role}; the last message has to be the answer wanted."
        raise Unfit(at, text)
    padded = unpadded(turns, definitions)
    last = next((n for n in range(len(turns) - 1, -1, -1) if turns[n].role == "assistant" and turns[n].trained), None)
    if last is None:
        raise Unfit(at, "Every answer has weight 0, so there is none to learn or compare with.")
    target = _said(turns[last])
    if not target.strip():
        raise Unfit(at, "The last answer is empty.", "empty")
    before = turns[:last]
    if not any(turn.role in ("user", "tool") and turn.text.strip() for turn in before):
        raise Unfit(at, "Nothing is asked before the last answer: there is no user message with text.", "empty")
    told = explained(definitions)
    source: dict[str, Any] | None = None
    if definitions or not all(turn.plain for turn in turns):
        source = {"messages": [turn.raw for turn in turns]}
        if definitions:
            source["tools"] = list(definitions)
    thought = next((turn.thought for turn in turns if turn.thought), "")
    return Asked(tuple(_merged(before, told)), target, source, last < len(turns) - 1, thought, padded)


def _merged(turns: Iterable[Turn], told: str) -> Iterator[Message]:
    """The turns as messages: the tools explained in the first system message, tool results gathered."""
    results: list[str] = []
    for turn in turns:
        if turn.role == "tool":
            results.append(f"Result of {turn.of or 'the tool'}:\n{turn.text}")
            continue
        if told:
            if turn.role == "system":
                yield Message("system", f"{turn.text.rstrip()}\n\n{told}" if turn.text.strip() else told)
                told = ""
                continue
            yield Message("system", told)
            told = ""
        if results:
            yield Message("user", "\n\n".join(results))
            results = []
        yield Message(turn.role, _said(turn))
    if told:
        yield Message("system", told)
    if results:
        yield Message("user", "\n\n".join(results))


def _said(turn: Turn) -> str:
    if not turn.calls:
        return turn.text
    calls = _json(turn.calls[0] if len(turn.calls) == 1 else turn.calls)
    return storable(f"{turn.text.rstrip()}\n{calls}" if turn.text.strip() else calls, "tool_calls")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def order_remark(messages: Sequence[Message]) -> str:
    """A sentence when the turns come in an order that some chat templates refuse, else empty."""
    if len(messages) == 1 and messages[0].role == "user":
        return ""  # nearly every row
    spoken = [turn.role for turn in messages if turn.role in ("user", "assistant")] + ["assistant"]
    if spoken[0] == "assistant":
        return "The assistant speaks first; some models' chat templates refuse that."
    if any(one == next_one for one, next_one in pairwise(spoken)):
        return "Two messages of the same speaker follow each other; some models' chat templates refuse that."
    return ""
