"""What each way of searching found for the dev rows, and which passages people marked as the right ones."""

from datetime import datetime
from typing import TypeAlias, TypedDict

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.relevance.gold import How
from app.retrieval.settings import Way

Hits: TypeAlias = dict[Way, list[int]]
"""Of one row the passages that each way found, by their ids, the best first."""


class StoredGold(TypedDict):
    """The right passages of one row, by their ids, and by which sign they are known; as JSON."""

    passages: list[int]
    how: How


class RetrievalCheckRow(Base):
    """One look at how an index does on the rows of a version. Grows until it is `done_at`, and never changes then.

    index_sha256: of the index as it was. hits: {row: {way: [passage, ...]}}, the ten best of each dev row that was
    searched for (a sample of at most `job.MOST_ROWS`). gold: {row: {"passages": [...], "how": how}} of dev and test
    rows whose right passage is known by program, or was marked before (how "marked"). carried: share of the training
    rows, 0 to 1, that bring a passage of the documents with their question. marks_up_to: id of the newest mark that
    `gold` holds, 0 for none. seconds: what searching took.
    """

    __tablename__ = "retrieval_checks"
    __table_args__ = (Index("ix_retrieval_checks_assessment_id", "assessment_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    index_id: Mapped[int] = mapped_column(ForeignKey("retrieval_indexes.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    index_sha256: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    hits: Mapped[dict[str, Hits]] = mapped_column(Json, default=dict)
    gold: Mapped[dict[str, StoredGold]] = mapped_column(Json, default=dict)
    carried: Mapped[float] = mapped_column(default=0.0)
    marks_up_to: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class PassageMarkRow(Base):
    """Somebody's word on which passage answers a dev row. The newest of a row counts; earlier ones stay.

    key: what the row asks (`same_rows.key_of`), so that the word holds for the next upload too. passage_id: in the
    index that was looked at; None: the answer is in none of the documents. text_sha256, start, end: the passage's place
    in its document's text, by which it is known again in another index.
    """

    __tablename__ = "passage_marks"
    __table_args__ = (Index("ix_passage_marks_assessment_id", "assessment_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    key: Mapped[int] = mapped_column(BigInteger)
    index_id: Mapped[int] = mapped_column(ForeignKey("retrieval_indexes.id"))
    passage_id: Mapped[int | None]
    text_sha256: Mapped[str | None] = mapped_column(String(64))
    start: Mapped[int | None]
    end: Mapped[int | None]
    marked_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    marked_at: Mapped[datetime]
