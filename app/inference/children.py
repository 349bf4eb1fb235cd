"""Start and stop the processes that hold torch: own group, few threads, ended with their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import app

ROOT = Path(app.__file__).parent.parent


def threads_for(wanted: int | None) -> int:
    """CPU threads of a child; nothing wanted means every core but one, which is left to the web."""
    cores = len(os.sched_getaffinity(0))
    return min(wanted, cores) if wanted else max(1, cores - 1)


def start(
    module: str, *arguments: str, threads: int, log: IO[bytes], settings: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Run `python -m MODULE`, JSON lines in and out, everything else it says into `log`.

    It leads a process group of its own, so that stopping takes whatever it started along. Our end of its standard
    input is its lifeline: when we die, however suddenly, the system closes it and the child ends by itself.
    settings: environment variables that differ from ours.
    OpenMP sleeps while it waits: two processes that spin for the same core stand still together.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **(settings or {}),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    return subprocess.Popen(  # noqa: S603  our own module, arguments as a list, no shell
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env=environment,
    )


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """The child's standard input and output, as we write and read them."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("This process was started without pipes.")
    return process.stdin, process.stdout


def stop(process: subprocess.Popen[str], grace: float) -> None:
    """Ask a child and its group to end, insist after `grace` seconds, and wait until it is gone."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            try:
                pipe.close()
            except BrokenPipeError:  # what we had not sent yet is for nobody
                continue


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def reason(code: int) -> str:
    """Why a process ended, in words, from its exit code."""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "was killed, most likely because the machine ran out of memory"
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"ended with code {code}"
