"""What sets two texts apart that look alike: nothing of weight, a word that is gone, another word, another meaning.

Shared grams say how much two texts share, not what the rest means: `enable` and `disable`, `2019` and `2020`, `place`
and `player` share nearly all of a long question and ask for something else, while a question of six words that lost
one shares two thirds and asks for the same. Here the words that differ are looked at, for the pairs that grams bring
together. The lists are short and about everyday words; where they know nothing, the grams decide as before.
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from rapidfuzz.distance import OSA

from app.datasets.checks.paraphrase_words import (
    AFTER,
    ANSWERED_UNDER,
    ASKED_UNDER,
    BEFORE,
    CONTRACTED,
    DIRECTIONS,
    LIGHT_WORDS,
    NEGATIONS,
    OPPOSITES,
    PREFIXES,
    QUESTION_WORDS,
    SAME_WORD,
    SYNONYMS,
    TELLING_SIGNS,
    UNDOING,
)
from app.text import normal_form

_FEW = 400  # pairs of words, up to which comparing them all is quicker than counting
_CACHED = 1 << 16  # words, or pairs of them, of which the answer is kept; a language has not many more

LONG_QUESTION = 16  # words, from which on a `why` more or less is no other question
LEAST_WORDS = 5  # a text of fewer words is another one when a word of weight goes
WORDS_AN_EDIT = 12  # words for each edit after the first, from which on a text counts as reworded

_NOT_MARKED = re.compile("[\u00c0-\u024f\u0300-\u036f\u0370-\u052f\u1e00-\u1fff]")
_MARKS = re.compile("[\u0300-\u036f]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
# Whole words, each looked at once: begun anew at every letter, a word of 30,000 took a minute.
_LETTERS = re.compile(r"[^\W\d_]++")
_LATIN, _POSING = re.compile("[a-z]"), re.compile("[\u0370-\u052f]")
# Cyrillic and Greek letters that look like Latin ones.
_LIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u04bb\u0501\u043a\u043c\u0442\u0432\u043d"
    "\u03bf\u03b1\u03b5\u03b9\u03bd\u03c1\u03c4\u03c5\u03c7\u03ba",
    "aeopcyxisjhdkmtbh" + "oaeivptuxk",
)

_THOUSANDS = re.compile(r"(?<=\d)[,\u00a0\u202f' ](?=\d{3}(?!\d))")
_ENDINGS = {"m": "am", "re": "are", "ve": "have", "ll": "will", "d": "would", "s": "is"}
# A word, a sign with a meaning, or one letter of a script that puts no spaces between words.
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff]|[^\\W_\u3040-\u30ff\u3400-\u9fff]+(?:\\+\\+|#|['\u2019](?:t|m|re|ve|ll|d|s)\\b)?"
    "|\\$[a-z_]\\w*|[\u20ac$\u00a3\u00a5\u20b9%<>=+&^|]|(?<![\\w)])-(?=\\d)|!(?==)"
)
_DIGITS = re.compile(r"\d+")
_LETTER = re.compile(r"[^\W_]")
_CALLED = re.compile(r"(?<!\w)\d*+([^\W\d]\w*+)\(")
# A capitalised word amid a sentence: after the end of one, a sign of a list or a comment, or a variable a capital means
# nothing; after a comma it does (`$rows, Iterator $more`).
_CAPITAL = re.compile(r"(?<!\S)(?![*#|/+-]|[$@][^\s,]*\s)\S*[^\s.!?:>\"'(\[](?=[ ]+[\"'(]?([A-Z\u00c0-\u00de]\w*))")


def _by_word(phrases: list[tuple[str, ...]], place: int) -> dict[str, list[tuple[str, ...]]]:
    """The phrases by the word that stands at this place of them, the longest first."""
    by_word: dict[str, list[tuple[str, ...]]] = {}
    for phrase in phrases:
        by_word.setdefault(phrase[place], []).append(phrase)
    return by_word


_BEGUN_WITH, _ENDED_WITH = _by_word(BEFORE, 0), _by_word(AFTER, -1)


def _one_of(phrases: list[tuple[str, ...]], *, backwards: bool = False) -> str:
    """An expression for any of them, whatever punctuation stands between the words."""
    turned = [tuple(word[::-1] for word in reversed(phrase)) if backwards else phrase for phrase in phrases]
    return "|".join(r"\W*".join(phrase) + (r"(?!\w)" if phrase[0].isascii() else "") for phrase in turned)


_FRAME_BEFORE = re.compile(
    rf"(?:\W*(?:below is an instruction that describes a task[^#]{{0,200}}|{ASKED_UNDER} ?:|{_one_of(BEFORE)}))+"
)
# Matched against the turned end of a text: there an expression is tried at one place instead of at each.
_FRAME_AFTER = re.compile(
    rf"(?:\W*(?:: ?(?:{'|'.join(word[::-1] for word in sorted(ANSWERED_UNDER))})(?!\w)"
    rf"|{_one_of(AFTER, backwards=True)}))+"
)
_FRAME_LENGTH = 100  # characters at the end of a text that a frame is looked for in


@lru_cache(maxsize=_CACHED)
def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: len(word) - len(ending)]
    return word


def _lines(text: str) -> dict[str, dict[int, int]]:
    """For each stem the lines that it stands on, by number, and on which side."""
    by_stem: dict[str, dict[int, int]] = {}
    for number, line in enumerate(text.strip().splitlines()):
        for side, side_words in enumerate(line.split("|")):
            for word in side_words.split():
                by_stem.setdefault(_stem(word), {})[number] = side
    return by_stem


_NOWHERE: dict[int, int] = {}
_BY_OPPOSITE = _lines(OPPOSITES)
_BY_SYNONYM = _lines(SYNONYMS)


class Edit(IntEnum):
    """How much sets two texts apart, in rising order."""

    NONE = 0  # nothing but punctuation, courtesy and slips of the pen
    SMALL = 1  # a word without a weight of its own, or the order
    DROPPED = 2  # one has a word more
    REWORDED = 3  # several words, none of them of weight on both sides
    SWAPPED = 4  # each has a word of weight that the other lacks
    OTHER = 5  # what differs changes what is meant


@dataclass(frozen=True, slots=True)
class Wording:
    """A text as words. plain: those without courtesy. called: the names before an opening bracket, of functions."""

    words: tuple[str, ...]
    plain: tuple[str, ...]
    called: tuple[str, ...]


def plain(text: str) -> str:
    """A text as `compared_text.normal` gives it, without accents, unseen signs and letters that pose as others."""
    if text.isascii():
        return text
    text = _UNSEEN.sub("", text)
    if _NOT_MARKED.search(text) is None:
        return text
    text = normal_form("NFKC", _MARKS.sub("", normal_form("NFKD", text)))
    if _POSING.search(text) is None:
        return text
    return _LETTERS.sub(_unmixed, text)


def _unmixed(word: re.Match[str]) -> str:
    """A word of Latin and other letters with the Latin ones that these look like."""
    mixed = _LATIN.search(word[0]) and _POSING.search(word[0])
    return word[0].translate(_LIKE) if mixed else word[0]


def core(text: str) -> str:
    """A text, as `plain` gives it, without courtesy and without what a template puts around it."""
    before = _FRAME_BEFORE.match(text)
    begin = before.end() if before else 0
    after = _FRAME_AFTER.match(text[max(begin, len(text) - _FRAME_LENGTH) :][::-1])
    end = len(text) - (after.end() if after else 0)
    core_text = text[begin:end]
    return core_text if begin < end and _LETTER.search(core_text) else text


def of(text: str) -> Wording:
    """text: as `plain` gives it."""
    written = _WORD.findall(_THOUSANDS.sub("", text))
    words = [SAME_WORD.get(word, word) for word in written]
    if not CONTRACTED.isdisjoint(written) or "'" in text or "\u2019" in text:
        words = [part for word in words for part in _whole(word)]
    all_words = tuple(words)
    return Wording(all_words, without_courtesy(all_words), tuple(_CALLED.findall(text)) if "(" in text else ())


def _whole(word: str) -> tuple[str, ...]:
    """The words that one like `don't` or `I'm` is made of."""
    stem, mark, ending = word.replace("\u2019", "'").partition("'")
    if ending == "t" or (not mark and word in CONTRACTED):
        stem = stem.removesuffix("t" if not mark else "").removesuffix("not" if word == "cannot" else "n")
        return {"ca": "can", "can": "can", "wo": "will", "sha": "shall"}.get(stem, stem), "not"
    return (stem, _ENDINGS[ending]) if ending in _ENDINGS else (word,)


def numbers(text: str) -> tuple[str, ...]:
    """The numbers of a text in their order; those that count in thousands as one."""
    return tuple(_DIGITS.findall(_THOUSANDS.sub("", text)))


def edit(one: Wording, other: Wording, *, asking: bool = True) -> Edit:
    """What sets the two apart. asking: whether they are questions, where `how` and `why` ask for different things."""
    if one.called != other.called and len(one.called) == len(other.called):
        return Edit.OTHER
    mine, theirs = one.plain, other.plain
    gone, come = _middles(mine, theirs)
    if not gone and not come:
        return Edit.NONE
    left, right = _differing(gone, come)
    if exchanged(gone, come) or _means_other(
        left, right, short_question=asking and max(len(mine), len(theirs)) < LONG_QUESTION
    ):
        return Edit.OTHER
    moved = [word for word in gone if word not in left] != [word for word in come if word not in right]
    return _size(left, right, min(len(mine), len(theirs)), moved=moved)


def _size(left: list[str], right: list[str], words: int, *, moved: bool) -> Edit:
    """How much it is that differs. left, right: the words of each that the other lacks; words: of the shorter one."""
    edits = max(len(left), len(right)) + moved
    lost, gained = [*left], [*right]
    _pair_off(lost, gained)
    heavy_lost, heavy_found = ([word for word in some if word not in LIGHT_WORDS] for some in (lost, gained))
    if heavy_lost and heavy_found:
        return Edit.SWAPPED
    if not lost and not gained and not moved:
        return Edit.NONE
    if edits > 1 + words // WORDS_AN_EDIT:
        return Edit.REWORDED
    if not heavy_lost and not heavy_found:
        return Edit.SMALL
    return Edit.DROPPED if words >= LEAST_WORDS else Edit.SWAPPED


def without_courtesy(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without what one says before and after a question to be polite."""
    start, end = 0, len(words)
    while start < end:
        some = _BEGUN_WITH.get(words[start], ())
        if not (size := next((len(phrase) for phrase in some if words[start : start + len(phrase)] == phrase), 0)):
            break
        start += size
    while start < end:
        some = _ENDED_WITH.get(words[end - 1], ())
        if not (size := next((len(phrase) for phrase in some if words[end - len(phrase) : end] == phrase), 0)):
            break
        end -= size
    return words[start:end] or words


