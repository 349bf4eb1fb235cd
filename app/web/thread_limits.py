"""Work that keeps a thread waiting: so much of it at once, and whoever comes then is told to come again.

All pages of a process share some forty threads. What waits for another server, for a processor or for a slow line must
not have all of them, or nobody sees a page any more.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.web.refusals import TooMany


class Turns:
    """Places for one kind of work: `each` for one person, `together` for everybody.

    full, mine: what is said when all places are taken, or all of this person's; `seconds` until it is worth trying.
    """

    def __init__(self, *, each: int, together: int, mine: str, full: str, seconds: int) -> None:
        self.each, self.together = each, together
        self._words = mine, full
        self._seconds = seconds
        self._taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def total(self) -> int:
        """How many are taken."""
        return self._taken.total()

    @contextmanager
    def take(self, person: int) -> Iterator[None]:
        """Have a place until the end of the block.

        Raises:
            TooMany: there is none.
        """
        mine, full = self._words
        with self._lock:
            if self._taken[person] >= self.each:
                raise TooMany(mine, self._seconds)
            if self._taken.total() >= self.together:
                raise TooMany(full, self._seconds)
            self._taken[person] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[person] -= 1
                if not self._taken[person]:
                    del self._taken[person]


def streams(each: int) -> Turns:
    """Live pages; a browser itself stops at six for one site."""
    sentence = "Too many live pages are open. Close some of them."
    return Turns(each=each, together=500, mine=sentence, full=sentence, seconds=10)


def uploads() -> Turns:
    """Each has a thread of its own for as long as the line takes."""
    return Turns(
        each=4,
        together=64,
        mine="4 uploads of yours are under way. Wait until one of them ends.",
        full="64 uploads are under way, which is all this server takes at once. Try again soon.",
        seconds=30,
    )


def model_tests() -> Turns:
    """Each waits for another server, for up to twenty seconds."""
    return Turns(
        each=1,
        together=4,
        mine="You are testing a model already. Wait for its answer.",
        full="Other people are testing models right now. Try again in a moment.",
        seconds=10,
    )
