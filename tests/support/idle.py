"""A whole installation with nothing to do: web and worker as `serve` starts them, with the settings a person gets."""

import http.client
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from app import schema
from app.db import engine_for, reading, utcnow, writing
from app.jobs import engine as job_engine
from app.jobs import service, store
from app.jobs.tables import JobRow
from app.settings import Settings
from app.users import sessions
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.places import ROOT
from tests.support.processes import Process, free_port, until

NOBODY = "nobody"  # a queue that no worker serves: what waits in it stays unfinished, and its page goes on listening
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Installation:
    """A running installation and the hands to watch it."""

    settings: Settings
    engine: Engine
    queue: job_engine.Client
    author: UserRow
    web: int
    worker: int
    _subject: int = 1_000_000  # no such thing: a job on it starts, and ends a moment later

    def shares(self, seconds: float) -> dict[str, float]:
        """Which part of one core each process took over that time."""
        processes = {"web": self.web, "worker": self.worker}
        before = {name: _cpu(pid) for name, pid in processes.items()}
        begun = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begun
        shares = {name: (_cpu(pid) - before[name]) / took for name, pid in processes.items()}
        return shares | {"together": sum(shares.values())}

    def waits(self, jobs: int, pause: float = 0.7) -> list[float]:
        """Seconds from the commit that queued a job to its start, one job after the other.

        The pauses differ, so that the jobs come at every moment between two looks of a worker.
        """
        waits = []
        for number in range(jobs):
            time.sleep(pause * (1 + number / jobs))
            job_id = self._add("check", "cpu")
            at = utcnow()
            waits.append((self._started(job_id) - at).total_seconds())
        return waits

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the page of a job open that nobody takes."""
        with writing(self.engine) as session:
            secret = sessions.open_session(session, self.author, "test", utcnow())
        job_id = self._add("check", NOBODY)
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port)
        try:
            connection.request("GET", f"/jobs/{job_id}/events", headers={"Cookie": f"tunegate={secret}"})
            assert connection.getresponse().status == 200
            time.sleep(1)  # the first answer is not what waiting costs
            yield
        finally:
            connection.close()
            with writing(self.engine) as session:
                service.cancel(session, job_id, self.author)

    def _add(self, kind: str, queue: str) -> int:
        self._subject += 1
        with writing(self.engine) as session:
            service.bind(session, self.queue)
            return service.add(session, kind, self._subject, self.author.id, title="Idle", queue=queue).id

    def _started(self, job_id: int) -> datetime:
        """Wait for a job's end; gives the moment at which a worker had claimed it."""

        def job() -> JobRow:
            with reading(self.engine) as session:
                return store.get(session, job_id)

        until(lambda: job().final)
        started = job().started_at
        assert started
        return started


@contextmanager
def installed(folder: Path, database_url: str = "", *, settle: float = 0.0) -> Iterator[Installation]:
    """Start web and worker on a fresh database and give them `settle` seconds to come to rest."""
    assets = Path(os.environ.get("TUNEGATE_ASSETS", ROOT / "assets"))
    settings = Settings(data=folder, assets=assets, database_url=database_url, port=free_port())
    settings.data.mkdir(parents=True, exist_ok=True)
    schema.migrate(settings.url)
    engine, queue = engine_for(settings), job_engine.Client(settings.url)
    author = Make(engine, settings).user(email=f"idle{time.time_ns()}@example.org")  # also where one was before
    process = Process(settings, "serve")
    try:
        worker = _worker(engine)
        time.sleep(settle)
        yield Installation(settings, engine, queue, author, process.popen.pid, worker)
    finally:
        process.stop()
        queue.close()
        engine.dispose()


def _worker(engine: Engine) -> int:
    """Wait for the worker to have written its name down; gives its process."""

    def pids() -> list[int]:
        with reading(engine) as session:
            return [row.pid for row in store.workers(session) if row.gone_at is None]

    until(pids)
    return pids()[0]


def _cpu(pid: int) -> float:
    """Seconds that a process has computed so far, its ended threads included."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS
