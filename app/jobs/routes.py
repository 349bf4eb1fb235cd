"""Pages for background work: the list, one job, its live stream, and cancel."""

from collections import Counter
from collections.abc import AsyncIterable, Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.db import reading, utcnow
from app.jobs import live, service, store
from app.jobs.tables import OPEN, JobRow, Status
from app.users import store as user_store
from app.users.deps import Admin, Listening, Me
from app.web import events
from app.web.deps import App, Db
from app.web.events import Sent
from app.web.pages import page, render, see, url_if_any
from app.web.params import LARGEST, Id

router = APIRouter(include_in_schema=False)

PAGE = 50
RECENT = timedelta(days=1)  # a worker that ended before that is no news


# What the list can be narrowed to, by the word in the address.
STATES: dict[str, tuple[str, frozenset[Status]]] = {
    "open": ("Waiting or running", OPEN),
    "queued": ("Waiting", frozenset({Status.QUEUED})),
    "running": ("Running", frozenset({Status.RUNNING, Status.CANCELLING})),
    "failed": ("Failed", frozenset({Status.FAILED, Status.REFUSED})),
    "done": ("Done", frozenset({Status.DONE})),
    "cancelled": ("Cancelled", frozenset({Status.CANCELLED})),
}
Word = Annotated[str, Query(max_length=20, pattern=r"^[a-z]*$")]


@router.get("/jobs", name="jobs")
def show_jobs(
    request: Request,
    app: App,
    db: Db,
    me: Me,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    state: Word = "",
    kind: Word = "",
    mine: Word = "",
) -> Response:
    states = STATES.get(state, ("", frozenset()))[1]
    jobs = store.newest(db, before, PAGE + 1, states=states, kind=kind, by=me.id if mine else None)
    now = utcnow()
    limit = now - timedelta(seconds=app.settings.worker_lost_after)
    workers, on = store.workers(db), store.running_on(db)
    standing = service.standing(db, app.settings.worker_lost_after)
    listed = [*jobs[:PAGE], *standing.running, *standing.waiting]
    return page(
        request,
        "jobs/jobs.html",
        jobs=jobs[:PAGE],
        next_before=jobs[PAGE - 1].id if len(jobs) > PAGE else None,
        typed={"state": state, "kind": kind, "mine": mine},
        states=[(word, label) for word, (label, _) in STATES.items()],
        kinds=sorted(service.KINDS.items(), key=lambda one: one[1]),
        standing=standing,
        places=places(standing.waiting),
        may_cancel=service.may_cancel,
        owners=app.objects.names(db, {("assessment", job.assessment_id) for job in listed if job.assessment_id}),
        names=user_store.names(db, sorted({job.created_by for job in listed if job.created_by})),
        workers=workers,
        alive={worker.id for worker in workers if worker.gone_at is None and worker.seen_at > limit},
        recent=now - RECENT,
        on=on,
        now=now,
    )


def places(waiting: Sequence[JobRow]) -> dict[int, int]:
    """The place of each waiting job in its own queue, from 1."""
    counted: Counter[str] = Counter()
    found = {}
    for job in waiting:
        counted[job.queue] += 1
        found[job.id] = counted[job.queue]
    return found


@router.get("/jobs/{job_id}", name="job")
def show_job(request: Request, job_id: Id, app: App, db: Db, me: Me) -> Response:
    job = store.get(db, job_id)
    owner = ("assessment", job.assessment_id or 0)
    return page(
        request,
        "jobs/job.html",
        job=job,
        wait=service.why_waiting(db, job, app.settings.worker_lost_after),
        log=store.log_lines(db, job_id),
        by=user_store.get(db, job.created_by) if job.created_by else None,
        owner=app.objects.names(db, {owner}).get(owner),
    )


@router.post("/jobs/{job_id}/cancel", name="cancel_job")
def cancel_job(request: Request, job_id: Id, db: Db, me: Me) -> Response:
    job = service.cancel(db, job_id, me)
    return see(request, "job", job_id=job.id, notice="cancelled" if job.final else "cancelling")


@router.post("/jobs/{job_id}/move-up", name="move_up_job")
def move_up_job(request: Request, job_id: Id, db: Db, me: Admin) -> Response:
    service.move_up(db, job_id, me)
    return see(request, "jobs", notice="moved_up")


@router.post("/jobs/{job_id}/seen", name="see_job")
def see_job(request: Request, job_id: Id, db: Db, me: Me) -> Response:
    """Look at a job that failed: for whoever started it, it is no news after that."""
    job = service.note_seen(db, job_id, me)
    step = service.STEP_OF.get(job.kind)
    if job.assessment_id is not None and step and (url := url_if_any(request, step, assessment_id=job.assessment_id)):
        return RedirectResponse(url, 303)
    return see(request, "job", job_id=job.id)


@router.get("/jobs/{job_id}/events", name="job_events", response_class=EventSourceResponse)
async def job_events(
    request: Request,
    job_id: Id,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send the job's state as a fragment whenever it says something; the last one makes the page load itself anew."""

    def read(after: int) -> list[Sent]:
        with reading(app.engine) as session:
            job = store.get(session, job_id)

            def draw() -> str:
                wait = service.why_waiting(session, job, app.settings.worker_lost_after)
                return render(request, "jobs/_state.html", job=job, wait=wait, live=True)

            return live.news(session, job, after, draw)

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent
