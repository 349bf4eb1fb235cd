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
that shares less is looked at word by word (`paraphrases`): where nothing but a slip of the pen, a courtesy or one word
sets it apart, it is one too. And whatever is shared, rows with other numbers, a `not` more, an opposite, another name
or another filling of one form are never near-duplicates: `13 + 4` is another task than `14 + 4`.

How: the grams are thinned by one fixed draw a gram, with its weight as the chance to stay, so that plain MinHash
estimates the weighted similarity (rensa: 15 microseconds a row of 100 grams; datasketch took 197). 25 bands of 4 give
candidates, and the weighted Jaccard itself decides each. Groups are joined by union-find. Cost grows about linearly
with rows: the weights come from at most 100,000 rows, each row is signed once and compared with at most a handful of
its band neighbours, first by 64 bytes of both signatures and only then, if these agree enough, by their texts. Where
every row is made from one template, most neighbours are no twins, and there are more of them the larger the file: the
more a row has, the more has to agree. Memory: about 120 bytes a row, at most 48 MiB for the
weights and 32 MiB for texts under comparison; the bands are on disk.

Here the groups are joined; the hashes are made in `grams`, the pairs worth a look come from `candidates`, and what two
rows are to each other is decided in `likeness`.
"""

import tempfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.datasets.checks.candidates import BANDS, Bands, Candidates, Tick
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.compared_text import Texts
from app.datasets.checks.grams import Places
from app.datasets.checks.likeness import Comparer, Conflict

_REMEMBERED = 1 << 19  # refused pairs kept, so that the next band does not ask again


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
    conflict: Conflict = agreeing,
    tick: Tick = silent,
    checkpoint: Checkpoint | None = None,
) -> Groups:
    """Group the rows.

    keys: `compared_text.key` of each row's input. labels: whether the answers are labels. tick: called with work done
    and in all. checkpoint: where to save what was worked out, and to look for what a killed attempt saved.
    """
    first = _firsts(keys)
    unique = np.flatnonzero(first == np.arange(len(first)))
    with checkpoint.open("bands") if checkpoint else tempfile.TemporaryFile() as file:
        bands = Bands(file, len(unique))
        candidates = Candidates(texts, unique, bands, labels=labels, tick=tick, checkpoint=checkpoint)
        search = _Search(candidates, conflict)
        search.run()
    oldest = np.arange(len(first))
    oldest[unique] = unique[search.roots()]
    return Groups(array("q", first.tobytes()), array("q", oldest[first].tobytes()), search.near, search.clashes)


def _firsts(keys: Sequence[int]) -> Places:
    """For each key the place where it stands first."""
    if not keys:
        return np.zeros(0, dtype=np.int64)
    _, index, inverse = np.unique(np.asarray(keys, dtype=np.uint64), return_index=True, return_inverse=True)
    places: Places = index[inverse].astype(np.int64)
    return places


class _Search:
    """Joins the rows that are near-duplicates. A row goes by its place in `candidates.unique`."""

    def __init__(self, candidates: Candidates, conflict: Conflict) -> None:
        self.candidates = candidates
        self.conflict = conflict
        self.unique = candidates.unique
        self.checkpoint = candidates.checkpoint
        self.parent = array("q", range(len(self.unique)))
        self.refused: set[int] = set()
        self.near: list[Twin] = []
        self.clashes: list[Twin] = []

    def run(self) -> None:
        """Fill `near`, `clashes` and the groups."""
        if len(self.unique) < 2:
            return
        candidates = self.candidates
        weights = candidates.prepare()
        comparer = Comparer(candidates.texts, self.unique, weights, labels=candidates.labels, conflict=self.conflict)
        for number in range(self._resume(), BANDS + 2):
            for one, other in candidates.pairs(number):
                self._join(comparer, one, other)
            candidates.tick(candidates.signed_work + (number + 1) * candidates.band_work, candidates.work)
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

    def _join(self, comparer: Comparer, one: int, other: int) -> None:
        """Put the two into one group if they are near-duplicates."""
        root, other_root = self.root(one), self.root(other)
        if root == other_root:
            return
        earlier, later = min(one, other), max(one, other)
        pair = (earlier << 32) | later
        if pair in self.refused:
            return
        judgement = comparer.compare(earlier, later)
        if judgement and not judgement.clash:
            self.near.append(self._twin(earlier, later, judgement.similarity))
            self.parent[max(root, other_root)] = min(root, other_root)
            return
        if judgement:
            self.clashes.append(self._twin(earlier, later, judgement.similarity))
        if len(self.refused) < _REMEMBERED:
            self.refused.add(pair)

    def _twin(self, earlier: int, later: int, similarity: float) -> Twin:
        return Twin(int(self.unique[earlier]), int(self.unique[later]), round(similarity, 4))

    # -------------------------------------------------------------- what a killed attempt left
    def _save(self, checkpoint: Checkpoint, bands_done: int) -> None:
        pairs = {
            name: np.array([(t.earlier, t.later, t.similarity) for t in twins], dtype=np.float64).reshape(-1, 3)
            for name, twins in (("near", self.near), ("clashes", self.clashes))
        }
        checkpoint.save_arrays("compared", parent=np.asarray(self.parent), done=np.array(bands_done), **pairs)

    def _resume(self) -> int:
        """The first band that has not been compared yet."""
        saved = self.checkpoint.load_arrays("compared") if self.checkpoint else None
        if saved is None:
            return 0
        self.parent = array("q", saved["parent"].tobytes())
        for name, twins in (("near", self.near), ("clashes", self.clashes)):
            twins += [Twin(int(one), int(other), float(alike)) for one, other, alike in saved[name]]
        return int(saved["done"])
