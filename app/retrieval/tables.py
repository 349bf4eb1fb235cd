"""Indexes of an assessment's documents. Passages and the files to search them lie in the content store."""

from datetime import datetime
from typing import TypedDict

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json, JsonOf
from app.retrieval.settings import IndexSettings, Way


class MadeBy(TypedDict):
    """The embedding model that made an index's vectors, as JSON."""

    name: str
    digest: str
    dimensions: int


class IndexRow(Base):
    """One index, over the documents as they were when it was built. A ready one never changes.

    state: building until the transaction that names its hash and its files, then ready. corpus_sha256: of the documents
    it is over (`corpus.digest`). documents, passages, tokens (estimated), bytes (of all its files): counts of
    what is in it. sha256: of passages, settings, and the embedder's digest; names the manifest in the content store.
    files: role -> SHA-256 in the content store. embedder: what made its vectors, None for
    lexical search alone. cut: passages that were longer than the embedder reads. seconds: what building took, by the
    attempt that ended it.
    """

    __tablename__ = "retrieval_indexes"
    __table_args__ = (
        CheckConstraint("state in ('building', 'ready')", name="state"),
        CheckConstraint("state = 'building' or sha256 is not null", name="whole"),
        Index("ix_retrieval_indexes_assessment_id", "assessment_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16), default="building")
    settings: Mapped[IndexSettings] = mapped_column(JsonOf(IndexSettings.from_json, IndexSettings.to_json))
    corpus_sha256: Mapped[str] = mapped_column(String(64))
    documents: Mapped[int] = mapped_column(default=0)
    passages: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    files: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    embedder: Mapped[MadeBy | None] = mapped_column(Json)
    cut: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]

    @property
    def mean_tokens(self) -> int:
        """Tokens of a passage on average, estimated."""
        return round(self.tokens / self.passages) if self.passages else 0

    @property
    def ways(self) -> tuple[Way, ...]:
        """What it can be searched by."""
        return self.settings.ways
