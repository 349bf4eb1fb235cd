"""What a route can ask for: the parts of the app and a database session."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from sqlalchemy.orm import Session

from app.db import read_session, scope_of, writing
from app.errors import Refusal
from app.web.context import AppContext
from app.web.kept_pages import KEEPING

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def context_of(request: Request) -> AppContext:
    return cast("AppContext", request.app.state.context)


async def _db(request: Request) -> AsyncIterator[Session]:
    """Open one transaction for the request: read-only where the method promises to change nothing.

    A session that reads asks nothing of the database until its first query, so it needs no thread to be opened in.
    """
    context = context_of(request)
    if request.method in SAFE:
        session = read_session(context.engine)
        scope_of(session).queue = context.jobs
        request.state.db = session
        try:
            yield session
        finally:
            await _closed(session)
        return
    async with contextmanager_in_threadpool(_changing(context)) as session:
        request.state.db = session
        yield session


async def _kept_db(request: Request) -> AsyncIterator[Session]:
    """The same for a page that may be kept: the mark of the database is taken before anything is read."""
    keeping = request.scope.get(KEEPING)
    if keeping is not None:
        await keeping.begin()
    session = read_session(context_of(request).engine)
    request.state.db = session
    try:
        yield session
    finally:
        await _closed(session)
    if keeping is not None:
        keeping.not_after(scope_of(session).until)


@contextmanager
def _changing(context: AppContext) -> Iterator[Session]:
    """A transaction that may write. It is ended where it was begun, in a thread: whoever holds the one place to write
    must not wait for a place among threads that all wait for it."""
    with writing(context.engine) as session:
        scope_of(session).queue = context.jobs
        try:
            yield session
        except Refusal:
            session.rollback()  # what is refused leaves nothing behind but the record of it, see `problems`
            raise


async def _closed(session: Session) -> None:
    """Give the connection back. In a file that takes no time; a database server is not waited for in the event loop."""
    if session.get_bind().dialect.name == "sqlite":
        session.close()
    else:
        await run_in_threadpool(session.close)


async def _app(request: Request) -> AppContext:
    return context_of(request)


# A coroutine, like everything here that waits for nothing: a plain function would be given a thread, 0.1 ms each time.
App = Annotated[AppContext, Depends(_app)]

# scope="function" commits before the response goes out, so the page that a redirect leads to always sees what was just
# saved, and a commit that fails is still a 500 and not a promise.
Db = Annotated[Session, Depends(_db, scope="function")]

# In place of `Db`, for a page that rests on nothing but the database, its address, its cookies and the clock: no file,
# no setting that changes, nothing in memory, nothing by chance but `kept_pages.fresh_word`. It stands before `Me`.
KeptDb = Annotated[Session, Depends(_kept_db, scope="function")]
