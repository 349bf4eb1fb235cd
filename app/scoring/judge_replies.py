"""What a judge's reply is worth: one word with a reason, or nothing, and why. Pure.

The reply as a whole has to be the JSON object that was asked for. A verdict inside of prose, or inside of an answer
that the judge repeats, is not looked for: whoever takes the first `"verdict"` of a text takes the one that an answer
planted there. What can't be read is an error and counts as neither word.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.inference.generator import Answer

SINGLE = ("pass", "fail")
PAIR = ("first", "second", "tie")
KEYS = {"reason", "verdict"}
LONGEST_REASON = 1_000

_FENCE = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n```\Z", re.DOTALL)

REFUSALS = {
    "cut": "The reply was cut at its token limit.",
    "empty": "The reply had nothing in it.",
    "form": "The reply was not the JSON object that was asked for and nothing else.",
    "keys": "The reply had other keys than reason and verdict, or one of them twice.",
    "word": "The verdict was none of the words that were asked for.",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The word of a judge, and why, in its own."""

    word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a reply does not count. code: one of `REFUSALS`."""

    code: str

    @property
    def sentence(self) -> str:
        return REFUSALS[self.code]


class _Twice(ValueError):
    """A key stands there twice."""


def read(answer: Answer, words: Sequence[str]) -> Judged | Unreadable:
    """The one word of a reply that came; `answer` is without its thinking."""
    text = answer.text.strip()
    if answer.finish == "length" or not text:
        return Unreadable("cut" if answer.finish == "length" else "empty")
    value = _object(text)
    if isinstance(value, Unreadable):
        return value
    word, reason = value["verdict"], value.get("reason", "")
    if not isinstance(word, str) or word.strip().lower() not in words:
        return Unreadable("word")
    return Judged(word.strip().lower(), reason.strip()[:LONGEST_REASON] if isinstance(reason, str) else "")


def _object(text: str) -> dict[str, object] | Unreadable:
    """The object that a reply is as a whole, a code fence around it aside."""
    fenced = _FENCE.match(text)
    try:
        value = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_once)
    except _Twice:
        return Unreadable("keys")
    except (ValueError, RecursionError):
        return Unreadable("form")
    if not isinstance(value, dict):
        return Unreadable("form")
    return value if "verdict" in value and set(value) <= KEYS else Unreadable("keys")


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twice
    return dict(pairs)