def alike(one: Wording, other: Wording) -> float:
    """The share of words, 0 to 1, that the two have in common (Dice)."""
    size = len(one.words) + len(other.words)
    return 2 * (Counter(one.words) & Counter(other.words)).total() / size if size else 1.0


def heavy_shared(one: Wording, other: Wording) -> float:
    """The share, 0 to 1, of the shorter text's words of weight that the other has too, in any form."""
    mine, theirs = (
        {_stem(word) for word in text.words if word not in LIGHT_WORDS} or {*text.words} for text in (one, other)
    )
    size = min(len(mine), len(theirs))
    left, right = sorted(mine - theirs), sorted(theirs - mine)
    if size <= LONG_QUESTION:  # in long texts a slip of the pen is one among many words
        _pair_off(left, right)
    return 1 - min(len(left), len(right)) / size if size else 1.0


def slot(questions: tuple[Wording, Wording], answers: tuple[Wording, Wording]) -> bool:
    """Whether what differs in the questions differs in the answers too: one form, filled in with two things.

    A slip of the pen that stands on both sides fills in nothing else, nor does a variable (`$key`) of another name.
    """
    asked_lost, asked_found = _only(questions[0].words, questions[1].words)
    if not asked_lost and not asked_found:
        return False
    answer_lost, answer_found = _only(answers[0].words, answers[1].words)
    # Sorted: the order of a set differs from process to process, and with it who is paired with whom.
    lost, gained = sorted((asked_lost & answer_lost) - LIGHT_WORDS), sorted((asked_found & answer_found) - LIGHT_WORDS)
    if len(lost) == len(gained) or "$" in {word[0] for word in lost + gained}:  # else one is left in any case
        _pair_off(lost, gained)
    return any(word[0] != "$" for word in lost + gained)


