"""Answers that wait until there is something to say (`Prefer: wait=N`, RFC 7240, section 4.3).

While one waits it holds a place among its person's live pages, and neither a thread nor a database connection.
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from fastapi import Request, Response

from app.web.events import Hub, Listener
from app.web.refusals import SignInFirst

LONGEST = 60  # seconds; proxies commonly end a request that says nothing for so long
WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)

Answer = TypeVar("Answer")


def seconds(prefer: str) -> int:
    """How long a `Prefer` header asks to wait; 0 where it does not, or in a way that cannot be read. Preferences that
    cannot be followed are passed over, as the RFC has it, and of several with one name the first counts."""
    wait = next((match for part in prefer.split(",") if (match := WAIT.fullmatch(part))), None)
    return min(int(wait.group(1)), LONGEST) if wait else 0


async def answer(
    request: Request,
    response: Response,
    hub: Hub,
    listener: Listener,
    prefer: str,
    read: Callable[[], tuple[Answer, bool]],
) -> Answer:
    """Give what `read` finds once it says that this is worth an answer, or when the time is over.

    `read` runs in a thread and opens its own short session. The wait ends early when the server stops or the other side
    goes away.

    Raises:
        SignInFirst: the credential opens nothing any more.
        TooMany: this person has too many live pages and waiting requests open.
    """
    await request.body()  # there is none; from here on, whatever comes says that the other side is gone
    state, worth = await asyncio.to_thread(read)
    wait = seconds(prefer)
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait}"
    if not wait or worth:
        return state
    ends = time.monotonic() + wait
    with hub.place(listener.person), hub.listening(listener.person):
        while True:
            changed = hub.next_change()
            state, worth = await asyncio.to_thread(read)
            left = ends - time.monotonic()
            if worth or left <= 0 or hub.closing or await request.is_disconnected():
                return state
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, hub.recheck))
            if not await asyncio.to_thread(listener.holds):
                raise SignInFirst("This session or token has ended.")
