"""Words in which three texts differ: an expected answer and what two variants answered. Pure.

Each text is compared with both others word by word. Texts are cut before they are compared, so that no row can hold a
page up: what is beyond the limit stands unmarked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

CHARACTERS = 4_000  # of a text that are compared; three comparisons of such texts take some milliseconds
# A sign of a script that is written without blanks is a word of its own.
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a text. lacks: whether each of the two other texts lacks it there, in their order."""

    text: str
    lacks: tuple[bool, bool] = (False, False)


@dataclass(frozen=True, slots=True)
class Marked:
    """Three texts in stretches. expected is compared with the first and the second answer; an answer with the expected
    one and with the other answer. No answer is an empty text, with which nothing is compared."""

    expected: Sequence[Run]
    first: Sequence[Run]
    second: Sequence[Run]


def marked(expected: str, first: str | None, second: str | None) -> Marked:
    """Compare an expected answer and two others; None where a variant gave none."""
    wanted, one, two = (_words(text or "") for text in (expected, first, second))
    in_expected, in_first = _lacking(wanted, one, there=first is not None)
    expected_too, in_second = _lacking(wanted, two, there=second is not None)
    first_too, second_too = _lacking(one, two, there=first is not None and second is not None)
    return Marked(
        _runs(wanted, in_expected, expected_too, expected),
        _runs(one, in_first, first_too, first or ""),
        _runs(two, in_second, second_too, second or ""),
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text[:CHARACTERS])


def _lacking(left: Sequence[str], right: Sequence[str], *, there: bool) -> tuple[list[bool], list[bool]]:
    """For each word of two texts, whether the other one lacks it; of what is not there nothing is said."""
    of_left, of_right = [there] * len(left), [there] * len(right)
    if there:
        for block in LCSseq.opcodes(left, right):
            if block.tag == "equal":
                of_left[block.src_start : block.src_end] = [False] * (block.src_end - block.src_start)
                of_right[block.dest_start : block.dest_end] = [False] * (block.dest_end - block.dest_start)
    return of_left, of_right


def _runs(words: Sequence[str], one: Sequence[bool], two: Sequence[bool], whole: str) -> list[Run]:
    """Neighbours alike as one stretch, and what was not compared behind them."""
    runs: list[Run] = []
    for word, lacks in zip(words, zip(one, two, strict=True), strict=True):
        if runs and runs[-1].lacks == lacks:
            runs[-1] = Run(runs[-1].text + word, lacks)
        else:
            runs.append(Run(word, lacks))
    rest = whole[CHARACTERS:]
    return [*runs, Run(rest)] if rest else runs