def names_swapped(one: str, other: str) -> bool:
    """Whether both texts, as they were written, have a capitalised word of their own amid a sentence: another name."""
    mine, theirs = (Counter(re.findall(r"\w+", text.casefold())) for text in (one, other))
    lost = [word for name in sorted({*_CAPITAL.findall(one)}) if mine[word := name.casefold()] > theirs[word]]
    gained = [word for name in sorted({*_CAPITAL.findall(other)}) if theirs[word := name.casefold()] > mine[word]]
    _pair_off(lost, gained)
    return bool(lost and gained)


def apart(one: str, other: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words, of two texts as `plain` gives them, between what both begin and what both end with."""
    return _middles(of(one).words, of(other).words)


def exchanged(gone: tuple[str, ...], come: tuple[str, ...]) -> bool:
    """Whether two parts changed places around a word that says which is which: `from here to there`."""
    size = len(gone)
    if size != len(come) or not 3 <= size <= 2 * LONG_QUESTION or sorted(gone) != sorted(come):
        return False
    if gone[0] == come[-1] and gone[-1] == come[0] and gone[1:-1] == come[1:-1]:
        return not {"and", "or", "und", "oder", "et", "ou", "y", "o", ",", "\u548c"} & set(gone[1:-1])
    for start in range(1, size - 1):
        for end in range(start + 1, size):
            if DIRECTIONS & set(gone[start:end]) and come == gone[end:] + gone[start:end] + gone[:start]:
                return True
    return False


def _middles(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both without what they begin and end with alike."""
    size = min(len(one), len(other))
    start = 0
    while start < size and one[start] == other[start]:
        start += 1
    end = 0
    while end < size - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _means_other(left: list[str], right: list[str], *, short_question: bool) -> bool:
    if sum(word in NEGATIONS for word in left) != sum(word in NEGATIONS for word in right):
        return True
    if short_question and QUESTION_WORDS.intersection(left) != QUESTION_WORDS.intersection(right):
        return True
    signs, others = ({word for word in some if len(word) == 1 and not word.isalnum()} for some in (left, right))
    if (signs and others) or TELLING_SIGNS & (signs | others):
        return True
    # Each word once: two long rows that say one word over and over have millions of pairs, all the same.
    return any(_opposed(mine, theirs) for mine in {*left} for theirs in {*right})


@lru_cache(maxsize=_CACHED)
def _opposed(one: str, other: str) -> bool:
    if one.isdigit() != other.isdigit():
        return False
    if one.isdigit():
        return one != other
    if one != other and one.rstrip("+#") == other.rstrip("+#"):
        return True
    short, long = sorted((one, other), key=len)
    least = 3 if long.startswith(UNDOING) else 4  # arm and disarm, pin and unpin; ending and depending, no
    if len(short) >= least and long.endswith(short) and long[: -len(short)] in PREFIXES:
        return True
    a, b = _stem(one), _stem(other)
    mine, theirs = _BY_OPPOSITE.get(a, _NOWHERE), _BY_OPPOSITE.get(b, _NOWHERE)
    return any(side != mine.get(line, side) for line, side in theirs.items())


def _pair_off(lost: list[str], gained: list[str]) -> None:
    """Take out the words of both that are one word, misspelt, bent or said otherwise."""
    for word in [*lost]:
        twin = next((candidate for candidate in gained if same_word(word, candidate)), None)
        if twin is not None:
            lost.remove(word)
            gained.remove(twin)


@lru_cache(maxsize=_CACHED)
def same_word(one: str, other: str) -> bool:
    """Whether two words are one: a slip of the pen, an ending, or a word that stands for the other."""
    a, b = _stem(one), _stem(other)
    if a == b or _BY_SYNONYM.get(a, _NOWHERE).keys() & _BY_SYNONYM.get(b, _NOWHERE).keys():
        return True
    size = min(len(one), len(other))
    return size >= 4 and slips(one, other) <= (2 if size >= 8 else 1)


def slips(one: str, other: str) -> int:
    """How many letters are wrong, missing, too many or changed places with the next; 3 stands for more than two."""
    return OSA.distance(one, other, score_cutoff=2)


def _only(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """Words that the one has, or has more often; and those of the other."""
    mine, theirs = _differing(*_middles(one, other))
    return set(mine), set(theirs)


def _differing(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The words of each that the other lacks, as often as it lacks them."""
    if len(one) * len(other) > _FEW:
        mine, theirs = Counter(one), Counter(other)
        return [*(mine - theirs).elements()], [*(theirs - mine).elements()]
    lost, gained = [], [*other]
    for word in one:
        if word in gained:
            gained.remove(word)
        else:
            lost.append(word)
    return lost, gained
