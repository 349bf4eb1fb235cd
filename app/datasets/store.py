"""Queries on datasets and their rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.orm import Session, defer

from app.datasets.formats import Message
from app.datasets.tables import DatasetRow, ExampleRow, KeptClusterRow
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
    return session.scalar(
        select(DatasetRow)
        .where(DatasetRow.assessment_id == assessment_id)
        .order_by(DatasetRow.state == "rejected", DatasetRow.version.desc())
        .limit(1)
    )


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


def before(session: Session, row: DatasetRow) -> DatasetRow | None:
    """The last usable version before this one."""
    return session.scalar(
        select(DatasetRow)
        .where(
            DatasetRow.assessment_id == row.assessment_id,
            DatasetRow.version < row.version,
            DatasetRow.state == "ready",
        )
        .order_by(DatasetRow.version.desc())
        .limit(1)
    )


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


def row_ids(session: Session, dataset_id: int) -> list[int]:
    """The ids of all rows, in the order in which they were written."""
    return list(
        session.scalars(select(ExampleRow.id).where(ExampleRow.dataset_id == dataset_id).order_by(ExampleRow.id))
    )


def being_checked(session: Session) -> Sequence[int]:
    """Datasets whose check has not ended."""
    return session.scalars(select(DatasetRow.id).where(DatasetRow.state == "checking")).all()


# ---------------------------------------------------------------------- clusters
@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that ask (nearly) the same. number: of the group; used: how many of its rows are used."""

    number: int
    rows: int
    used: int


def clusters(session: Session, dataset_id: int, *, after: int = -1, size: int = 0, limit: int = 20) -> list[Cluster]:
    """Clusters of two rows or more, in the order of the file, those after the number `after`.

    size: only clusters of so many rows; 0 for all.
    """
    used = func.sum(case((ExampleRow.status == "usable", 1), else_=0))
    query = (
        select(ExampleRow.cluster, func.count(), used)
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.cluster > after)
        .group_by(ExampleRow.cluster)
        .order_by(ExampleRow.cluster)
        .limit(limit)
    )
    if size:
        query = query.having(func.count() == size)
    return [Cluster(number or 0, rows, kept) for number, rows, kept in session.execute(query)]


def cluster_rows(session: Session, dataset_id: int, cluster: int, limit: int = 50) -> Sequence[ExampleRow]:
    """The first rows of a cluster, its oldest first."""
    return session.scalars(
        select(ExampleRow)
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.cluster == cluster)
        .order_by(ExampleRow.id)
        .limit(limit)
    ).all()


def cluster_size(session: Session, dataset_id: int, cluster: int) -> int:
    query = select(func.count()).where(ExampleRow.dataset_id == dataset_id, ExampleRow.cluster == cluster)
    return session.scalar(query) or 0


def kept_clusters(session: Session, assessment_id: int) -> Sequence[KeptClusterRow]:
    """The decisions that count now, newest first."""
    return session.scalars(
        select(KeptClusterRow)
        .where(KeptClusterRow.assessment_id == assessment_id, KeptClusterRow.withdrawn_at.is_(None))
        .order_by(KeptClusterRow.id.desc())
    ).all()


def kept_keys(session: Session, assessment_id: int) -> set[int]:
    """The keys of the clusters whose repeats are used."""
    return {int(row.key, 16) for row in kept_clusters(session, assessment_id)}
