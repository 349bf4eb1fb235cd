"""Queries on jobs, their events, and workers."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.db import installation_of
from app.errors import NotFound
from app.jobs.line import Busy, Waiting, order
from app.jobs.progress import Progress
from app.jobs.tables import IN_LINE, IS_NEWS, IS_OPEN, OPEN, JobEventRow, JobRow, Status, WorkerRow

BEGUN = or_(JobRow.status != Status.QUEUED, JobRow.called_at.is_not(None))
LINE_LOCK = 0x6C69_6E65  # of PostgreSQL's advisory locks
# Kinds that hold no weights and only wait for other jobs of their person: counted for the limit, they would keep back
# what they wait for.
WAITING_FOR_OTHERS = frozenset({"demo"})


def get(session: Session, job_id: int) -> JobRow:
    job = session.get(JobRow, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    return job


def stands(session: Session, job_id: int) -> tuple[int, Status]:
    """Which attempt a job is at and its status, without the rest of it: asked for with every few answers of a run."""
    row = session.execute(STANDS, {"job": job_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such job.")
    return row.attempt, row.status


STANDS = select(JobRow.attempt, JobRow.status).where(JobRow.id == bindparam("job"))


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


def of_subject(session: Session, kind: str, subject_id: int) -> Sequence[JobRow]:
    """All jobs of this kind for this subject, oldest first."""
    query = select(JobRow).where(JobRow.kind == kind, JobRow.subject_id == subject_id).order_by(JobRow.id)
    return session.scalars(query).all()


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


def open_of_assessment(session: Session, assessment_id: int, limit: int) -> Sequence[JobRow]:
    """Jobs of an assessment that wait or run, the newest first."""
    return session.scalars(_OPEN_OF, {"assessment_id": assessment_id, "most": limit}).all()


_OPEN_OF = (  # put together once: every overview asks it
    select(JobRow)
    .where(IS_OPEN, JobRow.assessment_id == bindparam("assessment_id"))
    .order_by(JobRow.id.desc())
    .limit(bindparam("most"))
)


def failures_of(session: Session, user_id: int, limit: int) -> Sequence[JobRow]:
    """Jobs of this person that failed and that they have not looked at, newest first; none that was started again."""
    later = aliased(JobRow)
    again = exists().where(later.kind == JobRow.kind, later.subject_id == JobRow.subject_id, later.id > JobRow.id)
    query = select(JobRow).where(IS_NEWS, JobRow.created_by == user_id, ~again).order_by(JobRow.id.desc())
    return session.scalars(query.limit(limit)).all()


def in_line(session: Session, queue: str) -> Sequence[JobRow]:
    """The jobs of a queue whose turn has not come, oldest first."""
    query = select(JobRow).where(JobRow.queue == queue, IN_LINE).order_by(JobRow.id)
    return session.scalars(query).all()


def waiting_queues(session: Session) -> Sequence[str]:
    """The queues in which a job waits for its turn."""
    return session.scalars(select(JobRow.queue).where(IN_LINE).distinct().order_by(JobRow.queue)).all()


def begun(session: Session) -> Sequence[JobRow]:
    """Open jobs whose turn has come, in the order in which it did."""
    query = select(JobRow).where(IS_OPEN, BEGUN).order_by(JobRow.called_at, JobRow.id)
    return session.scalars(query).all()


def busy(session: Session, queue: str, people: Collection[int | None]) -> Busy:
    """What has begun already, as the order of a queue depends on it. people: whose jobs wait in it."""
    here: Counter[int | None] = Counter()
    everywhere: Counter[int | None] = Counter()
    begun = select(JobRow.created_by, JobRow.queue, JobRow.kind).where(IS_OPEN, BEGUN)
    for by, of_queue, kind in session.execute(begun):
        here[by] += of_queue == queue
        everywhere[by] += kind not in WAITING_FOR_OTHERS
    last = (
        select(JobRow.created_by, func.max(JobRow.called_at))
        .where(JobRow.queue == queue, JobRow.created_by.in_([by for by in people if by is not None]))
        .group_by(JobRow.created_by)
    )
    known = {by: at for by, at in session.execute(last) if at is not None}
    return Busy(here, everywhere, known, limit(session))


def limit(session: Session) -> int:
    """How many jobs one person may have running at once, as the operator set it; 0: any number."""
    installation = installation_of(session)
    return installation.settings.jobs_per_person if installation else 0


def waiting(session: Session, queue: str) -> tuple[Sequence[Waiting], Busy]:
    """The jobs that wait for a queue in the order in which they will start, and what that order rests on."""
    jobs = [Waiting(job.id, job.created_by, job.moved_up or 0) for job in in_line(session, queue)]
    known = busy(session, queue, {job.by for job in jobs})
    return order(jobs, known), known


def next_in_line(session: Session, queue: str) -> int | None:
    """The job whose turn it is now; None where nothing waits, or everybody who waits has as many as they may."""
    jobs, known = waiting(session, queue)
    return jobs[0].id if jobs and not known.full(jobs[0].by) else None


def lock_line(session: Session) -> None:
    """Have nobody else hand out turns until the end of this transaction: two workers that each saw room for one more
    job of a person would together give it two. On SQLite a transaction that may write is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(LINE_LOCK)))


def most_moved_up(session: Session, queue: str) -> int:
    return session.scalar(select(func.max(JobRow.moved_up)).where(JobRow.queue == queue, IN_LINE)) or 0


def running_on(session: Session) -> dict[str, list[JobRow]]:
    """What each worker works on now."""
    on: dict[str, list[JobRow]] = {}
    running = select(JobRow).where(JobRow.status.in_((Status.RUNNING, Status.CANCELLING))).order_by(JobRow.id)
    for job in session.scalars(running):
        on.setdefault(job.worker or "", []).append(job)
    return on


def ahead(session: Session, job: JobRow | None) -> int:
    """How many jobs stand before this one in its queue: those that run and those that start earlier."""
    if job is None or job.status != Status.QUEUED:
        return 0
    jobs, known = waiting(session, job.queue)
    place = next((place for place, one in enumerate(jobs) if one.id == job.id), None)
    return 0 if place is None else place + sum(known.here.values())


def claim(session: Session, job_id: int, worker: str, now: datetime) -> int | None:
    """Make this the job's current attempt and return its number; None when there is nothing to do any more."""
    job = held(session, job_id)
    if job.status not in {Status.QUEUED, Status.RUNNING}:
        return None
    job.attempt += 1
    job.status = Status.RUNNING
    job.worker = worker
    job.started_at = job.started_at or now
    # How fast the attempt before was, and what it had left, is no word on this one.
    progress: Progress = job.progress or {}
    kept = progress.copy()
    kept.pop("rate", None)
    kept.pop("seconds_left", None)
    job.progress = kept
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
