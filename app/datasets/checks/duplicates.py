"""Which rows ask the same, and which nearly do.

Same: equal inputs after NFKC, case folding and collapsing of white space. Nearly: character 5-grams, compared as sets
(Jaccard) in which a gram counts for less the more rows share it (the logarithm of one over its share, as in TF-IDF).
Without the weights, the words that every prompt of a file begins with make all of them look alike: on `phpdoc.jsonl`
plain Jaccard >= 0.8 merged 115 pairs of signatures that only look alike, and on `advising_train.jsonl` 1,100
different wordings, while it missed `public` turned into `protected` in short signatures.

Two rows are near-duplicates when question and answer together reach 0.8 and the questions alone 0.6. Where the
answers are labels they repeat by nature and say nothing, so there the questions alone have to reach 0.8. Rows with
one and the same answer in prose need only plain Jaccard >= 0.8 of their questions: in a file that is made of light
edits of one row, the weights would take that row for a template. Short texts lose many grams with one letter, so a pair
that shares less is looked at word by word (`wording`): where nothing but a slip of the pen, a courtesy or one word sets
it apart, it is one too. And whatever is shared, rows with other numbers, a `not` more, an opposite, another name or
another filling of one form are never near-duplicates: `13 + 4` is another task than `14 + 4`.

How: the grams are thinned by one fixed draw a gram, with its weight as the chance to stay, so that plain MinHash
estimates the weighted similarity (rensa: 15 microseconds a row of 100 grams; datasketch took 197). 25 bands of 4 give
candidates, and the weighted Jaccard itself decides each. Groups are joined by union-find. Cost grows about linearly
with rows: the weights come from at most 100,000 rows, each row is signed once and compared with at most a handful of
its band neighbours, first by 64 bytes of both signatures and only then, if these agree enough, by their texts. Where
every row is made from one template, most neighbours are no twins, and there are more of them the larger the file: the
more a row has, the more has to agree. Memory: about 120 bytes a row, at most 48 MiB for the
weights and 32 MiB for texts under comparison; the bands are on disk.

Grams are made for many rows in one go: the number of the row stands in the upper bits of each hash, so that one sort
puts every row's grams in order and beside their repeats. That takes a fifth of the time of one row after the other.
"""

import re
import tempfile
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from app.datasets.checks import paraphrases
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.paraphrases import Edit, Wording
from app.text import normal_form

ALIKE = 0.8
ASKED_ALIKE = 0.6  # of the questions alone, when the answers speak too
LOOSELY_ALIKE = 0.25  # of questions that one word sets apart
LONG_LABELLED = 8  # words of a question, of which one may be gone where no answer in prose confirms that it is the same
SHORT_ANSWER = 240  # characters, up to which one word turns an answer round

GRAM = 5
BANDS, BAND = 25, 4
_COLUMNS = BANDS + 3  # two bands more of exact texts, and what numbers the question holds
# Counters for how many rows share a gram, by the number of rows; grams on one counter look a little more common.
_SLOTS_A_ROW, _LEAST_SLOTS, _MOST_SLOTS = 512, 1 << 16, 1 << 22
_WEIGHED = 100_000  # rows that the weights are taken from; more would only cost time
_TEXT_BITS = 10
_BATCH, _BATCH_SIGNS = 1 << _TEXT_BITS, 1 << 17  # rows and characters made into grams at once: they fit the cache
_SKETCH = 64  # MinHash values of which a byte is kept, to turn away pairs that can't be twins
# Of 64 agreements a pair that reaches 0.8 shows fewer than 33 (and then is missed) once in 100,000, thinning included.
_SKETCH_ALIKE = 33
# In a crowd more have to agree: twins that reach 0.8 agree in 51, give or take 3.
_SKETCH_STEP, _SKETCH_CROWDED = 4, 48  # bytes more for each doubling of the crowd; and at most
_CROWD, _CROWD_BANDS = 4, 5  # rows that share a band with a row, over so many bands, from which on it is a crowd
_PAIRED = 1 << 16  # pairs whose sketches are compared at once
_CACHED_GRAMS = 1 << 21  # grams of rows that are kept for the next comparison, of 8 bytes each; at most so many rows:
_CACHED = 1 << 14
_STEPS = range(1, 7)  # how far apart in a band's bucket the rows stand that are compared
_REMEMBERED = 1 << 19  # refused pairs kept, so that the next band does not ask again

