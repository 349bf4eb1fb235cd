"""Pairs of rows that may be near-duplicates: MinHash over weighed grams, in bands on disk; see `duplicates`."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from app.datasets.checks import paraphrases
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.compared_text import Texts, comparable, only_letters
from app.datasets.checks.grams import (
    ANSWER_SIDE,
    MIX,
    MOST_TEXTS,
    POWERS,
    GramWeights,
    Hashes,
    Places,
    grams_of,
    owners,
)

BANDS, BAND = 25, 4
_COLUMNS = BANDS + 3  # two bands more of exact texts, and what numbers the question holds
# Counters for how many rows share a gram, by the number of rows; grams on one counter look a little more common.
_SLOTS_A_ROW, _LEAST_SLOTS, _MOST_SLOTS = 512, 1 << 16, 1 << 22
_WEIGHED = 100_000  # rows that the weights are taken from; more would only cost time
_BATCH_SIGNS = 1 << 17  # characters made into grams at once, with at most `MOST_TEXTS` rows: they fit the cache
_SKETCH = 64  # MinHash values of which a byte is kept, to turn away pairs that can't be twins
# Of 64 agreements a pair that reaches 0.8 shows fewer than 33 (and then is missed) once in 100,000, thinning included.
_SKETCH_ALIKE = 33
# In a crowd more have to agree: twins that reach 0.8 agree in 51, give or take 3.
_SKETCH_STEP, _SKETCH_CROWDED = 4, 48  # bytes more for each doubling of the crowd; and at most
_CROWD, _CROWD_BANDS = 4, 5  # rows that share a band with a row, over so many bands, from which on it is a crowd
_PAIRED = 1 << 16  # pairs whose sketches are compared at once
_STEPS = range(1, 7)  # how far apart in a band's bucket the rows stand that are compared
_MIXER = np.array([pow(0xC2B2AE3D27D4EB4F, n, 1 << 64) | 1 for n in range(1, BAND + 1)], dtype=np.uint64)

Tick = Callable[[int, int], None]


class Bands:
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


class Candidates:
    """The rows at the positions `unique`, each by its place there, and which of them are worth a comparison."""

    def __init__(
        self, texts: Texts, unique: Places, bands: Bands, *, labels: bool, tick: Tick, checkpoint: Checkpoint | None
    ) -> None:
        self.texts = texts
        self.unique = unique
        self.bands = bands
        self.labels = labels
        self.tick = tick
        self.checkpoint = checkpoint
        self.sketches = np.zeros((0, _SKETCH), dtype=np.uint8)
        self.numbers = np.zeros(0, dtype=np.uint32)
        self.least = np.zeros(0, dtype=np.uint8)
        self.weighed = min(len(unique), _WEIGHED)
        slots = min(max(self.weighed * _SLOTS_A_ROW, _LEAST_SLOTS), _MOST_SLOTS)
        mask = np.uint64((1 << (slots - 1).bit_length()) - 1)  # one less than a power of two
        self.weights = GramWeights(np.ones(1, dtype=np.float32), mask)
        # Weighing, signing and one pass for each band; a band is far cheaper than the passes over the text.
        self.band_work = max(1, len(unique) // 10)
        self.signed_work = self.weighed + len(unique)
        self.work = self.signed_work + self.band_work * (BANDS + 2)

    def prepare(self) -> GramWeights:
        """Weigh the grams and sign every row, or take up what a killed attempt saved of it."""
        saved = self.checkpoint.load_arrays("weights") if self.checkpoint else None
        self.weights = GramWeights(saved["weights"] if saved else self._weigh(), self.weights.mask)
        if self.checkpoint and not saved:
            self.checkpoint.save_arrays("weights", weights=self.weights.values)
        self._sign()
        self.sketches = self.bands.sketches()
        self.numbers = self.bands.band(_COLUMNS - 1)
        self.least = self._leasts()
        return self.weights

    # -------------------------------------------------------------- passes over the text
    def _batches(self, places: Sequence[int]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """Rows to be made into grams together, as normal texts, with the number of the first."""
        batch: list[tuple[str, str]] = []
        size, start = 0, 0
        for number, place in enumerate(places):
            question, answer = self.texts.pair(int(self.unique[place]))
            pair = comparable(question), comparable(answer)
            batch.append(pair)
            size += len(pair[0]) + len(pair[1])
            if len(batch) == MOST_TEXTS or size > _BATCH_SIGNS:
                yield start, batch
                batch, size, start = [], 0, number + 1
        if batch:
            yield start, batch

    def _both(self, batch: Sequence[tuple[str, str]]) -> tuple[Hashes, Places]:
        """Grams of questions and answers together, marked by side; labels say nothing about their question."""
        question_grams, starts = grams_of([question for question, _ in batch])
        if self.labels:
            return question_grams, starts
        answer_grams, answer_starts = grams_of([answer for _, answer in batch])
        order = np.argsort(
            np.concatenate((owners(starts), owners(answer_starts))), kind="stable"
        )  # each question's grams, then its answer's
        return np.concatenate((question_grams, answer_grams ^ ANSWER_SIDE))[order], starts + answer_starts

    def _weigh(self) -> npt.NDArray[np.float32]:
        counts = np.zeros(int(self.weights.mask) + 1, dtype=np.uint32)
        places = np.linspace(0, len(self.unique) - 1, self.weighed).astype(np.int64)
        for start, batch in self._batches(places.tolist()):
            hashes, _ = self._both(batch)
            # Places and counts in the types that the quick loop is made for: a tenth of the time.
            np.add.at(counts, (hashes & self.weights.mask).astype(np.intp), np.uint32(1))
            self.tick(start, self.work)
        shared = np.clip(counts, 1, self.weighed).astype(np.float32)
        rows = self.weighed
        weights: npt.NDArray[np.float32] = (np.log((rows + 1) / shared) / np.log(rows + 1)).astype(np.float32)
        return weights

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
        values[:, :BANDS] = ((digests * _MIXER).sum(axis=2, dtype=np.uint64) * MIX) >> np.uint64(32)
        values[:, BANDS:] = [self._exact(*pair) for pair in batch]
        return values, ((plain[:, :_SKETCH] * MIX) >> np.uint64(56)).astype(np.uint8)

    def _thinned(self, hashes: Hashes, starts: Places) -> tuple[Hashes, Hashes]:
        """The grams that a fixed draw, the same for every row, leaves: each with its weight as the chance.

        A row of which nothing would be left keeps all. Second: where each row's begin, and the end.
        """
        draw = ((hashes * POWERS[0]) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        stays = draw < self.weights.of(hashes)
        left = np.add.reduceat(stays, starts[:-1], dtype=np.int64)
        stays |= (left == 0)[owners(starts)]
        offsets = np.zeros(len(starts), dtype=np.uint64)
        offsets[1:] = np.cumsum(np.where(left == 0, np.diff(starts), left))
        return hashes[stays], offsets

    def _exact(self, question: str, answer: str) -> tuple[int, int, int]:
        """Two bands more: rows whose questions have the same letters in any order; and rows with one answer. Third,
        the numbers in the question: rows with others are never twins, which is cheaper to see here than in the texts.
        """
        shuffled = "".join(sorted(only_letters(paraphrases.core(question))))
        numbers = " ".join(paraphrases.numbers(question))
        return _checksum(shuffled), _checksum(question if self.labels else answer), _checksum(numbers)

    # -------------------------------------------------------------- candidates
    def pairs(self, number: int) -> Iterator[tuple[int, int]]:
        """Pairs that share their value in this band and the numbers of their questions, and may well be twins.

        A row is paired with the next few of its bucket. There they stand by the next band's value, and of one value in
        the order of the file: in a crowded bucket the next are then the likeliest. Unless the band says that a text is
        the same, the sketches have to agree as well.
        """
        values, order = self._in_buckets(number)
        for start in range(0, len(order), _PAIRED):
            paired = [self._paired(values, order, start, step, exact=number >= BANDS) for step in _STEPS]
            at, one, other = (np.concatenate(parts) for parts in zip(*paired, strict=True))
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
        bounded: npt.NDArray[np.uint8] = np.minimum(np.rint(least), _SKETCH_CROWDED).astype(np.uint8)
        return bounded


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))
