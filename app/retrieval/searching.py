"""Searching an index: by words (BM25), by meaning (embeddings), and by both, fused by reciprocal rank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from app.retrieval.settings import Way

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """What turns texts into vectors; `inference.embedding` has them."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def dimensions(self) -> int: ...

    def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "passage"], stop: Callable[[], bool]
    ) -> npt.NDArray[Any]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. score: BM25, cosine, or sum of reciprocal ranks, by the way; comparable within one."""

    passage_id: int
    score: float


class Searcher:
    """An opened index. Cheap to open: its files are mapped into memory, and read where they are looked into."""

    def search(self, queries: Sequence[str], way: Way, k: int) -> list[list[Hit]]:
        """The k best passages of each query, the best first; fewer where fewer are there, or share no word with it.

        Raises:
            Conflict: the index has no embeddings, or no embedder to search them with was given, or another one.
        """
        raise NotImplementedError
