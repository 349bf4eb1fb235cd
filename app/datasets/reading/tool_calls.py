"""Tools that a conversation defines and calls.

A null for an argument that the tool does not define was put there by a table that gathers the arguments of all tools
into one form; it is dropped, and counted.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

import orjson

from app.datasets.reading.faults import DEEPEST, Unfit, short, storable, too_deep, wrong_kind
from app.datasets.reading.json_text import to_text
from app.datasets.reading.turns import ToolCall, Turn
from app.json_types import JsonDict, JsonObject
from app.wording import state

CALLING = (
    "You can call the tools below. To call one, answer with nothing but JSON: "
    '{"name": "...", "arguments": {...}}. To call several at once, answer with a list of such objects.'
)


class Definition(TypedDict):
    """A tool in OpenAI's form; `function` has its name, its parameters and whatever else came with it."""

    type: str
    function: JsonDict


def calls_of(message: JsonObject, at: str, names: dict[str, str]) -> list[ToolCall]:
    """What an assistant message calls; `names` learns which call has which id."""
    listed = message.get("tool_calls")
    if not listed:
        single = message.get("function_call")
        return [call_of(single, f"{at}.function_call")] if isinstance(single, dict) else []
    where = f"{at}.tool_calls"
    if not isinstance(listed, list):
        raise wrong_kind(where, "calls", listed)
    calls = []
    for call in listed:
        function = call.get("function", call) if isinstance(call, dict) else call
        calls.append(call_of(function, where))
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            names[call["id"]] = calls[-1].name
    return calls


def call_of(function: object, at: str) -> ToolCall:
    """A call in OpenAI's form.

    Raises:
        Unfit: it has no name, or its arguments are no JSON or too deep.
    """
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"].strip():
        raise Unfit(at, state("call_without_name", at=at))
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            raise Unfit(at, state("arguments_no_json", at=at, seen=short(function["name"]))) from None
    if too_deep(arguments):
        raise Unfit(at, state("arguments_deep", at=at, seen=short(function["name"]), most=DEEPEST))
    return ToolCall(function["name"], {} if arguments is None else arguments)


def definitions_of(definitions: object) -> list[Definition]:
    """The tool definitions of a record, in OpenAI's form: a list, or (ShareGPT) that list as JSON text."""
    if isinstance(definitions, str):
        try:
            definitions = orjson.loads(definitions) if definitions.strip() else []
        except orjson.JSONDecodeError:
            raise Unfit("tools", state("tools_no_json")) from None
    if definitions is None:
        return []
    if isinstance(definitions, dict) and isinstance(definitions.get("tools"), list):
        definitions = definitions["tools"]  # Bedrock's toolConfig
    if not isinstance(definitions, list):
        raise wrong_kind("tools", "tools", definitions)
    if too_deep(definitions):
        raise Unfit("tools", state("tools_deep", most=DEEPEST))
    definitions = [entry for tool in definitions for entry in _opened(tool)]
    return [_definition(tool, f"tools[{number}]") for number, tool in enumerate(definitions)]


def _opened(tool: object) -> list[object]:
    """The tools that one entry defines: of Gemini's several, of others one."""
    held = tool.get("functionDeclarations", tool.get("function_declarations")) if isinstance(tool, dict) else None
    return held if isinstance(held, list) else [tool]


def _definition(tool: object, at: str) -> Definition:
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
        raise wrong_kind(at, "tool", function)
    return cast("Definition", tool) if "function" in tool else {"type": "function", "function": tool}


def drop_padding(turns: Sequence[Turn], definitions: Sequence[Definition]) -> int:
    """Take out of the calls the nulls for arguments that the tool called does not define; how many there were."""
    known = {str(tool["function"].get("name")): tool["function"].get("parameters") for tool in definitions}
    dropped = 0
    for turn in turns:
        before = dropped
        for place, call in enumerate(turn.calls):
            arguments, number = _without_padding(call.arguments, known.get(call.name))
            turn.calls[place] = ToolCall(call.name, arguments)
            dropped += number
        listed = turn.raw.get("tool_calls")
        if dropped > before and isinstance(listed, list) and len(listed) == len(turn.calls):
            turn.raw = {**turn.raw, "tool_calls": [_rewritten(*pair) for pair in zip(listed, turn.calls, strict=True)]}
    return dropped


def _without_padding(arguments: object, schema: object) -> tuple[object, int]:
    held = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(arguments, dict) or not isinstance(held, Mapping):
        return arguments, 0
    # A table pads the definitions, too.
    known = {name: argument for name, argument in held.items() if argument is not None}
    kept, dropped = {}, 0
    for name, value in arguments.items():
        if value is None and name not in known:
            dropped += 1
            continue
        kept[name], number = _without_padding(value, known.get(name))
        dropped += number
    return kept, dropped


def _rewritten(called: object, call: ToolCall) -> object:
    """A tool call as it was, with these arguments."""
    if not isinstance(called, dict) or not isinstance(function := called.get("function"), dict):
        return called
    arguments = to_text(call.arguments) if isinstance(function["arguments"], str) else call.arguments
    return {**called, "function": {**function, "arguments": arguments}}


def explanation(definitions: Sequence[Definition]) -> str:
    """The words that tell a model which tools there are; empty where there are none."""
    if not definitions:
        return ""
    lines = [to_text(tool["function"]) for tool in definitions]
    return storable("\n".join((CALLING, "", *lines)), "tools")
