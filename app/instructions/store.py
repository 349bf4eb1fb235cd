"""Queries on runs of the optimizer and their candidates."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.errors import NotFound
from app.instructions.tables import CandidateRow, OptimisationRow


def get(session: Session, optimisation_id: int) -> OptimisationRow:
    """A run with its candidates, in their order.

    Raises:
        NotFound: there is none.
    """
    row = session.scalar(
        select(OptimisationRow)
        .where(OptimisationRow.id == optimisation_id)
        .options(selectinload(OptimisationRow.candidates))
    )
    if row is None:
        raise NotFound("There is no such run of the optimizer.")
    return row


def assessment_of(session: Session, optimisation_id: int) -> int:
    """Whose run it is, without loading it: its assessment is locked first.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(select(OptimisationRow.assessment_id).where(OptimisationRow.id == optimisation_id))
    if found is None:
        raise NotFound("There is no such run of the optimizer.")
    return found


def of_assessment(session: Session, assessment_id: int) -> Sequence[OptimisationRow]:
    """All runs of an assessment with their candidates, the newest first."""
    return session.scalars(
        select(OptimisationRow)
        .where(OptimisationRow.assessment_id == assessment_id)
        .order_by(OptimisationRow.id.desc())
        .options(selectinload(OptimisationRow.candidates))
    ).all()


def candidate(session: Session, optimisation_id: int, number: int) -> CandidateRow:
    """One candidate by its number.

    Raises:
        NotFound: there is none.
    """
    row = session.scalar(
        select(CandidateRow).where(CandidateRow.optimisation_id == optimisation_id, CandidateRow.number == number)
    )
    if row is None:
        raise NotFound("There is no such candidate.")
    return row


def next_number(session: Session, optimisation_id: int) -> int:
    """The number of the candidate that comes next."""
    last = session.scalar(select(func.max(CandidateRow.number)).where(CandidateRow.optimisation_id == optimisation_id))
    return 0 if last is None else last + 1
