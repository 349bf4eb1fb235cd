"""Two texts beside each other, with what differs marked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

COMPARED = 5000  # words of a text that are compared one by one with its twin's


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text; `changed`: the other text does not have it there."""

    text: str
    changed: bool


Differences = tuple[list[Piece], list[Piece]]
"""Two texts in pieces."""


def differences(text: str, other_text: str) -> Differences:
    """Both texts in pieces, word by word: what differs between near-duplicates is easily missed by the eye.

    Texts of more than `COMPARED` words come back whole and unmarked.
    """
    left, right = (re.findall(r"\w+|\s+|[^\w\s]", each) for each in (text, other_text))
    if max(len(left), len(right)) > COMPARED:
        return [Piece(text, changed=False)], [Piece(other_text, changed=False)]
    first: list[Piece] = []
    second: list[Piece] = []
    for step in LCSseq.opcodes(left, right):
        same = step.tag == "equal"
        for pieces, tokens in (
            (first, left[step.src_start : step.src_end]),
            (second, right[step.dest_start : step.dest_end]),
        ):
            if tokens:
                pieces.append(Piece("".join(tokens), changed=not same))
    return first, second


def whole_question(messages: Sequence[Mapping[str, str]]) -> str:
    """All that is asked as one text; with one message, just that."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)