_NOT_ALNUM = re.compile(r"[\W_]+")
_POWERS = np.array([pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(1, GRAM + 1)], dtype=np.uint64)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_MIXER = np.array([pow(0xC2B2AE3D27D4EB4F, n, 1 << 64) | 1 for n in range(1, BAND + 1)], dtype=np.uint64)
_HASH = np.uint64((1 << (64 - _TEXT_BITS)) - 1)
_ANSWER_SIDE = np.uint64(0x5851F42D4C957F2D) & _HASH

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


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

    first: Sequence[int]
    oldest: Sequence[int]
    near: list[Twin] = field(default_factory=list)
    clashes: list[Twin] = field(default_factory=list)


def normal(text: str) -> str:
    """The text as it is compared: compatibility forms, case and white space do not count."""
    return " ".join(normal_form("NFKC", text).casefold().split())


def comparable(text: str) -> str:
    """The normal text without accents and without letters that only look like others: what near-duplicates go by."""
    return paraphrases.plain(normal(text))


def key(text: str) -> int:
    """64 bits of the normal text. In a million rows two different texts share one with a chance of 3 in 100 million."""
    return int.from_bytes(blake2b(normal(text).encode("utf-8", "replace"), digest_size=8).digest(), "big")


def letters(text: str) -> str:
    """The normal text without anything but letters and digits."""
    return _NOT_ALNUM.sub("", normal(text))


def same_numbers(one: str, other: str) -> bool:
    return paraphrases.numbers(one) == paraphrases.numbers(other)


def jaccard(one: str, other: str) -> float:
    """Plain similarity of two texts, 0 to 1."""
    a, b = _grams(comparable(one)), _grams(comparable(other))
    shared = len(_common(a, b))
    return shared / (len(a) + len(b) - shared)


def agreeing(_one: tuple[str, str], _other: tuple[str, str]) -> bool:
    """No two rows conflict."""
    return False


def silent(done: int, total: int) -> None:
    """Tell nobody how far it is."""


def find(
    texts: Texts,
    keys: Sequence[int],
    *,
    labels: bool,
    conflict: Callable[[tuple[str, str], tuple[str, str]], bool] = agreeing,
    tick: Callable[[int, int], None] = silent,
    checkpoint: Checkpoint | None = None,
) -> Groups:
    """Group the rows.

    keys: `key` of each row's input. labels: whether the answers are labels. conflict: whether of two rows (question and
    answer) that ask the same the answers can't both be right. tick: called with work done and in all. checkpoint: where
    to save what was worked out, and to look for what a killed attempt saved.
    """
    first = _firsts(keys)
    unique = np.flatnonzero(first == np.arange(len(first)))
    with checkpoint.open("bands") if checkpoint else tempfile.TemporaryFile() as file:
        search = _Search(
            texts, unique, _Bands(file, len(unique)), labels=labels, conflict=conflict, tick=tick, checkpoint=checkpoint
        )
        search.run()
    oldest = np.arange(len(first))
    oldest[unique] = unique[search.roots()]
    return Groups(array("q", first.tobytes()), array("q", oldest[first].tobytes()), search.near, search.clashes)


def _firsts(keys: Sequence[int]) -> Places:
    """For each key the place where it stands first."""
    if not keys:
        return np.zeros(0, dtype=np.int64)
    _, index, inverse = np.unique(np.asarray(keys, dtype=np.uint64), return_index=True, return_inverse=True)
    found: Places = index[inverse].astype(np.int64)
    return found


def _grams(normal_text: str) -> Hashes:
    """Sorted hashes of the text's 5-grams; its ends count as characters."""
    return _grams_of([normal_text])[0]


