"""Queries on datasets and their rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session, defer

from app.datasets.formats import Message
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import know, once
from app.errors import NotFound


@dataclass(frozen=True, slots=True)
class Example:
    """A used row, as measuring and training want it. `id` is the row's in the table, `line` the one in the upload."""

    id: int
    line: int
    messages: tuple[Message, ...]
    target: str


def get(session: Session, dataset_id: int) -> DatasetRow:
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound("There is no such dataset.")
    return row


def current(session: Session, assessment_id: int) -> DatasetRow | None:
    """The version that counts: the newest, which may still be being checked.

    A rejected upload replaces nothing; it is current only while nothing else was ever uploaded.
    """
    return once(
        session,
        ("dataset", assessment_id),
        lambda: session.scalar(
            select(DatasetRow)
            .where(DatasetRow.assessment_id == assessment_id)
            .order_by(DatasetRow.state == "rejected", DatasetRow.version.desc())
            .limit(1)
        ),
    )


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find the current version of many assessments in one query, for a page that will ask for each (`db.know`)."""
    order = (DatasetRow.state == "rejected", DatasetRow.version.desc())
    place = func.row_number().over(partition_by=DatasetRow.assessment_id, order_by=order).label("place")
    ranked = select(DatasetRow.id, place).where(DatasetRow.assessment_id.in_(assessment_ids)).subquery()
    rows = session.scalars(select(DatasetRow).join(ranked, ranked.c.id == DatasetRow.id).where(ranked.c.place == 1))
    found = {row.assessment_id: row for row in rows}
    know(session, {("dataset", one): found.get(one) for one in assessment_ids})


def newest(session: Session, assessment_id: int) -> DatasetRow | None:
    """The last upload, whatever became of it."""
    return session.scalar(
        select(DatasetRow).where(DatasetRow.assessment_id == assessment_id).order_by(DatasetRow.version.desc()).limit(1)
    )


def versions(session: Session, assessment_id: int) -> Sequence[DatasetRow]:
    """All uploads, newest first; their reports are not loaded."""
    return session.scalars(
        select(DatasetRow)
        .where(DatasetRow.assessment_id == assessment_id)
        .options(defer(DatasetRow.report, raiseload=True))
        .order_by(DatasetRow.version.desc())
    ).all()


def before(session: Session, row: DatasetRow, *, frozen: bool = False) -> DatasetRow | None:
    """The last usable version before this one; `frozen` looks only among those whose split was frozen."""
    query = select(DatasetRow).where(
        DatasetRow.assessment_id == row.assessment_id,
        DatasetRow.version < row.version,
        DatasetRow.state == "ready",
    )
    if frozen:
        query = query.where(DatasetRow.frozen_at.is_not(None))
    return session.scalar(query.order_by(DatasetRow.version.desc()).limit(1))


def rows(session: Session, dataset_id: int, split: str) -> list[Example]:
    """The rows of one split (train, dev or test), in the order of the upload."""
    found = session.execute(
        select(ExampleRow.id, ExampleRow.line, ExampleRow.messages, ExampleRow.target)
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.split == split)
        .order_by(ExampleRow.file, ExampleRow.line)
    )
    return [
        Example(row_id, line, tuple(Message(turn["role"], turn["content"]) for turn in messages), target)
        for row_id, line, messages, target in found
    ]


def example(session: Session, dataset_id: int, example_id: int) -> ExampleRow:
    row = session.get(ExampleRow, example_id)
    if row is None or row.dataset_id != dataset_id:
        raise NotFound("There is no such row.")
    return row


def by_ids(session: Session, ids: Iterable[int]) -> dict[int, ExampleRow]:
    """Rows of any version by their ids."""
    found = session.scalars(select(ExampleRow).where(ExampleRow.id.in_(list(ids))))
    return {row.id: row for row in found}


def version(session: Session, assessment_id: int, number: int) -> DatasetRow | None:
    """One upload of an assessment by its number."""
    return session.scalar(
        select(DatasetRow).where(DatasetRow.assessment_id == assessment_id, DatasetRow.version == number)
    )


def listed(
    session: Session, dataset_id: int, *, status: str = "", split: str = "", after: int = 0, limit: int = 50
) -> Sequence[ExampleRow]:
    """Rows after the id `after`, in the order of the upload; `status` and `split` narrow them where they are given."""
    query = select(ExampleRow).where(ExampleRow.dataset_id == dataset_id, ExampleRow.id > after)
    if status:
        query = query.where(ExampleRow.status == status)
    if split:
        query = query.where(ExampleRow.split == split)
    return session.scalars(query.order_by(ExampleRow.id).limit(limit)).all()


def page_of(
    session: Session, dataset_id: int, *, status: str, split: str, skip: int, limit: int
) -> Sequence[ExampleRow]:
    """A page by number, for people; programs follow ids with `listed`."""
    query = select(ExampleRow).where(ExampleRow.dataset_id == dataset_id)
    if status:
        query = query.where(ExampleRow.status == status)
    if split:
        query = query.where(ExampleRow.split == split)
    return session.scalars(query.order_by(ExampleRow.file, ExampleRow.line).offset(skip).limit(limit)).all()


def counts(session: Session, dataset_id: int) -> dict[tuple[str, str], int]:
    """How many rows there are by status and split."""
    found = session.execute(
        select(ExampleRow.status, ExampleRow.split, func.count())
        .where(ExampleRow.dataset_id == dataset_id)
        .group_by(ExampleRow.status, ExampleRow.split)
    )
    return {(status, split): number for status, split, number in found}


def forget_rows(session: Session, dataset_id: int) -> None:
    """Remove the rows that an interrupted check left."""
    session.execute(delete(ExampleRow).where(ExampleRow.dataset_id == dataset_id))


def add_rows(session: Session, values: Iterable[dict[str, Any]]) -> list[int]:
    """Insert rows and say their ids, in the same order."""
    statement = insert(ExampleRow).returning(ExampleRow.id, sort_by_parameter_order=True)
    return list(session.scalars(statement, list(values)))
