"""A conversation and the answer that is due: the values that every room of the app hands to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from app.json_types import JsonDict

Part = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str

    def to_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


def messages_from_json(stored: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    """Messages as they are stored with a row: objects with role and content."""
    return tuple(Message(message["role"], message["content"]) for message in stored)


@dataclass(frozen=True, slots=True)
class Record:
    """One usable line: `messages` is what is asked, `target` the answer that is trained on and compared with.

    group: what the uploader says belongs together (a customer, a document); rows of one group stay on one side of the
    split. time: when it came up, as the uploader writes it. part: where the uploader wants the row, None where nothing
    was said. reasoning: what was thought before the answer, where somebody wants that trained. source: the
    conversation in OpenAI's form (messages, tools) where turns of text can't hold all of it; the export gives it back.
    """

    line: int
    messages: tuple[Message, ...]
    target: str
    group: str = ""
    part: Part | None = None
    source: JsonDict | None = None
    time: str = ""
    reasoning: str = ""
