"""In the process that holds a model: an answer that somebody follows while it is written.

It is passed on in pieces, ends where one of the asker's texts begins, and is given up once nobody waits for it.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.inference.local_protocol import AskedRow
from app.processes import parent

UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what the first bytes of a letter decode to while the others have not come


class Decoder(Protocol):
    """What is used of a tokenizer."""

    def decode(self, token_ids: Sequence[int], **options: object) -> str: ...


class Dropped:
    """Ids of answers that nobody waits for any more. One thread adds them, and another asks."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        with self._lock:
            self._ids.add(name)

    def __contains__(self, name: str) -> bool:
        with self._lock:
            return name in self._ids

    def forget(self) -> None:
        with self._lock:
            self._ids.clear()


@dataclass(slots=True)
class Ended:
    """That an answer ends here: with a text, or (None) with none, because it was dropped."""

    text: str | None


@dataclass(slots=True)
class Follower:
    """Follows one answer. stops: texts before which it ends. pieces: whether it is passed on as it is written.

    opened: thinking that the prompt leaves open, with which the text begins.
    """

    id: str
    dropped: Dropped
    stops: tuple[str, ...] = ()
    pieces: bool = False
    opened: str = ""
    _sent: int = field(default=0, init=False)

    def took(self, decoder: Decoder, generated: Sequence[int]) -> Ended | None:
        """Look at the answer after another token; how it ends, if it does."""
        if self.id in self.dropped:
            return Ended(None)
        if not self.stops and not self.pieces:
            return None
        text = decoder.decode(generated, skip_special_tokens=True)
        if (end := _first(text, self.stops)) is not None:
            return Ended(self.opened + text[:end])
        if self.pieces:
            self._pass_on(self.opened + text)
        return None

    def _pass_on(self, text: str) -> None:
        """Send what is sure to stay: no half of a letter, and nothing that a stop may begin with."""
        sure = text.rstrip(UNFINISHED)
        sure = sure[: len(sure) - max((_beginning(sure, stop) for stop in self.stops), default=0)]
        if len(sure) > self._sent:
            parent.say("piece", id=self.id, text=sure[self._sent :])
            self._sent = len(sure)


def followers(requests: Iterable[AskedRow], dropped: Dropped) -> dict[str, Follower]:
    """A follower for each request that asks for one, by its id."""
    return {
        request["id"]: Follower(
            request["id"], dropped, tuple(stop for stop in request["stops"] if stop), request["pieces"]
        )
        for request in requests
        if "stops" in request
    }


def _first(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of these texts begins."""
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)


def _beginning(text: str, stop: str) -> int:
    """How many letters at the end of a text are the beginning of this one."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
