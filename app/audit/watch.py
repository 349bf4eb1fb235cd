"""What the record may cost: entries about refusals, and looking at the whole chain.

Both are for people who press a button again and again: the record keeps everything for ever, and computing all seals
of a hundred thousand entries takes seconds.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

AGAIN = 600.0  # seconds in which the same refusal of the same person is one entry
MOST = 20  # refusals of one person in that time that are written down, the last with a word about those that follow
PEOPLE = 10_000  # that are kept in mind

QUICK = 0.25  # seconds that a look may take to be had at every page
FRESH = 60.0  # seconds for which a slower one is good


class Denials:
    """Which refusals are worth an entry. One process remembers its own; a few more with several do no harm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[int, deque[tuple[float, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def worth(self, person: int, what: str) -> str | None:
        """None if this is not written down; else what is added to the entry, mostly nothing."""
        now = self._clock()
        with self._lock:
            mine = self._seen.setdefault(person, deque())
            self._seen.move_to_end(person)
            while len(self._seen) > PEOPLE:
                self._seen.popitem(last=False)
            while mine and now - mine[0][0] >= AGAIN:
                mine.popleft()
            if len(mine) >= MOST or any(what == noted for _, noted in mine):
                return None
            mine.append((now, what))
            return "Further refusals of the next minutes are not written down." if len(mine) == MOST else ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the chain found, how many seconds it took, and when it ended by the clock."""

    broken_at: int | None
    took: float
    at: float


class Chain:
    """Looks at the whole chain, one at a time, and no oftener than that is worth."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Look | None = None
        self._lock = threading.Lock()

    def broken_at(self, look: Callable[[], int | None]) -> int | None:
        """The first broken entry or None, as `look` says now or said less than a minute ago."""
        with self._lock:
            last, began = self._last, self._clock()
            if last is not None and last.took > QUICK and began - last.at < FRESH:
                return last.broken_at
            broken_at = look()
            ended = self._clock()
            self._last = Look(broken_at, ended - began, ended)
            return broken_at
