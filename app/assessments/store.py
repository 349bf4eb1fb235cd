"""Queries on assessments and on who had a hand in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from app.assessments.tables import RECORDED, AssessmentRow, ContributionRow, LateTargetRow
from app.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assessments a list shows. `whose` is a user's id, or None for everybody's."""

    text: str = ""
    whose: int | None = None
    archived: bool = False


def get(session: Session, assessment_id: int) -> AssessmentRow:
    row = session.get(AssessmentRow, assessment_id)
    if row is None:
        raise NotFound("There is no such assessment.")
    return row


def of_ids(session: Session, ids: Iterable[int]) -> Sequence[AssessmentRow]:
    return session.scalars(select(AssessmentRow).where(AssessmentRow.id.in_(sorted(ids)))).all()


def changing(session: Session, assessment_id: int) -> AssessmentRow:
    """The same row, locked until the end of the transaction: two saves at once come one after the other."""
    row = session.scalar(
        select(AssessmentRow)
        .where(AssessmentRow.id == assessment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such assessment.")
    return row


def opened(session: Session, assessment_id: int) -> AssessmentRow:
    """`changing`, for whatever must not happen to an assessment that was put away. Every act on any part of one begins
    here: whoever comes second waits, and then sees what the first did.

    Raises:
        NotFound: there is no such assessment.
        Conflict: it is archived, or the finished example.
    """
    row = changing(session, assessment_id)
    refuse_recorded(row)
    if row.archived_at is not None:
        raise Conflict("This assessment is archived. Take it out of the archive to change it.")
    return row


def refuse_recorded(row: AssessmentRow) -> None:
    """
    Raises:
        Conflict: it is the finished example, which nobody changes, decides on or trains from.
    """
    if row.recorded:
        raise Conflict("This is the finished example, to be read only. Duplicate it to try something with it.")


def titles(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Titles by id, for lists that name the assessment of something."""
    query = select(AssessmentRow.id, AssessmentRow.title).where(AssessmentRow.id.in_(sorted(ids)))
    return {row.id: row.title for row in session.execute(query)}


@dataclass(frozen=True, slots=True)
class Named:
    """What lists say of an assessment."""

    title: str
    revision: int


def named(session: Session, ids: Iterable[int]) -> dict[int, Named]:
    """Title and revision by id."""
    query = select(AssessmentRow.id, AssessmentRow.title, AssessmentRow.revision)
    rows = session.execute(query.where(AssessmentRow.id.in_(sorted(ids))))
    return {row.id: Named(row.title, row.revision) for row in rows}


def revisions(session: Session, ids: Iterable[int]) -> dict[int, int]:
    """Revisions by id, for lists that say whether something is of an earlier one."""
    query = select(AssessmentRow.id, AssessmentRow.revision).where(AssessmentRow.id.in_(sorted(ids)))
    return {row.id: row.revision for row in session.execute(query)}


def page(session: Session, wanted: Wanted, number: int, size: int) -> tuple[Sequence[AssessmentRow], int]:
    """One page of a list, last changed first, and how many there are in all."""
    conditions = _conditions(wanted)
    total = session.scalar(select(func.count()).select_from(AssessmentRow).where(*conditions)) or 0
    order = (AssessmentRow.updated_at.desc(), AssessmentRow.id.desc())
    query = select(AssessmentRow).where(*conditions).order_by(*order)
    return session.scalars(query.limit(size).offset((number - 1) * size)).all(), total


def before(session: Session, wanted: Wanted, assessment_id: int | None, limit: int) -> Sequence[AssessmentRow]:
    """For programs: from the newest back, below that id."""
    query = select(AssessmentRow).where(*_conditions(wanted)).order_by(AssessmentRow.id.desc()).limit(limit)
    if assessment_id is not None:
        query = query.where(AssessmentRow.id < assessment_id)
    return session.scalars(query).all()


def anything(session: Session) -> bool:
    """Whether there is an assessment at all, besides the finished example; without one the list explains itself."""
    query = select(AssessmentRow.id).where(AssessmentRow.recorded == "").limit(1)
    return session.scalar(query) is not None


def recorded(session: Session) -> AssessmentRow | None:
    """The finished example, if somebody had it put here."""
    return session.scalar(select(AssessmentRow).where(RECORDED).order_by(AssessmentRow.id.desc()).limit(1))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    archived = AssessmentRow.archived_at
    conditions: list[ColumnElement[bool]] = [
        archived.is_not(None) if wanted.archived else archived.is_(None),
        AssessmentRow.recorded == "",  # the finished example is nobody's work
    ]
    if wanted.whose is not None:
        mine = select(ContributionRow.assessment_id).where(ContributionRow.user_id == wanted.whose)
        conditions.append(AssessmentRow.id.in_(mine))
    return [*conditions, *text_conditions(wanted.text)]


def text_conditions(text: str) -> list[ColumnElement[bool]]:
    """That every word is in the title or the team."""
    columns = (AssessmentRow.title, AssessmentRow.team)
    patterns = [f"%{_escaped(word)}%" for word in text.split()]
    return [or_(*(column.ilike(pattern, escape="\\") for column in columns)) for pattern in patterns]


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def note_result(session: Session, assessment_id: int, now: datetime) -> None:
    """A result stands: the first one is the moment after which a change of the target is a late one."""
    session.execute(
        update(AssessmentRow)
        .where(AssessmentRow.id == assessment_id, AssessmentRow.result_seen_at.is_(None))
        .values(result_seen_at=now)
    )


def late_targets(session: Session, assessment_ids: Iterable[int]) -> Sequence[LateTargetRow]:
    """Every change of metric or target after a result, first ones first."""
    return session.scalars(
        select(LateTargetRow)
        .where(LateTargetRow.assessment_id.in_(sorted(assessment_ids)))
        .order_by(LateTargetRow.changed_at, LateTargetRow.id)
    ).all()


# ------------------------------------------------------------------ contributions


def contributor_ids(session: Session, assessment_id: int) -> Sequence[int]:
    """Everybody who ever had a hand in it: none of them may approve it."""
    return session.scalars(select(ContributionRow.user_id).where(ContributionRow.assessment_id == assessment_id)).all()


def contributions(session: Session, assessment_id: int) -> Sequence[ContributionRow]:
    """The same with what they did last, first ones first."""
    return session.scalars(
        select(ContributionRow).where(ContributionRow.assessment_id == assessment_id).order_by(ContributionRow.at)
    ).all()


def contribution(session: Session, assessment_id: int, user_id: int) -> ContributionRow | None:
    return session.get(ContributionRow, (assessment_id, user_id))
