"""Whether answers hold knowledge that neither the question nor the other examples give; see `task_signals`."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

from app.datasets.checks import languages
from app.datasets.checks.answer_items import plain, words_of
from app.datasets.checks.answer_kinds import Kind, is_code
from app.datasets.thresholds import LABEL_REPEATS

FEW = 20  # rows below which nothing is said about knowledge
SAME_QUESTION = 0.5
STOCK = 0.1  # by which questions with one answer are more alike than any, below which the answer is not about them
VOCABULARY = 3  # different answers that use an item make it vocabulary; in large files 1 % of them
ASKING = 0.5
FRAMED = 0.8  # share of inputs that begin with the same three words, from which on there is a fixed instruction
MATERIAL = 300  # characters of an input from which on it brings its own material
ONE_LANGUAGE = 0.3  # share of the commonest words of the answers that the inputs use as well,
SAID_ALIKE = 0.2  # or of how often they are said: answers of one make have few common words, but say them every time
ENOUGH_WORDS = 15  # below so many common words nothing is said about languages
UNCOVERED = 0.6
NEW, FRESH = 0.3, 0.25
NEARLY_ALL_NEW, SAYS_MORE = 0.8, 0.15  # a question said again with a name or number that nothing gives is a fact
BARE_NEW, BARE_UNCOVERED = 0.7, 0.8
NEW_UNASKED, FRESH_UNASKED = 0.5, 0.2  # where nothing is marked as a question more has to be new

_SPLIT = re.compile(r"[\W_]+")
# `?string` asks nothing. Japanese and Chinese ask by the last word as well, with a full stop or nothing behind it.
_ASKED = re.compile("[?\u037e](?=\\s|$|[\"'\u201d)])|[\uff1f\u061f\u055e\u1367]|[\u304b\u5417\u5462][\u3002\\s]*$")

Knowledge = Literal["likely", "unclear", "unlikely"]


@dataclass(slots=True)
class SampledRow:
    """One row of the sample. items, words: of the part of the answer that may hold facts. fresh: share of its words
    that neither its input nor hardly any other answer has."""

    line: int
    asked: str
    answer: str
    kind: Kind
    value: object = None
    items: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    new: bool = False
    fresh: float = 0.0
    uncovered: float = 0.0


def same_questions(rows: Sequence[SampledRow]) -> bool:
    """Whether rows with one answer ask the same in other words: then the answer is a fact and no label."""
    return _alike(rows)[0] >= SAME_QUESTION


def _alike(rows: Sequence[SampledRow]) -> tuple[float, float]:
    """How alike two questions with one answer are in the middle, and how alike any two are.

    Each row is compared with the one before it that has its answer, and with the one just before it; words count by how
    few rows have them.
    """
    question_words = [words_of(row.asked) for row in rows]
    users = Counter(word for question in question_words for word in question)

    def weight(some: set[str]) -> float:
        return sum(log((len(rows) + 1) / users[word]) for word in some)

    def likeness(one: set[str], other: set[str]) -> float:
        every = weight(one | other)
        return weight(one & other) / every if every else 1.0

    before: dict[str, set[str]] = {}
    same, near = [], []
    for place, (row, mine) in enumerate(zip(rows, question_words, strict=True)):
        answer = plain(row.answer)
        if other := before.get(answer):
            same.append(likeness(mine, other))
        if place and plain(rows[place - 1].answer) != answer:
            near.append(likeness(mine, question_words[place - 1]))
        before[answer] = mine
    return _middle(same), _middle(near)


class Inputs:
    """What the inputs tell of the answers, over the whole sample."""

    def __init__(self, rows: list[SampledRow]) -> None:
        self.rows = rows
        self.free = [row for row in rows if row.kind in ("prose", "code", "json")]
        inputs = [words_of(row.asked) for row in rows]
        self.one_language = _one_language(rows, inputs)
        users, item_users, different = _users(rows)
        # The same few answers to unlike questions are replies from a stock: which one fits can be learnt.
        self.stock = False
        if len(rows) >= LABEL_REPEATS * different:
            same, near = _alike(rows)
            self.stock = same < near + STOCK
        common = max(VOCABULARY, different // 100)
        for row, input_words in zip(rows, inputs, strict=True):
            flat = _SPLIT.sub("", plain(row.asked))
            stems = {word[:5] for word in input_words}
            new = [item for item in row.items if item_users[item] < common and not _stands_in(item, flat)]
            row.new = any(self.one_language or any(sign.isdigit() for sign in item) for item in new)
            missing = [word for word in row.words if word[:5] not in stems and not (len(word) > 3 and word in flat)]
            weights = {word: log((different + 1) / max(1, users[word])) for word in row.words}
            weight = sum(weights.values())
            row.uncovered = sum(weights[word] for word in missing) / weight if weight else 0.0
            alone = max(1, different // 200)
            row.fresh = sum(1 for word in missing if users[word] <= alone) / len(row.words) if row.words else 0.0
        self.novelty = share_of(rows, lambda row: row.new)
        self.uncovered = rounded(_middle(row.uncovered for row in self.free))
        self.fresh = _middle(row.fresh for row in self.free)
        self.asking = share_of(rows, lambda row: _ASKED.search(row.asked[-200:]) is not None)
        starts = Counter(" ".join(row.asked.split()[:3]) for row in rows)
        self.framed = starts.most_common(1)[0][1] / len(rows) > FRAMED if rows else False
        self.material = share_of(rows, _brings_material)

    def knowledge(self) -> Knowledge:
        """Whether the answers hold facts that have to come from somewhere else."""
        if len(self.rows) < FEW:
            return "unclear"
        if len(self.free) < len(self.rows) / 2 or self.stock:
            return "unlikely"  # labels, queries, stock replies: what they name recurs, so examples teach it
        new = share_of(self.free, lambda row: row.new)
        prose = share_of(self.free, lambda row: row.kind == "prose")
        if prose < 0.5:  # JSON and code are made of vocabulary; only values that nothing gives speak against it
            values = [row for row in self.free if row.kind == "json"]
            return "unclear" if values and share_of(values, lambda row: row.new) >= NEW_UNASKED else self._otherwise()
        return "likely" if self.one_language and self._looked_up(new) else self._otherwise()

    def _looked_up(self, new: float) -> bool:
        """Whether prose in the language of the question says what neither the question nor other answers give."""
        asks = self.asking >= ASKING
        if asks and new >= NEARLY_ALL_NEW and self.uncovered >= SAYS_MORE:
            return True
        if self.uncovered < UNCOVERED:
            return False
        if asks and (new >= NEW or self.fresh >= FRESH):
            return True
        if self.framed or self.material >= 0.5:
            return False
        fresh = self.fresh >= FRESH_UNASKED and (new >= NEW_UNASKED or self.fresh >= NEW_UNASKED)
        return fresh or (new >= BARE_NEW and self.uncovered >= BARE_UNCOVERED)

    def _otherwise(self) -> Literal["unclear", "unlikely"]:
        code = share_of(self.free, lambda row: row.kind == "code")
        framed = self.framed and self.material + code >= 0.5
        return "unclear" if self.uncovered >= UNCOVERED and self.novelty >= NEW and not framed else "unlikely"


def _one_language(rows: Sequence[SampledRow], inputs: Sequence[set[str]]) -> bool:
    """Whether questions and answers are known to be in one language, or the answers' commonest words are in both."""
    known = [languages.of(" \n".join(text[:60] for text in texts), strict=True) for texts in _both(rows)]
    if known[0] and known[0] == known[1]:
        return True
    wanted: Counter[str] = Counter()
    for answer_words in {row.words for row in rows}:
        wanted.update(word for word in answer_words if not word.isdigit())
    in_inputs: Counter[str] = Counter()
    for input_words in inputs:
        in_inputs.update(input_words)
    common = [word for word, count in wanted.most_common(30) if count > 2]
    if len(common) < ENOUGH_WORDS:
        return True
    shared = [word for word in common if in_inputs[word] >= max(1, len(rows) // 200)]
    if len(shared) >= ONE_LANGUAGE * len(common):
        return True
    return sum(wanted[word] for word in shared) >= SAID_ALIKE * sum(wanted[word] for word in common)


def _both(rows: Sequence[SampledRow]) -> tuple[list[str], list[str]]:
    """Questions and answers of a few rows, evenly spread: as much as a language is told by."""
    few = rows[:: max(1, len(rows) // 20)]
    return [row.asked.strip() for row in few], [row.answer.strip() for row in few]


def _users(rows: Sequence[SampledRow]) -> tuple[Counter[str], Counter[str], int]:
    """How many different answers use a word and an item, and how many different answers there are.

    Values of JSON count in every row: a value that many rows have is vocabulary even where answers are few.
    """
    words: Counter[str] = Counter()
    items: Counter[str] = Counter()
    seen: set[str] = set()
    for row in rows:
        same = " ".join(plain(row.answer).split())
        fresh = same not in seen
        seen.add(same)
        if fresh:
            words.update(row.words)
        if fresh or row.kind == "json":
            items.update(row.items)
    return words, items, len(seen)


def _stands_in(item: str, flat: str) -> bool:
    bare = _SPLIT.sub("", item)
    return not bare or bare in flat


def _brings_material(row: SampledRow) -> bool:
    text = row.asked.strip()
    return len(text) > MATERIAL or text.count("\n") > 2 or is_code(text) or text[:1] in "{["


def _middle(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def share_of(rows: Sequence[SampledRow], holds: Callable[[SampledRow], bool]) -> float:
    return rounded(sum(1 for row in rows if holds(row)) / len(rows)) if rows else 0.0


def rounded(share: float) -> float:
    return round(share, 3)
