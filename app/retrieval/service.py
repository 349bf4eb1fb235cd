"""What people do with indexes, and how others ask them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.retrieval.searching import Embedder, Searcher
from app.retrieval.tables import IndexRow
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. id: its number in the index, from 1. title: document and headings above it.

    start, end: characters of the document's text as it may be read, with values hidden that nobody decided to keep.
    """

    id: int
    document_id: int
    title: str
    text: str
    start: int
    end: int


def current(session: Session, assessment_id: int) -> IndexRow | None:
    """The newest ready index over the documents as they are today; None where there is none, or documents changed."""
    raise NotImplementedError


def searcher(settings: Settings, blobs: Blobs, index: IndexRow, embedder: Embedder | None = None) -> Searcher:
    """Open a ready index. embedder: needed for embedding and hybrid search, and has to be the one that built it.

    Raises:
        Conflict: the index is not ready, or the embedder is another one.
        Damaged: one of its files is missing.
    """
    raise NotImplementedError


def passages(session: Session, blobs: Blobs, index_id: int, ids: Iterable[int]) -> dict[int, Passage]:
    """Passages of a ready index by their ids; ids that it does not have are left out.

    Raises:
        NotFound: there is no such index.
        Conflict: it is not ready.
    """
    raise NotImplementedError


__all__ = ["Passage", "Searcher", "Sequence", "current", "passages", "searcher"]
