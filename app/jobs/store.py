"""Queries on jobs, their events, and workers."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.jobs.tables import IS_NEWS, IS_OPEN, OPEN, JobEventRow, JobRow, Status, WorkerRow


def get(session: Session, job_id: int) -> JobRow:
    job = session.get(JobRow, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    return job


def held(session: Session, job_id: int) -> JobRow:
    """The same job as it is now, locked until the end of the transaction: nobody cancels it, takes it over or ends it
    while its state decides something."""
    job = session.scalar(
        select(JobRow).where(JobRow.id == job_id).with_for_update().execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound("There is no such job.")
    return job


def find_open(session: Session, kind: str, subject_id: int) -> JobRow | None:
    """The job of this kind that is waiting or running for this subject, if any."""
    return session.scalar(
        select(JobRow).where(JobRow.kind == kind, JobRow.subject_id == subject_id, JobRow.status.in_(OPEN))
    )


def open_in(session: Session, kind: str, assessment_id: int) -> JobRow | None:
    """A job of this kind that is waiting or running in an assessment, if any."""
    return session.scalar(
        select(JobRow)
        .where(JobRow.kind == kind, JobRow.assessment_id == assessment_id, JobRow.status.in_(OPEN))
        .limit(1)
    )


def latest(session: Session, kind: str, subject_id: int) -> JobRow | None:
    return session.scalar(
        select(JobRow).where(JobRow.kind == kind, JobRow.subject_id == subject_id).order_by(JobRow.id.desc()).limit(1)
    )


def newest(
    session: Session,
    before: int | None,
    limit: int,
    *,
    assessment_id: int | None = None,
    states: Collection[str] = (),
    kind: str = "",
    by: int | None = None,
) -> Sequence[JobRow]:
    """Jobs from the newest back, below id `before`; states, kind, by: only those, where given."""
    query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(JobRow.id < before)
    if assessment_id is not None:
        query = query.where(JobRow.assessment_id == assessment_id)
    if states:
        query = query.where(JobRow.status.in_(sorted(states)))
    if kind:
        query = query.where(JobRow.kind == kind)
    if by is not None:
        query = query.where(JobRow.created_by == by)
    return session.scalars(query).all()


def open_of(session: Session, user_id: int, limit: int) -> Sequence[JobRow]:
    """Jobs of this person that wait or run, in the order in which they were asked for."""
    query = select(JobRow).where(IS_OPEN, JobRow.created_by == user_id).order_by(JobRow.id).limit(limit)
    return session.scalars(query).all()


def failures_of(session: Session, user_id: int, limit: int) -> Sequence[JobRow]:
    """Jobs of this person that failed and that they have not looked at, newest first; none that was started again."""
    later = aliased(JobRow)
    again = exists().where(later.kind == JobRow.kind, later.subject_id == JobRow.subject_id, later.id > JobRow.id)
    query = select(JobRow).where(IS_NEWS, JobRow.created_by == user_id, ~again).order_by(JobRow.id.desc())
    return session.scalars(query.limit(limit)).all()


def places(session: Session) -> dict[int, int]:
    """How many open jobs stand before each waiting one in its queue, by id."""
    before: Counter[str] = Counter()
    places = {}
    rows = session.execute(
        select(JobRow.id, JobRow.queue, JobRow.status).where(JobRow.status.in_(OPEN)).order_by(JobRow.id)
    )
    for job_id, queue, status in rows:
        if status == Status.QUEUED:
            places[job_id] = before[queue]
        before[queue] += 1
    return places


def running_on(session: Session) -> dict[str, list[JobRow]]:
    """What each worker works on now."""
    on: dict[str, list[JobRow]] = {}
    running = select(JobRow).where(JobRow.status.in_((Status.RUNNING, Status.CANCELLING))).order_by(JobRow.id)
    for job in session.scalars(running):
        on.setdefault(job.worker or "", []).append(job)
    return on


def ahead(session: Session, job: JobRow) -> int:
    """How many jobs stand before this one in its queue."""
    query = select(func.count()).where(
        JobRow.queue == job.queue, JobRow.status.in_(OPEN), JobRow.id < job.id, JobRow.id != job.id
    )
    return session.scalar(query) or 0


def claim(session: Session, job_id: int, worker: str, now: datetime) -> int | None:
    """Make this the job's current attempt and return its number; None when there is nothing to do any more."""
    job = held(session, job_id)
    if job.status not in {Status.QUEUED, Status.RUNNING}:
        return None
    job.attempt += 1
    job.status = Status.RUNNING
    job.worker = worker
    job.started_at = job.started_at or now
    return job.attempt


def fenced_update(session: Session, job_id: int, attempt: int, **values: object) -> bool:
    """Change the job if `attempt` is the current one and the job is not over; False means: stop, it is not yours."""
    changed = session.execute(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.attempt == attempt, JobRow.status.in_({Status.RUNNING, Status.CANCELLING}))
        .values(**values)
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def events_after(session: Session, job_id: int, after: int, limit: int = 500) -> Sequence[JobEventRow]:
    return session.scalars(
        select(JobEventRow)
        .where(JobEventRow.job_id == job_id, JobEventRow.id > after)
        .order_by(JobEventRow.id)
        .limit(limit)
    ).all()


def log_lines(session: Session, job_id: int, limit: int = 200) -> Sequence[JobEventRow]:
    """The last lines of a job's log, oldest first."""
    rows = session.scalars(
        select(JobEventRow)
        .where(JobEventRow.job_id == job_id, JobEventRow.kind == "log")
        .order_by(JobEventRow.id.desc())
        .limit(limit)
    ).all()
    return list(reversed(rows))


def last_event_id(session: Session) -> int:
    return session.scalar(select(func.max(JobEventRow.id))) or 0


def workers(session: Session) -> Sequence[WorkerRow]:
    return session.scalars(select(WorkerRow).order_by(WorkerRow.id)).all()


def working(session: Session, since: datetime) -> bool:
    """Whether any worker was seen since then, and has not said goodbye."""
    alive = select(WorkerRow.id).where(WorkerRow.gone_at.is_(None), WorkerRow.seen_at > since).limit(1)
    return session.scalar(alive) is not None


def silent_workers(session: Session, me: str, limit: datetime) -> Sequence[WorkerRow]:
    """Workers other than `me` that said goodbye or were not seen since `limit`, and that nobody has taken over."""
    return session.scalars(
        select(WorkerRow).where(
            WorkerRow.id != me,
            WorkerRow.taken_over_by.is_(None),
            (WorkerRow.seen_at < limit) | WorkerRow.gone_at.is_not(None),
        )
    ).all()


def inherit(session: Session, dead: WorkerRow, me: str) -> bool:
    """Take over a silent worker's jobs; False if another worker was quicker.

    The update names the state it expects, so of two workers that saw the same silence only one changes the row.
    """
    claimed = session.execute(
        update(WorkerRow)
        .where(WorkerRow.id == dead.id, WorkerRow.seen_at == dead.seen_at, WorkerRow.taken_over_by.is_(None))
        .values(taken_over_by=me)
    )
    return cast("CursorResult[Any]", claimed).rowcount == 1
