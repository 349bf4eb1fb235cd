"""Queries on training runs, their metrics and checkpoints."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.db import utcnow
from app.errors import NotFound
from app.training.protocol import Committed, Measured
from app.training.tables import CheckpointRow, MetricRow, TrainingRow


def get(session: Session, training_id: int) -> TrainingRow:
    row = session.get(TrainingRow, training_id)
    if row is None:
        raise NotFound("There is no such training run.")
    return row


def assessment_of(session: Session, training_id: int) -> int:
    """Whose run it is, without loading it: its assessment is locked first."""
    assessment_id = session.scalar(select(TrainingRow.assessment_id).where(TrainingRow.id == training_id))
    if assessment_id is None:
        raise NotFound("There is no such training run.")
    return assessment_id


def latest(session: Session, assessment_id: int) -> TrainingRow | None:
    """The newest run of an assessment."""
    return session.scalar(
        select(TrainingRow).where(TrainingRow.assessment_id == assessment_id).order_by(TrainingRow.id.desc()).limit(1)
    )


def judged(session: Session, assessment_id: int) -> TrainingRow | None:
    """The newest run whose adapter was compared: one that failed or was cancelled since hides no result."""
    return next((row for row in of_assessment(session, assessment_id) if row.result), None)


def of_assessment(session: Session, assessment_id: int) -> Sequence[TrainingRow]:
    """All runs of an assessment, newest first."""
    return session.scalars(
        select(TrainingRow).where(TrainingRow.assessment_id == assessment_id).order_by(TrainingRow.id.desc())
    ).all()


def newest(session: Session, before: int | None, limit: int) -> Sequence[TrainingRow]:
    """Runs of all assessments but the finished example, from the newest back, below id `before`."""
    recorded = exists().where(AssessmentRow.id == TrainingRow.assessment_id, AssessmentRow.recorded != "")
    query = select(TrainingRow).where(~recorded).order_by(TrainingRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(TrainingRow.id < before)).all()


def with_key(session: Session, assessment_id: int, key: str) -> TrainingRow | None:
    """The run that was launched with this idempotency key."""
    return session.scalar(
        select(TrainingRow).where(TrainingRow.assessment_id == assessment_id, TrainingRow.idempotency_key == key)
    )


def metrics(session: Session, training_id: int, kind: str, leg: str | None = None) -> Sequence[MetricRow]:
    """Measurements of one kind (step, dev) in the order of the steps, of one leg or (None) of each after the other."""
    query = select(MetricRow).where(MetricRow.training_id == training_id, MetricRow.kind == kind)
    if leg is not None:
        query = query.where(MetricRow.leg == leg)
    return session.scalars(query.order_by(MetricRow.leg, MetricRow.step)).all()


def checkpoints(session: Session, training_id: int) -> Sequence[CheckpointRow]:
    """Committed checkpoints, newest first; of the legs, of the one that was begun last."""
    return session.scalars(
        select(CheckpointRow)
        .where(CheckpointRow.training_id == training_id)
        .order_by(CheckpointRow.created_at.desc(), CheckpointRow.id.desc())
    ).all()


def forget_after(session: Session, training_id: int, step: int, leg: str = "") -> None:
    """Drop what was measured and stored after a step of a leg, because a new attempt goes on from there."""
    for table in (MetricRow, CheckpointRow):
        session.execute(delete(table).where(table.training_id == training_id, table.leg == leg, table.step > step))


def forget_checkpoints(session: Session, training_id: int, leg: str | None = None) -> None:
    """Drop the checkpoints of a leg that is over, whose adapter is kept and they are not; without a leg those of the
    whole run, which are gone from the disk."""
    query = delete(CheckpointRow).where(CheckpointRow.training_id == training_id)
    session.execute(query if leg is None else query.where(CheckpointRow.leg == leg))


def put_metric(session: Session, training_id: int, attempt: int, event: Measured) -> None:
    """Write one measurement; the same step again takes the place of the first."""
    leg, kind = event.get("leg", ""), event["event"]
    session.execute(
        delete(MetricRow).where(
            MetricRow.training_id == training_id,
            MetricRow.leg == leg,
            MetricRow.kind == kind,
            MetricRow.step == event["step"],
        )
    )
    session.add(
        MetricRow(
            training_id=training_id,
            leg=leg,
            kind=kind,
            step=event["step"],
            attempt=attempt,
            loss=event["loss"],
            learning_rate=event.get("learning_rate"),
            tokens_per_second=event.get("tokens_per_second"),
            score=event.get("score"),
            at=utcnow(),
        )
    )


def put_checkpoint(session: Session, training_id: int, attempt: int, event: Committed) -> None:
    """Write down a committed checkpoint; a later commit of the same step takes its place."""
    leg = event.get("leg", "")
    session.execute(
        delete(CheckpointRow).where(
            CheckpointRow.training_id == training_id, CheckpointRow.leg == leg, CheckpointRow.step == event["step"]
        )
    )
    session.add(
        CheckpointRow(
            training_id=training_id,
            leg=leg,
            step=event["step"],
            attempt=attempt,
            folder=event["folder"],
            manifest_sha256=event["manifest_sha256"],
            dev_loss=event["dev_loss"],
            created_at=utcnow(),
        )
    )


def unfinished(session: Session) -> Sequence[TrainingRow]:
    """All runs that nobody has given a last state."""
    return session.scalars(select(TrainingRow).where(TrainingRow.state.in_(("queued", "running", "evaluating")))).all()


def close(session: Session, training_id: int, state: str) -> None:
    """Give a run that is not over its last state."""
    session.execute(
        update(TrainingRow)
        .where(TrainingRow.id == training_id, TrainingRow.state.in_(("queued", "running", "evaluating")))
        .values(state=state, finished_at=utcnow())
    )
