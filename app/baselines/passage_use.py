"""What an answer makes of the passages it was given: what it cites, whether it refuses, and how it failed. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from app.baselines.answer_details import AnswerDetails
from app.datasets.checks.leaks import words
from app.intervals import Interval, wilson

Failure = Literal["missed", "unused", "misused", "cut"]
FAILURES: dict[Failure, tuple[str, str]] = {
    "missed": ("Passage not found", "No gold passage was among those retrieved: retrieval has to get better."),
    "unused": (
        "Found and not used",
        "A gold passage was there, and the output neither cites it nor says several words that only this brings.",
    ),
    "misused": (
        "Wrong though used",
        "The output cites a gold passage or says several words that only this brings, and is wrong.",
    ),
    "cut": (
        "Cut at the limit",
        "A gold passage was there, and the output was cut at the token limit: whether it would use it nobody knows.",
    ),
}

NOT_THERE = "Not in the passages."  # what a model is asked to write where no passage answers
OVERLAP = 0.5  # of an answer's words, from which on it says what a passage says
SEVERAL = 3  # different words with a meaning that it has to share for that
LONGEST_REFUSAL = 30  # words; a longer text that says so on the way answers something

# Right behind a letter or a digit it may be an index of code, unless it stands alone at the end of the text.
_CITED = re.compile(r"(?:[ \t]+|(?<!\w))\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_CITED_AT_END = re.compile(r"(?<=\w)\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\](?=[\s.!]*$)")
_REFUSES = re.compile(
    r"\bnot (?:in|among) (?:the|these|any of the) (?:passages?|documents?|corpus|context|text|sources?)\b"
    r"|\b(?:answer|information) (?:is |was )?not (?:found|there|available|given|known)\b"
    r"|^(?:it is |it's )?(?:not found|not answerable|unanswerable|no answer|not known|unknown)\W*$"
    r"|\b(?:i|we) (?:do not|don['\u2019]t) know\b"
    r"|\b(?:can ?not|can['\u2019]t|unable to) (?:be )?answer"
    r"|\b(?:passages?|documents?|context|text|sources?) (?:do|does|did) ?(?:not|n['\u2019]t) "
    r"(?:say|state|contain|mention|hold|give|provide|answer|have)\b",
    re.IGNORECASE,
)


def uncited(text: str, most: int) -> tuple[str, tuple[int, ...]]:
    """A text without the numbers that it cites, and these. most: passages there were; other brackets stay."""
    numbers: list[int] = []

    def taken(match: re.Match[str]) -> str:
        mine = [int(number) for number in re.findall(r"\d+", match[1])]
        if not all(1 <= number <= most for number in mine):
            return match[0]
        numbers.extend(mine)
        return ""

    bare = _CITED.sub(taken, text)
    if bare.count("[") == 1:
        bare = _CITED_AT_END.sub(taken, bare)
    return (bare.strip() if numbers else text), tuple(dict.fromkeys(numbers))


def refuses(text: str, own: Collection[str] = ()) -> bool:
    """Whether a text says that it cannot answer. own: what the data itself writes then, as `plain` has it."""
    if plain(text) in own or plain(text) == plain(NOT_THERE):
        return True
    return len(text.split()) <= LONGEST_REFUSAL and _REFUSES.search(text) is not None


def plain(text: str) -> str:
    """A text as refusals are compared: its words."""
    return " ".join(words(text))


def own_refusals(targets: Iterable[str]) -> list[str]:
    """What the expected answers themselves write where there is none to give, the commonest first."""
    counted = Counter(target.strip() for target in targets if _REFUSES.search(target) and refuses(target))
    return [text for text, _ in counted.most_common()]


def says(output: str, passage: str, question: str = "") -> bool:
    """Whether an output says what a passage says: most of its words stand there, and several different ones among them
    carry a meaning. One name or number alone stands in many a passage, and so do little words. What the question says
    already tells nothing of the passage, so its words count for neither side."""
    asked = set(words(question))
    mine = [word for word in words(output) if _carries(word) and word not in asked]
    theirs = set(words(passage))
    common = [word for word in mine if word in theirs]
    return len(set(common)) >= SEVERAL and len(common) >= OVERLAP * len(mine)


def _carries(word: str) -> bool:
    return word.isdigit() or (len(word) > 3 and word not in _little_words())


@lru_cache(maxsize=1)
def _little_words() -> frozenset[str]:
    """Those that any two English texts share."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def details(
    output: str, passages: Sequence[tuple[int, str]], gold: Sequence[int], cited: Sequence[int], question: str = ""
) -> AnswerDetails:
    """What is kept with an answer of its passages. passages: (id, text) as they were numbered; cited: their numbers.
    question: what was asked, without them.

    used: whether a gold passage among them is cited or said; left out where none is known or none was there.
    """
    kept: AnswerDetails = {}
    if cited:
        kept["cited"] = list(cited)
    if gold:
        kept["gold"] = list(gold)
        right = set(gold)
        there = [(number, text) for number, (passage, text) in enumerate(passages, start=1) if passage in right]
        if there:
            kept["used"] = any(number in cited or says(output, text, question) for number, text in there)
    return kept


def failure(kept: AnswerDetails | None, finish: str = "") -> Failure | None:
    """How an answer that is wrong came to be, by what was kept with it; None where no gold passage is known.

    finish: `length` where the token limit cut it, so that nobody knows what it would have said.
    """
    if not kept or not kept.get("gold") or "passages" not in kept:
        return None
    found = {passage for passage, _ in kept["passages"]}
    if not found & set(kept.get("gold", ())):
        return "missed"
    if finish == "length":
        return "cut"
    return "misused" if kept.get("used") else "unused"


class Share(NamedTuple):
    """So many of so many rows."""

    some: int
    rows: int

    @property
    def share(self) -> float:
        return self.some / self.rows if self.rows else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.some, self.rows)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often an arm refuses: where the answer is in none of the documents (it should), and where it is (it should
    not)."""

    rightly: Share
    wrongly: Share


def refusals(answers: Iterable[tuple[str, bool]], own: Collection[str] = ()) -> Refusals:
    """Of outputs, each with whether it should have been a refusal."""
    counted = [(refuses(text, own), should) for text, should in answers]
    return Refusals(
        Share(sum(refused for refused, should in counted if should), sum(should for _, should in counted)),
        Share(sum(refused for refused, should in counted if not should), sum(not should for _, should in counted)),
    )
