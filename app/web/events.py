"""Live pages: one poller of the database for all open streams of this process.

Events are rows, written by whatever process does the work, so a stream that breaks off, or a server that starts again,
goes on after the last id that the browser saw. Nothing is kept here but who is listening.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from fastapi.sse import ServerSentEvent

from app.errors import Refusal
from app.web import thread_limits

log = logging.getLogger(__name__)

QUIET_AFTER = 40  # looks without news, ten seconds of them, after which only every fourth is taken
DONE = "done"  # the event that makes htmx close a stream; without it, it would connect again for ever


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing to send: `html` replaces the inside of the listening element; `last` ends the stream after it."""

    id: int
    html: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens (the user's id), and a check whether they still may."""

    person: int
    holds: Callable[[], bool]


class Hub:
    """Wakes streams when `newest`, the highest event id, moves; `closing` ends them all within `every` seconds.

    It looks every `every` seconds while somebody listens, and a quarter as often once nothing has moved for a while.
    recheck: seconds between two looks whether a listener is still signed in.
    """

    def __init__(
        self, newest: Callable[[], int], *, every: float = 0.25, per_person: int = 12, recheck: float = 3.0
    ) -> None:
        self.closing = False
        self.recheck = recheck
        self._newest = newest
        self._every = every
        self._open: Counter[int] = Counter()
        self._places = thread_limits.streams(per_person)
        self._event: asyncio.Event | None = None
        self._poller: asyncio.Task[None] | None = None
        self._quiet = 0  # ticks without news

    @property
    def listeners(self) -> int:
        return self._open.total()

    def place(self, person: int) -> AbstractContextManager[None]:
        """A place for one stream, taken before the answer begins, so that many at once cannot all find it free.

        Raises:
            TooMany: this person, or everybody together, has as many open as there may be.
        """
        return self._places.take(person)

    @contextmanager
    def listening(self, person: int) -> Iterator[None]:
        self._open[person] += 1
        self._quiet = 0  # who has just opened a page is waiting for something
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield
        finally:
            self._open[person] -= 1

    def next_change(self) -> asyncio.Event:
        """Give the event that is set when something changes; take it before reading, so nothing falls between."""
        if self._event is None:
            self._event = asyncio.Event()
        return self._event

    def _wake(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def _poll(self) -> None:
        seen = -1
        while self.listeners and not self.closing:
            if self._quiet < QUIET_AFTER or self._quiet % 4 == 0:
                try:
                    newest = await asyncio.to_thread(self._newest)
                except Exception:
                    # A database that is away for a moment must not silence every page until the next start.
                    log.exception("The newest event could not be read")
                else:
                    if newest != seen:
                        seen = newest
                        self._quiet = 0
                        self._wake()
            self._quiet += 1
            await asyncio.sleep(self._every)
        self._poller = None
        self._wake()


async def stream(
    hub: Hub, listener: Listener, *, after: int, read: Callable[[int], Sequence[Sent]]
) -> AsyncIterator[ServerSentEvent]:
    """Send what `read(last id)` finds, as it comes, until the last one, the server's end or the listener's.

    `read` runs in a thread and opens its own short session: a stream may be open for hours.
    """
    checked = time.monotonic()
    with hub.listening(listener.person):
        while not hub.closing:
            changed = hub.next_change()
            try:
                news = await asyncio.to_thread(read, after)
            except Refusal:
                # What was listened to is not there, or no longer: that is an end as well.
                yield ServerSentEvent(event=DONE, raw_data="")
                return
            for sent in news:
                after = sent.id
                yield ServerSentEvent(id=str(sent.id), raw_data=sent.html)
                if sent.last:
                    yield ServerSentEvent(event=DONE, raw_data="")
                    return
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), hub.recheck)
            if time.monotonic() - checked >= hub.recheck:
                if not await asyncio.to_thread(listener.holds):
                    yield ServerSentEvent(event=DONE, raw_data="")
                    return
                checked = time.monotonic()
