"""One reader for what a child writes: chunks, lines and events, each with a deadline.

Nothing is read ahead. What nobody has asked for stays in the pipe, and a child that says more than a pipe holds waits,
so that a large answer never lies in our memory twice.
"""

import json
import os
import selectors
import time
from typing import IO, Any

Event = dict[str, Any]
"""A JSON object with the key "event", which says what kind it is."""

CHUNK = 1 << 18  # bytes that are read at once, at most
TAIL = 4000  # bytes kept of what a child writes to its standard error


class Lines:
    """The standard output of a child and, where that is a pipe too, its standard error, of which the end is kept.

    Deadlines are times of `time.monotonic`; None waits for ever. `over`: the child has closed both.
    """

    def __init__(self, out: IO[bytes], errors: IO[bytes] | None = None) -> None:
        self.tail = b""
        self._errors = errors
        self._line = bytearray()  # what has come of the next line
        self._searched = 0
        self._pipes = selectors.DefaultSelector()
        for pipe in filter(None, (out, errors)):
            self._pipes.register(pipe, selectors.EVENT_READ)

    @property
    def over(self) -> bool:
        pipes = self._pipes.get_map()
        return not pipes

    def chunk(self, deadline: float | None = None) -> bytes:
        """The bytes that came next; empty when none came in time, or none will come any more."""
        while not self.over:
            ready = self._pipes.select(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            if received := b"".join(self._read(key) for key, _ in ready):
                return received
        return b""

    def line(self, deadline: float | None = None) -> bytes | None:
        """The next whole line, without its end. One that a kill has cut off is none."""
        while (end := self._line.find(b"\n", self._searched)) < 0:
            self._searched = len(self._line)
            chunk = self.chunk(deadline)
            if not chunk:
                return None
            self._line += chunk
        line = bytes(self._line[:end])
        del self._line[: end + 1]
        self._searched = 0
        return line

    def event(self, deadline: float | None = None) -> Event | None:
        """The next event. A line that is none is passed over: a library may write to standard output too."""
        while (line := self.line(deadline)) is not None:
            if (event := _event(line)) is not None:
                return event
        return None

    def close(self) -> None:
        """Hear nothing more; the pipes themselves stay open."""
        for key in list((self._pipes.get_map() or {}).values()):
            self._pipes.unregister(key.fileobj)
        self._pipes.close()

    def _read(self, key: selectors.SelectorKey) -> bytes:
        """What has come on this pipe for the reader: nothing from standard error, and nothing from one that ended."""
        part = os.read(key.fd, CHUNK)
        if not part:
            self._pipes.unregister(key.fileobj)
        elif key.fileobj is self._errors:
            self.tail = (self.tail + part)[-TAIL:]
            return b""
        return part


def _event(line: bytes) -> Event | None:
    if not line.startswith(b"{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None
