"""A local embedding model that stays up for a while between two questions that people type.

Starting one takes seconds, a question to one that is up some ten milliseconds. At most one process is kept, and it is
let go of when nobody has asked for a while.
"""

import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import Conflict
from app.inference.embedding import Embedder

IDLE = 120.0  # seconds after the last question
PATIENCE = 30.0  # seconds that a question waits for the one before it


class Warm:
    """Keeps the last model asked for, for one question at a time."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._kept: tuple[str, Embedder] | None = None
        self._timer: threading.Timer | None = None

    @contextmanager
    def embedder(self, key: str, make: Callable[[], Embedder]) -> Iterator[Embedder]:
        """The model under this key, made if it is not up. What it raises ends it, so that the next one is a new one.

        Raises:
            Conflict: others have been asking for too long.
        """
        if not self._lock.acquire(timeout=PATIENCE):
            raise Conflict("Somebody else's search is still running. Try again in a moment.")
        try:
            if self._timer is not None:
                self._timer.cancel()
            if self._kept is None or self._kept[0] != key:
                self._let_go()
                self._kept = key, make()
            try:
                yield self._kept[1]
            except BaseException:
                self._let_go()
                raise
            self._timer = threading.Timer(self._idle, self.close)
            self._timer.daemon = True
            self._timer.start()
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[1].close()


WARM = Warm()
atexit.register(WARM.close)
