"""Where a trainer runs: one process on this machine, several of them under torchrun, or several on a Ray cluster.

The approved recipe says which (`AsApproved`), and the installation which of them it offers (`TUNEGATE_LAUNCHER`). It is
the same trainer each time, with the same checks, checkpoints and events; several processes share each step (`ranks`).
"""

import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Protocol

from app.processes import children
from app.processes.children import Child
from app.processes.lines import Event
from app.settings import Settings
from app.training import spec as specs
from app.training.protocol import LOG, SPEC, Start, of_rank, plain
from app.training.recipe import Recipe
from app.wording import plural

POLL = 0.3  # seconds
# A pass of a shape not seen before leaves its kernels behind with what they work on, up to 1,024 of them: most of a
# gigabyte over a run. The few that a pass needs at once are kept; the time is the same (tests/bench/RESULTS.md).
FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
GRACE = 60.0  # seconds for the step that is being taken and its checkpoint, after which the process is ended by force
LOST = re.compile(r"^\s*rank\s*:\s*(\d+).*\n(?:.*\n)?\s*exitcode\s*:\s*(-?\d+)", re.MULTILINE)  # torchrun's report


class Running(Protocol):
    """A trainer that was started."""

    def next(self) -> Event | None:
        """The next event, or None after a short while without one."""
        ...

    @property
    def code(self) -> int | None:
        """The exit code once it has ended and every event was taken, else None."""
        ...

    @property
    def how(self) -> str:
        """Why it ended without a word of its own, as a sentence."""
        ...

    def cancel(self) -> None:
        """Ask it to stop after this step, with a checkpoint."""
        ...

    def close(self) -> None:
        """Have nothing of it left, whatever it takes."""
        ...


class Launcher(Protocol):
    """Starts trainers."""

    def start(self, run: Path, spec: Start) -> Running: ...


class NotOffered(Exception):
    """The launcher of an approved recipe cannot be used here and now; the text says why."""


class AsApproved:
    """Starts each trainer as its approved recipe says."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def start(self, run: Path, spec: Start) -> Running:
        """Raises: NotOffered: this installation does not offer that launcher, or it is not to be reached."""
        recipe = specs.from_subject(json.loads(spec.subject)).recipe
        if recipe.launcher not in self.settings.launcher:
            raise NotOffered(not_offered(recipe.launcher))
        if recipe.launcher == "local":
            return Local(self.settings.data).start(run, spec)
        if recipe.launcher == "torchrun":
            return TorchRun(self.settings.data, recipe.processes).start(run, spec)
        from app.training.ray_launcher import OnRay

        return OnRay(self.settings, recipe.processes).start(run, spec)


def not_offered(launcher: str) -> str:
    """What whoever wants a launcher is told that this installation does not offer."""
    return f"This installation does not offer {launcher}. The operator can: TUNEGATE_LAUNCHER=local,{launcher}."


def missing(settings: Settings, launcher: str) -> str:
    """Why a launcher that this installation offers cannot be used; empty where it can."""
    if launcher == "ray":
        from app.training import ray_launcher

        return next(ray_launcher.against(settings), "")
    return "" if importlib.util.find_spec("torch") else "torch is not installed on this machine"


def against(settings: Settings, recipe: Recipe, devices: int) -> Iterator[str]:
    """Why a run of this recipe could not be started. devices: accelerators of this machine, 0 for its CPUs."""
    if recipe.launcher not in settings.launcher:
        yield not_offered(recipe.launcher)
    elif why := missing(settings, recipe.launcher):
        yield why
    places = devices or len(os.sched_getaffinity(0))
    if recipe.launcher == "torchrun" and recipe.processes > places:
        has = plural(devices, "device") if devices else plural(places, "CPU core")
        yield f"torchrun would start {recipe.processes} processes, and this machine has {has}. Choose fewer."


class Local:
    """One process on this machine; it dies with us, after a checkpoint.

    data: this installation's data folder. The trainer looks there for the key that its token has to be made with.
    """

    def __init__(self, data: Path) -> None:
        self.data = data

    def start(self, run: Path, spec: Start) -> "Process":
        """Write the spec and start `python -m app.training.child RUN_DIR`."""
        order(run, spec, 1)
        return Process(
            children.start(
                "app.training.child",
                str(run.resolve()),
                threads=spec.threads,
                log=trainer_log(run),
                settings=settings_of(self.data),
            )
        )


class TorchRun:
    """Several processes on this machine, one a device, under torchrun; they die with us, after a checkpoint.

    torchrun starts them, and ends all of them when one is lost. It never starts them again: a token is good for one
    start, so whoever supervises the run does, from its last checkpoint. They meet at files and talk over the loopback
    interface: nothing of it is open to a network.
    """

    def __init__(self, data: Path, processes: int) -> None:
        self.data, self.processes = data, processes

    def start(self, run: Path, spec: Start) -> "Group":
        """Write a spec for each rank and start them. `threads` of the spec are shared out among them."""
        meeting = Path(tempfile.mkdtemp(prefix="ranks-"))
        threads = max(1, spec.threads // self.processes)
        order(run, replace(spec, threads=threads, meeting=str(meeting / "trainers")), self.processes)
        said_before = len(_log(run))  # by earlier starts
        loopback = {"GLOO_SOCKET_IFNAME": _loopback(), "NCCL_SOCKET_IFNAME": _loopback()}
        child = children.start(
            "torch.distributed.run",
            *("--nnodes=1", f"--nproc-per-node={self.processes}", "--max-restarts=0", "--local-addr=127.0.0.1"),
            *("--rdzv-backend=c10d", f"--rdzv-endpoint={meeting / 'agent'}", "--rdzv-conf=store_type=file"),
            *(f"--rdzv-id={secrets.token_hex(4)}", "-m", "app.training.child", str(run.resolve())),
            threads=threads,
            log=trainer_log(run),
            settings={**settings_of(self.data), **loopback},
        )
        return Group(child, run, meeting, said_before)


def order(run: Path, spec: Start, processes: int) -> None:
    """Write what each process of a start is given; each removes its own as it reads it."""
    run.mkdir(parents=True, exist_ok=True)
    for rank in range(processes):
        (run / of_rank(SPEC, rank)).unlink(missing_ok=True)
        with os.fdopen(plain(run / of_rank(SPEC, rank), os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
            json.dump(asdict(spec), file)


def forget_orders(run: Path) -> None:
    """Remove what processes that ended early have not read."""
    for path in run.glob(f"{SPEC}*"):
        path.unlink(missing_ok=True)


def trainer_log(run: Path) -> IO[bytes]:
    return os.fdopen(plain(run / LOG, os.O_RDWR | os.O_APPEND), "ab")


def settings_of(data: Path) -> dict[str, str]:
    """The settings that a trainer has besides its spec."""
    return {"TUNEGATE_DATA": str(data.resolve()), **FEW_KERNELS}


class Process:
    """A trainer in a child process of ours."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def next(self) -> Event | None:
        return self.child.next(POLL)

    @property
    def code(self) -> int | None:
        return self.child.code

    @property
    def how(self) -> str:
        return f"The trainer {children.reason(self.child.code or 0)}."

    def cancel(self) -> None:
        self.child.send(do="cancel")

    def close(self) -> None:
        """Cut the lifeline, which makes it end by itself after the step it is at; then insist."""
        self.child.close(grace=5, patience=GRACE)


