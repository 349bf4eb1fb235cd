"""One fault in the middle of a training of the tiny model, then another start: how the run ends, and from which step.

The trainer is the product's own child process. A run that nothing disturbed is what each is compared with, by the hash
of the adapter's weights.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.training.protocol import Exit
from tests.support.places import ROOT
from tests.support.trainer import QUICK, Run

Fault = Literal["step", "save", "clock", "disk", "bit"]
DAY = 86_400
# Fifty-four steps and nine looks at dev, each with a checkpoint: something to hit.
RECIPE = replace(QUICK, epochs=9, evals_per_epoch=1)
STEPS = 54
SPAN = 0.03  # seconds after a save began within which the kill comes
YESTERDAY = (
    "import runpy, sys, time; now = time.time; time.time = lambda: now() - {day}; sys.argv[0] = 'child'; "
    "runpy.run_module('app.training.child', run_name='__main__')"
)
LEFT = 16 * 1024  # bytes that a full disk still has


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run went on. half: whether the fault left something half written. resumed: step from which the second start
    went on, None where it did not start by itself. why: what it said instead. same: whether the weights at the end are
    those of the undisturbed run, None where there are none."""

    fault: Fault
    half: bool
    resumed: int | None
    same: bool | None
    why: str = ""


def endure(run: Run, fault: Fault, chance: random.Random, undisturbed: str, disk: Path | None = None) -> Ending:
    """Start, have the fault happen, start again. disk: the mount that the run's folder lies on, for a full one."""
    half = _disturbed(run, fault, chance, disk)
    events = _yesterday(run) if fault == "clock" else _again(run)
    started = next((event for event in events if event["event"] == "started"), None)
    done = any(event["event"] == "done" for event in events)
    ended = next((event["text"] for event in events if event["event"] == "ended"), "")
    step = int(started["step"]) if started else STEPS if done else None
    return Ending(fault, half, step if done else None, run.adapter == undisturbed if done else None, ended)


def _disturbed(run: Run, fault: Fault, chance: random.Random, disk: Path | None) -> bool:
    """The first start and what happens to it; whether something was half written when it ended."""
    run.order(1)
    child = run.start()
    if fault == "save":
        saves = chance.randrange(1, 9)
        while len(child.events("checkpoint")) < saves and child.hear(256):
            continue
        _until_saving(run.folder / "staging")
        time.sleep(chance.uniform(0, SPAN))
    else:
        child.lines(chance.randrange(12, STEPS))
        time.sleep(chance.uniform(0, 0.02))
    if fault == "disk":
        assert disk is not None
        with filled(disk):
            code = child.wait()
        assert code in (Exit.DISK, Exit.DONE), child.output
        return _half(run)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    half = _half(run)
    if fault == "bit":
        flip(newest(run.folder / "checkpoints"), chance)
    if fault == "clock":
        later(run.folder)
    return half


def _half(run: Run) -> bool:
    staging = run.folder / "staging"
    return staging.is_dir() and any(staging.iterdir())


def _until_saving(staging: Path) -> None:
    """Wait for a save to begin, a second at most: the run may be over."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if staging.is_dir() and any(staging.iterdir()):
            return
        time.sleep(0.0005)


def _again(run: Run) -> list[dict[str, Any]]:
    return _said(run.train(2).output)


def _yesterday(run: Run) -> list[dict[str, Any]]:
    """A second start for which it is a day earlier."""
    run.life = -DAY + 3600  # the token is of that clock, too
    run.order(2)
    command = [sys.executable, "-c", YESTERDAY.format(day=DAY), str(run.folder)]
    env = os.environ | {"TUNEGATE_DATA": str(run.data), "PYTHONPATH": str(ROOT)}
    # Its standard input stays open: the end of it is the worker's.
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return _said(process.stdout.read())


def _said(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]


# ---------------------------------------------------------------- the faults


def newest(checkpoints: Path) -> Path:
    """The newest checkpoint by its number, whole or not."""
    return max(checkpoints.iterdir(), key=lambda folder: int("".join(filter(str.isdigit, folder.name)) or 0))


def flip(folder: Path, chance: random.Random) -> Path:
    """Turn one bit of one file round; the larger a file, the likelier it is hit."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    [file] = chance.choices(files, [path.stat().st_size for path in files])
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    return file


def later(folder: Path) -> None:
    """Files of a time to come, as they are after a clock was set back by a day."""
    ahead = time.time() + DAY
    for path in folder.rglob("*"):
        os.utime(path, (ahead, ahead))


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """A full disk; there is room again afterwards."""
    filler = disk / "filler"
    try:
        with filler.open("ab") as file:
            while (free := _free(disk) - LEFT) > 0:
                with suppress(OSError):  # somebody else took of it in between
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
        yield
    finally:
        filler.unlink()


def _free(disk: Path) -> int:
    free = os.statvfs(disk)
    return free.f_bavail * free.f_frsize


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A file system of its own in memory; None where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
