"""Two questions on their way to one model that is up: once as the base model alone, once with the adapter.

They go through the same line as those of other programs (`serving.answering`), in one process that holds base and
adapter together, so that neither is loaded twice. Nothing of them is written down.
"""

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from app.baselines.asking import Asked as Prompt
from app.chat import Message
from app.inference import answer_text
from app.inference.followed import Followed, Piece
from app.inference.generator import Answer, Unusable
from app.serving.answering import Call, Event, Failure, ModelServer, Weights
from app.serving.prompting import Prompting
from app.trying.service import Asked
from app.web.refusals import TooMany

PATIENCE = 300.0  # seconds for both answers, the start of the model among them
LOOK = 0.5  # seconds between two looks whether the other side is still there
TOGETHER = 4  # tries of everybody at once: whoever looks by hand waits for what others measure, and not the other way


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from one side. text: empty where there is an error. messages: the whole prompt."""

    text: str
    error: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    messages: tuple[Message, ...]


class Tries:
    """Who tries something at the moment. Safe to use from several threads."""

    def __init__(self) -> None:
        self._people: set[int] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self, person: int) -> Iterator[None]:
        """
        Raises:
            TooMany: this person has one under way, or everybody has as many as there may be.
        """
        with self._lock:
            if person in self._people:
                raise TooMany("You are trying something already. Ask again once its answers are there.", 2)
            if len(self._people) >= TOGETHER:
                raise TooMany(f"{TOGETHER} people are trying something at once. Ask again in a moment.", 5)
            self._people.add(person)
        try:
            yield
        finally:
            with self._lock:
                self._people.discard(person)


def prompts_of(prompting: Prompting, sides: tuple[Asked, Asked], turn: Message) -> list[Prompt]:
    """What each side is asked, as it was measured. Slow: not for an event loop.

    Raises: Unusable: examples or passages can't be had.
    """
    return [prompting.ask(side.arm_id, (turn,)) for side in sides]


async def both(
    server: ModelServer,
    person: int,
    weights: Weights,
    asked: list[tuple[Asked, Prompt]],
    gone: Callable[[], Awaitable[bool]],
) -> list[Reply] | None:
    """Both answers, in order; None when nobody waits for them any more.

    Raises:
        TooMany: the line is full.
        Unusable: the model can't be used, or takes too long.
    """
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Answer | Failure]] = [loop.create_future() for _ in asked]
    calls: list[Call] = []
    try:
        for (side, prompt), future in zip(asked, waiting, strict=True):
            server.enter(person)
            request = prompt.request(secrets.token_hex(12), side.most_tokens)
            followed = Followed(request, bare=side.side == "base")
            calls.append(Call(person, weights, followed, _deliverer(loop, future), _unnoted))
            server.put(calls[-1])
        if not await _until(waiting, gone):
            return None
    finally:
        for call in calls:
            server.drop(call)  # harmless once it is answered
    events = [future.result() for future in waiting]
    if failed := next((event for event in events if isinstance(event, Failure)), None):
        raise Unusable(failed.why)
    return [
        _reply(event, side, prompt)
        for event, (side, prompt) in zip(events, asked, strict=True)
        if isinstance(event, Answer)
    ]


async def _until(waiting: list[asyncio.Future[Answer | Failure]], gone: Callable[[], Awaitable[bool]]) -> bool:
    """Wait for all; False when the other side has gone.

    Raises: Unusable: it takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        _, pending = await asyncio.wait(waiting, timeout=LOOK)
        if not pending:
            return True
        if await gone():
            return False
        if time.monotonic() > deadline:
            raise Unusable(f"No answer came within {PATIENCE / 60:.0f} minutes. Others may be ahead; try again later.")


def _deliverer(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Answer | Failure]") -> Callable[[Event], None]:
    def settle(event: Answer | Failure) -> None:
        if not future.done():
            future.set_result(event)

    def deliver(event: Event) -> None:
        if not isinstance(event, Piece):
            with contextlib.suppress(RuntimeError):  # the loop has ended with the server
                loop.call_soon_threadsafe(settle, event)

    return deliver


def _unnoted(_event: Answer | Failure, _waited: bool) -> None:
    """Nothing that is tried goes on record, neither what nor by whom."""


def _reply(answer: Answer, side: Asked, prompt: Prompt) -> Reply:
    """An answer as a measurement would score it: without its thinking and the numbers of passages that it cites."""
    settled = answer_text.settled(answer, side.most_tokens, unseen=False)
    kept, _ = prompt.kept(settled, "")
    return Reply(
        text="" if kept.error else kept.text,
        error=kept.error or "",
        finish=kept.finish or "stop",
        prompt_tokens=kept.prompt_tokens,
        completion_tokens=kept.completion_tokens,
        seconds=kept.seconds,
        messages=tuple(prompt.messages),
    )
