"""Queries for what waits for a person: undecided personal data in what they work on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Exists, exists, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.assessments.tables import AssessmentRow, ContributionRow
from app.datasets.tables import UNDECIDED as UNDECIDED_ROWS
from app.datasets.tables import DatasetRow
from app.db import ask
from app.documents.tables import UNDECIDED as UNDECIDED_FILES
from app.documents.tables import DocumentFileRow
from app.gate.store import NUMBER_WAITING


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
    row = DatasetRow
    query = select(row.assessment_id, row.filename, row.undecided, row.uploaded_by, row.uploaded_at).where(
        UNDECIDED_ROWS, row.state == "ready", *_of(user_id, row.assessment_id), ~replaced
    )
    return [Undecided(*row_of) for row_of in session.execute(query.order_by(row.uploaded_at).limit(limit))]


def undecided_documents(session: Session, user_id: int, limit: int) -> Sequence[Undecided]:
    """Files of documents, likewise."""
    row = DocumentFileRow
    query = select(row.assessment_id, row.filename, row.undecided, row.uploaded_by, row.uploaded_at).where(
        UNDECIDED_FILES, row.removed_at.is_(None), *_of(user_id, row.assessment_id)
    )
    return [Undecided(*row_of) for row_of in session.execute(query.order_by(row.uploaded_at).limit(limit))]


def _of(user_id: int, assessment_id: InstrumentedAttribute[int]) -> tuple[Exists, Exists]:
    """Of an assessment that this person works on and that is not archived. Asked of each row with something undecided,
    of which there are few, and not the other way round."""
    return (
        exists().where(ContributionRow.assessment_id == assessment_id, ContributionRow.user_id == user_id),
        exists().where(AssessmentRow.id == assessment_id, AssessmentRow.archived_at.is_(None)),
    )


@dataclass(frozen=True, slots=True)
class Rough:
    """How many rows of each kind there may be for a person, at least as many as there are: where it is 0, nobody looks
    closer. reviews is exact."""

    reviews: int
    answered: int
    failed: int
    data: int
    documents: int
    running: int


# One statement for everything, since on most days most of it is nothing. It is text, because taking apart and putting
# together so large an expression takes longer than the database takes to answer. The conditions of the indexes are word
# for word as they stand in the tables.
ROUGH = text(
    f"""
    select
      ({NUMBER_WAITING}) as reviews,
      (select count(*) from reviews r where state in ('open', 'approved', 'changes_requested') and state <> 'open'
        and exists (select 1 from contributions c where c.assessment_id = r.assessment_id and c.user_id = :me)),
      (select count(*) from jobs where status in ('failed', 'refused') and seen_at is null and created_by = :me),
      (select count(*) from datasets d where undecided > 0
        and exists (select 1 from contributions c where c.assessment_id = d.assessment_id and c.user_id = :me)),
      (select count(*) from document_files d where undecided > 0
        and exists (select 1 from contributions c where c.assessment_id = d.assessment_id and c.user_id = :me)),
      (select count(*) from jobs where status in ('queued', 'running', 'cancelling') and created_by = :me)
    """  # noqa: S608 - put together of constants
)


def rough(session: Session, user_id: int) -> Rough:
    return Rough(*ask(session, ROUGH, {"me": user_id}).one())
