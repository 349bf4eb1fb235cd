"""Queries on groups of rows that are the same or nearly so."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.datasets.tables import ExampleRow


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
