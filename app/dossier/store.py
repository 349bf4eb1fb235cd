"""Queries for the overview of one assessment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, or_, select, union, union_all
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


def acts(session: Session, assessment_id: int, limit: int) -> Sequence[EntryRow]:
    """What was done to an assessment and to everything that belongs to it, newest first."""

    def belongs(subject: str, ids: Any) -> ColumnElement[bool]:
        return and_(EntryRow.subject == subject, EntryRow.subject_id.in_(ids))

    owned = [
        belongs(subject, select(table.id).where(table.assessment_id == assessment_id))
        for subject, table in (
            ("dataset", DatasetRow),
            ("documents", DocumentFileRow),
            ("baseline", BaselineRow),
            ("job", JobRow),
        )
    ]
    return session.scalars(
        select(EntryRow)
        .where(or_(belongs("assessment", [assessment_id]), *owned))
        .order_by(EntryRow.id.desc())
        .limit(limit)
    ).all()


def file_names(session: Session, assessment_id: int) -> dict[int, str]:
    """What each version of the data is called: `train.jsonl v2`."""
    rows = session.execute(
        select(DatasetRow.id, DatasetRow.filename, DatasetRow.version).where(DatasetRow.assessment_id == assessment_id)
    )
    return {id_: f"{name} v{version}" for id_, name, version in rows}


def outcomes(session: Session, assessment_id: int) -> Sequence[Row[str, int, datetime | None, str | None]]:
    """What jobs came to, in one query: kind (`baseline`, `run`, `job`), id, when, and the verdict or state of a run or
    the title of other work that ended without success."""
    baselines = select(literal("baseline"), BaselineRow.id, BaselineRow.concluded_at, literal("")).where(
        BaselineRow.assessment_id == assessment_id, BaselineRow.concluded_at.is_not(None)
    )
    verdict = func.coalesce(TrainingRow.result["verdict"].as_string(), TrainingRow.state)
    runs = select(literal("run"), TrainingRow.id, TrainingRow.finished_at, verdict).where(
        TrainingRow.assessment_id == assessment_id, TrainingRow.finished_at.is_not(None)
    )
    jobs = select(literal("job"), JobRow.id, JobRow.finished_at, JobRow.title).where(
        JobRow.assessment_id == assessment_id,
        JobRow.status.in_((Status.FAILED, Status.REFUSED)),
        JobRow.finished_at.is_not(None),
        JobRow.kind != "train",  # a run says so itself
    )
    return session.execute(union_all(baselines, runs, jobs)).all()


def people(session: Session, assessment_id: int) -> Sequence[Row[str, int, str]]:
    """Who worked on it and who decided on it, in one query: `worked` or `decided`, id, name."""
    worked = (
        select(literal("worked"), UserRow.id, UserRow.name)
        .join(ContributionRow, ContributionRow.user_id == UserRow.id)
        .where(ContributionRow.assessment_id == assessment_id)
    )
    decided = (
        select(literal("decided"), UserRow.id, UserRow.name)
        .join(DecisionRow, DecisionRow.reviewer_id == UserRow.id)
        .join(ReviewRow, ReviewRow.id == DecisionRow.review_id)
        .where(ReviewRow.assessment_id == assessment_id, DecisionRow.kind != "comment")
    )
    return session.execute(union(worked, decided)).all()
