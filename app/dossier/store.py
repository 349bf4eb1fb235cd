"""Queries for the overview of one assessment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.orm import Session

from app.audit.tables import EntryRow
from app.baselines.tables import BaselineRow
from app.datasets.tables import DatasetRow
from app.documents.tables import DocumentFileRow
from app.jobs.tables import JobRow, Status


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


def failed_jobs(session: Session, assessment_id: int, limit: int) -> Sequence[Row[int, str, datetime | None]]:
    """Work other than training that ended without success, newest first: id, title, when."""
    return session.execute(
        select(JobRow.id, JobRow.title, JobRow.finished_at)
        .where(
            JobRow.assessment_id == assessment_id,
            JobRow.status.in_((Status.FAILED, Status.REFUSED)),
            JobRow.finished_at.is_not(None),
            JobRow.kind != "train",
        )
        .order_by(JobRow.id.desc())
        .limit(limit)
    ).all()
