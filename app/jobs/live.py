"""What pages need of a job that they show while it goes on."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.jobs import store
from app.jobs.tables import JobRow
from app.web.events import Sent


def state(session: Session, job: JobRow | None) -> dict[str, Any]:
    """The values of a page about it: the job, how many stand before it in its queue, and how far it is."""
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