def _grams_of(normal_texts: Sequence[str]) -> tuple[Hashes, Places]:
    """The 5-grams of many texts, those of each sorted and without repeats; and where each text's begin, and the end.

    A hash has 54 bits: among the 1,000 grams of a row two different ones share one with a chance of 3 in 100 billion.
    """
    padded = [f"\x02{text}\x03".ljust(GRAM, "\x03") for text in normal_texts]
    sizes = np.fromiter(map(len, padded), np.int64, len(padded))
    wide = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    size = len(wide) - GRAM + 1
    hashes = wide[:size] * _POWERS[0]
    for step in range(1, GRAM):
        hashes += wide[step : step + size] * _POWERS[step]
    hashes ^= hashes >> np.uint64(31)
    hashes *= _MIX
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


@dataclass(frozen=True, slots=True)
class _Pair:
    """What is plain about two rows: whether the answers are one, and the questions but for their punctuation and frame.

    A frame is a courtesy, or what a template puts around a question (`wording.core`).
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


def _share(common: float, total: float) -> float:
    """Jaccard from what two sets share and what they weigh one by one."""
    return common / (total - common) if total > common else 1.0


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


class _Bands:
    """The band values of all rows, on disk: signing writes a stretch of every band, comparing reads one band whole."""

    def __init__(self, file: IO[bytes], rows: int) -> None:
        self.file = file
        self.rows = rows

    def put(self, start: int, values: npt.NDArray[np.uint32], sketches: npt.NDArray[np.uint8]) -> None:
        """values: (rows of the stretch, bands); sketches: (rows of the stretch, 64)"""
        for number, band in enumerate(values.T):
            self.file.seek(4 * (number * self.rows + start))
            self.file.write(band.tobytes())
        self.file.seek(4 * _COLUMNS * self.rows + _SKETCH * start)
        self.file.write(sketches.tobytes())

    def sketches(self) -> npt.NDArray[np.uint8]:
        self.file.seek(4 * _COLUMNS * self.rows)
        return np.frombuffer(self.file.read(_SKETCH * self.rows), dtype=np.uint8).reshape(self.rows, _SKETCH)

    def band(self, number: int) -> npt.NDArray[np.uint32]:
        self.file.seek(4 * number * self.rows)
        return np.frombuffer(self.file.read(4 * self.rows), dtype=np.uint32)

    def sync(self) -> None:
        self.file.flush()


class _Search:
    """One search over the rows at the positions `unique`. Inside, a row goes by its place in `unique`."""

    def __init__(
        self,
        texts: Texts,
        unique: Places,
        bands: _Bands,
        *,
        labels: bool,
        conflict: Callable[[tuple[str, str], tuple[str, str]], bool],
        tick: Callable[[int, int], None],
        checkpoint: Checkpoint | None,
    ) -> None:
        self.texts = texts
        self.unique = unique
        self.bands = bands
        self.labels = labels
        self.conflict = conflict
        self.tick = tick
        self.checkpoint = checkpoint
        self.parent = array("q", range(len(unique)))
        self.refused: set[int] = set()
        self.cache: OrderedDict[int, _Row] = OrderedDict()
        self.cached_grams = 0
        self.sketches = np.zeros((0, _SKETCH), dtype=np.uint8)
        self.numbers = np.zeros(0, dtype=np.uint32)
        self.least = np.zeros(0, dtype=np.uint8)
        weighed = min(len(unique), _WEIGHED)
        wanted = min(max(weighed * _SLOTS_A_ROW, _LEAST_SLOTS), _MOST_SLOTS)
        self.mask = np.uint64((1 << (wanted - 1).bit_length()) - 1)  # one less than a power of two
        self.weights = np.ones(1, dtype=np.float32)
        self.near: list[Twin] = []
        self.clashes: list[Twin] = []
        # Weighing, signing and one pass for each band; a band is far cheaper than the passes over the text.
        self.band_work = max(1, len(unique) // 10)
        self.weighed = weighed
        self.work = weighed + len(unique) + self.band_work * (BANDS + 2)

    def run(self) -> None:
        """Fill `near`, `clashes` and the groups."""
        if len(self.unique) < 2:
            return
        kept = self.checkpoint.load_arrays("weights") if self.checkpoint else None
        self.weights = kept["weights"] if kept else self._weigh()
        if self.checkpoint and not kept:
            self.checkpoint.save_arrays("weights", weights=self.weights)
        self._sign()
        self.sketches = self.bands.sketches()
        self.numbers = self.bands.band(_COLUMNS - 1)
        self.least = self._leasts()
        begin = self._resume()
        for number in range(begin, BANDS + 2):
            self._compare(number)
            self.tick(self.weighed + len(self.unique) + (number + 1) * self.band_work, self.work)
            if self.checkpoint and self.checkpoint.due():
                self._save(self.checkpoint, number + 1)

    def root(self, place: int) -> int:
        """The oldest row of the group."""
        parent = self.parent
        while (up := parent[place]) != place:
            parent[place] = parent[up]
            place = up
        return place

    def roots(self) -> Places:
        """The oldest row of each row's group."""
        return np.fromiter((self.root(place) for place in range(len(self.parent))), np.int64, len(self.parent))

    # -------------------------------------------------------------- what a killed attempt left
    def _save(self, checkpoint: Checkpoint, bands_done: int) -> None:
        pairs = {
            name: np.array([(t.earlier, t.later, t.similarity) for t in twins], dtype=np.float64).reshape(-1, 3)
            for name, twins in (("near", self.near), ("clashes", self.clashes))
        }
        checkpoint.save_arrays("compared", parent=np.asarray(self.parent), done=np.array(bands_done), **pairs)

    def _resume(self) -> int:
        """The first band that has not been compared yet."""
        kept = self.checkpoint.load_arrays("compared") if self.checkpoint else None
        if kept is None:
            return 0
        self.parent = array("q", kept["parent"].tobytes())
        for name, twins in (("near", self.near), ("clashes", self.clashes)):
            twins += [Twin(int(one), int(other), float(alike)) for one, other, alike in kept[name]]
        return int(kept["done"])

    # -------------------------------------------------------------- passes over the text
    def _batches(self, places: Sequence[int]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """Rows to be made into grams together, as normal texts, with the number of the first."""
        batch: list[tuple[str, str]] = []
        size, start = 0, 0
        for number, place in enumerate(places):
            asked, answered = self.texts.pair(int(self.unique[place]))
            pair = comparable(asked), comparable(answered)
            batch.append(pair)
            size += len(pair[0]) + len(pair[1])
            if len(batch) == _BATCH or size > _BATCH_SIGNS:
                yield start, batch
                batch, size, start = [], 0, number + 1
        if batch:
            yield start, batch

    def _both(self, batch: Sequence[tuple[str, str]]) -> tuple[Hashes, Places]:
        """Grams of questions and answers together, marked by side; labels say nothing about their question."""
        asked, starts = _grams_of([asked for asked, _ in batch])
        if self.labels:
            return asked, starts
        answered, answer_starts = _grams_of([answered for _, answered in batch])
        order = np.argsort(
            np.concatenate((_owners(starts), _owners(answer_starts))), kind="stable"
        )  # each question's grams, then its answer's
        return np.concatenate((asked, answered ^ _ANSWER_SIDE))[order], starts + answer_starts

    def _weigh(self) -> npt.NDArray[np.float32]:
        counts = np.zeros(int(self.mask) + 1, dtype=np.uint32)
        places = np.linspace(0, len(self.unique) - 1, self.weighed).astype(np.int64)
        for start, batch in self._batches(places.tolist()):
            hashes, _ = self._both(batch)
            # Places and counts in the types that the quick loop is made for: a tenth of the time.
            np.add.at(counts, (hashes & self.mask).astype(np.intp), np.uint32(1))
            self.tick(start, self.work)
        shared = np.clip(counts, 1, self.weighed).astype(np.float32)
        rows = self.weighed
        found: npt.NDArray[np.float32] = (np.log((rows + 1) / shared) / np.log(rows + 1)).astype(np.float32)
        return found

    def _weight(self, hashes: Hashes) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = self.weights[hashes & self.mask]
        return found

    def _sign(self) -> None:
        begin = (self.checkpoint.load_json("signed") or 0) if self.checkpoint else 0
        for start, batch in self._batches(range(begin, len(self.unique))):
            place = begin + start
            self.bands.put(place, *self._signatures(batch))
            self.tick(self.weighed + place, self.work)
            if self.checkpoint and self.checkpoint.due():
                self.bands.sync()
                self.checkpoint.save_json("signed", place + len(batch))
        if self.checkpoint:
            self.bands.sync()
            self.checkpoint.save_json("signed", len(self.unique))

    def _signatures(self, batch: Sequence[tuple[str, str]]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
        """(rows, columns): 25 bands of MinHash, two of exact texts, one checksum; (rows, 64): a byte of 64 MinHash
        values.
        """
        hashes, starts = self._both(batch)
        tokens, offsets = self._thinned(hashes, starts)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, num_perm=BANDS * BAND, seed=7)
        plain = np.array(matrix.to_rows(), dtype=np.uint64)
        digests = plain.reshape(len(batch), BANDS, BAND)
        values = np.empty((len(batch), _COLUMNS), dtype=np.uint32)
        values[:, :BANDS] = ((digests * _MIXER).sum(axis=2, dtype=np.uint64) * _MIX) >> np.uint64(32)
        values[:, BANDS:] = [self._exact(*pair) for pair in batch]
        return values, ((plain[:, :_SKETCH] * _MIX) >> np.uint64(56)).astype(np.uint8)

    def _thinned(self, hashes: Hashes, starts: Places) -> tuple[Hashes, Hashes]:
        """The grams that a fixed draw, the same for every row, leaves: each with its weight as the chance.

        A row of which nothing would be left keeps all. Second: where each row's begin, and the end.
        """
        draw = ((hashes * _POWERS[0]) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        stays = draw < self._weight(hashes)
        left = np.add.reduceat(stays, starts[:-1], dtype=np.int64)
        owners = _owners(starts)
        stays |= (left == 0)[owners]
        offsets = np.zeros(len(starts), dtype=np.uint64)
        offsets[1:] = np.cumsum(np.where(left == 0, np.diff(starts), left))
        return hashes[stays], offsets

    def _exact(self, asked: str, answered: str) -> tuple[int, int, int]:
        """Two bands more: rows whose questions have the same letters in any order; and rows with one answer. Third,
        the numbers in the question: rows with others are never twins, which is cheaper to see here than in the texts.
        """
        shuffled = "".join(sorted(_NOT_ALNUM.sub("", paraphrases.core(asked))))
        numbers = " ".join(paraphrases.numbers(asked))
        return _checksum(shuffled), _checksum(asked if self.labels else answered), _checksum(numbers)

    # -------------------------------------------------------------- candidates and the decision
    def _compare(self, number: int) -> None:
        """Look at the rows that stand near each other in a bucket of this band: see `_pairs`."""
        for one, other in self._pairs(number):
            self._join(one, other)

    def _pairs(self, number: int) -> Iterator[tuple[int, int]]:
        """Pairs that share their value in this band and the numbers of their questions, and may well be twins.

        A row is paired with the next few of its bucket. There they stand by the next band's value, and of one value in
        the order of the file: in a crowded bucket the next are then the likeliest. Unless the band says that a text is
        the same, the sketches have to agree as well.
        """
        values, order = self._in_buckets(number)
        for start in range(0, len(order), _PAIRED):
            found = [self._paired(values, order, start, step, exact=number >= BANDS) for step in _STEPS]
            at, one, other = (np.concatenate(parts) for parts in zip(*found, strict=True))
            turn = np.argsort(at, kind="stable")  # a row's texts are read once for all its neighbours
            yield from zip(one[turn].tolist(), other[turn].tolist(), strict=True)

    def _paired(
        self, values: Hashes, order: Places, start: int, step: int, *, exact: bool
    ) -> tuple[Places, Places, Places]:
        """Where, in a stretch of the order, a row and the one so many steps behind it are a pair; and both rows."""
        stop = max(start, min(start + _PAIRED, len(order) - step))
        at = start + np.flatnonzero(values[start:stop] == values[start + step : stop + step])
        one, other = order[at], order[at + step]
        if exact:
            return at, one, other
        agree = np.count_nonzero(self.sketches[one] == self.sketches[other], axis=1)
        likely = agree >= np.minimum(self.least[one], self.least[other])
        return at[likely], one[likely], other[likely]

    def _in_buckets(self, number: int) -> tuple[Hashes, Places]:
        """The band's values and the rows, in the order of both."""
        values = (self.bands.band(number).astype(np.uint64) << np.uint64(32)) | self.numbers
        order = np.lexsort((self.bands.band((number + 1) % BANDS), values))
        return values[order], order

    def _leasts(self) -> npt.NDArray[np.uint8]:
        """For each row of how many bytes its sketch has to agree with another for a look at the texts.

        Where thousands of rows have one form, a row shares bands with many that fill it in differently, and with more
        of them the larger the file. So the crowd that a row stands in decides; a group of copies is none.
        """
        mates = np.zeros(len(self.unique), dtype=np.int64)
        for number in range(_CROWD_BANDS):
            values, order = self._in_buckets(number)
            starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
            sizes = np.diff(np.append(starts, len(values)))
            mates[order] += np.repeat(sizes - 1, sizes)
        least = _SKETCH_ALIKE + _SKETCH_STEP * np.log2(np.maximum(mates, _CROWD) / _CROWD)
        found: npt.NDArray[np.uint8] = np.minimum(np.rint(least), _SKETCH_CROWDED).astype(np.uint8)
        return found

    def _join(self, one: int, other: int) -> None:
        """Put the two into one group if they are near-duplicates."""
        root, other_root = self.root(one), self.root(other)
        if root == other_root:
            return
        earlier, later = min(one, other), max(one, other)
        pair = (earlier << 32) | later
        if pair in self.refused:
            return
        similarity = self._alike(earlier, later)
        if similarity is None:
            if len(self.refused) < _REMEMBERED:
                self.refused.add(pair)
            return
        self.near.append(self._twin(earlier, later, similarity))
        self.parent[max(root, other_root)] = min(root, other_root)

    def _twin(self, earlier: int, later: int, similarity: float) -> Twin:
        return Twin(int(self.unique[earlier]), int(self.unique[later]), round(similarity, 4))

    def _alike(self, earlier: int, later: int) -> float | None:
        """How alike two near-duplicates are, or None if they are none.

        The words come before the grams: rows that fill in one form differently are turned away by them, and where a
        file is made of forms that is nearly every pair.
        """
        a, b = self._row(earlier), self._row(later)
        pair = _Pair(a.answer_text == b.answer_text, a.asked_letters == b.asked_letters != "")
        same_numbers = pair.sure or self.labels or a.answer_numbers == b.answer_numbers
        if a.numbers != b.numbers or not same_numbers:
            return None
        words = a.words()[0], b.words()[0]
        change = paraphrases.change(*words)
        if change is Edit.OTHER or (not self.labels and self._other_answer(pair, a, b)):
            return None
        if not self._likely(pair, likeness := self._likeness(a, b)):
            return None
        if not pair.same_answer and self._clashes(pair, change, likeness, earlier, later):
            self.clashes.append(self._twin(earlier, later, max(likeness.asked, likeness.plain)))
            return None
        long = not self.labels or min(len(one.words) for one in words) >= LONG_LABELLED
        apart = not self._enough(pair, likeness, change, long=long) or (self.labels and self._other_answer(pair, a, b))
        if apart or (change > Edit.NONE and not pair.punctuation and self._other_names(earlier, later)):
            return None
        return max(likeness.both, likeness.plain, paraphrases.alike(*words))

    def _strong(self, pair: "_Pair", likeness: "_Likeness") -> bool:
        """Whether so much is shared that a swapped word does not matter; see the module."""
        if likeness.both >= ALIKE and likeness.asked >= ASKED_ALIKE:
            return True
        return not self.labels and pair.same_answer and likeness.plain >= ALIKE

    def _likely(self, pair: "_Pair", likeness: "_Likeness") -> bool:
        """Whether a look at the words is worth its time."""
        if pair.punctuation or self._strong(pair, likeness):
            return True
        return max(likeness.asked, likeness.plain) >= LOOSELY_ALIKE and likeness.answered >= ASKED_ALIKE

    def _enough(self, pair: "_Pair", likeness: "_Likeness", change: Edit, *, long: bool) -> bool:
        if change is Edit.OTHER or (self.labels and not pair.same_answer):
            return False
        if pair.punctuation or change <= Edit.SMALL or self._strong(pair, likeness):
            return True
        return change is Edit.DROPPED and likeness.answered >= ALIKE and long

    def _likeness(self, a: _Row, b: _Row) -> "_Likeness":
        self._weighed(a)
        self._weighed(b)
        common = _common(a.asked, b.asked)
        asked, all_asked = self._sum(common), a.asked_weight + b.asked_weight
        plain = len(common) / (len(a.asked) + len(b.asked) - len(common))
        if self.labels:
            alike = _share(asked, all_asked)
            return _Likeness(plain, alike, 1.0, alike)
        answered, all_answered = self._sum(_common(a.answered, b.answered)), a.answered_weight + b.answered_weight
        return _Likeness(
            plain,
            _share(asked, all_asked),
            _share(answered, all_answered),
            _share(asked + answered, all_asked + all_answered),
        )

    def _clashes(self, pair: "_Pair", change: Edit, likeness: "_Likeness", earlier: int, later: int) -> bool:
        """Whether two different answers, to what is one question, can't both be right."""
        if self.labels and not pair.punctuation:
            return change <= Edit.SMALL and likeness.asked >= (ASKED_ALIKE if change is Edit.NONE else ALIKE)
        if not pair.punctuation or change is Edit.OTHER:
            return False
        if self.labels:
            return True
        one, other = (self.texts.pair(int(self.unique[place])) for place in (earlier, later))
        return self.conflict(one, other)

    def _other_names(self, earlier: int, later: int) -> bool:
        one, other = (self.texts.pair(int(self.unique[place]))[0] for place in (earlier, later))
        return paraphrases.names_swapped(one, other)

    def _other_answer(self, pair: "_Pair", a: _Row, b: _Row) -> bool:
        """Whether two answers that look alike say different things, or the same thing of different ones."""
        if pair.sure:
            return False
        asked, answers = zip(a.words(), b.words(), strict=True)
        if paraphrases.slot(asked, answers):
            return True
        short = max(len(a.answer_text), len(b.answer_text)) <= SHORT_ANSWER
        return short and paraphrases.change(*answers, asking=False) is Edit.OTHER

    def _sum(self, hashes: Hashes) -> float:
        return float(np.add.reduce(self.weights[hashes & self.mask]))

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
            _NOT_ALNUM.sub("", core),
            paraphrases.numbers(asked_text),
            paraphrases.numbers(answer_text) if len(answer_text) <= SHORT_ANSWER else (),
        )
        self.cache[place] = row
        while len(self.cache) > 2 and (len(self.cache) > _CACHED or self.cached_grams > _CACHED_GRAMS):
            _, gone = self.cache.popitem(last=False)
            self.cached_grams -= len(gone.asked) + len(gone.answered)
        return row

    def _weighed(self, row: _Row) -> None:
        """Give the row its grams. It stands in the cache."""
        if len(row.asked):
            return
        row.asked = _grams(row.asked_text)
        row.answered = row.asked[:0] if self.labels else _grams(row.answer_text) ^ _ANSWER_SIDE
        row.asked_weight, row.answered_weight = self._sum(row.asked), self._sum(row.answered)
        self.cached_grams += len(row.asked) + len(row.answered)


def _common(one: Hashes, other: Hashes) -> Hashes:
    """What stands in both; neither repeats itself."""
    both = np.concatenate((one, other))
    both.sort()
    found: Hashes = both[1:][both[1:] == both[:-1]]
    return found


def _owners(starts: Places) -> Places:
    """For each gram the number of its text."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))
