"""Queries for the result page: the answers of two arms on the same test rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.baselines.tables import AnswerRow
from app.datasets.tables import ExampleRow


@dataclass(frozen=True, slots=True)
class Paired:
    """One test row answered by both arms. A score is None where no answer came."""

    example_id: int
    before: float | None
    after: float | None


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


def pairs(session: Session, before_arm: int, after_arm: int) -> Sequence[Paired]:
    """Every test row that both arms were asked, in the order of the rows."""
    before, after = aliased(AnswerRow), aliased(AnswerRow)
    rows = session.execute(
        select(before.example_id, before.score, after.score)
        .join(after, (after.example_id == before.example_id) & (after.split == "test") & (after.arm_id == after_arm))
        .where(before.arm_id == before_arm, before.split == "test")
        .order_by(before.example_id)
    )
    return [Paired(*row) for row in rows]


def examples(session: Session, before_arm: int, after_arm: int, ids: Sequence[int]) -> Sequence[Example]:
    """These rows with both answers, in the order of `ids`."""
    before, after = aliased(AnswerRow), aliased(AnswerRow)
    rows = session.execute(
        select(ExampleRow, before, after)
        .join(before, (before.example_id == ExampleRow.id) & (before.arm_id == before_arm) & (before.split == "test"))
        .join(after, (after.example_id == ExampleRow.id) & (after.arm_id == after_arm) & (after.split == "test"))
        .where(ExampleRow.id.in_(ids))
    )
    found = {
        row.id: Example(row.id, row.line, row.messages, row.target, one.output, one.score, two.output, two.score)
        for row, one, two in rows
    }
    return [found[example_id] for example_id in ids if example_id in found]
