"""The body of a request, received: lines that fall silent."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.errors import Invalid
from app.uploads import receive
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.refusals import TooMany
from tests.support.factories import Make


def silent() -> Request:
    """A request of which one byte comes and then nothing any more."""
    came = iter([{"type": "http.request", "body": b"x", "more_body": True}])

    async def receive() -> Any:
        if (message := next(came, None)) is None:
            await anyio.sleep_forever()
        return message

    return Request({"type": "http", "method": "PUT", "headers": []}, receive)


def in_a_loop(work: Callable[..., Awaitable[object]], *given: object) -> None:
    """Run it in a thread of its own: where a browser was used, this one has a loop that is under way."""
    with ThreadPoolExecutor(1) as own:
        own.submit(anyio.run, work, *given).result()


def test_an_upload_that_falls_silent_is_ended(web: TestClient, make: Make) -> None:
    app: AppContext = web.app.state.context  # type: ignore[attr-defined]  # the app under the client

    with pytest.raises(Invalid, match="Nothing was kept"):
        in_a_loop(receive.with_chunks, silent(), app, make.author(), list, 0.05)
    assert app.uploads.total() == 0


@pytest.mark.deep
def test_silent_uploads_keep_nobody_from_the_pages(web: TestClient) -> None:
    app: AppContext = web.app.state.context  # type: ignore[attr-defined]  # the app under the client
    people = [UserRow(id=number) for number in range(100, 100 + app.uploads.together // app.uploads.each)]

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for one in people * app.uploads.each:
                group.start_soon(ended, one)
            await anyio.wait_all_tasks_blocked()
            assert app.uploads.total() == app.uploads.together
            for one in (people[0], UserRow(id=1)):
                with pytest.raises(TooMany, match="under way"):
                    await receive.with_chunks(silent(), app, one, list)
            assert await run_in_threadpool(lambda: "a page") == "a page"
            assert app.uploads.total() == app.uploads.together  # none of them had to end first

    async def ended(one: UserRow) -> None:
        with pytest.raises(Invalid):
            await receive.with_chunks(silent(), app, one, list, 1.5)

    in_a_loop(crowd)
    assert app.uploads.total() == 0
