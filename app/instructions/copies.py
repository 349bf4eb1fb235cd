"""Whether a prompt that a critic wrote has rows of the data copied into it. Pure.

A prompt that quotes a row answers that row by heart: on dev rows it would win without being better, on test rows it
would spoil what judges everything. Word for word, by runs of five words as the check of leaks has them, and by likeness
as near-duplicates are found. What the first prompt had is a person's doing; what stands in several rows is a phrase.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.baselines.shots import near
from app.datasets.checks.leaks import LEAST_ANSWER, PHRASE, Words, words
from app.wording import joined, plural

RUN = 5  # words in a row that two texts share
CONTAINED = 0.5  # share of a row's runs that a copy of it has
LEAST_ALIKE = 3  # words that a line shares with a row before they are compared by likeness
SHORT = 6  # characters of a short answer that is no common word
LISTED = 3  # short answers, each of a row of its own, from which on they are a list of answers
LINE = 20  # characters of a line that is compared by likeness


@dataclass(frozen=True, slots=True)
class RowText:
    """A question or an answer of a row. split: train, dev or test."""

    split: str
    line: int
    text: str
    answer: bool


@dataclass(frozen=True, slots=True)
class _Known:
    row: RowText
    words: Words


class Copies:
    """Every question and answer of the data, ready to be looked for in one prompt after the other.

    labels: the answers are labels, which a prompt may name.
    """

    def __init__(self, rows: Iterable[RowText], seed: str, *, labels: bool) -> None:
        known = [_Known(row, words(row.text)) for row in rows if not (labels and row.answer)]
        often = Counter(one.words for one in known)
        rare = [one for one in known if one.words and often[one.words] < PHRASE]
        self._long = [one for one in rare if len(one.words) >= RUN]
        self._short = [
            one for one in rare if len(one.words) < RUN and one.row.answer and len(one.row.text.strip()) >= SHORT
        ]
        seeded = words(seed)
        self._seeded = {size: _runs(seeded, size) for size in range(1, RUN + 1)}
        self._lines = {line.strip() for line in seed.splitlines()}

    def inside(self, prompt: str) -> list[RowText]:
        """The rows of which this prompt has a copy, each text once; empty where it has none."""
        text = words(prompt)
        fresh = {size: _runs(text, size) - self._seeded[size] for size in range(1, RUN + 1)}
        lines = [line.strip() for line in prompt.splitlines()]
        lines = [line for line in lines if len(line) >= LINE and line not in self._lines]
        copied = [
            one.row
            for one in self._long
            if _quotes(one.words, fresh[RUN])
            or (not fresh[LEAST_ALIKE].isdisjoint(_runs(one.words, LEAST_ALIKE)) and _alike(one.row.text, lines))
        ]
        listed = [one.row for one in self._short if one.words in fresh[len(one.words)]]
        return copied + (listed if len({row.text for row in listed}) >= LISTED else [])


def described(rows: Sequence[RowText]) -> str:
    """How many rows, and of which splits; never what is in them."""
    lines = {split: {row.line for row in rows if row.split == split} for split in ("train", "dev", "test")}
    counted = [plural(len(there), f"{split} row") for split, there in lines.items() if there]
    return f"It quotes {joined(counted)}."


def _runs(text: Words, size: int) -> set[Words]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def _quotes(text: Words, fresh: set[Words]) -> bool:
    """Half of a row's runs of five words, or as many in all as a run of twelve words has."""
    runs = _runs(text, RUN)
    shared = len(runs & fresh)
    return shared >= CONTAINED * len(runs) or shared > LEAST_ANSWER - RUN


def _alike(text: str, lines: Sequence[str]) -> bool:
    return any(near(line, text) for line in lines)
