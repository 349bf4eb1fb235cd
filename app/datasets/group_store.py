"""Queries on groups of rows: those that are the same or nearly so, and those that the uploader says belong together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.datasets.tables import DatasetRow, ExampleRow
from app.db import memo


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are the same or nearly so: the cluster's number, how many they are, the first of them."""

    number: int
    size: int
    rows: Sequence[ExampleRow]


def groups(
    session: Session,
    dataset_id: int,
    *,
    size: int | None = None,
    least: int = 2,
    skip: int,
    limit: int,
    rows_each: int,
    status: str = "",
) -> list[Group]:
    """Clusters of at least two rows, the largest first; `rows_each` of each come along.

    status: only clusters with such a row.
    """
    of = func.count()
    query = select(ExampleRow.cluster, of).where(ExampleRow.dataset_id == dataset_id, ExampleRow.cluster.is_not(None))
    if status:
        some = select(ExampleRow.cluster).where(ExampleRow.dataset_id == dataset_id, ExampleRow.status == status)
        query = query.where(ExampleRow.cluster.in_(some))
    query = (
        query.group_by(ExampleRow.cluster)
        .having(of >= max(least, 2) if size is None else of == size)
        .order_by(of.desc(), ExampleRow.cluster)
        .offset(skip)
        .limit(limit)
    )
    return [
        Group(number or 0, count, _members(session, dataset_id, number or 0, rows_each, status))
        for number, count in session.execute(query).all()
    ]


def _members(session: Session, dataset_id: int, cluster: int, limit: int, first: str) -> Sequence[ExampleRow]:
    """Rows of a cluster in the order of the upload, those with the status `first` before the others."""
    query = select(ExampleRow).where(ExampleRow.dataset_id == dataset_id, ExampleRow.cluster == cluster)
    order = (ExampleRow.status != first, ExampleRow.id) if first else (ExampleRow.id,)
    return session.scalars(query.order_by(*order).limit(limit)).all()


# ------------------------------------------------------------------ what belongs together


def key_of(group: str) -> str:
    """A group's name as it is kept: 16 hex digits of its SHA-256. A column of customers is nobody's business here."""
    return sha256(group.encode()).hexdigest()[:16]


def belonging(session: Session, dataset_id: int) -> Mapping[int, int]:
    """Of every dev and test row the number of what the split keeps together with it: rows of one group of the
    uploader's column, and near-duplicates. Rows that are alone there are left out, so it is empty for most versions."""
    return memo(session, ("belonging", dataset_id), lambda: _belonging(session, dataset_id))


def _belonging(session: Session, dataset_id: int) -> dict[int, int]:
    query = select(ExampleRow.id, ExampleRow.cluster, ExampleRow.group_key).where(
        ExampleRow.dataset_id == dataset_id, ExampleRow.split.in_(("dev", "test"))
    )
    first: dict[int, int] = {}  # row -> a row it belongs with, itself at the root
    by_mark: dict[int | str, int] = {}

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    for row_id, cluster, key in session.execute(query.order_by(ExampleRow.id)):
        first[row_id] = row_id
        for mark in (cluster, key):
            if mark is not None:
                one, other = root(by_mark.setdefault(mark, row_id)), root(row_id)
                first[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for row_id in first:
        members.setdefault(root(row_id), []).append(row_id)
    return {row_id: number for number, rows in members.items() if len(rows) > 1 for row_id in rows}


def named(session: Session, dataset_id: int, split: str) -> Mapping[int, str]:
    """Of the rows of a split for which the uploader's column names a group, its key (`key_of`)."""
    query = select(ExampleRow.id, ExampleRow.group_key).where(
        ExampleRow.dataset_id == dataset_id, ExampleRow.split == split, ExampleRow.group_key.is_not(None)
    )
    return {row_id: key for row_id, key in session.execute(query) if key is not None}


def lacks_keys(session: Session, dataset: DatasetRow) -> bool:
    """Whether the uploader named groups in a version that was checked before rows kept them."""
    if not dataset.report.split.groups:
        return False
    kept = select(ExampleRow.id).where(ExampleRow.dataset_id == dataset.id, ExampleRow.group_key.is_not(None))
    return session.scalar(kept.limit(1)) is None


def keep_keys(session: Session, groups: Iterable[tuple[int, str]]) -> None:
    """Note the groups of rows: (id, name) pairs."""
    values = [{"id": row_id, "group_key": key_of(name)} for row_id, name in groups]
    if values:
        session.execute(update(ExampleRow), values)
