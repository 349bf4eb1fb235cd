"""Whether two different answers differ only because their questions do.

An answer that copies from its question (a street, a name, the letter of an option, the place of a word) has to differ
where the question differs. `40 Kettle St` and `40 Kettle St.` are near rows, and `"type": "St"` against `"type": "St."`
says of each what it holds: no contradiction. So what an answer copies is compared by its letters, other words of an
answer may differ where exactly these words differ in the questions, and JSON is compared field by field. Between
questions that are the same to the letter nothing is explained.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from app.datasets.checks import paraphrases
from app.datasets.checks.compared_text import comparable, letters
from app.datasets.reading.faults import too_deep

_WORD = re.compile(r"\w+")
# Keys under which an answer tells where in its question something stands: characters from and up to.
_SPANS = (("start", "end"), ("begin", "end"), ("start_char", "end_char"), ("start_index", "end_index"))
_FEW = 10_000  # pairs of items that are looked at where two lists are of different lengths
_MISSING = object()


def same_json(one: object, other: object, question: str, other_question: str) -> bool:
    """Whether two JSON answers say the same but for what each copies from its own question."""
    if one == other and type(one) is type(other):
        return True
    if too_deep(one) or too_deep(other):
        return False
    return question != other_question and _Fields(question, other_question).same(one, other)


def same_text(one: str, other: str, question: str, other_question: str) -> bool:
    """The same of two texts or labels."""
    return question != other_question and _Copied(question, other_question).same(one, other)


class _Copied:
    """What differs between two questions, and with it which differences of their answers that explains."""

    def __init__(self, question: str, other_question: str) -> None:
        self.sides = comparable(question), comparable(other_question)
        self.letters = letters(self.sides[0]), letters(self.sides[1])
        mine, theirs = (Counter(_WORD.findall(side)) for side in self.sides)
        self.words = {*mine}, {*theirs}
        self.lost, self.gained = mine - theirs, theirs - mine
        # What changed its place: the letter of an option means another one where options were shuffled.
        self.gone, self.come = ({*part} for part in paraphrases.apart(*self.sides))

    def same(self, one: str, other: str) -> bool:
        first, second = comparable(one), comparable(other)
        mine, theirs = Counter(_WORD.findall(first)), Counter(_WORD.findall(second))
        lost, gained = mine - theirs, theirs - mine
        if (lost or gained) and lost <= self.lost and gained <= self.gained:
            return True
        if letters(first) == letters(second):  # at most their signs, capitals and blanks differ
            return self._stands(first, 0) and self._stands(second, 1)
        return self._moved({*mine}, {*theirs})

    def _moved(self, mine: set[str], theirs: set[str]) -> bool:
        """Whether both answers name something in their question, and one of them what changed its place there."""
        if not mine or not theirs or not (self.gone & self.come):
            return False
        named = mine <= self.words[0] and theirs <= self.words[1]
        return named and (mine <= self.gone & self.come or theirs <= self.gone & self.come)

    def _stands(self, text: str, side: int) -> bool:
        """Whether the text is copied from its own question; a bare sign only if the other question lacks it."""
        if bare := letters(text):
            return bare in self.letters[side]
        return text in self.sides[side] and text not in self.sides[1 - side]


class _Fields(_Copied):
    """The same of JSON, field by field."""

    def __init__(self, question: str, other_question: str) -> None:
        super().__init__(question, other_question)
        # The places of words are counted in what was said last.
        self.last_questions = tuple(text.rpartition("\nuser: ")[2] for text in (question, other_question))

    def same(self, one: object, other: object) -> bool:
        if one == other and type(one) is type(other):
            return True
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return self._objects(one, other)
        if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str | bytes):
            return not isinstance(other, str | bytes) and self._lists(one, other)
        if one is _MISSING or other is _MISSING:
            return self._only_there(other if one is _MISSING else one, 1 if one is _MISSING else 0)
        if _scalar(one) and _scalar(other):
            return super().same(str(one), str(other))
        return False

    def _objects(self, one: Mapping[str, object], other: Mapping[str, object]) -> bool:
        mine, theirs = ({**side} for side in (one, other))
        for start, end in _SPANS:
            places = [_slice(side.get(start), side.get(end), text) for side, text in
                      zip((mine, theirs), self.last_questions, strict=True)]  # fmt: skip
            if None not in places and super().same(*map(str, places)):
                for side in (mine, theirs):
                    del side[start], side[end]
                break
        left = [key for key in theirs if key not in mine]
        if len(left) * len(mine.keys() - theirs.keys()) > _FEW:
            return False
        for key, value in mine.items():
            if key in theirs:
                fits = self.same(value, theirs[key])
            else:  # a key may be copied, too
                twin = next((name for name in left if super(_Fields, self).same(key, name)), None)
                fits = self.same(value, _MISSING if twin is None else theirs[twin])
                if twin is not None:
                    left.remove(twin)
            if not fits:
                return False
        return all(self.same(_MISSING, theirs[key]) for key in left)

    def _lists(self, one: Sequence[object], other: Sequence[object]) -> bool:
        pairs = [_slice(side[0], side[1], text) if len(side) > 1 else None
                 for side, text in zip((one, other), self.last_questions, strict=True)]  # fmt: skip
        if None not in pairs and super().same(*map(str, pairs)):
            return self._lists(one[2:], other[2:])  # [from, up to, kind]
        if len(one) == len(other):
            return all(self.same(first, second) for first, second in zip(one, other, strict=True))
        if len(one) * len(other) > _FEW:
            return False
        left = [*other]
        for value in one:
            twin = next((number for number, held in enumerate(left) if self.same(value, held)), None)
            if twin is not None:
                del left[twin]
            elif not self._only_there(value, 0):
                return False
        return all(self._only_there(value, 1) for value in left)

    def _only_there(self, value: object, side: int) -> bool:
        """Whether a value that only one answer has is copied from what only its question has: a word, or a sign."""
        if not all(isinstance(leaf, str) for leaf in _leaves(value)):
            return False
        for text in _leaves(value):
            words = Counter(_WORD.findall(comparable(str(text))))
            if words:
                if not words <= (self.lost, self.gained)[side]:
                    return False
            elif (sign := str(text).strip()) and not _more(
                sign, self.last_questions[side], self.last_questions[1 - side]
            ):
                return False
        return True


def _more(sign: str, mine: str, other: str) -> bool:
    return mine.count(sign) > other.count(sign)


def _scalar(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _slice(start: object, end: object, text: str) -> str | None:
    """What stands there, where the two are places in the text."""
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text) + 1:
        return None
    return text[start:end]
