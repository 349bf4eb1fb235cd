"""Queries for the overview of one assessment."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import Session

from app.assessments.tables import ContributionRow
from app.audit.tables import EntryRow
from app.baselines.tables import BaselineRow
from app.datasets.tables import DatasetRow
from app.documents.tables import DocumentFileRow
from app.gate.tables import DecisionRow, ReviewRow
from app.jobs.tables import JobRow, Status
from app.training.tables import TrainingRow
from app.users.tables import UserRow

# Put together once and asked with other values: on a page of a few milliseconds, putting together is a good part of it.
_WANTED: BindParameter[int] = bindparam("assessment_id")


def _belongs(subject: str, ids: Select[int]) -> ColumnElement[bool]:
    return and_(EntryRow.subject == subject, EntryRow.subject_id.in_(ids))


_ACTS = (
    select(EntryRow)
    .where(
        or_(
            and_(EntryRow.subject == "assessment", EntryRow.subject_id == _WANTED),
            *(
                _belongs(subject, select(table.id).where(table.assessment_id == _WANTED))
                for subject, table in (
                    ("dataset", DatasetRow),
                    ("documents", DocumentFileRow),
                    ("baseline", BaselineRow),
                    ("job", JobRow),
                )
            ),
        )
    )
    .order_by(EntryRow.id.desc())
    .limit(bindparam("most"))
)
_FILES = select(DatasetRow.id, DatasetRow.filename, DatasetRow.version).where(DatasetRow.assessment_id == _WANTED)
_OUTCOMES = union_all(
    select(literal("baseline"), BaselineRow.id, BaselineRow.concluded_at, literal("")).where(
        BaselineRow.assessment_id == _WANTED, BaselineRow.concluded_at.is_not(None)
    ),
    select(
        literal("run"),
        TrainingRow.id,
        TrainingRow.finished_at,
        func.coalesce(TrainingRow.result["verdict"].as_string(), TrainingRow.state),
    ).where(TrainingRow.assessment_id == _WANTED, TrainingRow.finished_at.is_not(None)),
    select(literal("job"), JobRow.id, JobRow.finished_at, JobRow.title).where(
        JobRow.assessment_id == _WANTED,
        JobRow.status.in_((Status.FAILED, Status.REFUSED)),
        JobRow.finished_at.is_not(None),
        JobRow.kind != "train",  # a run says so itself
    ),
)
_PEOPLE = union(
    select(literal("worked"), UserRow.id, UserRow.name)
    .join(ContributionRow, ContributionRow.user_id == UserRow.id)
    .where(ContributionRow.assessment_id == _WANTED),
    select(literal("decided"), UserRow.id, UserRow.name)
    .join(DecisionRow, DecisionRow.reviewer_id == UserRow.id)
    .join(ReviewRow, ReviewRow.id == DecisionRow.review_id)
    .where(ReviewRow.assessment_id == _WANTED, DecisionRow.kind != "comment"),
)


def acts(session: Session, assessment_id: int, limit: int) -> Sequence[EntryRow]:
    """What was done to an assessment and to everything that belongs to it, newest first."""
    return session.scalars(_ACTS, {"assessment_id": assessment_id, "most": limit}).all()


def file_names(session: Session, assessment_id: int) -> dict[int, str]:
    """What each version of the data is called: `train.jsonl v2`."""
    rows = session.execute(_FILES, {"assessment_id": assessment_id})
    return {id_: f"{name} v{version}" for id_, name, version in rows}


def outcomes(session: Session, assessment_id: int) -> Sequence[Row[str, int, datetime | None, str | None]]:
    """What jobs came to, in one query: kind (`baseline`, `run`, `job`), id, when, and the verdict or state of a run or
    the title of other work that ended without success."""
    return session.execute(_OUTCOMES, {"assessment_id": assessment_id}).all()


def people(session: Session, assessment_id: int) -> Sequence[Row[str, int, str]]:
    """Who worked on it and who decided on it, in one query: `worked` or `decided`, id, name."""
    return session.execute(_PEOPLE, {"assessment_id": assessment_id}).all()
