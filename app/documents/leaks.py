"""Which test questions stand in the documents word for word.

A document that holds the test questions with their answers (an exported FAQ, an old test set) makes retrieval look
better than it is: it finds the very row it is judged by. A question of five words or more counts as standing in a
document when four fifths of its runs of five words do. Shorter ones stand in many texts by chance and are left out,
and so are, in scripts without spaces, those of fewer than ten signs. A short answer counts as standing there too where
it comes soon after the question: `yes`, or a number, stands somewhere in any long document.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.datasets.checks.leaks import Words, words

RUN = 5  # words
SHARE = 0.8  # of a question's runs
LEAST_SIGNS = 10  # of a question in a script without spaces, where a word is a sign
SOON = 30  # words after the question, within which a short answer has to come


@dataclass(frozen=True, slots=True)
class Leak:
    """A test question in a document, both by their number. share: of the question's runs. answered: its answer too."""

    question: int
    document: int
    share: float
    answered: bool


def runs(text: Words) -> Iterator[Words]:
    """Every five words that follow each other."""
    return zip(*(text[step:] for step in range(RUN)), strict=False)


def find(questions: Sequence[tuple[str, str]], documents: Iterable[str]) -> list[Leak]:
    """Questions (with their answers) that stand in a document, each with the document that holds most of it."""
    questions_with: defaultdict[Words, list[int]] = defaultdict(list)
    sizes: list[int] = []
    answers = [set(runs(words(answer))) for _, answer in questions]
    for number, (question, _) in enumerate(questions):
        mine = _runs_of(question)
        sizes.append(len(mine))
        for run in mine:
            questions_with[run].append(number)
    wanted = set(questions_with).union(*answers)
    best: dict[int, Leak] = {}
    for place, text in enumerate(documents):
        text_words = words(text)
        there = wanted.intersection(runs(text_words))
        hits = Counter(number for run in there & questions_with.keys() for number in questions_with[run])
        for number, count in hits.items():
            share = count / sizes[number]
            if share >= SHARE and (number not in best or share > best[number].share):
                answer = answers[number]
                held = len(answer & there) >= SHARE * len(answer) if answer else _soon(text_words, *questions[number])
                best[number] = Leak(number, place, share, held)
    return [best[number] for number in sorted(best)]


def _runs_of(question: str) -> set[Words]:
    question_words = words(question)
    spaced = max(map(len, question_words), default=0) > 1
    return set(runs(question_words)) if spaced or len(question_words) >= LEAST_SIGNS else set()


def _soon(text: Words, question: str, answer: str) -> bool:
    """Whether a short answer stands as whole words soon after the question, wherever the document asks it."""
    in_question, short = _runs_of(question), words(answer)
    ends = [place + RUN for place, run in enumerate(runs(text)) if run in in_question]
    return bool(short) and any(
        text[at : at + len(short)] == short for end in ends for at in range(end, min(end + SOON, len(text)))
    )
