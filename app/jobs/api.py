"""The REST side of background work, after the shape of OpenAI's job objects so that existing clients can read it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from app.jobs import service, store
from app.jobs.tables import JobRow
from app.users.deps import Me
from app.web.deps import Db
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"], responses=REFUSALS)

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]


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
    progress: dict[str, Any]
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


class Event(BaseModel):
    id: int
    at: datetime
    attempt: int
    kind: str
    body: dict[str, Any]


class Events(BaseModel):
    data: list[Event]


@router.get("", name="api_jobs")
def list_jobs(
    db: Db,
    me: Me,
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="id of the last job seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    assessment_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Jobs:
    found = store.newest(db, after, limit + 1, assessment_id=assessment_id)
    return Jobs(data=[Job.of(row) for row in found[:limit]], has_more=len(found) > limit)


@router.get("/{job_id}", name="api_job")
def get_job(job_id: Id, db: Db, me: Me) -> Job:
    return Job.of(store.get(db, job_id))


@router.get("/{job_id}/events", name="api_job_events")
def list_events(job_id: Id, db: Db, me: Me, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0) -> Events:
    """What the job said after event `after`, oldest first; poll with the last id, or listen at the page's stream."""
    store.get(db, job_id)
    return Events(
        data=[
            Event(id=row.id, at=row.at, attempt=row.attempt, kind=row.kind, body=row.body)
            for row in store.events_after(db, job_id, after)
        ]
    )


@router.post("/{job_id}/cancel", name="api_cancel_job")
def cancel_job(job_id: Id, db: Db, me: Me) -> Job:
    return Job.of(service.cancel(db, job_id, me))
