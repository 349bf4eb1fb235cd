"""Start and stop the processes that hold torch: own group, few threads, ended with their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import app

ROOT = Path(app.__file__).parent.parent


# Of our environment a child gets what finding its libraries, its accelerator and its caches needs. Keys and addresses
# of databases stay here: what a library, a model's code or a stranger's file makes a child do, it does without them.
KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHASHSEED", "PYTHONWARNINGS",
        "CUBLAS_WORKSPACE_CONFIG", "XDG_CACHE_HOME", "HF_HOME")  # fmt: skip
KEPT_FAMILIES = ("LC_", "CUDA_", "NVIDIA_", "NCCL_", "TORCH_", "PYTORCH_", "TRITON_", "OMP_", "MKL_", "KMP_", "HIP_",
                 "HSA_", "ROCR_")  # fmt: skip
# For the one child that asks a hub for a model, where the operator allows it.
TO_A_HUB = ("HF_TOKEN", "HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")  # fmt: skip


NICENESS = 10  # of 19


def small_environment(further: Sequence[str] = ()) -> dict[str, str]:
    """The part of our environment that a child may see."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name in further or name.startswith(KEPT_FAMILIES)
    }


def give_way() -> None:
    """Make this process, a child of ours, a quiet neighbour: the web and the worker come first."""
    os.nice(NICENESS)


def threads_for(wanted: int | None) -> int:
    """CPU threads of a child; nothing wanted means every core but one, which is left to the web."""
    cores = len(os.sched_getaffinity(0))
    return min(wanted, cores) if wanted else max(1, cores - 1)


def start(
    module: str,
    *arguments: str,
    threads: int,
    log: IO[bytes],
    settings: Mapping[str, str] | None = None,
    further: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Run `python -m MODULE`, JSON lines in and out, everything else it says into `log`.

    It leads a process group of its own, so that stopping takes whatever it started along. Our end of its standard
    input is its lifeline: when we die, however suddenly, the system closes it and the child ends by itself.
    settings: environment variables beside the few of ours that it gets (`small_environment`).
    further: names of ours that this one gets as well.
    OpenMP sleeps while it waits: two processes that spin for the same core stand still together.
    """
    environment = small_environment(further) | {
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
