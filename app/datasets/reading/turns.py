"""The turns of a conversation as they were uploaded, whatever form they came in."""

from dataclasses import dataclass, field

from app.datasets.reading.faults import Unfit
from app.json_types import JsonDict, JsonObject
from app.wording import state

THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts", "reasoning_details", "rationale")
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


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What an assistant's message calls. arguments: any JSON value; an object, where the file is in order.

    As JSON it has these two keys in this order, which is the form that a model is asked for.
    """

    name: str
    arguments: object


@dataclass(slots=True)
class Turn:
    """One message as it was uploaded. calls: what it calls; of: the tool whose result it is.

    raw: the message in OpenAI's form. plain: whether role and text say all of it. trained: an answer to learn from.
    thought: the key or kind of part that holds what was thought before it, empty where there is none. reasoning: its
    text.
    """

    role: str
    text: str
    calls: list[ToolCall] = field(default_factory=list)
    of: str = ""
    raw: JsonDict = field(default_factory=dict)
    plain: bool = True
    trained: bool = True
    thought: str = ""
    reasoning: str = ""


def reasoning_text(value: object) -> str:
    """What was thought, as text: of a value that holds it, or of a part; empty where it holds nothing to read.

    Providers write it as a text, or as a list of parts with the text under one of a few names; what they encrypted
    (`redacted_thinking`, a signature) can't be trained.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "\n".join(text for text in map(reasoning_text, value) if text)
    if isinstance(value, dict):
        return next((text for name in _TEXT_OF_THOUGHT if (text := reasoning_text(value.get(name)))), "")
    return ""


_TEXT_OF_THOUGHT = ("thinking", "text", "reasoning", "summary", "content", "reasoningContent", "reasoningText")


def refuse_media(record: JsonObject, at: str = "") -> None:
    """
    Raises:
        Unfit: a picture, sound or film stands beside the text.
    """
    if key := next((candidate for candidate in MEDIA if record.get(candidate)), None):
        where = f"{at}.{key}" if at else key
        raise Unfit(where, state("media", at=where))
