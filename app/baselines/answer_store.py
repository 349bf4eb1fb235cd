"""Queries on single answers and on what people said of them."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from app.baselines import arms
from app.baselines.tables import AnswerRow, ArmRow
from app.db import memo
from app.errors import NotFound


def answered(session: Session, arm_id: int, split: str) -> set[int]:
    """Ids of the rows that have an answer or an error already: they are not asked again."""
    return set(
        session.scalars(select(AnswerRow.example_id).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split))
    )


def put(session: Session, answers: Sequence[dict[str, Any]]) -> None:
    """Store answers; a row that has one keeps it, so a repeated attempt can neither count nor change anything."""
    if not answers:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(AnswerRow).on_conflict_do_nothing(index_elements=["arm_id", "split", "example_id"])
    session.execute(statement, list(answers))


def answers(session: Session, arm_id: int, split: str) -> Sequence[AnswerRow]:
    """All answers of an arm on one split, by row."""
    return session.scalars(
        select(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split).order_by(AnswerRow.example_id)
    ).all()


def any_answer(session: Session, baseline_id: int, besides: int) -> bool:
    """Whether the model has answered any row of a measurement, in another arm than this one."""
    query = (
        select(AnswerRow.id)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, ArmRow.family.not_in(arms.FREE), ArmRow.id != besides)
        .where(AnswerRow.status == "ok")
    )
    return session.scalar(query.limit(1)) is not None


def scored(session: Session, arm_id: int, split: str) -> dict[int, float]:
    """What each answered row of an arm scored, by row."""
    rows = session.execute(
        select(AnswerRow.example_id, AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split, AnswerRow.score.is_not(None))
        .order_by(AnswerRow.example_id)
    )
    return {example_id: score for example_id, score in rows if score is not None}


def scores(session: Session, arm_id: int, split: str) -> Sequence[float | None]:
    """What each answer of an arm scored, by row; None where no answer came."""
    return session.scalars(
        select(AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
        .order_by(AnswerRow.example_id)
    ).all()


@dataclass(frozen=True, slots=True)
class Paired:
    """One row answered by two arms. A score is None where no answer came."""

    example_id: int
    before: float | None
    after: float | None


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


def of_rows(session: Session, arm_id: int, split: str, example_ids: Collection[int]) -> dict[int, AnswerRow]:
    """An arm's answers to these rows, by row."""
    rows = session.scalars(
        select(AnswerRow).where(
            AnswerRow.arm_id == arm_id, AnswerRow.split == split, AnswerRow.example_id.in_(sorted(example_ids))
        )
    )
    return {row.example_id: row for row in rows}


def answer(session: Session, answer_id: int) -> AnswerRow:
    row = session.get(AnswerRow, answer_id)
    if row is None:
        raise NotFound("There is no such answer.")
    return row


def _filtered(arm_id: int, split: str, show: str, passing: float) -> Select[AnswerRow]:
    query = select(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
    match show:
        case "right":
            return query.where(AnswerRow.score >= passing)
        case "wrong":
            return query.where(AnswerRow.score < passing)
        case "error":
            return query.where(AnswerRow.status == "error")
        case "tagged":
            return query.where(AnswerRow.cause.is_not(None))
        case "untagged":
            return query.where(AnswerRow.score < passing, AnswerRow.cause.is_(None))
        case _:
            return query


def page_of_answers(
    session: Session, arm_id: int, split: str, *, show: str, passing: float, after: int, limit: int
) -> Sequence[AnswerRow]:
    """Answers by row id above `after`; `passing` is the score from which an answer counts as right."""
    query = _filtered(arm_id, split, show, passing).where(AnswerRow.example_id > after)
    return session.scalars(query.order_by(AnswerRow.example_id).limit(limit)).all()


def numbered_page(
    session: Session, arm_id: int, split: str, *, show: str, passing: float, number: int, size: int
) -> Sequence[AnswerRow]:
    query = _filtered(arm_id, split, show, passing).order_by(AnswerRow.example_id)
    return session.scalars(query.offset((number - 1) * size).limit(size)).all()


def counted(session: Session, arm_id: int, split: str, passing: float) -> dict[str, int]:
    """How many answers each filter would show."""
    shows = ("all", "right", "wrong", "error", "tagged", "untagged")
    return {
        show: session.scalar(select(func.count()).select_from(_filtered(arm_id, split, show, passing).subquery())) or 0
        for show in shows
    }


def failed(session: Session, arm_id: int, split: str, passing: float) -> int:
    """How many answers failed."""
    return session.scalar(select(func.count()).select_from(_filtered(arm_id, split, "wrong", passing).subquery())) or 0


def failed_rows(session: Session, arm_id: int, passing: float) -> set[int]:
    """Ids of the dev rows on which an arm's answer failed."""
    scores = memo(session, ("imperfect", arm_id), lambda: imperfect(session, [arm_id]).get(arm_id, {}))
    return {row for row, score in scores.items() if score < passing}


def imperfect(session: Session, arm_ids: Collection[int]) -> dict[int, dict[int, float]]:
    """For each arm its dev rows that are not wholly right, with their scores."""
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.score).where(
            AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == "dev", AnswerRow.score < 1
        )
    )
    scores_of: dict[int, dict[int, float]] = {}
    for arm_id, example_id, score in rows:
        scores_of.setdefault(arm_id, {})[example_id] = float(score or 0.0)
    return scores_of


def forget_errors(session: Session, arm_ids: Iterable[int]) -> int:
    """Delete errors, so that their rows are asked again; returns how many."""
    gone = session.execute(delete(AnswerRow).where(AnswerRow.arm_id.in_(list(arm_ids)), AnswerRow.status == "error"))
    return cast("CursorResult[Any]", gone).rowcount


@dataclass(frozen=True, slots=True)
class Tag:
    """A cause that a person gave a failed answer."""

    arm_id: int
    example_id: int
    cause: str


def tagged(session: Session, baseline_id: int) -> Sequence[Tag]:
    """Every cause that people gave to answers on the dev rows, latest answer last. What somebody noted on a test row
    decides nothing: what is learnt from those may not choose."""
    return memo(session, ("tagged", baseline_id), lambda: tagged_of(session, [baseline_id]).get(baseline_id, []))


def tagged_of(session: Session, baseline_ids: Iterable[int]) -> dict[int, list[Tag]]:
    rows = session.execute(
        select(ArmRow.baseline_id, AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.cause)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id.in_(list(baseline_ids)), AnswerRow.cause.is_not(None), AnswerRow.split == "dev")
        .order_by(AnswerRow.id)
    )
    tags: dict[int, list[Tag]] = {}
    for baseline_id, arm_id, example_id, cause in rows:
        tags.setdefault(baseline_id, []).append(Tag(arm_id, example_id, str(cause)))
    return tags


def answers_sha256(session: Session, baseline_id: int) -> str:
    """Hash over every answer that the verdict rests on: all arms but adapters, in a fixed order."""
    digest = hashlib.sha256()
    rows = session.execute(
        select(
            ArmRow.name,
            AnswerRow.split,
            AnswerRow.example_id,
            AnswerRow.status,
            AnswerRow.output,
            AnswerRow.score,
            AnswerRow.prompt_sha256,
            AnswerRow.cause,
        )
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, ArmRow.family != "adapter")
        .order_by(ArmRow.name, AnswerRow.split, AnswerRow.example_id)
        .execution_options(yield_per=1000)
    )
    for row in rows:
        digest.update(orjson.dumps([*row]) + b"\n")
    return digest.hexdigest()
