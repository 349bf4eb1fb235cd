"""Real processes without their imports: one process has imported everything and forks whoever is asked for.

A worker takes most of a second to import, a trainer three, and the quick suite starts about a hundred of them. So one
process imports what they import, stays single-threaded, and forks them: each a process with an id, a session and a
memory of its own, which can be stopped, killed -9 and waited for like any other. The deep suite starts them all as the
product does, from nothing.

Two ways in. `Forked` is a `Popen` for tests that start a process themselves. What the app starts itself (`python -m
app.training.child`) finds `warm/sitecustomize.py` on its path, in the zygote's own folder, since a small environment
brings nothing else along: that interpreter then only stands for the forked process: it passes signals on, ends as that
one ended, and takes it along when it is killed.

What needs torch is forked from a second process, which the first one forks when it is first asked for.
"""

import atexit
import ctypes
import gc
import io
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tests.support.depth import DEEP
from tests.support.places import ROOT

STANDS_FOR = Path(__file__).with_name("warm") / "sitecustomize.py"  # which Python imports before anything else
# What the bodies of jobs import once they need it stands here too.
LIGHT = (
    "dbos", "app.__main__", "app.worker", "app.datasets.job", "app.documents.job", "app.inference.job",
    "app.baselines.job", "app.results.job", "app.demo.job", "h11", "rapidfuzz.distance", "re2", "sacrebleu.metrics",
    "sklearn.feature_extraction.text", "sklearn.linear_model", "tokenizers",
)  # fmt: skip
HEAVY = (
    "app.inference.local_child", "app.merged.child", "app.training.child", "app.training.probe", "tests.support.tiny",
    "peft.utils.transformers_weight_conversion", "transformers.models.llama.modeling_llama",
)  # fmt: skip
NEEDS_TORCH = {
    "app.inference.local_child", "app.merged.child", "app.training.child", "app.training.probe", "tests.support.tiny",
}  # fmt: skip


