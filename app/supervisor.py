"""`serve`: the web and one worker as one program for one machine.

The web runs in this process; the worker is a child that is started again when it dies. Ctrl-C reaches only us (the
child has a session of its own), and the child ends when our end of its standard input closes, even if we were killed.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

log = logging.getLogger("tunegate.supervisor")

STOP_WITHIN = 4.5  # seconds for the worker to put its jobs back; then it is killed, which loses nothing


class WorkerChild:
    """Keeps one worker process running until `stop`."""

    def __init__(self, slot: str, *, quick: float = 5.0) -> None:
        self.command = [sys.executable, "-m", "app", "worker", "--slot", slot]
        self.quick = quick
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _keep(self) -> None:
        pause = 0.2
        while not self._stopping.is_set():
            started = time.monotonic()
            self._process = self._spawn()
            status = self._process.wait()
            if self._stopping.is_set():
                return
            lived = time.monotonic() - started
            # A worker that dies at once would only burn the machine: wait longer each time, up to half a minute.
            pause = 0.2 if lived > self.quick else min(pause * 2, 30.0)
            log.warning("the worker ended (status %s); starting it again in %.1f s", status, pause)
            self._stopping.wait(pause)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self.command,
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "TUNEGATE_LIFELINE": "stdin"},
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdin:
            process.stdin.close()


def serve(web: Callable[[], None], slot: str = "0") -> None:
    """Run `web` (which returns when it was told to stop) beside a supervised worker."""
    worker = WorkerChild(slot)
    worker.start()
    try:
        web()
    finally:
        worker.stop()
