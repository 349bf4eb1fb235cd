"""`python -m app demo`: the worked example from a terminal.

It starts what is not running yet (the web, a worker), presses the same button as the home page, and shows how the job
goes on. Everything happens in the app's own database by the app's own jobs; stopping this command stops neither what
`make run` started nor the job, and calling it again goes on watching.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TextIO

import httpx2

from app import schema
from app.audit import service as audit
from app.db import Database, engine_for, reading, utcnow, writing
from app.demo import service
from app.errors import Refusal
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.progress import Progress
from app.jobs.tables import JobRow, Status
from app.settings import Settings
from app.standing import keeping
from app.users import passwords
from app.users import service as users
from app.users import store as user_store

POLL = 0.5  # seconds between two looks at the job
READY_WITHIN = 60.0  # seconds for the web and the worker to come up
LINE_EVERY = 15.0  # seconds between two lines where there is no terminal to draw a bar on
BAR = 30  # characters


def main(settings: Settings) -> int:
    """Run or watch the worked example. Returns 0 when it was finished, 2 when it could not be."""
    for chatty in ("dbos", "httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    print(schema.upgrade(settings), flush=True)
    engine = engine_for(settings)
    keeping.install()
    queue = job_engine.Client(settings.url)
    try:
        if first := _first_admin(settings, engine):
            print(first, flush=True)
        with _app(settings, engine) as ours:
            with writing(engine) as session:
                jobs.bind(session, queue)
                admin = user_store.active_admins(session)[0]
                keeper = passwords.with_cost(settings.hash_time, settings.hash_memory)
                assessment, job = service.begin(session, keeper, admin)
            job = _watch(engine, job.id)
            with reading(engine) as session:
                for text in service.summary(session, assessment.id):
                    print(text)
            if job.status != Status.DONE:
                print(f"The worked example was not finished ({job.status}). {job.failure or ''}")
            if first:
                print(first)
            print(f"The dossier: {settings.address}/assessments/{assessment.id}", flush=True)
            if ours and sys.stdout.isatty():
                print("The app keeps running until Ctrl-C.", flush=True)
                ours[0].wait()
            return 0 if job.status == Status.DONE else 2
    except KeyboardInterrupt:
        print("\nStopped watching. `make run` and `make demo` go on where this ended.")
        return 0
    except (Refusal, NotRunning) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        queue.close()
        engine.dispose()


class NotRunning(Exception):
    """The app did not come up; the text says what to look at."""


# ---------------------------------------------------------------- what has to run


@contextmanager
def _app(settings: Settings, engine: Database) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Have the web and a worker running; gives the processes that we started, and stops them at the end."""
    web, worker = _web_answers(settings), _worker_beats(settings, engine)
    commands = []
    if not web and not worker:
        commands.append(["serve"])
    elif not web:
        commands.append(["web"])
    elif not worker:
        commands.append(["worker", "--slot", "demo"])
    # Nobody is using the web that we start, so the model may have the core that is usually left to it.
    threads = settings.threads or len(os.sched_getaffinity(0))
    started = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "app", *command],
            start_new_session=True,
            env={**os.environ, "TUNEGATE_THREADS": str(threads)},
        )
        for command in commands
    ]
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not (_web_answers(settings) and _worker_beats(settings, engine)):
            if time.monotonic() > deadline or any(process.poll() is not None for process in started):
                raise NotRunning("The app did not start. `python -m app doctor` says what is missing.")
            time.sleep(0.2)
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(20)


def _web_answers(settings: Settings) -> bool:
    try:
        return httpx2.get(f"http://{settings.host}:{settings.port}/health/live", timeout=2).is_success
    except httpx2.HTTPError:
        return False


def _worker_beats(settings: Settings, engine: Database) -> bool:
    """Whether living workers serve both lines; one that was killed a moment ago does not."""
    with reading(engine) as session:
        return {"cpu", "model"} <= jobs.served(session, max(settings.worker_lost_after, 2 * settings.worker_beat))


def _first_admin(settings: Settings, engine: Database) -> str:
    """Make the first administrator if there is nobody yet, as the set-up page would; says how to sign in."""
    with writing(engine) as session:
        code = users.new_setup_code(session, utcnow())
        if code is None:
            return ""
        password, email = passwords.one_time(), "admin@demo.invalid"
        users.set_up(
            session, passwords.with_cost(settings.hash_time, settings.hash_memory), code=code, name="Admin",
            email=email, password=password, now=utcnow(), record=audit.record,
        )  # fmt: skip
    return f"Sign in as {email} with the password {password} (made just now; change it under Account)."


# ---------------------------------------------------------------- watching


@dataclass
class Screen:
    """Draws progress: one line that changes on a terminal, a line now and then elsewhere."""

    out: TextIO
    live: bool
    _stage: str = ""
    _shown: float = field(default=0.0)

    def show(self, progress: Progress, now: float) -> None:
        text = bar(progress)
        step = str(progress.get("stage", "")).partition(" - ")[0]
        if self.live:
            if step != self._stage and self._stage:
                self.out.write("\n")
            self.out.write(f"\r\x1b[K{text[:160]}")
        elif step != self._stage or now - self._shown >= LINE_EVERY:
            self.out.write(f"{text}\n")
            self._shown = now
        self._stage = step
        self.out.flush()

    def end(self) -> None:
        if self.live and self._stage:
            self.out.write("\n")


def bar(progress: Progress) -> str:
    """Progress as one line of text."""
    stage = str(progress.get("stage", ""))
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int | float) or not isinstance(total, int | float) or not total:
        return stage
    filled = round(BAR * min(1.0, done / total))
    left = progress.get("seconds_left")
    time_left = f", {timedelta(seconds=round(left))} left" if isinstance(left, int | float) else ""
    counted = f"{done:,.0f} of {total:,.0f} {progress.get('unit', '')}".strip()
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {counted}{time_left}  {stage}"


def _watch(engine: Database, job_id: int) -> JobRow:
    screen = Screen(sys.stdout, sys.stdout.isatty())
    while True:
        with reading(engine) as session:
            job = job_store.get(session, job_id)
        screen.show(job.progress, time.monotonic())
        if job.final:
            screen.end()
            return job
        time.sleep(POLL)
