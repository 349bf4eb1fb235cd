"""Queries for what waits for a person: undecided personal data in what they work on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from app.assessments.tables import AssessmentRow, ContributionRow
from app.datasets.tables import UNDECIDED as UNDECIDED_ROWS
from app.datasets.tables import DatasetRow
from app.documents.tables import UNDECIDED as UNDECIDED_FILES
from app.documents.tables import DocumentFileRow


@dataclass(frozen=True, slots=True)
class Undecided:
    """Data in which nobody has decided on some kinds of personal data. `what` is the name of the file."""

    assessment_id: int
    what: str
    kinds: int
    by: int
    at: datetime


def undecided_data(session: Session, user_id: int, limit: int) -> Sequence[Undecided]:
    """Versions that count, of assessments that this person works on, oldest first."""
    later = aliased(DatasetRow)
    replaced = exists().where(
        later.assessment_id == DatasetRow.assessment_id,
        later.version > DatasetRow.version,
        later.state != "rejected",
    )
    query = (
        select(
            DatasetRow.assessment_id,
            DatasetRow.filename,
            DatasetRow.undecided,
            DatasetRow.uploaded_by,
            DatasetRow.uploaded_at,
        )
        .join(ContributionRow, ContributionRow.assessment_id == DatasetRow.assessment_id)
        .join(AssessmentRow, AssessmentRow.id == DatasetRow.assessment_id)
        .where(
            UNDECIDED_ROWS,
            DatasetRow.state == "ready",
            ContributionRow.user_id == user_id,
            AssessmentRow.archived_at.is_(None),
            ~replaced,
        )
        .order_by(DatasetRow.uploaded_at)
        .limit(limit)
    )
    return [Undecided(*row) for row in session.execute(query)]


def undecided_documents(session: Session, user_id: int, limit: int) -> Sequence[Undecided]:
    """Files of documents, likewise."""
    query = (
        select(
            DocumentFileRow.assessment_id,
            DocumentFileRow.filename,
            DocumentFileRow.undecided,
            DocumentFileRow.uploaded_by,
            DocumentFileRow.uploaded_at,
        )
        .join(ContributionRow, ContributionRow.assessment_id == DocumentFileRow.assessment_id)
        .join(AssessmentRow, AssessmentRow.id == DocumentFileRow.assessment_id)
        .where(
            UNDECIDED_FILES,
            DocumentFileRow.removed_at.is_(None),
            ContributionRow.user_id == user_id,
            AssessmentRow.archived_at.is_(None),
        )
        .order_by(DocumentFileRow.uploaded_at)
        .limit(limit)
    )
    return [Undecided(*row) for row in session.execute(query)]
