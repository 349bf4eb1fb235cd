"""Queries on documents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.db import memo, prefill
from app.documents.privacy import InText
from app.documents.tables import DocumentFileRow, DocumentRow
from app.errors import NotFound

AT_ONCE = 500  # rows of one statement


@dataclass(frozen=True, slots=True)
class Totals:
    """Documents with a text, documents without, characters and estimated tokens of the former."""

    documents: int = 0
    unread: int = 0
    characters: int = 0
    tokens: int = 0


def file(session: Session, file_id: int) -> DocumentFileRow:
    row = session.get(DocumentFileRow, file_id)
    if row is None:
        raise NotFound("There is no such file of documents.")
    return row


def document(session: Session, document_id: int) -> tuple[DocumentRow, DocumentFileRow]:
    row = session.get(DocumentRow, document_id)
    if row is None:
        raise NotFound("There is no such document.")
    return row, file(session, row.file_id)


def files(session: Session, assessment_id: int, *, after: int = 0, limit: int = 1000) -> Sequence[DocumentFileRow]:
    """The files that are part of the corpus, or may become it, in the order of their upload."""
    return session.scalars(
        select(DocumentFileRow)
        .where(
            DocumentFileRow.assessment_id == assessment_id,
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.id > after,
        )
        .order_by(DocumentFileRow.id)
        .limit(limit)
    ).all()


def unread_files(session: Session, batch: int) -> Sequence[DocumentFileRow]:
    """What the job of this batch still has to read."""
    return session.scalars(
        select(DocumentFileRow)
        .where(DocumentFileRow.batch == batch, DocumentFileRow.state == "reading", DocumentFileRow.removed_at.is_(None))
        .order_by(DocumentFileRow.id)
    ).all()


@dataclass(frozen=True, slots=True)
class Size:
    """What the advice wants to know of a corpus: whether something is still being read, documents, tokens.

    undecided: whether personal data was found that nobody has decided on.
    """

    reading: bool = False
    documents: int = 0
    tokens: int = 0
    undecided: bool = False


def size(session: Session, assessment_id: int) -> Size:
    known: Size = memo(session, ("documents", assessment_id), lambda: _sizes(session, [assessment_id])[assessment_id])
    return known


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find the sizes for many assessments in one query, for a page that will ask for each."""
    prefill(
        session, {("documents", assessment_id): size for assessment_id, size in _sizes(session, assessment_ids).items()}
    )


def _sizes(session: Session, assessment_ids: Sequence[int]) -> dict[int, Size]:
    rows = session.execute(
        select(
            DocumentFileRow.assessment_id,
            func.max(case((DocumentFileRow.state == "reading", 1), else_=0)),
            func.count(DocumentRow.text_sha256),
            func.coalesce(func.sum(DocumentRow.tokens), 0),
            func.max(DocumentFileRow.undecided),
        )
        .outerjoin(DocumentRow, DocumentRow.file_id == DocumentFileRow.id)
        .where(DocumentFileRow.assessment_id.in_(assessment_ids), DocumentFileRow.removed_at.is_(None))
        .group_by(DocumentFileRow.assessment_id)
    )
    size_of = {row[0]: Size(bool(row[1]), row[2], int(row[3]), bool(row[4])) for row in rows}
    return {assessment_id: size_of.get(assessment_id, Size()) for assessment_id in assessment_ids}


def totals(session: Session, assessment_id: int) -> Totals:
    """Of the corpus as it is now."""
    return sum_of(totals_by_file(session, assessment_id).values())


def sum_of(parts: Iterable[Totals]) -> Totals:
    every = list(parts)
    return Totals(
        sum(part.documents for part in every),
        sum(part.unread for part in every),
        sum(part.characters for part in every),
        sum(part.tokens for part in every),
    )


def totals_by_file(session: Session, assessment_id: int) -> dict[int, Totals]:
    rows = session.execute(
        select(
            DocumentRow.file_id,
            func.count(DocumentRow.text_sha256),
            func.count(),
            func.sum(DocumentRow.characters),
            func.sum(DocumentRow.tokens),
        )
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(
            DocumentFileRow.assessment_id == assessment_id,
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.state == "ready",
        )
        .group_by(DocumentRow.file_id)
    )
    return {row[0]: Totals(row[1], row[2] - row[1], int(row[3]), int(row[4])) for row in rows}


