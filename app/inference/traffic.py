"""How many calls a server gets at once, and when: the one door that every call passes.

A server that is loading, overloaded or asks for patience is waited for by all, and looked after by one call at a time;
a client that goes on asking with all its threads keeps such a server from ever getting ready. When it answers again,
the number of calls grows back slowly (additive increase, multiplicative decrease, as in TCP: RFC 5681).
"""

import random
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")

LOOK = 0.2  # seconds between looks at "stop"
PAUSE_MOST = 15.0  # seconds between two calls to a server that is away


class Traffic:
    """The door. `stopped` opens it for everybody to go home; `clock` gives seconds that only grow.

    most: calls at once. first_wait: seconds before the second call to a server in trouble, doubled with each.
    wait_most: seconds we wait at a server's word.
    """

    def __init__(
        self,
        most: int,
        *,
        first_wait: float = 0.5,
        wait_most: float = 600.0,
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self.first_wait = first_wait
        self.wait_most = wait_most
        self._stopped = stopped
        self._clock = clock
        self._door = threading.Condition()
        self._jitter = random.Random(7)
        self._limit = float(most)
        self._inside = 0
        self._not_before = clock()
        self._down_since: float | None = None
        self._reason = ""
        self._pauses = 0
        self._answered = clock() - 1.0
        self.ever = False  # whether this server has answered anything
        self._closed = False

    def enter(self) -> float | None:
        """Wait for one's turn; gives the moment of entering, None when it is over for everybody."""
        with self._door:
            while self._inside >= self._allowed or self._clock() < self._not_before:
                if self._closed or self._stopped():
                    return None
                self._door.wait(min(LOOK, max(0.001, self._not_before - self._clock())) if self._held else LOOK)
            if self._closed or self._stopped():
                return None
            self._inside += 1
            return self._clock()

    def open(self) -> None:
        self._closed = False

    def close(self) -> None:
        """Let nobody in any more; who is inside may finish."""
        with self._door:
            self._closed = True
            self._door.notify_all()

    def leave(self) -> None:
        with self._door:
            self._inside -= 1
            self._door.notify_all()

    def answered(self) -> None:
        """The server is there: it answered, or refused for a reason of the question's own."""
        with self._door:
            self._answered = self._clock()
            self.ever = True
            self._down_since = None
            self._pauses = 0
            self._limit = min(float(self.most), self._limit + 1.0 / self._limit)
            self._door.notify_all()

    def slow(self) -> None:
        """An answer did not come in time: ask for fewer at once."""
        with self._door:
            self._limit = max(1.0, self._limit / 2)

    def away(self, reason: str, entered: float, after: float | None = None) -> None:
        """The server could not be had by a call that went in at `entered`; `after`: seconds it asked us to wait."""
        with self._door:
            now = self._clock()
            if self._down_since is None:
                if self._answered > entered:
                    return  # it has answered since: what this call met is over
                self._down_since = now
                self._limit = max(1.0, self._limit / 2)
            self._reason = reason
            if entered < self._not_before and after is None:
                return  # it was under way before the pause that is on: no news
            pause = min(self.first_wait * 2**self._pauses, PAUSE_MOST) if after is None else after
            self._pauses += 1
            pause = min(pause, self.wait_most) * self._jitter.uniform(1.0, 1.25)
            self._not_before = max(self._not_before, now + pause)

    def answered_since(self, moment: float) -> bool:
        return self._answered >= moment

    def away_for(self) -> float:
        """Seconds since the server could not be had any more; 0 while it can."""
        since = self._down_since
        return 0.0 if since is None else self._clock() - since

    @property
    def reason(self) -> str:
        """What the server said last while it could not be had."""
        return self._reason

    @property
    def _allowed(self) -> int:
        return 1 if self._down_since is not None else max(1, int(self._limit))

    @property
    def _held(self) -> bool:
        return self._inside < self._allowed


def finished(done: set[Future[Result]]) -> Generator[Result, None, BaseException | None]:
    """The results among what is done; gives back what ended the run, if one of them did."""
    ended: BaseException | None = None
    for future in done:
        if (error := future.exception()) is None:
            yield future.result()
        else:
            ended = error
    return ended
