"""The turns of ShareGPT's `conversations` list."""

import orjson

from app.datasets.reading.faults import Unfit, no_list, short, storable, wrong_kind
from app.datasets.reading.json_text import to_text
from app.datasets.reading.messages import turns_of_messages
from app.datasets.reading.tool_calls import call_of
from app.datasets.reading.turns import Turn
from app.wording import state

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


def turns_of_sharegpt(turns: object, at: str = "conversations") -> list[Turn]:
    """The turns of a `conversations` list. A `function_call` that is not JSON stays the text it is."""
    if not isinstance(turns, list):
        raise no_list(at, "turns", turns)
    if not turns:
        raise Unfit(at, state("empty_list", at=at), "empty")
    if isinstance(turns[0], dict) and "role" in turns[0] and "from" not in turns[0]:
        return turns_of_messages(turns, at)  # OpenAI's messages under ShareGPT's key, as many converters write them
    converted: list[Turn] = []
    ids, last = 0, ""
    for number, turn in enumerate(turns):
        spoken = _spoken(turn, f"{at}[{number}]")
        for call in spoken.calls:
            ids, last = ids + 1, call.name
            function = {"name": call.name, "arguments": to_text(call.arguments)}
            spoken.raw["tool_calls"] = [{"id": f"call_{ids}", "type": "function", "function": function}]
        if spoken.role == "tool":
            spoken.of = last
            spoken.raw["tool_call_id"] = f"call_{ids}"
        converted.append(spoken)
    return converted


def _spoken(turn: object, at: str) -> Turn:
    if not isinstance(turn, dict):
        raise wrong_kind(at, "turn", turn)
    speaker = turn.get("from")
    role = _SPEAKERS.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise Unfit(f"{at}.from", state("speaker", at=f"{at}.from", seen=short(speaker)))
    value = turn.get("value")
    if not isinstance(value, str):
        raise wrong_kind(f"{at}.value", "text", value)
    text = storable(value, f"{at}.value")
    if speaker == "function_call":
        try:
            calls = [call_of(orjson.loads(text), at)]
        except (orjson.JSONDecodeError, Unfit):
            return Turn(role, text, raw={"role": role, "content": text})
        return Turn(role, "", calls, raw={"role": role, "content": None}, plain=False)
    return Turn(role, text, raw={"role": role, "content": text}, plain=role != "tool")
