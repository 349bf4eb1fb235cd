"""How alike two rows are, and whether they are near-duplicates, clash, or have nothing to do with each other.

See `duplicates` for the rules and where their numbers come from.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from app.datasets.checks import paraphrases
from app.datasets.checks.compared_text import Texts, comparable, only_letters
from app.datasets.checks.grams import ANSWER_SIDE, GramWeights, Hashes, Places, common, grams_of_one
from app.datasets.checks.paraphrases import Edit, Wording
from app.datasets.thresholds import SHORT_ANSWER

ALIKE = 0.8
ASKED_ALIKE = 0.6  # of the questions alone, when the answers speak too
LOOSELY_ALIKE = 0.25  # of questions that one word sets apart
LONG_LABELLED = 8  # words of a question, of which one may be gone where no answer in prose confirms that it is the same

_CACHED_GRAMS = 1 << 21  # grams of rows that are kept for the next comparison, of 8 bytes each; at most so many rows:
_CACHED = 1 << 14

Conflict = Callable[[tuple[str, str], tuple[str, str]], bool]
"""Whether of two rows (question and answer) that ask the same the answers can't both be right."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What two rows are to each other: near-duplicates, or one question with two answers (`clash`).

    similarity: 0 to 1.
    """

    similarity: float
    clash: bool = False


@dataclass(frozen=True, slots=True)
class _Pair:
    """What is plain about two rows: whether the answers are one, and the questions but for their punctuation and frame.

    A frame is a courtesy, or what a template puts around a question (`paraphrases.core`).
    """

    same_answer: bool
    punctuation: bool

    @property
    def sure(self) -> bool:
        return self.same_answer or self.punctuation


@dataclass(frozen=True, slots=True)
class _Likeness:
    """How alike two rows are, 0 to 1. plain: their questions without weights; the others with them."""

    plain: float
    asked: float
    answered: float
    both: float


def _share(shared: float, total: float) -> float:
    """Jaccard from what two sets share and what they weigh one by one."""
    return shared / (total - shared) if total > shared else 1.0


_NO_GRAMS = np.zeros(0, dtype=np.uint64)


@dataclass(slots=True)
class _Row:
    """A row as it is compared. asked, answered: gram hashes, with the sums of their weights.

    Grams and words are made when they are asked for: where rows come from one template, other numbers tell most pairs
    apart before.
    """

    asked_text: str
    asked_core: str
    answer_text: str
    asked_letters: str
    numbers: tuple[str, ...]
    answer_numbers: tuple[str, ...]
    asked: Hashes = field(default_factory=lambda: _NO_GRAMS)
    answered: Hashes = field(default_factory=lambda: _NO_GRAMS)
    asked_weight: float = 0.0
    answered_weight: float = 0.0
    wordings: tuple[Wording, Wording] | None = None

    def words(self) -> tuple[Wording, Wording]:
        """Of question and answer."""
        if self.wordings is None:
            self.wordings = paraphrases.of(self.asked_core), paraphrases.of(self.answer_text)
        return self.wordings


class Comparer:
    """Compares rows, each by its place in `unique`, the positions of the rows that are compared."""

    def __init__(self, texts: Texts, unique: Places, weights: GramWeights, *, labels: bool, conflict: Conflict) -> None:
        self.texts = texts
        self.unique = unique
        self.weights = weights
        self.labels = labels
        self.conflict = conflict
        self.cache: OrderedDict[int, _Row] = OrderedDict()
        self.cached_grams = 0

    def compare(self, earlier: int, later: int) -> Judgement | None:
        """What the two rows are to each other; None where that is nothing.

        The words come before the grams: rows that fill in one form differently are turned away by them, and where a
        file is made of forms that is nearly every pair.
        """
        a, b = self._row(earlier), self._row(later)
        pair = _Pair(a.answer_text == b.answer_text, a.asked_letters == b.asked_letters != "")
        same_numbers = pair.sure or self.labels or a.answer_numbers == b.answer_numbers
        if a.numbers != b.numbers or not same_numbers:
            return None
        wordings = a.words()[0], b.words()[0]
        edit = paraphrases.edit(*wordings)
        if edit is Edit.OTHER or (not self.labels and self._other_answer(pair, a, b)):
            return None
        if not self._likely(pair, likeness := self._likeness(a, b)):
            return None
        if not pair.same_answer and self._clashes(pair, edit, likeness, earlier, later):
            return Judgement(max(likeness.asked, likeness.plain), clash=True)
        long = not self.labels or min(len(wording.words) for wording in wordings) >= LONG_LABELLED
        apart = not self._enough(pair, likeness, edit, long=long) or (self.labels and self._other_answer(pair, a, b))
        if apart or (edit > Edit.NONE and not pair.punctuation and self._other_names(earlier, later)):
            return None
        return Judgement(max(likeness.both, likeness.plain, paraphrases.alike(*wordings)))

    def _strong(self, pair: _Pair, likeness: _Likeness) -> bool:
        """Whether so much is shared that a swapped word does not matter; see `duplicates`."""
        if likeness.both >= ALIKE and likeness.asked >= ASKED_ALIKE:
            return True
        return not self.labels and pair.same_answer and likeness.plain >= ALIKE

    def _likely(self, pair: _Pair, likeness: _Likeness) -> bool:
        """Whether a look at the words is worth its time."""
        if pair.punctuation or self._strong(pair, likeness):
            return True
        return max(likeness.asked, likeness.plain) >= LOOSELY_ALIKE and likeness.answered >= ASKED_ALIKE

    def _enough(self, pair: _Pair, likeness: _Likeness, edit: Edit, *, long: bool) -> bool:
        if edit is Edit.OTHER or (self.labels and not pair.same_answer):
            return False
        if pair.punctuation or edit <= Edit.SMALL or self._strong(pair, likeness):
            return True
        return edit is Edit.DROPPED and likeness.answered >= ALIKE and long

    def _likeness(self, a: _Row, b: _Row) -> _Likeness:
        self._weigh(a)
        self._weigh(b)
        shared = common(a.asked, b.asked)
        asked, all_asked = self.weights.sum(shared), a.asked_weight + b.asked_weight
        plain = len(shared) / (len(a.asked) + len(b.asked) - len(shared))
        if self.labels:
            alike = _share(asked, all_asked)
            return _Likeness(plain, alike, 1.0, alike)
        answered, all_answered = self.weights.sum(common(a.answered, b.answered)), a.answered_weight + b.answered_weight
        return _Likeness(
            plain,
            _share(asked, all_asked),
            _share(answered, all_answered),
            _share(asked + answered, all_asked + all_answered),
        )

    def _clashes(self, pair: _Pair, edit: Edit, likeness: _Likeness, earlier: int, later: int) -> bool:
        """Whether two different answers, to what is one question, can't both be right."""
        if self.labels and not pair.punctuation:
            return edit <= Edit.SMALL and likeness.asked >= (ASKED_ALIKE if edit is Edit.NONE else ALIKE)
        if not pair.punctuation or edit is Edit.OTHER:
            return False
        if self.labels:
            return True
        one, other = (self.texts.pair(int(self.unique[place])) for place in (earlier, later))
        return self.conflict(one, other)

    def _other_names(self, earlier: int, later: int) -> bool:
        one, other = (self.texts.pair(int(self.unique[place]))[0] for place in (earlier, later))
        return paraphrases.names_swapped(one, other)

    def _other_answer(self, pair: _Pair, a: _Row, b: _Row) -> bool:
        """Whether two answers that look alike say different things, or the same thing of different ones."""
        if pair.sure:
            return False
        questions, answers = zip(a.words(), b.words(), strict=True)
        if paraphrases.slot(questions, answers):
            return True
        short = max(len(a.answer_text), len(b.answer_text)) <= SHORT_ANSWER
        return short and paraphrases.edit(*answers, asking=False) is Edit.OTHER

    # -------------------------------------------------------------- rows that are looked at again
    def _row(self, place: int) -> _Row:
        if place in self.cache:
            self.cache.move_to_end(place)
            return self.cache[place]
        asked_text, answer_text = (comparable(text) for text in self.texts.pair(int(self.unique[place])))
        core = paraphrases.core(asked_text)
        row = _Row(
            asked_text,
            core,
            answer_text,
            only_letters(core),
            paraphrases.numbers(asked_text),
            paraphrases.numbers(answer_text) if len(answer_text) <= SHORT_ANSWER else (),
        )
        self.cache[place] = row
        while len(self.cache) > 2 and (len(self.cache) > _CACHED or self.cached_grams > _CACHED_GRAMS):
            _, gone = self.cache.popitem(last=False)
            self.cached_grams -= len(gone.asked) + len(gone.answered)
        return row

    def _weigh(self, row: _Row) -> None:
        """Give the row its grams. It stands in the cache."""
        if len(row.asked):
            return
        row.asked = grams_of_one(row.asked_text)
        row.answered = row.asked[:0] if self.labels else grams_of_one(row.answer_text) ^ ANSWER_SIDE
        row.asked_weight, row.answered_weight = self.weights.sum(row.asked), self.weights.sum(row.answered)
        self.cached_grams += len(row.asked) + len(row.answered)
