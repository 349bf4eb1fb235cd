"""Putting work in line, whose turn it is, and taking it out again."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.db import Queue, scope_of, utcnow
from app.errors import Conflict, Forbidden
from app.jobs import store
from app.jobs.line import SLOTS, Wait, Why, waits
from app.jobs.tables import JobEventRow, JobRow, Status, WorkerRow
from app.users.tables import Role, UserRow

# Which queue a kind waits in, unless the caller knows better (a measurement on an endpoint loads no weights).
QUEUE_OF = {
    "check": "cpu",
    "lengths": "cpu",
    "read": "cpu",
    "index": "cpu",
    "check_retrieval": "cpu",
    "convert": "model",
    "meet": "cpu",
    "measure": "model",
    "watch": "cpu",
    "optimise": "model",
    "rerun": "model",
    "judge": "model",
    "preflight": "model",
    "train": "model",
    "check_served": "cpu",
    "merge": "model",
    "demo": "cpu",
}

# What a kind is called in lists.
KINDS = {
    "check": "Check data",
    "lengths": "Count tokens",
    "read": "Read documents",
    "index": "Build index",
    "check_retrieval": "Check retrieval",
    "convert": "Set up a model",
    "meet": "Meet a server",
    "measure": "Baselines",
    "watch": "Score watched metric",
    "optimise": "Prompt optimizer",
    "rerun": "Ask again",
    "judge": "LLM judge",
    "preflight": "Preflight",
    "train": "Training",
    "check_served": "Check served adapter",
    "merge": "Merge adapter",
    "demo": "Demo",
}

# The page of an assessment on which a kind is watched and its failure explained, by the name of its route.
STEP_OF = {
    "check": "data",
    "lengths": "data",
    "read": "documents",
    "index": "retrieval",
    "check_retrieval": "retrieval_quality",
    "measure": "measure",
    "watch": "metrics",
    "optimise": "instructions",
    "rerun": "measure",
    "judge": "judging",
    "preflight": "train",
    "train": "train",
    "check_served": "result",
    "merge": "result",
}


def bind(session: Session, queue: Queue) -> None:
    """Tell a session which engine its jobs go to. Whoever opens them does it; the web's `Db` by itself."""
    scope_of(session).queue = queue


def add(
    session: Session,
    kind: str,
    subject_id: int,
    by: int | None,
    *,
    title: str,
    assessment_id: int | None = None,
    queue: str | None = None,
) -> JobRow:
    """Put a job in line, in the caller's transaction; `call_next` says when it is its turn.

    Raises:
        Conflict: the same work is waiting or running already.
    """
    if store.find_open(session, kind, subject_id):
        raise Conflict("This is already waiting or running.")
    job = JobRow(
        kind=kind,
        title=title,
        subject_id=subject_id,
        assessment_id=assessment_id,
        queue=queue or QUEUE_OF[kind],
        status=Status.QUEUED,
        progress={},
        created_by=by,
        created_at=utcnow(),
    )
    try:
        with session.begin_nested():
            session.add(job)
    except IntegrityError as error:
        if store.find_open(session, kind, subject_id) is None:
            raise
        raise Conflict("This is already waiting or running.") from error  # queued at this very moment
    engine_queue = scope_of(session).queue
    if engine_queue is None:
        raise RuntimeError("this session has no queue; whoever opens sessions binds it")
    engine_queue.enqueue(session, job.id)
    return job


def call_next(session: Session, queue: str, hand_over: Callable[[Session, int, str], None]) -> JobRow | None:
    """Give the next job of a queue its turn, in the caller's transaction: `hand_over` puts it where workers take from.
    None where nothing waits, or everybody who waits has as many jobs running as one person may have."""
    store.lock_line(session)
    job_id = store.next_in_line(session, queue)
    if job_id is None:
        return None
    job = store.held(session, job_id)
    if job.status != Status.QUEUED or job.called_at is not None:  # cancelled at this very moment
        return None
    job.called_at = utcnow()
    hand_over(session, job.id, queue)
    return job


def move_up(session: Session, job_id: int, by: UserRow) -> JobRow:
    """Put a job that waits before all others of its queue. How many its person may have at once still holds.

    Raises:
        Forbidden: only an administrator may.
        Conflict: it does not wait any more.
    """
    job = store.held(session, job_id)
    if by.role != Role.ADMIN:
        raise Forbidden("Only an administrator can move a job up.")
    if job.status != Status.QUEUED or job.called_at is not None:
        raise Conflict("This job does not wait in line any more.")
    job.moved_up = store.most_moved_up(session, job.queue) + 1
    audit.record(session, by, "job.move_up", "job", job.id, {"kind": job.kind, "title": job.title})
    return job


