"""What pages need of a job that they show while it goes on."""

from collections.abc import Callable
from typing import TypedDict

from sqlalchemy.orm import Session

from app.jobs import store
from app.jobs.progress import Progress
from app.jobs.tables import JobRow
from app.web.events import Sent


class JobState(TypedDict):
    """ahead: how many stand before the job in its queue."""

    job: JobRow | None
    ahead: int
    progress: Progress


def state(session: Session, job: JobRow | None) -> JobState:
    """The values of a page about a job."""
    return {"job": job, "ahead": store.ahead(session, job), "progress": (job.progress or {}) if job else {}}


def news(session: Session, job: JobRow | None, after: int, draw: Callable[[], str]) -> list[Sent]:
    """The page's part as it is now, if the job has said something after that event, or is over: then for the last time.
    draw: makes its HTML."""
    if job is None:
        return []
    events = store.events_after(session, job.id, after)
    if not events and not job.final:
        return []
    return [Sent(events[-1].id if events else after, draw(), last=job.final)]
