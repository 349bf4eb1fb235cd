"""What a model is to us: it takes requests and gives answers back, in whatever order they are done.

A baseline, a preflight and the judging of an adapter all talk to this interface, so a model behind an
address, a model in a child process and a scripted one in a test are told apart only where they are made
(`service.generator`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question; `id` comes back with the answer and means something to the caller only."""

    id: str
    messages: tuple[Message, ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request.

    With `error` there is no answer: `text` is empty and nobody may score it as a wrong one. Without it the
    text is what the model said, even if that is nothing. Token counts are the model's own, 0 where it did
    not say.
    """

    id: str
    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None = None


class Generator(Protocol):
    """A model that is ready to answer. `close` gives back what it holds (a process, a connection)."""

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        """Yield each answer as it is done, in any order, exactly one for each request.

        Once `stop()` is true no further request is begun and the iterator ends soon, with fewer answers. A
        fault of one request is an answer with `error`; what makes every further request pointless (a wrong
        key, a model that is not there) is raised as `Unusable`.
        """
        ...

    def close(self) -> None:
        """Let go of everything; a second call does nothing."""
        ...


class Unusable(Exception):
    """No request can succeed any more: one sentence with the cause and what to do next."""
