"""Character 5-grams of texts, as sorted sets of hashes.

Grams are made for many rows in one go: the number of the row stands in the upper bits of each hash, so that one sort
puts every row's grams in order and beside their repeats. That takes a fifth of the time of one row after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.datasets.checks.compared_text import comparable

GRAM = 5
_TEXT_BITS = 10
MOST_TEXTS = 1 << _TEXT_BITS  # made into grams at once
POWERS = np.array([pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(1, GRAM + 1)], dtype=np.uint64)
MIX = np.uint64(0xBF58476D1CE4E5B9)
_HASH = np.uint64((1 << (64 - _TEXT_BITS)) - 1)
ANSWER_SIDE = np.uint64(0x5851F42D4C957F2D) & _HASH  # sets the grams of an answer apart from those of a question

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GramWeights:
    """How much each gram counts, 0 to 1: the logarithm of one over its share of the rows, as in TF-IDF.

    mask: one less than a power of two, as many as there are counters; grams on one counter weigh the same.
    """

    values: npt.NDArray[np.float32]
    mask: np.uint64

    def of(self, hashes: Hashes) -> npt.NDArray[np.float32]:
        weights: npt.NDArray[np.float32] = self.values[hashes & self.mask]
        return weights

    def sum(self, hashes: Hashes) -> float:
        return float(np.add.reduce(self.values[hashes & self.mask]))


def jaccard(one: str, other: str) -> float:
    """Plain similarity of two texts, 0 to 1."""
    a, b = grams_of_one(comparable(one)), grams_of_one(comparable(other))
    shared = len(common(a, b))
    return shared / (len(a) + len(b) - shared)


def grams_of_one(normal_text: str) -> Hashes:
    """Sorted hashes of the text's 5-grams; its ends count as characters."""
    return grams_of([normal_text])[0]


def grams_of(normal_texts: Sequence[str]) -> tuple[Hashes, Places]:
    """The 5-grams of many texts, those of each sorted and without repeats; and where each text's begin, and the end.

    A hash has 54 bits: among the 1,000 grams of a row two different ones share one with a chance of 3 in 100 billion.
    """
    padded = [f"\x02{text}\x03".ljust(GRAM, "\x03") for text in normal_texts]
    sizes = np.fromiter(map(len, padded), np.int64, len(padded))
    wide = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    size = len(wide) - GRAM + 1
    hashes = wide[:size] * POWERS[0]
    for step in range(1, GRAM):
        hashes += wide[step : step + size] * POWERS[step]
    hashes ^= hashes >> np.uint64(31)
    hashes *= MIX
    hashes ^= hashes >> np.uint64(29)
    hashes >>= np.uint64(_TEXT_BITS)
    numbers = np.arange(len(padded), dtype=np.uint64) << np.uint64(64 - _TEXT_BITS)
    hashes |= np.repeat(numbers, sizes)[:size]
    whole = np.ones(size, dtype=bool)
    ends = np.cumsum(sizes)[:-1]
    for step in range(1, GRAM):
        whole[ends - step] = False  # reaches over the end of its text
    hashes = hashes[whole]
    hashes.sort()
    fresh = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=fresh[1:])
    hashes = hashes[fresh]
    starts = np.append(np.searchsorted(hashes, numbers), len(hashes))
    return hashes & _HASH, starts


def common(one: Hashes, other: Hashes) -> Hashes:
    """What stands in both; neither repeats itself."""
    both = np.concatenate((one, other))
    both.sort()
    shared: Hashes = both[1:][both[1:] == both[:-1]]
    return shared


def owners(starts: Places) -> Places:
    """For each gram the number of its text."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))
