"""Which rows ask the same, and which nearly do.

Same: equal inputs after NFKC, case folding and collapsing of white space. Nearly: character 5-grams, compared as sets
(Jaccard) in which a gram counts for less the more rows share it (the logarithm of one over its share, as in TF-IDF).
Without the weights, the words that every prompt of a file begins with make all of them look alike: on `phpdoc.jsonl`
plain Jaccard >= 0.8 merged 115 pairs of signatures that only look alike, and on `advising_train.jsonl` 1,100
different wordings, while it missed `public` turned into `protected` in short signatures.

Two rows are near-duplicates when question and answer together reach 0.8 and the questions alone 0.6. Where the
answers are labels they repeat by nature and say nothing, so there the questions alone have to reach 0.8. Rows whose
numbers differ and whose answers differ are never near-duplicates: `13 + 4` is another task than `14 + 4`. Rows with
one and the same answer in prose need only plain Jaccard >= 0.8 of their questions: in a file that is made of light
edits of one row, the weights would take that row for a template.

How: the grams are thinned by one fixed draw a gram, with its weight as the chance to stay, so that plain MinHash
estimates the weighted similarity (rensa: 15 microseconds a row of 100 grams; datasketch took 197). 25 bands of 4 give
candidates, and the weighted Jaccard itself decides each. Groups are joined by union-find. Cost grows about linearly
with rows: each row is compared with at most a handful of its band neighbours. Memory: 100 bytes a row for the bands,
at most 48 MiB for the weights.
"""

import re
import unicodedata
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

ALIKE = 0.8
ASKED_ALIKE = 0.6  # of the questions alone, when the answers speak too

GRAM = 5
BANDS, BAND = 25, 4
# Counters for how many rows share a gram, by the number of rows; grams on one counter look a little more common.
_SLOTS_A_ROW, _LEAST_SLOTS, _MOST_SLOTS = 512, 1 << 16, 1 << 22
_BATCH = 2048
_CACHED = 256  # rows whose grams are kept for the next comparison; the longest have 24,000
_NEIGHBOURS = 6  # representatives of a band's bucket that a row is compared with
_REMEMBERED = 1 << 20  # refused pairs kept, so that the next band does not ask again

_NUMBER = re.compile(r"\d+")
_NOT_ALNUM = re.compile(r"[\W_]+")
_POWERS = np.array([pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(1, GRAM + 1)], dtype=np.uint64)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_ANSWER_SIDE = np.uint64(0x5851F42D4C957F2D)

Hashes = npt.NDArray[np.uint64]


class Texts(Protocol):
    """Rows by position: what is asked and what is answered."""

    def __len__(self) -> int: ...

    def pair(self, index: int) -> tuple[str, str]: ...


@dataclass(frozen=True, slots=True)
class Twin:
    """Two rows, by position, `later` > `earlier`, and how alike they are (0 to 1)."""

    earlier: int
    later: int
    similarity: float


@dataclass(slots=True)
class Groups:
    """What was found.

    first: for each row the first row with the same input (itself, if it is the first).
    oldest: for each row the oldest row of its group of near-duplicates.
    near: the pairs that were joined; both ends are the first of their input.
    clashes: near-same questions with different labels; filled only where answers are labels.
    """

    first: list[int]
    oldest: list[int]
    near: list[Twin] = field(default_factory=list)
    clashes: list[Twin] = field(default_factory=list)


