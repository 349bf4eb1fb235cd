"""Where a trainer runs: today as a process on this machine, behind an interface that a cluster fits too."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from app.processes import children
from app.processes.children import Child
from app.processes.lines import Event
from app.training.protocol import LOG, SPEC, plain

POLL = 0.3  # seconds
# A pass of a shape not seen before leaves its kernels behind with what they work on, up to 1,024 of them: most of a
# gigabyte over a run. The few that a pass needs at once are kept; the time is the same (tests/bench/RESULTS.md).
FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
GRACE = 60.0  # seconds for the step that is being taken and its checkpoint, after which the process is ended by force


class Running(Protocol):
    """A trainer that was started."""

    def next(self) -> Event | None:
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
            children.start(
                "app.training.child",
                str(run.resolve()),
                threads=int(spec["threads"]),
                log=os.fdopen(plain(run / LOG, os.O_RDWR | os.O_APPEND), "ab"),
                settings={"TUNEGATE_DATA": str(self.data.resolve()), **FEW_KERNELS},
            )
        )


class Process:
    """A trainer in a child process of ours."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def next(self) -> Event | None:
        return self.child.next(POLL)

    @property
    def code(self) -> int | None:
        return self.child.code

    def cancel(self) -> None:
        self.child.send(do="cancel")

    def close(self) -> None:
        """Cut the lifeline, which makes it end by itself after the step it is at; then insist."""
        self.child.close(grace=5, patience=GRACE)


def last_words(run: Path) -> str:
    """The last line of a run's log, for a person who has to find out why its trainer ended."""
    try:
        return children.last_line((run / LOG).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