def twice(session: Session, assessment_id: int) -> int:
    """How many documents have the very text of another one of the corpus, which is found and counted twice."""
    texts = (
        select(func.count(DocumentRow.text_sha256), func.count(DocumentRow.text_sha256.distinct()))
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(
            DocumentFileRow.assessment_id == assessment_id,
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.state == "ready",
        )
    )
    every, different = session.execute(texts).one()
    return int(every - different)


def of_file(session: Session, file_id: int, *, skip: int = 0, limit: int = 50) -> Sequence[DocumentRow]:
    return session.scalars(
        select(DocumentRow).where(DocumentRow.file_id == file_id).order_by(DocumentRow.number).offset(skip).limit(limit)
    ).all()


def number_of(session: Session, file_id: int) -> int:
    return session.scalar(select(func.count()).where(DocumentRow.file_id == file_id)) or 0


def corpus(session: Session, assessment_id: int) -> Iterator[DocumentRow]:
    """Every document with a text, in the order of upload."""
    documents = session.scalars(
        select(DocumentRow)
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(
            DocumentFileRow.assessment_id == assessment_id,
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.state == "ready",
            DocumentRow.text_sha256.is_not(None),
        )
        .order_by(DocumentRow.file_id, DocumentRow.number)
    )
    yield from documents


def with_one_title(session: Session, assessment_id: int) -> Sequence[DocumentRow]:
    """Documents of the corpus whose title another one has as well, by title."""
    here = (
        DocumentFileRow.assessment_id == assessment_id,
        DocumentFileRow.removed_at.is_(None),
        DocumentFileRow.state == "ready",
        DocumentRow.title != "",
    )
    repeated = (
        select(DocumentRow.title)
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(*here)
        .group_by(DocumentRow.title)
        .having(func.count() > 1)
    )
    return session.scalars(
        select(DocumentRow)
        .join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
        .where(*here, DocumentRow.title.in_(repeated))
        .order_by(DocumentRow.title, DocumentRow.file_id, DocumentRow.number)
    ).all()


def titles(session: Session, assessment_id: int) -> set[str]:
    """All titles of the corpus."""
    query = select(DocumentRow.title).join(DocumentFileRow, DocumentFileRow.id == DocumentRow.file_id)
    here = (DocumentFileRow.assessment_id == assessment_id, DocumentFileRow.removed_at.is_(None))
    return set(session.scalars(query.where(*here).distinct()))


class NewDocument(TypedDict):
    """The columns of a document as it was read; `DocumentRow` says what each is. id: where it keeps one."""

    id: NotRequired[int]
    file_id: int
    number: int
    name: str
    title: str
    kind: str
    characters: int
    tokens: int
    text_sha256: str | None
    reason: str
    private: list[InText]


def add_documents(session: Session, values: Sequence[NewDocument]) -> None:
    if values:
        session.execute(insert(DocumentRow), values)


def replace_documents(session: Session, file_id: int, values: Sequence[NewDocument]) -> None:
    """What a file holds as it was read now. A document keeps its id over every reading of its file, so that passages of
    older indexes still lead to it; what an interrupted reading left is gone."""
    there = session.execute(select(DocumentRow.number, DocumentRow.id).where(DocumentRow.file_id == file_id))
    known = {row.number: row.id for row in there}
    again = [{**value, "id": known[value["number"]]} for value in values if value["number"] in known]
    gone = [row_id for number, row_id in known.items() if number > len(values)]
    for start in range(0, len(gone), AT_ONCE):
        session.execute(delete(DocumentRow).where(DocumentRow.id.in_(gone[start : start + AT_ONCE])))
    for start in range(0, len(again), AT_ONCE):
        session.execute(update(DocumentRow), again[start : start + AT_ONCE])
    fresh = [value for value in values if value["number"] not in known]
    for start in range(0, len(fresh), AT_ONCE):
        add_documents(session, fresh[start : start + AT_ONCE])
