"""The REST side of background work, after the shape of OpenAI's job objects so that existing clients can read it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from app.db import reading
from app.jobs import service, store
from app.jobs.line import Wait, Why
from app.jobs.tables import JobRow
from app.json_types import JsonObject
from app.users.deps import Admin, Me, Patient
from app.web import waiting
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine
from app.web.problems import REFUSALS, described

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"], responses=REFUSALS)

MOST_EVENTS = 500
WAITS = described(429, description="Too many of your requests are waiting (`Retry-After`)")
Prefer = Annotated[
    OneLine, Header(alias="Prefer", max_length=200, description="`wait=N`: how many seconds to wait (RFC 7240)")
]


class Job(BaseModel):
    """A piece of background work. `progress` is what it said last; `failure` has the cause and the next step."""

    id: int
    object: str = "job"
    kind: str
    title: str
    subject_id: int
    assessment_id: int | None
    status: str
    attempt: int
    progress: JsonObject
    failure: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @staticmethod
    def of(row: JobRow) -> "Job":
        return Job(
            id=row.id,
            kind=row.kind,
            title=row.title,
            subject_id=row.subject_id,
            assessment_id=row.assessment_id,
            status=row.status,
            attempt=row.attempt,
            progress=row.progress,
            failure=row.failure,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


class Jobs(BaseModel):
    data: list[Job]
    has_more: bool


class InLine(BaseModel):
    """A job that waits, and why. `place` counts from 1 in its own queue. `why`: `no_worker` is online that serves the
    queue, its person has reached the `limit`, all `slots` are taken, or it is `next`. `running` are jobs in the queue's
    slots now, `mine` those of its person that run in any queue."""

    job: Job
    queue: str
    requested_by: int | None
    place: int
    why: Why
    slots: int
    running: int
    mine: int


class Running(BaseModel):
    """A job that runs, or whose turn has come."""

    job: Job
    queue: str
    requested_by: int | None
    worker: str | None


class WholeQueue(BaseModel):
    """Everything that runs or waits; what waits is in the order in which it will start, queue by queue.

    per_person: jobs of one person that run at once, at most; 0: any number.
    """

    object: str = "queue"
    running: list[Running]
    waiting: list[InLine]
    per_person: int


class Event(BaseModel):
    """Something a job said: `kind` is progress, log, status or done."""

    id: int
    at: datetime
    attempt: int
    kind: str
    body: JsonObject


class Events(BaseModel):
    data: list[Event]
    has_more: bool


@router.get("", name="api_jobs")
def list_jobs(
    db: Db,
    me: Me,
    after: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last job seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    assessment_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Jobs:
    """Jobs from the newest back."""
    jobs = store.newest(db, after, limit + 1, assessment_id=assessment_id)
    return Jobs(data=[Job.of(row) for row in jobs[:limit]], has_more=len(jobs) > limit)


@router.get("/queue", name="api_queue")
def get_queue(app: App, db: Db, me: Me) -> WholeQueue:
    """What runs, and what waits in the order in which it will start, with the reason why it does."""
    standing = service.standing(db, app.settings.worker_lost_after)
    return WholeQueue(
        running=[
            Running(job=Job.of(row), queue=row.queue, requested_by=row.created_by, worker=row.worker)
            for row in standing.running
        ],
        waiting=[_in_line(row, standing.waits[row.id]) for row in standing.waiting],
        per_person=standing.limit,
    )


def _in_line(row: JobRow, wait: Wait) -> InLine:
    return InLine(
        job=Job.of(row),
        queue=row.queue,
        requested_by=row.created_by,
        place=wait.before + 1,
        why=wait.why,
        slots=wait.slots,
        running=wait.running,
        mine=wait.mine,
    )


@router.get("/{job_id}", name="api_job", responses=WAITS)
async def get_job(
    request: Request, response: Response, job_id: Id, app: App, listener: Patient, prefer: Prefer = ""
) -> Job:
    """One job. With `Prefer: wait=N` the answer comes when the job is over, or after N seconds at most.

    N is cut at 60; `Preference-Applied` says what was taken. Who waits is counted with the live pages that they have
    open.
    """

    def read() -> tuple[Job, bool]:
        with reading(app.engine) as session:
            row = store.get(session, job_id)
            return Job.of(row), row.final

    return await waiting.answer(request, response, app.hub, listener, prefer, read)


@router.get("/{job_id}/events", name="api_job_events", responses=WAITS)
async def list_events(
    request: Request,
    response: Response,
    job_id: Id,
    app: App,
    listener: Patient,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last event seen")] = 0,
    prefer: Prefer = "",
) -> Events:
    """What the job said after event `after`, oldest first, 500 at most.

    With `Prefer: wait=N` the answer comes as soon as there is something new, or the job is over, or after N seconds.
    """

    def read() -> tuple[Events, bool]:
        with reading(app.engine) as session:
            over = store.get(session, job_id).final
            rows = store.events_after(session, job_id, after, MOST_EVENTS + 1)
            data = [
                Event(id=row.id, at=row.at, attempt=row.attempt, kind=row.kind, body=row.body)
                for row in rows[:MOST_EVENTS]
            ]
            return Events(data=data, has_more=len(rows) > MOST_EVENTS), over or bool(data)

    return await waiting.answer(request, response, app.hub, listener, prefer, read)


@router.post("/{job_id}/cancel", name="api_cancel_job")
def cancel_job(job_id: Id, db: Db, me: Me) -> Job:
    """Ask a job to stop: your own, or any as an administrator. One that has not started is over at once."""
    return Job.of(service.cancel(db, job_id, me))


@router.post("/{job_id}/move-up", name="api_move_up_job")
def move_up_job(job_id: Id, db: Db, me: Admin) -> Job:
    """Put a job that waits before all others of its queue. The limit of its person still holds."""
    return Job.of(service.move_up(db, job_id, me))
