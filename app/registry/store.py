"""Queries on adapters and on what became of them."""

from collections.abc import Collection, Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.registry.tables import AdapterStateRow
from app.training.tables import TrainingRow


def adapters(session: Session, before: int | None, limit: int) -> Sequence[TrainingRow]:
    """Runs that left an adapter, of all assessments but the finished example, from the newest back, below id
    `before`."""
    recorded = exists().where(AssessmentRow.id == TrainingRow.assessment_id, AssessmentRow.recorded != "")
    query = select(TrainingRow).where(TrainingRow.adapter_sha256.is_not(None), ~recorded)
    query = query.order_by(TrainingRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(TrainingRow.id < before)).all()


def newest_words(session: Session, training_ids: Collection[int]) -> dict[int, AdapterStateRow]:
    """The newest word on each of these adapters that has one."""
    rows = session.scalars(
        select(AdapterStateRow)
        .where(AdapterStateRow.training_id.in_(sorted(training_ids)))
        .order_by(AdapterStateRow.id)
    )
    return {row.training_id: row for row in rows}


def words(session: Session, training_id: int) -> Sequence[AdapterStateRow]:
    """All that was said of one, the newest first."""
    return session.scalars(
        select(AdapterStateRow).where(AdapterStateRow.training_id == training_id).order_by(AdapterStateRow.id.desc())
    ).all()
