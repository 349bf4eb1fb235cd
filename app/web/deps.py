"""What a route can ask for: the parts of the app and a database session."""

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.db import reading, scope_of, writing
from app.errors import Refusal
from app.web.context import AppContext

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def context_of(request: Request) -> AppContext:
    return cast("AppContext", request.app.state.context)


def _db(request: Request) -> Iterator[Session]:
    """Open one transaction for the request: read-only where the method promises to change nothing."""
    transaction = reading if request.method in SAFE else writing
    context = context_of(request)
    with transaction(context.engine) as session:
        scope_of(session).queue = context.jobs
        request.state.db = session
        try:
            yield session
        except Refusal:
            session.rollback()  # what is refused leaves nothing behind but the record of it, see `problems`
            raise


async def _app(request: Request) -> AppContext:
    return context_of(request)


# A coroutine, like everything here that waits for nothing: a plain function would be given a thread, 0.1 ms each time.
App = Annotated[AppContext, Depends(_app)]

# scope="function" commits before the response goes out, so the page that a redirect leads to always sees what was just
# saved, and a commit that fails is still a 500 and not a promise.
Db = Annotated[Session, Depends(_db, scope="function")]
