"""Talking to a process of ours that holds a model: a question, what comes back until it says "end", and a way out."""

import time
from collections.abc import Callable, Iterator
from typing import Self

from app.inference.generator import Unusable
from app.processes.children import Child
from app.processes.lines import Event

POLL = 0.2  # seconds between two looks at `stop`


class ModelProcess:
    """A child that was started for one model. Whoever has it closes it. Not for several threads at once.

    Nothing is restarted: a model that died is `Unusable`, and the job decides what that means.
    """

    def __init__(self, child: Child) -> None:
        self._child = child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def close(self) -> None:
        """End the child; it has nothing to save."""
        self._child.close(grace=0.5)

    def _ask(self, stop: Callable[[], bool], **message: object) -> Iterator[Event]:
        self._send(**message)
        over = False
        try:
            while (event := self._next(stop)) is not None:
                if event["event"] == "end":
                    over = True
                    return
                yield event
        finally:
            if not over and self._child.alive:
                self._settle()

    def _settle(self) -> None:
        """Have the child drop what it is at, so that the next question does not get the last one's answers."""
        self._send(do="stop")
        deadline = time.monotonic() + 30
        while (event := self._next(lambda: time.monotonic() > deadline)) is not None:
            if event["event"] == "end":
                return
        self._child.close()

    def _next(self, stop: Callable[[], bool]) -> Event | None:
        while True:
            event = self._child.next(POLL)
            if event is None:
                if self._child.over:
                    raise Unusable(self._why())
                if stop():
                    return None
                continue
            if event["event"] == "failed":
                raise Unusable(f"The model cannot be used: {event['text']}")
            if stop() and event["event"] != "end":
                return None
            return event

    def _send(self, **message: object) -> None:
        if not self._child.send(**message):
            raise Unusable(self._why())

    def _why(self) -> str:
        self._child.wait(5)
        return f"The model's process {self._child.how_it_ended()}"
