"""Queries on the answers of release checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.release.tables import ReleaseAnswerRow


@dataclass(frozen=True, slots=True)
class Given:
    """What one of the two said. score: None with an error."""

    output: str
    score: float | None


class NewAnswer(TypedDict):
    """A row of `ReleaseAnswerRow` to be stored."""

    training_id: int
    part: str
    item: str
    who: str
    version: str
    output: str
    score: float | None
    error: str
    at: datetime


def put(session: Session, answers: Sequence[NewAnswer]) -> None:
    """Store answers; a question that has one keeps it."""
    if answers:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        statement = dialect.insert(ReleaseAnswerRow).on_conflict_do_nothing(
            index_elements=["training_id", "part", "item", "who"]
        )
        session.execute(statement, [dict(answer) for answer in answers])


def answered(session: Session, training_id: int, who: str) -> set[tuple[str, str]]:
    """(part, item) of what one of the two has answered already: it is not asked again."""
    rows = session.execute(
        select(ReleaseAnswerRow.part, ReleaseAnswerRow.item).where(
            ReleaseAnswerRow.training_id == training_id, ReleaseAnswerRow.who == who
        )
    )
    return {(part, item) for part, item in rows}


def of_training(session: Session, training_id: int, part: str = "") -> Mapping[str, Mapping[str, Mapping[str, Given]]]:
    """part -> item -> who -> what was said, by item. part: this one alone."""
    found: dict[str, dict[str, dict[str, Given]]] = {}
    query = select(ReleaseAnswerRow).where(ReleaseAnswerRow.training_id == training_id).order_by(ReleaseAnswerRow.item)
    for row in session.scalars(query.where(ReleaseAnswerRow.part == part) if part else query):
        found.setdefault(row.part, {}).setdefault(row.item, {})[row.who] = Given(row.output, row.score)
    return found
