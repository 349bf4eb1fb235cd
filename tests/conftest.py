"""What tests share: a database per test, people, the whole app, real servers, real workers.

The database is a copy of one that the real migrations made, so that every test also runs on the real schema.
"""

import gc
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from app import schema
from app.blobs import Blobs
from app.db import make_engine, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from app.users.tables import UserRow
from tests.browser_support import chromium
from tests.factories import Make, sign_in
from tests.ready import ready

# One browser for the whole run: Playwright can be started once in a process.
__all__ = ["chromium"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data sets beside the checkout. CI has them; elsewhere the tests that need them are skipped."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail("the shared data sets are missing")
        pytest.skip("the shared data sets are not beside this checkout")
    return folder


def pytest_collection_finish() -> None:
    """What importing made stays for good: the garbage collector need not look through it in every test."""
    gc.collect()
    gc.freeze()


# ---------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database; tests get copies."""
    path = tmp_path_factory.mktemp("template") / "tunegate.db"
    schema.migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A throw-away PostgreSQL on loopback, run by an ordinary user; gives its address."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not binaries:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    folder = Path("/tmp") / f"tunegate-pg-{os.getpid()}"  # noqa: S108 - a short path, as Unix sockets need
    folder.mkdir(mode=0o777)
    port = free_port()
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    initdb = [*as_user, str(binaries[0] / "initdb"), "-A", "trust", "--no-sync", "-U", "tunegate", "-D", str(data)]
    _quietly(initdb)
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c fsync=off -c unix_socket_directories={folder}"
    control = [*as_user, str(binaries[0] / "pg_ctl"), "-D", str(data)]
    start = [*control, "-w", "-l", str(folder / "log"), "-o", options, "start"]
    _quietly(start)
    yield f"postgresql+psycopg://tunegate@127.0.0.1:{port}/postgres"
    _quietly([*control, "-m", "immediate", "stop"])
    shutil.rmtree(folder, ignore_errors=True)


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A fresh, migrated database on PostgreSQL."""
    name = f"t{time.monotonic_ns()}"
    admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    schema.migrate(url)
    yield url
    with admin.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


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
        "port": 1,
    }
    return Settings.model_validate(usual | more)


@pytest.fixture
def settings(tmp_path: Path, template: Path) -> Settings:
    """Settings with an empty migrated SQLite database of their own."""
    made = cheap(tmp_path / "data")
    made.data.mkdir()
    shutil.copy(template, made.data / "tunegate.db")
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The same settings, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return settings
    url: str = request.getfixturevalue("postgres_url")
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = make_engine(settings.url)
    yield made
    made.dispose()


@pytest.fixture
def line(settings: Settings) -> Iterator[job_engine.Client]:
    """The engine's client, as the web has it: jobs are really put in line; no worker runs unless a test starts one."""
    client = job_engine.Client(settings.url)
    yield client
    client.close()


@pytest.fixture
def session(engine: Engine, line: job_engine.Client) -> Iterator[Session]:
    """A transaction that may write and is committed at the end of the test."""
    with writing(engine) as opened:
        jobs.bind(opened, line)
        yield opened


@pytest.fixture
def blobs(settings: Settings) -> Blobs:
    return Blobs(settings.blobs_dir)


@pytest.fixture
def make(engine: Engine, settings: Settings) -> Make:
    """Makes people and things, each committed in a transaction of its own."""
    return Make(engine, settings)


# ---------------------------------------------------------------- the app


@pytest.fixture
def web(settings: Settings) -> Iterator[TestClient]:
    """The whole app, without anybody signed in. `people` gives signed-in clients."""
    from app.main import create_app

    with TestClient(ready(create_app, settings), base_url="http://127.0.0.1:1", follow_redirects=False) as client:
        yield client


@pytest.fixture
def people(web: TestClient, engine: Engine) -> Callable[[UserRow], TestClient]:
    """`people(user)` is a client signed in as that user, on the same app."""

    def signed_in(user: UserRow) -> TestClient:
        client = TestClient(web.app, base_url=str(web.base_url), follow_redirects=False)
        client.portal = web.portal  # one thread for all of them, and not one for every request
        sign_in(client, engine, user)
        return client

    return signed_in


# ---------------------------------------------------------------- real processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Settings) -> dict[str, str]:
    """The same settings for a process of its own."""
    given = {
        f"TUNEGATE_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in settings.model_dump().items()
    }
    return {**os.environ, **given, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class Process:
    """A process of the app: `python -m app ...`."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
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


@pytest.fixture
def worker() -> Iterator[Callable[..., Process]]:
    """`worker(settings, slot="0")` starts a real worker process; all are stopped at the end of the test."""
    started: list[Process] = []

    def start(settings: Settings, slot: str = "0", queues: str = "cpu,model") -> Process:
        process = Process(settings, "worker", "--slot", slot, "--queues", queues)
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process does; never longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.05)
