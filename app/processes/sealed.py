"""A sealed child as its parent sees it: started with nothing, asked one thing at a time, ended when it overdoes it.

It gets an empty environment, an empty folder that is thrown away, the standard library and nothing else (`-I -S`). What
it runs seals itself (`seal`) before it looks at anything that a stranger wrote. Every question has a deadline and every
answer a size; a child that breaks either is killed, and the next question starts another one.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from app.processes.children import ROOT, reason

LONGEST_ANSWER = 1 << 16  # bytes of one answer
STARTING = 20.0  # seconds until a child has to have sealed itself, on a busy machine too
QUESTIONS = 500  # that one child answers; then a fresh one goes on, so that limits are for these


class Broken(Exception):
    """A child gave no answer that can be used; the text is a sentence part that goes on after "it"."""


class Unavailable(Exception):
    """No child can be sealed on this machine; the text is a sentence for people."""


class Sealed:
    """A child that answers JSON objects with JSON objects, each with the number of its question, so that no answer can
    be taken for that of another one. Not for several threads at once.

    program: the file that is run, with the root of the product and `arguments` after it. opening: the first thing a
    fresh child writes, `{"ready": true, ...}` once it is sealed; `damaged` where what it was given cannot be used.
    """

    def __init__(self, program: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-I", "-S", str(program), str(ROOT), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._asked = 0
        self.opening: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the child that runs now."""
        return self._process.pid if self._process else None

    @property
    def due(self) -> bool:
        """Whether the next question goes to a fresh child."""
        return self._process is None or self._asked >= QUESTIONS

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer to one question.

        Raises:
            Broken: it took longer, wrote too much, or ended; it is gone then.
            Unavailable: it cannot be sealed here.
        """
        if self.due:
            self.close()
            self._start()
        self._asked += 1
        try:
            answer = self._exchange(json.dumps({**question, "number": self._asked}).encode() + b"\n", seconds)
        except Broken:
            self.close()
            raise
        if answer.get("number") != self._asked:
            self.close()
            raise Broken("wrote something that is no answer")
        return answer

    def _start(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="sealed-")
        self._process = subprocess.Popen(  # noqa: S603  our own program, arguments as a list, no shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=self._folder,
            start_new_session=True,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            os.set_blocking(pipe.fileno(), False)  # type: ignore[union-attr]  # both are pipes
        try:
            self.opening = self._exchange(b"", STARTING)
        except Broken as broken:
            self.close()
            raise Unavailable(f"The process that would run this {broken}.") from broken
        if why := self.opening.get("damaged"):
            self.close()
            raise Broken(f"cannot be read: {why}")
        if not self.opening.get("ready"):
            self.close()
            raise Unavailable(f"This machine cannot confine it: {self.opening.get('why', 'nothing more is known')}.")
        self._asked = 0

    def _exchange(self, question: bytes, seconds: float) -> dict[str, Any]:
        """Write a line and read a line, whichever can be done, until the deadline."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise Broken("has ended")
        deadline, left, answer = time.monotonic() + seconds, memoryview(question), bytearray()
        with selectors.DefaultSelector() as pipes:
            pipes.register(process.stdout, selectors.EVENT_READ)
            if left:
                pipes.register(process.stdin, selectors.EVENT_WRITE)
            while not answer.endswith(b"\n"):
                ready = pipes.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise Broken(f"took longer than {seconds:g} s")
                for key, _ in ready:
                    if key.fileobj is process.stdout:
                        answer += self._read(process)
                        continue
                    with contextlib.suppress(BlockingIOError):
                        left = left[self._write(process, left) :]
                    if not left:
                        pipes.unregister(process.stdin)
                if len(answer) > LONGEST_ANSWER:
                    raise Broken(f"wrote more than {LONGEST_ANSWER:,} bytes")
        return _object(bytes(answer))

    @staticmethod
    def _write(process: subprocess.Popen[bytes], part: memoryview) -> int:
        try:
            return os.write(process.stdin.fileno(), part)  # type: ignore[union-attr]  # a pipe, see `_exchange`
        except BrokenPipeError as gone:
            raise Broken(_end_of(process)) from gone

    @staticmethod
    def _read(process: subprocess.Popen[bytes]) -> bytes:
        part = os.read(process.stdout.fileno(), LONGEST_ANSWER)  # type: ignore[union-attr]  # a pipe
        if not part:
            raise Broken(_end_of(process))
        return part

    def close(self) -> None:
        """Have nothing of it left. Again is harmless."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
            process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        return reason(process.wait(1.0))
    except subprocess.TimeoutExpired:
        return "closed its end"


def _object(answer: bytes) -> dict[str, Any]:
    lines = answer.splitlines()
    try:
        value = json.loads(lines[0])
    except (ValueError, RecursionError) as error:
        raise Broken("wrote something that is no answer") from error
    if len(lines) != 1 or not isinstance(value, dict):
        raise Broken("wrote something that is no answer")
    return value
