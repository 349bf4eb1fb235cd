"""How many calls a server gets at once, and when: the one door that every call passes.

The number begins small, unless somebody named it, doubles while the server takes every call (slow start), then grows by
one a round and falls by half the share of calls that were turned away, as DCTCP does with marked packets (RFC 8257,
3.3): it settles where the server's limit is. One call that is turned away while others are answered waits by itself.
Where none is answered any more, the server is loading, overloaded or gone: all wait, and one call at a time looks after
it.
"""

import math
import random
import threading
import time
from collections.abc import Callable

LOOK = 0.2  # seconds between looks at "stop"
PAUSE_MOST = 15.0  # seconds between two calls to a server that is away
MOST = 64  # calls at once that anybody may ask for
FIRST = 8  # calls at once to begin with
LOST = 0.1  # share of a round that may be turned away before the number falls: single ones say nothing of the load
WAVE = 2  # calls turned away one after the other, with no answer between, at least, before everybody waits


class Traffic:
    """The door. `stopped` opens it for everybody to go home; `clock` gives seconds that only grow.

    most: calls at once, which may be changed meanwhile. first_wait: seconds before the second call to a server in
    trouble, doubled with each. wait_most: seconds we wait at a server's word.
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
        self._limit = float(min(most, FIRST))
        self._slow_start = True
        self._round = self._lost = 0  # calls of this round, and those of them that were turned away
        self._in_a_row = 0  # turned away since the last answer
        self._wanted = 0.0  # until when those asked us to wait
        self._inside = 0
        self._not_before = clock()
        self._held_until = self._not_before  # by the server's own count of what is left
        self._down_since: float | None = None
        self._reason = ""
        self._pauses = 0
        self._answered = clock() - 1.0
        self.ever = False  # whether this server has answered anything
        self._closed = False

    def wide(self) -> None:
        """Begin with as many at once as anybody may: somebody who knows the server said how many that are. Nothing of
        it holds once the server turned calls away."""
        with self._door:
            if self._slow_start:
                self._limit = float(self.most)
                self._door.notify_all()

    def enter(self) -> float | None:
        """Wait for one's turn; gives the moment of entering, None when it is over for everybody."""
        with self._door:
            while self._inside >= self.allowed or self._clock() < self._not_before:
                if self._closed or self._stopped():
                    return None
                left = self._not_before - self._clock()
                self._door.wait(min(LOOK, max(0.001, left)) if self._inside < self.allowed else LOOK)
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
            self._door.notify()

    def answered(self) -> None:
        """The server is there: it answered, or refused for a reason of the question's own."""
        with self._door:
            self._answered = self._clock()
            self.ever = True
            self._down_since = None
            self._pauses = self._in_a_row = 0
            self._wanted = 0.0
            if self._limit < self.most and not (self._lost and not self._slow_start):
                grown = self._limit + (1.0 if self._slow_start else 1.0 / self._limit)
                self._limit = min(float(self.most), grown)
            self._count(lost=0)
            self._door.notify()

    def slow(self) -> None:
        """An answer did not come in time: ask for fewer at once."""
        with self._door:
            self._halve()

    def away(self, reason: str, entered: float, after: float | None = None, *, load: bool = False) -> bool:
        """The server turned away a call that went in at `entered`, or could not be had at all; `after`: seconds it
        asked us to wait. load: it is there, and says that it is asked too much. Whether all have to wait: else it is
        this call alone."""
        with self._door:
            now = self._clock()
            self._in_a_row += 1
            self._wanted = max(self._wanted, now + (after or 0.0))
            if self._down_since is None:
                single = (self.ever or load) and self._in_a_row < max(WAVE, math.ceil(self.allowed / 2))
                if single or self._answered > entered:  # answered since: what this call met is over
                    self._count(lost=1)
                    return False
                self._down_since = now
                self._halve()
                after = self._wanted - now if self._wanted > now else after
            self._reason = reason
            if entered < self._not_before and after is None:
                return True  # it was under way before the pause that is on: no news
            pause = min(self.first_wait * 2**self._pauses, PAUSE_MOST) if after is None else after
            self._pauses += 1
            pause = min(pause, self.wait_most) * self._jitter.uniform(1.0, 1.25)
            self._not_before = max(self._not_before, now + pause)
            return True

    def hold(self, seconds: float) -> None:
        """The server says that nothing is left for so long: let nobody in until then."""
        with self._door:
            self._held_until = self._clock() + min(seconds, self.wait_most)
            self._not_before = max(self._not_before, self._held_until)

    def answered_since(self, moment: float) -> bool:
        return self._answered >= moment

    def away_for(self) -> float:
        """Seconds since the server could not be had any more; 0 while it can."""
        since = self._down_since
        return 0.0 if since is None else self._clock() - since

    def opens_in(self) -> float:
        """Seconds until anybody may go in again; 0 while they may."""
        return max(0.0, self._not_before - self._clock())

    @property
    def reason(self) -> str:
        """What the server said last while it could not be had."""
        return self._reason

    @property
    def held(self) -> bool:
        """Whether it is the server's own count of what is left that keeps everybody out."""
        return self._clock() < self._held_until

    @property
    def allowed(self) -> int:
        """Calls at once that are right now."""
        return 1 if self._down_since is not None else max(1, min(self.most, int(self._limit)))

    def _count(self, lost: int) -> None:
        """One more call of this round; at its end the number follows from the share that was turned away."""
        self._round += 1
        self._lost += lost
        if self._round < self._limit:
            return
        share = self._lost / self._round
        if share > LOST:
            self._limit = max(1.0, self._limit * (1.0 - share / 2))
            self._slow_start = False
        self._round = self._lost = 0

    def _halve(self) -> None:
        self._limit = max(1.0, min(self._limit, float(self.most)) / 2)
        self._slow_start = False
        self._round = self._lost = 0
