"""Rows that two arms answered, side by side; asked of the stores of measuring and of the data."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import answer_store
from app.datasets import store as dataset_store


@dataclass(frozen=True, slots=True)
class Example:
    """One row with both answers, for reading side by side."""

    id: int
    line: int
    messages: list[dict[str, str]]
    target: str
    before: str
    before_score: float | None
    after: str
    after_score: float | None


def examples(session: Session, before_arm: int, after_arm: int, ids: Sequence[int]) -> Sequence[Example]:
    """These test rows with both answers, in the order of `ids`; a row that one of the two was not asked is left out."""
    before = answer_store.of_rows(session, before_arm, "test", ids)
    after = answer_store.of_rows(session, after_arm, "test", ids)
    rows = dataset_store.examples_of(session, [row for row in ids if row in before and row in after])
    return [
        Example(
            row.id,
            row.line,
            row.messages,
            row.target,
            before[row.id].output,
            before[row.id].score,
            after[row.id].output,
            after[row.id].score,
        )
        for row in (rows[example_id] for example_id in ids if example_id in rows)
    ]
