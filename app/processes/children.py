"""Child processes as their parent sees them: started, fed, heard, ended, and how they ended.

There is one protocol. A child says events (`lines.Event`) on its standard output, one JSON object a line; it is told
JSON objects, one a line, on its standard input. What else it says, on standard error, goes into a log. It leads a
process group of its own, so that ending it takes whatever it started along. Our end of its standard input is its
lifeline: when we die, however suddenly, the system closes it, and the child ends by itself (`parent.end_with_parent`).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Self

import app
from app.processes.lines import TAIL, Event, Lines

ROOT = Path(app.__file__).parent.parent

# Of our environment a child gets what finding its libraries, its accelerator and its caches needs. Keys and addresses
# of databases stay here: what a library, a model's code or a stranger's file makes a child do, it does without them.
KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHASHSEED", "PYTHONWARNINGS",
        "CUBLAS_WORKSPACE_CONFIG", "XDG_CACHE_HOME", "HF_HOME")  # fmt: skip
KEPT_FAMILIES = ("LC_", "CUDA_", "NVIDIA_", "NCCL_", "GLOO_", "TORCH_", "PYTORCH_", "TRITON_", "OMP_", "MKL_", "KMP_",
                 "HIP_", "HSA_", "ROCR_")  # fmt: skip
# For the one child that asks a hub for a model, where the operator allows it.
TO_A_HUB = ("HF_TOKEN", "HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")  # fmt: skip

LONGEST_LAST_LINE = 300  # characters of a log's last line that a person is shown


class Child:
    """A process that was started. Whoever has it ends it with `close`, also when something goes wrong in between.

    Not for several threads at once.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes] | None) -> None:
        if process.stdout is None:
            raise ValueError("This process was started without pipes.")
        self._process, self._log = process, log
        self._lines = Lines(process.stdout, process.stderr)
        self._last_words: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs, whatever of its events has been heard."""
        return self._process.poll() is None

    @property
    def over(self) -> bool:
        """Whether it says nothing any more; it may still be ending."""
        return self._lines.over

    @property
    def code(self) -> int | None:
        """The exit code once it has ended and everything it said was heard, else None."""
        return self._process.poll() if self.over else None

    def send(self, **message: object) -> bool:
        """Tell it one JSON object. False: it has ended, and needs to be told nothing any more."""
        if self._process.stdin is None:
            raise ValueError("This child was given a file and cannot be told anything.")
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def next(self, seconds: float) -> Event | None:
        """What it says next; None when it says nothing for so long, or has nothing more to say and has ended."""
        deadline = time.monotonic() + seconds
        event = self._lines.event(deadline)
        if event is None and self.over:
            self.wait(deadline - time.monotonic())
        return event

    def events(self) -> Iterator[Event]:
        """Everything it says until it has ended, however long that takes."""
        while (event := self._lines.event()) is not None:
            yield event
        self._process.wait()

    def chunks(self) -> Iterator[bytes]:
        """Everything it writes until it has ended, as bytes, for a child that pours out more than events."""
        while chunk := self._lines.chunk():
            yield chunk
        self._process.wait()

    def wait(self, seconds: float) -> int | None:
        """The exit code if it ends within so many seconds; what it says meanwhile is not heard."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(0.0, seconds))
        return None

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        if self._last_words is not None:
            return self._last_words
        if self._log is None:
            return self._lines.tail.decode("utf-8", "replace")
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), TAIL, max(0, size - TAIL)).decode("utf-8", "replace")

    def how_it_ended(self) -> str:
        """Why it is gone and its last line, in words that go on after "The process"."""
        code = self._process.poll()
        how = "says nothing any more" if code is None else reason(code)
        return f"{how}. {last_line(self.last_words())}".strip()

    def close(self, grace: float = 0.0, patience: float = 0.0) -> None:
        """Have nothing of it left, whatever it takes. Again is harmless.

        patience: seconds in which it may end by itself, once its lifeline is cut. grace: seconds after that which it
        has from being asked by a signal, its whole group with it, until it is killed.
        """
        if patience:
            self._cut_lifeline()
            self._hear_out(patience)
        if grace and self.alive:
            self._signal(signal.SIGTERM)
            self._hear_out(grace)
        if self.alive:
            self._signal(signal.SIGKILL)
        self._process.wait()
        self._last_words = self.last_words()
        self._lines.close()
        self._cut_lifeline()
        for pipe in filter(None, (self._process.stdout, self._process.stderr, self._log)):
            pipe.close()

    def _hear_out(self, seconds: float) -> None:
        """Give it so long to end; what it says meanwhile is taken off the pipe, or a full one would hold it up."""
        deadline = time.monotonic() + seconds
        while self.alive and (left := deadline - time.monotonic()) > 0:
            self.next(left)

    def _cut_lifeline(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # what we had not sent yet is for nobody
                self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def start(
    module: str,
    *arguments: str,
    threads: int,
    log: IO[bytes],
    settings: Mapping[str, str] | None = None,
    further: Sequence[str] = (),
) -> Child:
    """Run `python -m MODULE` for work that computes.

    threads: that it may compute with. log: an open file for everything but events; it can be read, and the child's
    `close` closes it. settings: environment variables beside the few of ours that it gets. further: names of ours that
    this one gets as well. OpenMP sleeps while it waits: two processes that spin for the same core stand still together.
    """
    ours = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **(settings or {}),
    }
    return spawn(module, arguments, environment((*KEPT, *further), KEPT_FAMILIES, ours), log=log)


def environment(kept: Sequence[str], families: Sequence[str], settings: Mapping[str, str]) -> dict[str, str]:
    """What a child sees: these names of our environment, those that begin like one of `families`, and `settings`."""
    few = {name: value for name, value in os.environ.items() if name in kept or name.startswith(tuple(families))}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return few | dict(settings) | {"PYTHONPATH": path}


def spawn(
    module: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    stdin: BinaryIO | None = None,
    log: IO[bytes] | None = None,
) -> Child:
    """Run `python -m MODULE` at the head of a process group of its own. Callers have `start` and `sandbox.start`.

    stdin: a file to read instead of being told things. log: for its standard error; without one that is a pipe too.
    """
    process = subprocess.Popen(  # noqa: S603  our own module, arguments as a list, no shell
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if log is None else log,
        start_new_session=True,
        env=dict(env),
    )
    return Child(process, log)


def threads_for(wanted: int | None) -> int:
    """CPU threads of a child; nothing wanted means every core but one, which is left to the web."""
    cores = len(os.sched_getaffinity(0))
    return min(wanted, cores) if wanted else max(1, cores - 1)


def reason(code: int) -> str:
    """Why a process ended, in words, from its exit code."""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "was killed, most likely because the machine ran out of memory"
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"ended with code {code}"


def last_line(log: str) -> str:
    """The last line of a log, for a person who has to find out why a process ended."""
    lines = log.strip().splitlines()
    return lines[-1][:LONGEST_LAST_LINE] if lines else ""
