"""Queries for files of answers: counted beforehand, read a page at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import case, func, literal, select
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answers of a block took. Answers of earlier runs and errors are not among it. prompt_tokens,
    completion_tokens: as counted; prompt_characters, characters: of those without a count. unknown: answers of which
    neither is known."""

    prompt_tokens: int
    completion_tokens: int
    prompt_characters: int
    characters: int
    unknown: int


def asked(session: Session, arm_id: int, split: str) -> Asked:
    """What an arm's answers to a split took, as `answers_view.cost_of` has it of one."""
    paid = AnswerRow.taken_from.is_(None) & (AnswerRow.status == "ok")
    counted, silent = paid & (AnswerRow.prompt_tokens > 0), paid & (AnswerRow.prompt_tokens == 0)
    guessed = silent & AnswerRow.prompt_characters.is_not(None)
    written = func.length(func.coalesce(func.nullif(AnswerRow.raw, ""), AnswerRow.output))
    sums = (
        (counted, AnswerRow.prompt_tokens),
        (counted, AnswerRow.completion_tokens),
        (guessed, AnswerRow.prompt_characters),
        (guessed, written),
        (silent & AnswerRow.prompt_characters.is_(None), literal(1)),
    )
    columns = [func.coalesce(func.sum(case((of, value), else_=0)), 0) for of, value in sums]
    row = session.execute(select(*columns).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)).one()
    return Asked(*(int(value) for value in row))


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
