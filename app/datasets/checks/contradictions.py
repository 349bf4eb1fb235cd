"""Whether two answers to one question can both be right.

A person who answers the same question twice uses other words for the same thing: of 12 pairs of paraphrases 11 share
half or more of the shorter one's words of weight (any ending), of 1,000 pairs of answers drawn by lot 17 (comments) or
1 (instructions). Character 5-grams, which suit near copies, call nearly every paraphrase another answer. In short
answers a single word may turn round what is said: yes and no, other numbers, a `not`, an opposite, another name.
"""

import re

from app.datasets.checks import paraphrases
from app.datasets.checks.compared_text import comparable, letters, normal
from app.datasets.checks.grams import jaccard
from app.datasets.checks.paraphrase_words import listed
from app.datasets.checks.paraphrases import Edit, Wording
from app.datasets.checks.suspicious import refuses
from app.datasets.thresholds import SHORT_ANSWER

SHARED = 0.45  # of the words of the shorter answer; with less two answers are about different things
SHARED_CODE = 0.5  # of the words of the longer one: two programs of one language share many
SPELT_ALIKE = 0.5  # of 5-grams: bent, or misspelt

# Words that nearly every query has: they say nothing about what is asked for.
_OF_QUERIES = listed(
    """select distinct from where and or not in like is null as on join inner left right outer group order by asc desc
    having limit union all count min max sum avg case when then else end between exists insert into values update set
    delete create table with = < > % & | +"""
)
_BETWEEN = re.compile(r"[,;|\n]")
_JOINT = re.compile(r"(?<=[^\W_])[_\s-]+(?=[^\W_])")
_YES = frozenset(("yes", "yeah", "yep", "true", "correct", "ja", "oui", "si", "sim", "\u662f"))
_NO = frozenset(("no", "nope", "false", "incorrect", "wrong", "nein", "non", "nee", "nao", "\u4e0d"))
_CODE = re.compile(
    r"\s*(?:(?:select|insert|update|delete|create|with)\b(?:[^.]|\.(?=\S))*\b(?:from|into|set|table|as)\b"
    r"|(?:def|class|import|function|public|private|static|package|#include|<\?php)\b)"
)


def different(one: str, other: str) -> bool:
    """Whether two answers in prose or code to one question can't both be right."""
    if refuses(one) and refuses(other):
        return False
    short = max(len(one), len(other)) <= SHORT_ANSWER
    plain_one, plain_other = comparable(one), comparable(other)
    a, b = paraphrases.of(plain_one), paraphrases.of(plain_other)
    if letters(one) == letters(other) != "":
        return short and paraphrases.edit(a, b, asking=False) is Edit.OTHER
    if _CODE.match(plain_one) and _CODE.match(plain_other):
        if sorted(paraphrases.numbers(plain_one)) != sorted(paraphrases.numbers(plain_other)):
            return True
        mine, theirs = ({*side} - _OF_QUERIES or {*side} for side in (a.words, b.words))
        return len(mine & theirs) < SHARED_CODE * max(len(mine), len(theirs))
    if paraphrases.heavy_shared(a, b) < SHARED and jaccard(one, other) < SPELT_ALIKE:
        return True
    return short and (_turned(a, b) or paraphrases.names_swapped(one, other))


def other_label(one: str, other: str) -> bool:
    """Whether two labels are different ones; of several labels in one answer the order does not count."""
    return _labels(one) != _labels(other)


def _labels(answer: str) -> list[str]:
    return sorted(part for part in (label(part) for part in _BETWEEN.split(answer)) if part)


def label(answer: str) -> str:
    """A label as it is compared: case, a full stop and what joins its words do not count."""
    return _JOINT.sub(" ", normal(answer).removesuffix("."))


def _turned(one: Wording, other: Wording) -> bool:
    """Whether one says yes and the other no, or they count differently, or one word turns the sense."""
    start, other_start = one.words[:1], other.words[:1]
    if (_YES & {*start} and _NO & {*other_start}) or (_NO & {*start} and _YES & {*other_start}):
        return True
    numbers, others = ({*paraphrases.numbers(" ".join(side))} for side in (one.words, other.words))
    if numbers - others and others - numbers:
        return True
    close = paraphrases.alike(one, other) >= 0.6  # further apart, a `not` may belong to another sentence
    return close and paraphrases.edit(one, other, asking=False) is Edit.OTHER
