"""A generator that says what a function tells it to: for tests, where no model should be needed."""

import time
from collections.abc import Callable, Iterator, Sequence

from app.inference.generator import Answer, Request

Script = Callable[[Request], str | Exception]


class Scripted:
    """Answers in order; a script that returns an exception makes an error of that row, one that raises stops the run.

    `asked` keeps every request, so that a test can count what was asked twice. `delay` is seconds for each answer.
    """

    def __init__(self, script: Script, delay: float = 0.0) -> None:
        self.script = script
        self.delay = delay
        self.asked: list[Request] = []
        self.closed = False

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        for request in requests:
            if stop():
                return
            self.asked.append(request)
            if self.delay:
                time.sleep(self.delay)
            reply = self.script(request)
            failed = isinstance(reply, Exception)
            prompt = sum(len(message.content.split()) for message in request.messages)
            yield Answer(
                id=request.id,
                text="" if failed else str(reply),
                finish="stop",
                prompt_tokens=prompt,
                completion_tokens=0 if failed else len(str(reply).split()),
                seconds=self.delay,
                error=str(reply) if failed else None,
            )

    def close(self) -> None:
        self.closed = True