class Ending:
    """Of several processes the one that first said why it ends: the others were ended for that. The exit code of what
    started them only says whether all went well."""

    def __init__(self) -> None:
        self.first: Event | None = None

    def heard(self, event: Event | None) -> Event | None:
        """The event, unless it is another process's word on the end."""
        if event is None or event["event"] != "ended":
            return event
        if self.first is not None:
            return None
        self.first = event
        return event

    def code(self, code: int | None) -> int | None:
        return int(self.first["code"]) if self.first is not None and code else code


class Group(Process):
    """A trainer in several processes under torchrun. All of them have our end of one pipe as their lifeline, and the
    kernel kills them with torchrun (`ranks.end_with_agent`)."""

    def __init__(self, child: Child, run: Path, meeting: Path, said_before: int) -> None:
        super().__init__(child)
        self._run, self._meeting, self._ending = run, meeting, Ending()
        self._said_before = said_before

    def next(self) -> Event | None:
        return self._ending.heard(super().next())

    @property
    def code(self) -> int | None:
        return self._ending.code(super().code)

    @property
    def how(self) -> str:
        """Which rank was lost, as torchrun reports it."""
        if lost := LOST.findall(_log(self._run)[self._said_before :]):
            # What a signal killed is why the others ended; SIGTERM is what torchrun sends these.
            killed = [each for each in lost if int(each[1]) < 0 and int(each[1]) != -signal.SIGTERM]
            rank, code = (killed or lost)[-1]
            return f"Process {int(rank) + 1} of the trainer {children.reason(int(code))}; the others were ended."
        return super().how

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._meeting, ignore_errors=True)


def _loopback() -> str:
    """What this system calls the interface that leads nowhere else."""
    return next((name for _, name in socket.if_nameindex() if name in {"lo", "lo0"}), "lo")


def _log(run: Path) -> str:
    try:
        return (run / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def last_words(run: Path) -> str:
    """The last line of a run's log that has words, for a person who has to find out why its trainer ended."""
    lines = [line for line in _log(run).splitlines() if line.strip(" =-*")]
    return children.last_line("\n".join(lines))