def cancel(session: Session, job_id: int, by: UserRow) -> JobRow:
    """Ask a job to stop; one that has not started is over at once. Whoever started it may, and an administrator.

    Raises:
        Forbidden: it is somebody else's.
        Conflict: it is over already.
    """
    job = store.held(session, job_id)
    if not may_cancel(job, by):
        raise Forbidden("Only whoever started this job, or an administrator, can cancel it.")
    if job.final:
        raise Conflict(f"This job is over: {job.status}.")
    if job.status == Status.QUEUED:
        job.status = Status.CANCELLED
        job.finished_at = utcnow()
    else:
        job.status = Status.CANCELLING
    job.cancelled_by = by.id
    say(session, job, "done" if job.final else "status", {"status": job.status})
    audit.record(session, by, "job.cancel", "job", job.id, {"kind": job.kind, "title": job.title})
    return job


def note_seen(session: Session, job_id: int, by: UserRow) -> JobRow:
    """Whoever started a job that failed has looked at it, or does not want to: it is no news to them any more. Somebody
    else's look changes nothing."""
    job = store.held(session, job_id)
    if job.created_by == by.id and job.final and job.seen_at is None:
        job.seen_at = utcnow()
    return job


def may_cancel(job: JobRow, person: UserRow) -> bool:
    """Whether this job is this person's to cancel; what nobody started is an administrator's."""
    return person.role == Role.ADMIN or job.created_by == person.id


def say(session: Session, job: JobRow, kind: str, body: dict[str, object]) -> None:
    session.add(JobEventRow(job_id=job.id, attempt=job.attempt, at=utcnow(), kind=kind, body=body))


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that runs or waits, as the page of the queue shows it.

    running: also what is called and not begun yet, in the order of their turns. waiting: in the order in which they
    will start, one queue after the other; waits: why, by job.
    """

    running: Sequence[JobRow]
    waiting: Sequence[JobRow]
    waits: Mapping[int, Wait]
    limit: int


def standing(session: Session, lost_after: float) -> Standing:
    """lost_after: seconds of silence after which a worker counts as gone."""
    slots = slots_online(session, lost_after)
    rows: list[JobRow] = []
    found: dict[int, Wait] = {}
    for queue in store.waiting_queues(session):
        jobs, known = store.waiting(session, queue)
        found |= waits(jobs, known, slots[queue])
        by_id = {job.id: job for job in store.in_line(session, queue)}
        rows += [by_id[job.id] for job in jobs if job.id in by_id]
    return Standing(store.begun(session), rows, found, store.limit(session))


def why_waiting(session: Session, job: JobRow, lost_after: float) -> Wait | None:
    """Why one job waits; None of one that does not."""
    if job.status != Status.QUEUED:
        return None
    slots = slots_online(session, lost_after)[job.queue]
    if job.called_at is not None:
        return Wait(Why.CALLED if slots else Why.NO_WORKER, 0, slots, 0, 0, 0)
    return waits(*store.waiting(session, job.queue), slots).get(job.id)


def slots_online(session: Session, seconds: float) -> Counter[str]:
    """How many jobs the living workers can do at once, by queue."""
    return Counter({queue: sum(SLOTS.get(queue, 0) for row in alive(session, seconds) if queue in row.queues.split(","))
                    for queue in SLOTS})  # fmt: skip


def alive(session: Session, seconds: float) -> Sequence[WorkerRow]:
    """Workers that were seen in the last so many seconds, and whose process is there where it is on this machine; on
    another host its row is believed."""
    since, here = utcnow() - timedelta(seconds=seconds), f"{os.uname().nodename}:"
    return [
        row
        for row in store.workers(session)
        if row.gone_at is None and row.seen_at > since and (not row.id.startswith(here) or process_lives(row.pid))
    ]


def served(session: Session, seconds: float) -> set[str]:
    """The queues that a living worker serves."""
    return {queue for row in alive(session, seconds) for queue in row.queues.split(",")}


def process_lives(pid: int) -> bool:
    """Whether a process of this machine is there: one that was killed a moment ago still looks alive in its row."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another account's
        return True
    return True
