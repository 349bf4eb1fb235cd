"""Queries on rounds in which a second person labels or judges rows."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.datasets.tables import ExampleRow
from app.db import memo, prefill
from app.errors import NotFound
from app.labelling.tables import LabelRoundRow, SecondLabelRow


def get(session: Session, round_id: int) -> LabelRoundRow:
    row = session.get(LabelRoundRow, round_id)
    if row is None:
        raise NotFound("There is no such round of labelling.")
    return row


def rounds(session: Session, dataset_id: int) -> Sequence[LabelRoundRow]:
    """All rounds on a version of the data, the oldest first."""
    query = select(LabelRoundRow).where(LabelRoundRow.dataset_id == dataset_id).order_by(LabelRoundRow.id)
    return memo(session, ("label_rounds", dataset_id), lambda: session.scalars(query).all())


def read_ahead(session: Session, dataset_ids: Sequence[int]) -> None:
    """Find the rounds of many versions in one query, for a page that will ask for each (`db.prefill`)."""
    query = select(LabelRoundRow).where(LabelRoundRow.dataset_id.in_(dataset_ids)).order_by(LabelRoundRow.id)
    every: dict[int, list[LabelRoundRow]] = {dataset_id: [] for dataset_id in dataset_ids}
    for row in session.scalars(query):
        every[row.dataset_id].append(row)
    prefill(session, {("label_rounds", dataset_id): rows for dataset_id, rows in every.items()})


def words_of(session: Session, round_ids: Collection[int]) -> Sequence[SecondLabelRow]:
    """Everything that was said in these rounds, the oldest first."""
    query = select(SecondLabelRow).where(SecondLabelRow.round_id.in_(sorted(round_ids)))
    return session.scalars(query.order_by(SecondLabelRow.id)).all()


def second_label(session: Session, label_id: int) -> SecondLabelRow:
    row = session.get(SecondLabelRow, label_id)
    if row is None:
        raise NotFound("Nobody labelled this a second time.")
    return row


def candidates(session: Session, dataset_id: int) -> list[int]:
    """Ids of the rows that may be offered: those that prompts and training may see. Test rows are not among them: who
    reads those may not choose by them."""
    query = select(ExampleRow.id).where(ExampleRow.dataset_id == dataset_id, ExampleRow.split.in_(("train", "dev")))
    return list(session.scalars(query.order_by(ExampleRow.id)))


def targets(session: Session, example_ids: Collection[int]) -> dict[int, str]:
    """The wanted answers of these rows, as the file has them."""
    rows = session.execute(select(ExampleRow.id, ExampleRow.target).where(ExampleRow.id.in_(sorted(example_ids))))
    return {example_id: target for example_id, target in rows}  # noqa: C416 - a Row is no pair to mypy


def labels_of(session: Session, dataset_id: int) -> list[str]:
    """The closed list: every label of the rows that are used, by the alphabet."""
    query = (
        select(ExampleRow.target)
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.split.in_(("train", "dev", "test")))
        .distinct()
    )
    return sorted({target.strip() for target in session.scalars(query)} - {""}, key=str.casefold)
