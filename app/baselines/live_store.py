"""Queries on a measurement while it runs, asked about once a second: sums alone, no answer is read but the last few."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.baselines.tables import AnswerRow


@dataclass(frozen=True, slots=True)
class SoFar:
    """What an arm has answered on a split. score: mean of those without an error, None while there is none."""

    answers: int
    errors: int
    score: float | None

    @property
    def scored(self) -> int:
        return self.answers - self.errors


def so_far(session: Session, arm_ids: Collection[int]) -> dict[tuple[int, str], SoFar]:
    """By arm and split; what has no answer yet is left out."""
    failed = func.sum(case((AnswerRow.status == "error", 1), else_=0))
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.split, func.count(), failed, func.avg(AnswerRow.score))
        .where(AnswerRow.arm_id.in_(sorted(arm_ids)))
        .group_by(AnswerRow.arm_id, AnswerRow.split)
    )
    return {
        (arm_id, split): SoFar(int(answers), int(errors or 0), None if score is None else float(score))
        for arm_id, split, answers, errors, score in rows
    }


@dataclass(frozen=True, slots=True)
class Failing:
    """Rows of one arm that got the same error. newest: id of the last such answer."""

    arm_id: int
    split: str
    error: str
    rows: int
    newest: int


def failing(session: Session, arm_ids: Collection[int], limit: int) -> Sequence[Failing]:
    """The errors that came last, the same ones of an arm together."""
    newest = func.max(AnswerRow.id)
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.split, AnswerRow.error, func.count(), newest)
        .where(and_(AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.status == "error"))
        .group_by(AnswerRow.arm_id, AnswerRow.split, AnswerRow.error)
        .order_by(newest.desc())
        .limit(limit)
    )
    return [Failing(arm_id, split, error or "", int(number), int(last)) for arm_id, split, error, number, last in rows]
