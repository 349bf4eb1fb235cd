"""The first page: what waits for this person, what of theirs runs, and the assessments with where each stands."""

from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.assessments import store as assessment_store
from app.db import reading, utcnow
from app.home import listing, store
from app.home.listing import Filter
from app.home.set_up import SetUp, checklist
from app.inbox import service as inbox
from app.jobs import store as jobs
from app.users import store as user_store
from app.users.deps import Admin, Listening, Me
from app.users.tables import Role, UserRow
from app.web import events
from app.web.deps import App, Db, KeptDb
from app.web.events import Sent
from app.web.pages import page, render, see, url_if_any
from app.web.params import LARGEST, OneLine

router = APIRouter(include_in_schema=False)


@router.get("/", name="home")
def show_home(
    request: Request,
    db: KeptDb,
    me: Me,
    q: Annotated[OneLine, Query(max_length=100)] = "",
    state: Filter = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    matching = listing.find(db, me, state, q, page_number)
    return page(
        request,
        "home/home.html",
        needs=inbox.needs(db, me),
        running=inbox.running(db, me),
        over=False,
        set_up=_set_up(db, me),
        lines=matching.lines,
        counts=matching.counts,
        number=page_number,
        pages=matching.pages,
        q=q,
        state=state,
        anything=bool(matching.lines) or assessment_store.anything(db),
        names=user_store.names(db, sorted({line.owner_id for line in matching.lines})),
        demo_url=url_if_any(request, "start_demo"),
        example_url=url_if_any(request, "show_finished"),
        now=utcnow(),
    )


def _set_up(db: Db, me: UserRow) -> SetUp | None:
    """The checklist, for an administrator who has not put it away, while anything of it is open."""
    if me.role != Role.ADMIN or me.checklist_at is not None:
        return None
    made = checklist(store.there(db))
    return made if made.next else None


@router.post("/checklist/dismiss", name="dismiss_checklist")
def dismiss_checklist(request: Request, db: Db, me: Admin) -> Response:
    store.put_checklist_away(db, me.id, utcnow())
    return see(request, "home")


@router.get("/running/events", name="running_events", response_class=EventSourceResponse)
async def running_events(
    request: Request,
    app: App,
    listener: Listening,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send what of this person's runs, whenever any of it says something; once one of them has ended, the page loads
    itself anew, since what it came to may need them."""
    listed: set[int] = set()
    before = ""

    def read(after: int) -> list[Sent]:
        nonlocal before
        with reading(app.engine) as session:
            me = user_store.get(session, listener.person)
            running = inbox.running(session, me)
            newest = jobs.last_event_id(session)
            ids = {job.id for job, _ in running}
            over = not listed <= ids or not ids
            listed.update(ids)
            html = render(request, "home/_running.html", running=running, over=over)
            if html == before and not over:
                return []
            before = html
            return [Sent(max(newest, after), html, last=over)]

    async for sent in events.stream(app.hub, listener, after=last_event_id, read=read):
        yield sent
