"""Where a trainer runs: today as a process on this machine, behind an interface that a cluster fits too."""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from app.inference import children
from app.training.protocol import SPEC, plain

POLL = 0.3  # seconds
# A pass of a shape not seen before leaves its kernels behind with what they work on, up to 1,024 of them: most of a
# gigabyte over a run. The few that a pass needs at once are kept; the time is the same (tests/bench/RESULTS.md).
FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
GRACE = 60.0  # seconds for the step that is being taken and its checkpoint, after which the process is ended by force


class Running(Protocol):
    """A trainer that was started."""

    def next(self) -> dict[str, Any] | None:
        """The next event, or None after a short while without one."""
        ...

    @property
    def code(self) -> int | None:
        """The exit code once it has ended and every event was taken, else None."""
        ...

    def cancel(self) -> None:
        """Ask it to stop after this step, with a checkpoint."""
        ...

    def close(self) -> None:
        """Have nothing of it left, whatever it takes."""
        ...


class Launcher(Protocol):
    """Starts trainers."""

    def start(self, run: Path, spec: Mapping[str, Any]) -> Running: ...


class Local:
    """One process on this machine; it dies with us, after a checkpoint.

    data: this installation's data folder. The trainer looks there for the key that its token has to be made with.
    """

    def __init__(self, data: Path) -> None:
        self.data = data

    def start(self, run: Path, spec: Mapping[str, Any]) -> "Process":
        """Write the spec and start `python -m app.training.child RUN_DIR`."""
        run.mkdir(parents=True, exist_ok=True)
        (run / SPEC).unlink(missing_ok=True)
        with os.fdopen(plain(run / SPEC, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
            json.dump(dict(spec), file)
        return Process(
            "app.training.child",
            str(run.resolve()),
            threads=int(spec["threads"]),
            log=run / "trainer.log",
            settings={"TUNEGATE_DATA": str(self.data.resolve())},
        )


class Process:
    """A child process that says JSON lines."""

    def __init__(
        self, module: str, *arguments: str, threads: int, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._over = False
        with os.fdopen(plain(log, os.O_WRONLY | os.O_APPEND), "ab") as errors:
            self.process: subprocess.Popen[str] = children.start(
                module, *arguments, threads=threads, log=errors, settings={**FEW_KERNELS, **(settings or {})}
            )
        self._to, said = children.pipes(self.process)
        self._reader = threading.Thread(target=self._read, args=(said,), name="trainer", daemon=True)
        self._reader.start()

    def _read(self, said: IO[str]) -> None:
        try:
            for line in said:
                if line.startswith('{"event"'):  # a library may write to standard output too
                    self._events.put(json.loads(line))
        except ValueError:  # closed under us, or a line that was cut by a kill
            pass
        self._events.put(None)

    def next(self) -> dict[str, Any] | None:
        try:
            event = self._events.get(timeout=POLL)
        except queue.Empty:
            return None
        self._over = self._over or event is None
        return event

    @property
    def code(self) -> int | None:
        return self.process.poll() if self._over else None

    def send(self, line: str) -> None:
        """One line to its standard input; a process that has ended does not need it any more."""
        try:
            self._to.write(line + "\n")
            self._to.flush()
        except (BrokenPipeError, ValueError):
            return

    def cancel(self) -> None:
        self.send('{"do": "cancel"}')

    def close(self) -> None:
        """Cut the lifeline, which makes it end by itself after the step it is at; then insist."""
        try:
            self._to.close()
            self.process.wait(GRACE)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            pass
        children.stop(self.process, grace=5)
        self._reader.join(5)


def last_words(log: Path) -> str:
    """The last line of a log, for a person who has to find out why a process ended."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
