"""What is kept with an answer beside its text, as it is stored: each name only where there is something to say."""

from collections.abc import Mapping
from typing import TypedDict


class AnswerDetails(TypedDict, total=False):
    """passages: ids of those that stood before the question, the best first, with their scores. gold: ids of the right
    ones, where they are known; cited: numbers that the answer names; used: whether a gold passage among those given is
    cited or said. written: the answer as it was written, with what it cites. chances: of the likeliest labels, where
    labels were scored. why: what was wrong with it, where a metric says so. unscored:
    that it came and could not be scored."""

    passages: list[tuple[int, float]]
    gold: list[int]
    cited: list[int]
    used: bool
    written: str
    chances: Mapping[str, float]
    why: str
    unscored: bool


class ReplyKept(TypedDict):
    """A reply as it came, where that can't be seen from the row (`replies.beside`)."""

    text: str
    raw: str | None
    thinking: str
