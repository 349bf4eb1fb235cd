"""Real processes: started with a test's settings, looked at, waited for."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.settings import Settings
from tests.support import zygote
from tests.support.depth import DEEP
from tests.support.places import ROOT


def runs(pid: int) -> bool:
    """Whether a process is there and not a zombie that its new parent has yet to reap."""
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    """The letter by which the kernel names what a process does, R, S, D, T (stopped), Z; empty when it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children() -> set[int]:
    """The processes that this one has started and not yet buried."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for path in lists for pid in path.read_text(encoding="utf-8").split()}


def cheap(folder: Path, **more: object) -> Settings:
    """Settings for a test: passwords that cost nothing, workers that look often."""
    usual: dict[str, object] = {
        "data": folder,
        "assets": Path(os.environ.get("TUNEGATE_ASSETS", ROOT / "assets")),
        "hash_time": 1,
        "hash_memory": 8,
        "worker_poll": 0.05,
        "worker_beat": 0.2,
        "worker_lost_after": 1.5,
        "threads": 1,
        "release_questions": 6,
        "port": 1,
    }
    return Settings.model_validate(usual | more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Settings) -> dict[str, str]:
    """The same settings for a process of its own."""
    variables = {
        f"TUNEGATE_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in settings.model_dump().items()
    }
    return {**os.environ, **variables, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


Started = subprocess.Popen[bytes] | zygote.Forked


def begin(settings: Settings, module: str, *arguments: str) -> Started:
    """Start `python -m MODULE` with these settings: forked by the zygote, except in the deep suite."""
    if not DEEP:
        return zygote.Forked(module, *arguments, env=environment(settings) | zygote.variables())
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, env=environment(settings), cwd=ROOT, start_new_session=True)


class Process:
    """A process of the app: `python -m app ...`. A worker is begun as above, everything else with a pipe to read."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self.popen: Started
        if arguments[0] == "worker":
            self.popen = begin(settings, "app.__main__", *arguments)
            return
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            env=environment(settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self) -> int:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        status = self.popen.wait()
        if self.popen.stdout:
            self.popen.stdout.close()
        return status

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process does; never longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.05)
