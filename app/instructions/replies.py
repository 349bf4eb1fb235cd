"""What a critic's reply is worth: new instructions, or nothing, and why. Pure.

Optimizers take over whatever comes: a reply that was cut, thinking aloud, a JSON object that describes a task. Here
such a reply is refused and the prompt that was there stays.
"""

import re
from dataclasses import dataclass

from app.evaluation import structure
from app.inference.answer_text import MARKS
from app.inference.generator import Answer

OPENED, CLOSED = "<instructions>", "</instructions>"
LONGEST = 20_000  # characters, as a prompt of a measurement may have
GROWTH = 4  # times the length of the first prompt that a new one may have
SHORTEST_LIMIT = 4_000  # characters that any new one may have

_MARKED = re.compile(rf"{OPENED}(.*){CLOSED}", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"^```[^\n`]*\n(.*)^```\s*\Z", re.DOTALL | re.MULTILINE)
_THINKS = re.compile(
    "|".join(re.escape(mark) for pair in MARKS for mark in pair) + r"|<\|?(?:begin|end)_of_thought\|?>", re.IGNORECASE
)

REFUSALS = {
    "cut": "The reply was cut at its token limit.",
    "unmarked": "The reply had no instructions between the marks that were asked for; it may have been cut.",
    "thinking": "The reply had thinking in it. Turn thinking off for the critic, or have its server take it out.",
    "json": "The reply was a JSON object, not instructions.",
    "empty": "The reply had nothing in it.",
    "too_long": "The new prompt was too long.",
    "same": "The new prompt was one that was tried already.",
    "copied": "The new prompt had copied rows in it.",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a reply is not taken over. code: one of `REFUSALS`; more: what is said besides."""

    code: str
    more: str = ""

    @property
    def sentence(self) -> str:
        return f"{REFUSALS[self.code]} {self.more}".strip()


def longest(seed: str) -> int:
    """Characters that a new prompt may have, from the one that the run began with."""
    return min(LONGEST, max(SHORTEST_LIMIT, GROWTH * len(seed)))


def read(answer: Answer, limit: int) -> str | Refused:
    """The instructions in a reply that came whole; `limit` is in characters."""
    if against := _against(answer):
        return Refused(against)
    marked = _MARKED.search(answer.text) or _FENCED.search(answer.text.strip())
    if marked is None:
        return Refused("unmarked")
    text = marked.group(1).strip()
    if not text or _is_json(text):
        return Refused("json" if text else "empty")
    if len(text) > limit:
        return Refused("too_long", f"It had {len(text):,} characters; {limit:,} are possible.")
    return text


def _against(answer: Answer) -> str:
    """What is wrong with a reply as a whole; empty where nothing is."""
    if answer.finish == "length":
        return "cut"
    if not answer.text.strip():
        return "empty"
    if _THINKS.search(answer.text):
        return "thinking"
    return "json" if _is_json(answer.text) else ""


def _is_json(text: str) -> bool:
    """Whether it is an object or a list of JSON, or begins as an object does that was never closed."""
    bare = text.strip()
    value = structure.parsed(bare, fence=True)
    return isinstance(value, dict | list) or bare.startswith(('{"', "{\n", "[{"))
