"""Queries for files of answers: counted beforehand, read a page at a time."""

from collections.abc import Iterator

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.baselines.tables import AnswerRow
from app.exchange.values import Tally

PAGE = 250  # answers that are in memory at once


def tally(session: Session, arm_id: int, split: str, passing: float) -> Tally:
    """What an arm's answers to a split come to. passing: the score from which one is right."""
    score, known = AnswerRow.score, AnswerRow.prompt_tokens > 0
    row = session.execute(
        select(
            func.coalesce(func.sum(case((score >= passing, 1), else_=0)), 0),
            func.coalesce(func.sum(case((score < passing, 1), else_=0)), 0),
            func.coalesce(func.sum(case((score.is_(None), 1), else_=0)), 0),
            func.coalesce(func.sum(score), 0.0),
            func.coalesce(func.sum(score * score), 0.0),
            func.coalesce(func.sum(case((known, AnswerRow.prompt_tokens), else_=0)), 0),
            func.coalesce(func.sum(case((known, AnswerRow.completion_tokens), else_=0)), 0),
            func.coalesce(func.sum(case((AnswerRow.taken_from.is_(None), AnswerRow.seconds), else_=0.0)), 0.0),
        ).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
    ).one()
    right, wrong, errors, total, squares, prompt, completion, seconds = row
    return Tally(
        int(right), int(wrong), int(errors), float(total), float(squares), int(prompt), int(completion), float(seconds)
    )


def pages(session: Session, arm_id: int, split: str) -> Iterator[list[AnswerRow]]:
    """An arm's answers to a split in the order of their rows."""
    after = 0
    while True:
        rows = session.scalars(
            select(AnswerRow)
            .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split, AnswerRow.example_id > after)
            .order_by(AnswerRow.example_id)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        after = rows[-1].example_id
        yield list(rows)


def rows_answered(session: Session, arm_ids: list[int], splits: list[str]) -> list[int]:
    """Ids of the rows that any of these arms was asked, dev rows first."""
    query = (
        select(AnswerRow.example_id, AnswerRow.split)
        .where(AnswerRow.arm_id.in_(arm_ids), AnswerRow.split.in_(splits))
        .distinct()
        .order_by(AnswerRow.split, AnswerRow.example_id)
    )
    return [example_id for example_id, _ in session.execute(query)]
