"""What tests share: a database per test, people, the whole app, real servers, real workers.

The database is a copy of one that the real migrations made, so that every test also runs on the real schema.
"""

import gc
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from app import schema
from app.assessments import store as assessments
from app.blobs import Blobs
from app.db import engine_for, reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from app.standing import keeping
from app.users.tables import UserRow
from tests.support import compiled, depth, tiny
from tests.support.browser import chromium
from tests.support.factories import Make, sign_in
from tests.support.places import SETS
from tests.support.processes import Process, cheap, free_port
from tests.support.ready import ready
from tests.support.zygote import address as start_zygote
from tests.support.zygote import variables

LOOKED_AT = 3  # assessments whose kept status is compared after each test

# One browser for the whole run: Playwright can be started once in a process. `depth` sets how many examples hypothesis
# tries, also where a test module does not ask for a depth itself.
__all__ = ["chromium", "compiled", "depth"]


@pytest.fixture(scope="session")
def sets() -> Path:
    """The large public sets, for sweeps in the deep suite. Where they are not, the tests that ask for them are not
    collected; `tests/data` has what the others need."""
    return SETS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sweeps over sets that no clone has are left out by name, and only from the deep suite."""
    sweeps = [item for item in items if "sets" in getattr(item, "fixturenames", ())]
    for item in sweeps:
        assert item.get_closest_marker("deep"), f"{item.nodeid} asks for sets outside the repository and is not deep"
    if sweeps and not SETS.is_dir():
        config.hook.pytest_deselected(items=sweeps)
        items[:] = [item for item in items if item not in set(sweeps)]


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


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[Engine]:
    """A migrated, empty database called `migrated` on PostgreSQL; gives an engine that may copy it."""
    admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("create database migrated"))
    schema.migrate(_beside(postgres, "migrated"))
    yield admin
    admin.dispose()


@pytest.fixture
def postgres_url(postgres: str, postgres_template: Engine) -> Iterator[str]:
    """A fresh, migrated database on PostgreSQL."""
    name = f"t{time.monotonic_ns()}"
    with postgres_template.connect() as connection:
        connection.execute(text(f"create database {name} template migrated"))
    yield _beside(postgres, name)
    with postgres_template.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))


def _beside(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def settings(tmp_path: Path, template: Path) -> Settings:
    """Settings with an empty migrated SQLite database of their own."""
    made = cheap(tmp_path / "data")
    made.data.mkdir()
    shutil.copy(template, made.data / "tunegate.db")
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.deep])])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The same settings on SQLite, when deep on PostgreSQL, too; `support/databases.py` has marks for more."""
    if request.param == "sqlite":
        return settings
    url: str = request.getfixturevalue("postgres_url")
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def engine(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The engine of the test's database. Whatever the test did, every kept status is what it would be now."""
    made = engine_for(settings)
    yield made
    if request.node.get_closest_marker("past_the_app") is None:
        with reading(made) as session:
            newest = assessments.before(session, assessments.Wanted(), None, LOOKED_AT)
            assert keeping.differing(session, newest) == []
    made.dispose()


@pytest.fixture
def queue(settings: Settings) -> Iterator[job_engine.Client]:
    """The engine's client, as the web has it: jobs are really queued; no worker runs unless a test starts one."""
    client = job_engine.Client(settings.url)
    yield client
    client.close()


@pytest.fixture
def session(engine: Engine, queue: job_engine.Client) -> Iterator[Session]:
    """A transaction that may write and is committed at the end of the test."""
    with writing(engine) as opened:
        jobs.bind(opened, queue)
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


@pytest.fixture(scope="session")
def zygote() -> None:
    """Real processes are forked from it; asked for here so that no test seems to take as long as its imports."""
    start_zygote()


@pytest.fixture(scope="session")
def tiny_model(zygote: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real model that learns and says nothing worth reading. Making it imports torch in the zygote."""
    return tiny.made(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _as_urgent_as_before() -> Iterator[None]:
    """A test that lowers the priority of this process slows down all that come after it, and on a busy machine most."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    assert os.getpriority(os.PRIO_PROCESS, 0) == before, "what makes a process of ours a quiet one was called in here"


@pytest.fixture(scope="session")
def torch_here() -> None:
    """For tests that call the training code themselves: no single one seems to take as long as importing torch."""
    import torch

    import app.inference.local_child
    import app.training.learner  # noqa: F401 - both are only imported

    torch.set_num_threads(1)  # threads that wait for each other on a busy machine take a hundred times as long


@pytest.fixture
def warm_children(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the app starts in this process (trainers, models) is forked by the zygote, except in the deep suite."""
    for name, value in variables().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def worker(zygote: None) -> Iterator[Callable[..., Process]]:
    """`worker(settings, slot="0")` starts a real worker process; all are stopped at the end of the test."""
    started: list[Process] = []

    def start(settings: Settings, slot: str = "0", queues: str = "cpu,model") -> Process:
        process = Process(settings, "worker", "--slot", slot, "--queues", queues)
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()