class Forked:
    """As much of `subprocess.Popen` as tests use, over a process that the zygote forked."""

    def __init__(self, module: str, *arguments: str, env: Mapping[str, str], pipes: bool = False) -> None:
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        child_in, child_out = os.open(os.devnull, os.O_RDONLY), os.dup(2)
        if pipes:
            os.close(child_in)
            os.close(child_out)
            child_in, lifeline = os.pipe()
            events, child_out = os.pipe()
            self.stdin, self.stdout = os.fdopen(lifeline, "wb", 0), os.fdopen(events, "rb", 0)
        self._zygote = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._zygote.connect(address() + (".torch" if module in NEEDS_TORCH else ""))
        order = {"module": module, "arguments": arguments, "env": dict(env), "cwd": str(ROOT)}
        socket.send_fds(self._zygote, [json.dumps(order).encode()], [child_in, child_out, 2])
        os.close(child_in)
        os.close(child_out)
        self.pid = int(self._zygote.recv(100))

    @property
    def into(self) -> IO[bytes]:
        """Its standard input."""
        assert self.stdin is not None, "started without pipes"
        return self.stdin

    @property
    def out(self) -> IO[bytes]:
        """Its standard output."""
        assert self.stdout is not None, "started without pipes"
        return self.stdout

    def close(self) -> None:
        """Our ends of its pipes."""
        for pipe in (self.stdin, self.stdout):
            if pipe:
                pipe.close()

    def poll(self) -> int | None:
        return self._hear(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._hear(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def _hear(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._zygote.settimeout(timeout)
            try:
                self.returncode = int(self._zygote.recv(100))
            except (BlockingIOError, TimeoutError):
                return None
            self._zygote.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def variables() -> dict[str, str]:
    """Environment variables that make a process start its children warm too; none in the deep suite."""
    if DEEP:
        return {}
    return {"PYTHONPATH": os.pathsep.join([str(Path(address()).parent), str(ROOT)])}


_address: list[str] = []


def address() -> str:
    """Where the zygote of this run listens; it is started by whoever asks first and ends when we do."""
    if not _address:
        folder = tempfile.mkdtemp(prefix="tunegate-zygote-")  # a short path, as Unix sockets need
        shutil.copy(STANDS_FOR, folder)
        command = [sys.executable, "-m", "tests.support.zygote", f"{folder}/at"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        atexit.register(_end, process, folder)
        _address.append(f"{folder}/at")
    return _address[0]


def _end(process: "subprocess.Popen[bytes]", folder: str) -> None:
    try:
        process.communicate(timeout=30)  # closes its standard input, which is what it waits for
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- in the zygote


def main(place: str) -> None:
    """Import, listen, fork until whoever started us is gone."""
    doors = {suffix: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for suffix in ("", ".torch")}
    for suffix, door in doors.items():
        door.bind(place + suffix)
        door.listen(64)
    _import(LIGHT)
    print("ready", flush=True)  # noqa: T201 - who started us waits for it

    def end(_: object) -> None:
        """Whoever started us is gone, however suddenly. Our forks end with us."""
        for suffix in doors:
            Path(place + suffix).unlink()
        Path(place).parent.rmdir()
        os._exit(0)

    zygote = Zygote(doors[""], heavy=doors[".torch"])
    zygote.look.register(0, selectors.EVENT_READ, end)
    zygote.run()


def _import(names: tuple[str, ...]) -> None:
    gc.disable()
    for name in names:
        __import__(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page of ours
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork of several threads could stand still for ever"


class Zygote:
    """Forks a process for everyone who comes in, tells them its id and, once it has ended, how."""

    def __init__(self, door: socket.socket, heavy: socket.socket | None = None) -> None:
        self.look = selectors.DefaultSelector()
        self.look.register(door, selectors.EVENT_READ, self._come_in)
        if heavy is not None:
            self.look.register(heavy, selectors.EVENT_READ, self._second)

    def run(self) -> None:
        while True:
            key, _ = self.look.select()[0]  # one at a time: what it does may be the end of another one's caller
            key.data(key.fileobj)

    def _second(self, heavy: socket.socket) -> None:
        """Somebody asked for torch: a second zygote, forked from this one, has it from here on."""
        pid = os.fork()
        if pid == 0:
            self._leave(keep=heavy.fileno())
            _import(HEAVY)
            Zygote(heavy).run()
        self.look.unregister(heavy)
        heavy.close()

    def _come_in(self, door: socket.socket) -> None:
        caller = door.accept()[0]
        self.look.register(caller, selectors.EVENT_READ, self._asked)

    def _asked(self, caller: socket.socket) -> None:
        self.look.unregister(caller)
        text, handles, _, _ = socket.recv_fds(caller, 1 << 20, 3)
        if not text:
            caller.close()
            return
        pid = os.fork()
        if pid == 0:
            for number, handle in enumerate(handles):
                os.dup2(handle, number)
                os.close(handle)
            caller.close()
            self._leave()
            _become(json.loads(text))
        for handle in handles:
            os.close(handle)
        self._tell(caller, pid)
        ended = os.pidfd_open(pid)

        def gone(_: object) -> None:
            """Whoever asked for it was killed, and takes it along."""
            self.look.unregister(caller)
            signal.pidfd_send_signal(ended, signal.SIGKILL)

        def bury(_: object) -> None:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self.look.unregister(ended)
            os.close(ended)
            if caller in self.look.get_map():
                self.look.unregister(caller)
            self._tell(caller, code)
            caller.close()

        self.look.register(caller, selectors.EVENT_READ, gone)
        self.look.register(ended, selectors.EVENT_READ, bury)

    @staticmethod
    def _tell(caller: socket.socket, number: int) -> None:
        try:
            caller.send(str(number).encode())
        except OSError:  # it does not want to know any more
            return

    def _leave(self, keep: int = -1) -> None:
        """In a fork: have nothing of the zygote's, and end when it ends."""
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        for key in list(self.look.get_map().values()):
            if key.fd not in (keep, 0):
                os.close(key.fd)
        self.look.close()


def _become(order: dict[str, Any]) -> None:
    """In a fork: be `python -m MODULE ARGUMENTS` with that environment. Never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        gc.enable()
        sys.argv = [order["module"], *order["arguments"]]
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(os.fdopen(number, mode), encoding="utf-8", line_buffering=number == 2)
            for number, mode in enumerate(("rb", "wb", "wb"))
        )
        sys.modules.pop(order["module"], None)
        warnings.simplefilter("default")
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does for whatever nobody caught
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
