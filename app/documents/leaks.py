"""Which test questions stand in the documents word for word.

A document that holds the test questions with their answers (an exported FAQ, an old test set) makes retrieval look
better than it is: it finds the very row it is judged by. A question of five words or more counts as standing in a
document when four fifths of its runs of five words do. Shorter ones stand in many texts by chance and are left out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.datasets.duplicates import normal

RUN = 5  # words
SHARE = 0.8  # of a question's runs

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Leak:
    """A test question in a document, both by their number. share: of the question's runs. answered: its answer too."""

    question: int
    document: int
    share: float
    answered: bool


Run = tuple[str, ...]


def runs(text: str) -> Iterator[Run]:
    """Every five words that follow each other."""
    words = _WORD.findall(normal(text))
    return zip(*(words[step:] for step in range(RUN)), strict=False)


def find(questions: Sequence[tuple[str, str]], documents: Iterable[str]) -> list[Leak]:
    """Questions (with their answers) that stand in a document, each with the document that holds most of it."""
    asked: defaultdict[Run, list[int]] = defaultdict(list)
    sizes: list[int] = []
    answers = [set(runs(answer)) for _, answer in questions]
    for number, (question, _) in enumerate(questions):
        mine = set(runs(question))
        sizes.append(len(mine))
        for run in mine:
            asked[run].append(number)
    wanted = set(asked).union(*answers)
    best: dict[int, Leak] = {}
    for place, text in enumerate(documents):
        there = wanted.intersection(runs(text))
        hits = Counter(number for run in there & asked.keys() for number in asked[run])
        for number, count in hits.items():
            share = count / sizes[number]
            if share >= SHARE and (number not in best or share > best[number].share):
                answer = answers[number]
                held = len(answer & there) >= SHARE * len(answer) if answer else _holds(text, questions[number][1])
                best[number] = Leak(number, place, share, held)
    return [best[number] for number in sorted(best)]


def _holds(text: str, answer: str) -> bool:
    """Whether a short answer stands in the text as whole words."""
    words, short = _WORD.findall(normal(text)), _WORD.findall(normal(answer))
    if len(short) == 1:
        return short[0] in words
    return bool(short) and any(
        words[at : at + len(short)] == short for at, (one, two) in enumerate(pairwise(words)) if [one, two] == short[:2]
    )
