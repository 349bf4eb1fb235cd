"""Training rows looked for in the frozen test sets of the whole installation."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.datasets.checks import same_rows
from app.datasets.tables import DatasetRow, ExampleRow, KeyRow

KEYS_AT_ONCE = 500  # values of one condition: SQLite takes a few thousand, PostgreSQL more


@dataclass(frozen=True, slots=True)
class Met:
    """Training rows of one version that ask what the frozen test rows of another version ask."""

    dataset_id: int
    assessment_id: int
    version: int
    rows: int


def met_in_test_sets(session: Session, dataset_id: int) -> tuple[int, list[Met]]:
    """Training rows that are test rows elsewhere: how many frozen test sets the installation has besides this one, and
    those that training rows of this version are in, most rows first. Asking the same is enough (`same_rows.key_of`)."""
    questions = session.scalars(
        select(ExampleRow.messages).where(ExampleRow.dataset_id == dataset_id, ExampleRow.split == "train")
    ).yield_per(1000)
    keys = sorted({same_rows.key_of(messages) for messages in questions})
    shared: dict[int, int] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        counted = (
            select(KeyRow.dataset_id, func.count())
            .where(KeyRow.key.in_(keys[start : start + KEYS_AT_ONCE]), KeyRow.dataset_id != dataset_id)
            .group_by(KeyRow.dataset_id)
        )
        for there, number in session.execute(counted):
            shared[there] = shared.get(there, 0) + number
    versions = session.execute(
        select(DatasetRow.id, DatasetRow.assessment_id, DatasetRow.version).where(DatasetRow.id.in_(sorted(shared)))
    )
    met = [Met(there, owner, version, shared[there]) for there, owner, version in versions]
    sets = session.scalar(select(func.count(KeyRow.dataset_id.distinct())).where(KeyRow.dataset_id != dataset_id))
    return int(sets or 0), sorted(met, key=lambda each: (-each.rows, each.dataset_id))
