"""Requests on their way in: whoever sends half of one, or a byte a minute, does not keep a place for ever.

Two parts, because two layers see it. The head of a request is read by uvicorn, which has no limit for it, so the
protocol here counts from the first moment to the end of the head. The body is handed to the app piece by piece, so the
guard puts `Arriving` in between.
"""

import asyncio
import time
from typing import Any

from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

SLOWEST = 1_000  # bytes a second, on average, that a body has to bring once its patience is used up
IDLE = 95  # seconds that a connection may wait for its next request
SLACK = 1.1  # routes that take uploads have the same patience and say it in words of their own; they go first


class Arriving:
    """A request's `receive` that ends it when nothing comes for `patience` seconds, or far too little."""

    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive = receive
        self._patience = patience * SLACK
        self._began = time.monotonic()
        self._bytes = 0
        self._whole = False
        self.late = False

    async def __call__(self) -> Message:
        if self._whole:  # from here on it only says when the other side has gone
            return await self._receive()
        spent = time.monotonic() - self._began
        left = min(self._patience, self._patience + self._bytes / SLOWEST - spent)
        try:
            async with asyncio.timeout(max(0.0, left)):
                message = await self._receive()
        except TimeoutError:
            self.late = True
            return {"type": "http.disconnect"}
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message


class Patient(H11Protocol):
    """A connection that is closed when the head of a request, or the rest of one that was answered already, takes
    longer than `patience` seconds, or nothing comes for `IDLE`.

    Reverse proxies and clients keep idle connections for 60 to 90 seconds (nginx, AWS, cloudflared) and send the next
    request on one. Where the server closes it first, as uvicorn does after 5, that request is lost now and then: the
    proxy says 502, a client that its connection was reset. So the other side is left to close it.
    """

    patience = 15.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self.timeout_keep_alive = IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self._at_work():
            self._expect()
        super().data_received(data)
        if self._at_work():
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn forgets it where the other side broke off, and keeps all of it

    def _at_work(self) -> bool:
        """Whether a request is being answered; its body is `Arriving`'s."""
        return self.cycle is not None and not self.cycle.response_complete

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.patience, self.transport.close)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol(patience: float) -> type[asyncio.Protocol]:
    """Connections with this patience; uvicorn makes them itself, so it is given the class."""
    return type("Patient", (Patient,), {"patience": patience})
