"""Queries on indexes."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.documents.tables import DocumentFileRow, DocumentRow
from app.errors import NotFound
from app.jobs.tables import OPEN, JobRow
from app.retrieval.tables import IndexRow


def get(session: Session, index_id: int) -> IndexRow:
    row = session.get(IndexRow, index_id)
    if row is None:
        raise NotFound("There is no such index.")
    return row


def newest(session: Session, assessment_id: int) -> IndexRow | None:
    """The index that was ordered last, whatever became of it."""
    return session.scalar(
        select(IndexRow).where(IndexRow.assessment_id == assessment_id).order_by(IndexRow.id.desc()).limit(1)
    )


def ready(session: Session, assessment_id: int, corpus_sha256: str | None = None) -> IndexRow | None:
    """The newest that is ready; over these documents, where their digest is given."""
    query = select(IndexRow).where(IndexRow.assessment_id == assessment_id, IndexRow.state == "ready")
    if corpus_sha256 is not None:
        query = query.where(IndexRow.corpus_sha256 == corpus_sha256)
    return session.scalar(query.order_by(IndexRow.id.desc()).limit(1))


def ready_of(session: Session, corpora: Mapping[int, str]) -> dict[int, str]:
    """The hash of the newest ready index of each assessment over these documents. corpora: digest by assessment."""
    query = (
        select(IndexRow.assessment_id, IndexRow.corpus_sha256, IndexRow.sha256)
        .where(IndexRow.assessment_id.in_(sorted(corpora)), IndexRow.state == "ready")
        .order_by(IndexRow.id)
    )
    return {
        assessment_id: sha256
        for assessment_id, corpus_sha256, sha256 in session.execute(query)
        if sha256 is not None and corpora[assessment_id] == corpus_sha256
    }


def listed(session: Session, assessment_id: int, before: int | None, limit: int) -> Sequence[IndexRow]:
    """Indexes of an assessment, the newest first, below id `before`."""
    query = select(IndexRow).where(IndexRow.assessment_id == assessment_id)
    if before is not None:
        query = query.where(IndexRow.id < before)
    return session.scalars(query.order_by(IndexRow.id.desc()).limit(limit)).all()


def documents(session: Session, assessment_id: int, limit: int) -> list[tuple[int, str]]:
    """The first documents of the corpus, by id and title."""
    query = (
        select(DocumentRow.id, DocumentRow.title, DocumentRow.name)
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(
            DocumentFileRow.assessment_id == assessment_id,
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.state == "ready",
            DocumentRow.text_sha256.is_not(None),
        )
        .order_by(DocumentRow.file_id, DocumentRow.number)
        .limit(limit)
    )
    return [(number, title or name) for number, title, name in session.execute(query)]


def being_built(session: Session) -> Sequence[int]:
    """Ids of indexes whose job waits or runs, in the whole installation."""
    return session.scalars(select(JobRow.subject_id).where(JobRow.kind == "index", JobRow.status.in_(OPEN))).all()
