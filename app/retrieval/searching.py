"""Searching an index: by words (BM25), by meaning (embeddings), and by both, fused by reciprocal rank.

Fusion: the sum of 1 / (60 + rank) over both ways (G. Cormack, C. Clarke, S. Buettcher, "Reciprocal rank fusion
outperforms Condorcet and individual rank learning methods", SIGIR 2009; 60 is theirs).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.errors import Conflict
from app.inference.embedding import Embedder
from app.retrieval.lexical import Lexical
from app.retrieval.settings import Way

RRF = 60
FUSED = 100  # of the best of each way that are fused; ranks behind hardly change the first ten
SCORES_AT_ONCE = 1 << 22  # of all questions, held together: 16 MB


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. score: BM25, cosine, or sum of reciprocal ranks, by the way; comparable within one."""

    passage_id: int
    score: float


class Searcher:
    """An opened index. Cheap to open: its files are mapped into memory, and read where they are looked into.

    vectors: one row of length 1 for each passage, None without embeddings. stop: asked while queries are embedded.
    """

    def __init__(
        self,
        lexical: Lexical,
        vectors: npt.NDArray[np.float32] | None = None,
        embedder: Embedder | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lexical = lexical
        self._vectors = vectors
        self._embedder = embedder
        self._stop = stop
        self._asked: tuple[Sequence[str], npt.NDArray[np.float32]] | None = None

    def search(self, queries: Sequence[str], way: Way, k: int) -> list[list[Hit]]:
        """The k best passages of each query, the best first; fewer where fewer are there, or share no word with it.

        Raises:
            Conflict: the index has no embeddings, or no embedder to search them with was given.
        """
        if way == "lexical":
            return list(self._by_words(queries, k))
        if way == "embedding":
            return self._by_meaning(queries, k)
        depth = max(FUSED, k)
        by_words, by_meaning = self._by_words(queries, depth), self._by_meaning(queries, depth)
        return [fused(both, k) for both in zip(by_words, by_meaning, strict=True)]

    def telling(self, query: str) -> frozenset[str]:
        """The terms of a query that are worth marking where they stand, see `lexical`."""
        return self._lexical.telling(query)

    def every_way(self, query: str, ways: Sequence[Way], k: int) -> dict[Way, list[Hit]]:
        """One query in several ways; it is embedded once.

        Raises:
            Conflict: see `search`.
        """
        depth = max(FUSED, k)
        hits: dict[Way, list[Hit]] = {}
        lists: dict[Way, list[Hit]] = {"lexical": next(self._by_words([query], depth))}
        if any(way != "lexical" for way in ways):
            lists["embedding"] = self._by_meaning([query], depth)[0]
        for way in ways:
            hits[way] = fused(tuple(lists.values()), k) if way == "hybrid" else lists[way][:k]
        return hits

    def _by_words(self, queries: Sequence[str], k: int) -> Iterator[list[Hit]]:
        for query in queries:
            scores = self._lexical.scores(query)
            yield [] if scores is None else [hit for hit in _best(scores, k) if hit.score > 0]

    def _by_meaning(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        if self._vectors is None or self._embedder is None:
            raise Conflict("This index has no embeddings, or its embedding model is not at hand. Search by words.")
        if self._asked is None or self._asked[0] != queries:  # embedding and hybrid search ask for the same ones
            self._asked = list(queries), self._embedder.embed(queries, kind="query", stop=self._stop)
        wanted = self._asked[1]
        rows = max(SCORES_AT_ONCE // max(len(queries), 1), 1)
        best: list[list[Hit]] = [[] for _ in queries]
        for start in range(0, len(self._vectors), rows):
            block = self._vectors[start : start + rows] @ wanted.T
            for number, so_far in enumerate(best):
                merged = so_far + _best(block[:, number], k, start)
                best[number] = sorted(merged, key=lambda hit: (-hit.score, hit.passage_id))[:k]
        return best


def _best(scores: npt.NDArray[np.float32], k: int, offset: int = 0) -> list[Hit]:
    """The k best, of equal ones the earlier. offset: passages before these."""
    if len(scores) > k:
        least = np.partition(scores, -k)[-k]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    ordered = places[np.argsort(-scores[places], kind="stable")][:k]
    return [Hit(offset + int(place) + 1, float(scores[place])) for place in ordered]


def fused(lists: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """Ranked lists made one by reciprocal rank, the best first; of equal ones the one with the smaller id."""
    sums: dict[int, float] = {}
    for hits in lists:
        for rank, hit in enumerate(hits, start=1):
            sums[hit.passage_id] = sums.get(hit.passage_id, 0.0) + 1 / (RRF + rank)
    best = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [Hit(passage_id, score) for passage_id, score in best]