def normal(text: str) -> str:
    """The text as it is compared: compatibility forms, case and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def key(text: str) -> int:
    """64 bits of the normal text. In a million rows two different texts share one with a chance of 3 in 100 million."""
    return int.from_bytes(blake2b(normal(text).encode("utf-8", "replace"), digest_size=8).digest(), "big")


def letters(text: str) -> str:
    """The normal text without anything but letters and digits."""
    return _NOT_ALNUM.sub("", normal(text))


def same_numbers(one: str, other: str) -> bool:
    return _NUMBER.findall(one) == _NUMBER.findall(other)


def jaccard(one: str, other: str) -> float:
    """Plain similarity of two texts, 0 to 1."""
    a, b = _grams(normal(one)), _grams(normal(other))
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def silent(done: int, total: int) -> None:
    """Tell nobody how far it is."""


def find(
    texts: Texts,
    keys: Sequence[int],
    *,
    labels: bool,
    tick: Callable[[int, int], None] = silent,
) -> Groups:
    """Group the rows.

    keys: `key` of each row's input. labels: whether the answers are labels. tick: called with work done and in all.
    """
    first = _firsts(keys)
    unique = [index for index, before in enumerate(first) if index == before]
    search = _Search(texts, unique, labels=labels, tick=tick)
    groups = Groups(first, [])
    groups.near, groups.clashes = search.run()
    groups.oldest = [search.root(index) for index in first]
    return groups


def _firsts(keys: Sequence[int]) -> list[int]:
    if not keys:
        return []
    _, index, inverse = np.unique(np.asarray(keys, dtype=np.uint64), return_index=True, return_inverse=True)
    found: list[int] = index[inverse].tolist()
    return found


def _grams(text: str) -> Hashes:
    """Sorted hashes of the text's 5-grams; its ends count as characters."""
    points = np.frombuffer(f"\x02{text}\x03".ljust(GRAM, "\x03").encode("utf-32-le", "replace"), dtype=np.uint32)
    wide = points.astype(np.uint64)
    size = len(wide) - GRAM + 1
    hashes = wide[:size] * _POWERS[0]
    for step in range(1, GRAM):
        hashes = hashes + wide[step : step + size] * _POWERS[step]
    hashes ^= hashes >> np.uint64(31)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(29)
    hashes.sort()
    fresh = np.empty(size, dtype=bool)
    fresh[0] = True
    np.not_equal(hashes[1:], hashes[:-1], out=fresh[1:])
    found: Hashes = hashes[fresh]
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it is compared. asked, answered: gram hashes, with the sums of their weights."""

    asked: Hashes
    answered: Hashes
    asked_weight: float
    answered_weight: float


class _Search:
    """One search over the rows at the positions `unique`."""

    def __init__(self, texts: Texts, unique: list[int], *, labels: bool, tick: Callable[[int, int], None]) -> None:
        self.texts = texts
        self.unique = unique
        self.labels = labels
        self.tick = tick
        self.parent: dict[int, int] = {}
        self.refused: set[int] = set()
        self.cache: OrderedDict[int, _Row] = OrderedDict()
        wanted = min(max(len(unique) * _SLOTS_A_ROW, _LEAST_SLOTS), _MOST_SLOTS)
        self.mask = np.uint64((1 << (wanted - 1).bit_length()) - 1)  # one less than a power of two
        self.weights = np.ones(1, dtype=np.float32)
        self.near: list[Twin] = []
        self.clashes: list[Twin] = []
        # Counting, signing and one pass for each band; a band is far cheaper than the passes over the text.
        self.work = 2 * len(unique) + max(1, len(unique) // 10) * BANDS

    def run(self) -> tuple[list[Twin], list[Twin]]:
        if len(self.unique) > 1:
            self.weights = self._weigh()
            bands = self._sign()
            for number in range(BANDS + 2):
                self._compare(bands[:, number])
                self.tick(2 * len(self.unique) + number * max(1, len(self.unique) // 10), self.work)
        return self.near, self.clashes

    def root(self, index: int) -> int:
        """The oldest row of the group."""
        while (up := self.parent.get(index, index)) != index:
            self.parent[index] = self.parent.get(up, up)
            index = up
        return index

    # -------------------------------------------------------------- passes over the text
    def _both(self, index: int) -> tuple[Hashes, Hashes]:
        asked, answered = self.texts.pair(index)
        mine = _grams(normal(asked))
        if self.labels:
            return mine, mine[:0]
        return mine, _grams(normal(answered)) ^ _ANSWER_SIDE

    def _weigh(self) -> npt.NDArray[np.float32]:
        counts = np.zeros(int(self.mask) + 1, dtype=np.uint32)
        for done, index in enumerate(self.unique):
            for hashes in self._both(index):
                counts[hashes & self.mask] += 1
            if done % _BATCH == 0:
                self.tick(done, self.work)
        rows = len(self.unique)
        shared = np.maximum(counts, 1).astype(np.float32)
        found: npt.NDArray[np.float32] = (np.log((rows + 1) / shared) / np.log(rows + 1)).astype(np.float32)
        return found

    def _weight(self, hashes: Hashes) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = self.weights[hashes & self.mask]
        return found

    def _thinned(self, hashes: Hashes) -> Hashes:
        """The grams that a fixed draw, the same for every row, leaves: each with its weight as the chance."""
        draw = ((hashes * _POWERS[0]) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        left = hashes[draw < self._weight(hashes)]
        return left if len(left) else hashes

    def _sign(self) -> npt.NDArray[np.uint32]:
        bands = np.empty((len(self.unique), BANDS + 2), dtype=np.uint32)
        mixer = np.array([pow(0xC2B2AE3D27D4EB4F, n, 1 << 64) | 1 for n in range(1, BAND + 1)], dtype=np.uint64)
        for start in range(0, len(self.unique), _BATCH):
            batch = self.unique[start : start + _BATCH]
            tokens = [self._thinned(np.concatenate(self._both(index))) for index in batch]
            offsets = np.zeros(len(batch) + 1, dtype=np.uint64)
            offsets[1:] = np.cumsum([len(one) for one in tokens])
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(
                np.concatenate(tokens), offsets, num_perm=BANDS * BAND, seed=7
            )
            digests = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(batch), BANDS, BAND)
            mixed = (digests * mixer).sum(axis=2, dtype=np.uint64)
            bands[start : start + len(batch), :BANDS] = (mixed * _MIX) >> np.uint64(32)
            bands[start : start + len(batch), BANDS:] = [self._exact(index) for index in batch]
            self.tick(len(self.unique) + start, self.work)
        return bands

    def _exact(self, index: int) -> tuple[int, int]:
        """Two bands more: rows that punctuation alone sets apart, and rows with the same answer in prose."""
        asked, answered = self.texts.pair(index)
        if self.labels:
            plain = _checksum(letters(asked))
            return plain, _checksum(normal(asked))
        return _checksum(f"{letters(asked)}\0{letters(answered)}"), _checksum(normal(answered))

    # -------------------------------------------------------------- candidates and the decision
    def _compare(self, band: npt.NDArray[np.uint32]) -> None:
        for bucket in _buckets(band):
            speakers: list[int] = []
            for position in bucket:
                index = self.unique[position]
                if not any(self._joined(one, index) for one in speakers):
                    speakers = [*speakers[-_NEIGHBOURS + 1 :], index]

    def _joined(self, earlier: int, later: int) -> bool:
        """Whether the two are in one group now."""
        one, other = self.root(earlier), self.root(later)
        if one == other:
            return True
        pair = (earlier << 32) | later
        if pair in self.refused:
            return False
        similarity = self._alike(earlier, later)
        if similarity is None:
            if len(self.refused) < _REMEMBERED:
                self.refused.add(pair)
            return False
        self.near.append(Twin(earlier, later, round(similarity, 4)))
        self.parent[max(one, other)] = min(one, other)
        return True

    def _alike(self, earlier: int, later: int) -> float | None:
        """How alike two near-duplicates are, or None if they are none."""
        a, b = self._row(earlier), self._row(later)
        asked = self._shared(a.asked, b.asked)
        asked_all = a.asked_weight + b.asked_weight - asked
        asked_alike = asked / asked_all if asked_all > 0 else 1.0
        if self.labels:
            similarity, enough = asked_alike, asked_alike >= ALIKE
        else:
            answered = self._shared(a.answered, b.answered)
            all_weight = asked_all + a.answered_weight + b.answered_weight - answered
            similarity = (asked + answered) / all_weight if all_weight > 0 else 1.0
            enough = similarity >= ALIKE and asked_alike >= ASKED_ALIKE
        (first_asked, first_answer), (second_asked, second_answer) = self.texts.pair(earlier), self.texts.pair(later)
        same_answer = normal(first_answer) == normal(second_answer)
        numbers = same_numbers(first_asked, second_asked)
        if not enough:
            # Nothing but punctuation differs, on both sides; or the answer is one and the questions are plainly alike.
            punctuation = letters(first_asked) == letters(second_asked) != "" and (
                self.labels or letters(first_answer) == letters(second_answer)
            )
            plain = len(np.intersect1d(a.asked, b.asked, assume_unique=True))
            plain_alike = plain / (len(a.asked) + len(b.asked) - plain)
            if not punctuation and (self.labels or not same_answer or not numbers or plain_alike < ALIKE):
                return None
            similarity = max(similarity, plain_alike, ALIKE)
        if same_answer:
            return float(similarity)
        if not numbers:
            return None
        if self.labels:
            self.clashes.append(Twin(earlier, later, round(float(similarity), 4)))
            return None
        return float(similarity)

    def _shared(self, one: Hashes, other: Hashes) -> float:
        return float(self._weight(np.intersect1d(one, other, assume_unique=True)).sum())

    def _row(self, index: int) -> _Row:
        if index in self.cache:
            self.cache.move_to_end(index)
            return self.cache[index]
        asked, answered = self._both(index)
        row = _Row(asked, answered, float(self._weight(asked).sum()), float(self._weight(answered).sum()))
        self.cache[index] = row
        if len(self.cache) > _CACHED:
            self.cache.popitem(last=False)
        return row


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))


def _buckets(band: npt.NDArray[np.uint32]) -> Iterator[list[int]]:
    """Positions that share a value, in rising order, for each value that at least two share."""
    order = np.argsort(band, kind="stable")
    values = band[order]
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate(([0], edges))
    ends = np.concatenate((edges, [len(values)]))
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        yield order[start:end].tolist()
