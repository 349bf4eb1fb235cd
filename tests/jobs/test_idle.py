"""A worker with nothing to do costs next to nothing, and still takes a job at once."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.db import make_engine, writing
from app.jobs import engine as job_engine
from app.jobs import service
from app.settings import Settings
from app.web import events
from app.web.events import QUIET_AFTER, Hub, Listener, Sent
from tests.support.factories import Make
from tests.support.idle import Installation, installed
from tests.support.pace import slowness
from tests.support.places import ROOT
from tests.support.processes import environment, until

# Seconds: so long that no test waits for it, and it is not what helped.
NEVER = 60.0
# What DBOS starts for queues without our look, for delays and for deadlines.
LOOPS = ("queue-worker-", "dbos-background-jobs")


class Queue:
    """A queue with jobs, and takers at its other end."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.engine = make_engine(settings.url)
        self.client = job_engine.Client(settings.url)
        self.file = folder / "taken"
        self.author = Make(self.engine, settings).author()
        self.takers: list[subprocess.Popen[bytes]] = []
        self._subject = 0

    def taker(self, name: str, *, poll: float, by_itself: float, hold: bool = False) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(ROOT / "tests/support/taking.py"), self.settings.url, name]
        command += [str(poll), str(by_itself), str(self.file), *["hold"] * hold]
        self.threads(name).unlink(missing_ok=True)
        started = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=environment(self.settings), cwd=ROOT, start_new_session=True
        )
        self.takers.append(started)
        until(self.threads(name).exists)
        return started

    def threads(self, name: str) -> Path:
        return self.file.with_name(f"{self.file.name}.{name}")

    def add(self) -> int:
        self._subject += 1
        with writing(self.engine) as session:
            service.bind(session, self.client)
            return service.add(session, "check", self._subject, self.author.id, title="Idle", queue="cpu").id

    def taken(self) -> list[str]:
        return self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []

    def close(self) -> None:
        for taker in self.takers:
            if taker.poll() is None:
                taker.kill()
            taker.wait()
            assert taker.stdin
            taker.stdin.close()
        self.client.close()
        self.engine.dispose()


@pytest.fixture
def queue(either: Settings, tmp_path: Path) -> Iterator[Queue]:
    made = Queue(either, tmp_path)
    yield made
    made.close()


@pytest.mark.worker
def test_a_job_wakes_a_worker_that_would_sleep_on(queue: Queue) -> None:
    queue.taker("a", poll=0.05, by_itself=NEVER)
    until(lambda: not any(name.startswith(LOOPS) for name in queue.threads("a").read_text().splitlines()))

    job_id = queue.add()
    until(queue.taken, NEVER / 2)

    assert queue.taken() == [f"a {job_id}"]
    assert "look-cpu" in queue.threads("a").read_text().splitlines()


@pytest.mark.worker
def test_a_job_that_no_look_sees_is_found_all_the_same(queue: Queue) -> None:
    queue.taker("a", poll=NEVER, by_itself=0.1)

    job_id = queue.add()
    until(queue.taken, NEVER / 2)

    assert queue.taken() == [f"a {job_id}"]


@pytest.mark.worker
@pytest.mark.deep
def test_jobs_of_a_dead_worker_wake_the_one_that_takes_over(queue: Queue) -> None:
    dead = queue.taker("dead", poll=0.05, by_itself=NEVER, hold=True)
    job_id = queue.add()
    until(queue.taken, NEVER / 2)
    heir = queue.taker("heir", poll=0.05, by_itself=NEVER)

    dead.kill()
    dead.wait()
    assert heir.stdin
    heir.stdin.write(b"dead\n")
    heir.stdin.flush()
    until(lambda: len(queue.taken()) == 2, NEVER / 2)

    assert queue.taken() == [f"dead {job_id}", f"heir {job_id}"]


@pytest.mark.worker
@pytest.mark.deep
def test_a_worker_that_was_killed_takes_its_job_up_again_at_its_next_start(queue: Queue) -> None:
    killed = queue.taker("a", poll=0.05, by_itself=NEVER, hold=True)
    job_id = queue.add()
    until(queue.taken, NEVER / 2)
    killed.kill()
    killed.wait()

    again = queue.taker("a", poll=0.05, by_itself=NEVER)
    until(lambda: len(queue.taken()) == 2, NEVER / 2)
    assert again.stdin
    again.stdin.close()

    assert again.wait(30) == 0, "and it stops when it is told to"
    assert queue.taken() == [f"a {job_id}"] * 2


# ---------------------------------------------------------------- the look itself


@pytest.fixture
def call(either: Settings) -> Iterator[Callable[[float], job_engine.Call]]:
    looks = create_engine(either.url, isolation_level="AUTOCOMMIT")
    yield lambda every: job_engine.Call(looks, "cpu", every)
    looks.dispose()


def test_without_a_job_the_wait_lasts_until_its_timeout_or_the_stop(call: Callable[[float], job_engine.Call]) -> None:
    waiting = call(0.01)
    begun = time.monotonic()
    assert waiting.wait(0.1) is False
    assert time.monotonic() - begun >= 0.1

    waiting.set()
    assert waiting.wait(NEVER) is True


def test_a_job_ends_the_wait(queue: Queue, call: Callable[[float], job_engine.Call]) -> None:
    job_id = queue.add()
    begun = time.monotonic()
    waiting = call(0.01)
    assert waiting.wait(0.1) is False
    assert time.monotonic() - begun >= 0.1, "before its turn it is nobody's"

    with writing(queue.engine) as session:
        job_engine.hand_over(session, job_id, "cpu")
    begun = time.monotonic()
    assert waiting.wait(NEVER) is False
    assert time.monotonic() - begun < NEVER / 2


def test_a_database_that_cannot_be_read_leaves_it_to_the_engine(tmp_path: Path) -> None:
    looks = create_engine(f"sqlite:///{tmp_path / 'empty.db'}", isolation_level="AUTOCOMMIT")
    begun = time.monotonic()
    assert job_engine.Call(looks, "cpu", 0.01).wait(NEVER) is False
    assert time.monotonic() - begun < NEVER / 2
    looks.dispose()


def test_a_look_costs_the_same_however_many_jobs_there_were(either: Settings) -> None:
    looks = create_engine(either.url, isolation_level="AUTOCOMMIT")
    question = job_engine.Call(looks, "cpu", 1.0).question
    values = {"queue": "cpu", "version": job_engine.VERSION}
    with looks.connect() as connection:
        if looks.dialect.name == "sqlite":
            plan = str(connection.execute(text(f"explain query plan {question.text}"), values).all())
        else:
            # An empty table is read whole; with that out of the question, it is seen whether an index would do.
            connection.execute(text("set enable_seqscan = off"))
            plan = str(connection.execute(text(f"explain {question.text}"), values).all())
    looks.dispose()

    assert "idx_workflow_status_in_flight" in plan


def test_a_page_where_nothing_happens_is_looked_after_less_often_and_still_hears_the_news() -> None:
    looked: list[float] = []
    every = 0.005
    quiet = QUIET_AFTER + 4  # looks: the first sees something new, and the last of them come at the slower pace

    def newest() -> int:
        looked.append(time.monotonic())
        return 0 if len(looked) <= quiet else 1

    def read(after: int) -> list[Sent]:
        return [Sent(1, "news", last=True)] if len(looked) > quiet else []

    async def listening() -> list[str]:
        stream = events.stream(Hub(newest, every=every), Listener(1, lambda: True), after=0, read=read)
        return [event.raw_data or "" async for event in stream]

    with ThreadPoolExecutor(1) as pool:  # a thread of its own: a browser of another test may have left a loop in ours
        assert pool.submit(asyncio.run, listening()).result(30) == ["news", ""]

    assert min(looked[-1] - looked[-2], looked[-2] - looked[-3]) >= 3 * every


# ---------------------------------------------------------------- what it comes to


@pytest.fixture
def idle(either: Settings, tmp_path: Path) -> Iterator[Installation]:
    """An installation with the settings that a person gets, which has come to rest."""
    with installed(tmp_path / "installation", either.database_url, settle=15.0) as place:
        yield place


# A core of the machine on which the promise was made; a slower one needs more of its own for the same.
@pytest.mark.worker
@pytest.mark.deep
@pytest.mark.alone
def test_an_idle_installation_takes_under_one_percent_of_a_core(idle: Installation) -> None:
    assert idle.shares(30.0)["together"] < 0.01 * slowness()
    with idle.listening():
        assert idle.shares(30.0)["together"] < 0.015 * slowness(), "with a page open that listens"


@pytest.mark.worker
@pytest.mark.deep
@pytest.mark.alone
def test_a_job_starts_within_a_second_however_long_nothing_happened(idle: Installation) -> None:
    assert max(idle.waits(30)) < 1.0


@pytest.mark.worker
@pytest.mark.deep
@pytest.mark.alone
def test_a_job_that_was_taken_over_starts_within_a_second(queue: Queue) -> None:
    usual = Settings().worker_poll
    dead = queue.taker("dead", poll=usual, by_itself=NEVER, hold=True)
    queue.add()
    until(queue.taken, NEVER / 2)
    heir = queue.taker("heir", poll=usual, by_itself=NEVER)
    dead.kill()
    dead.wait()
    assert heir.stdin
    heir.stdin.write(b"dead\n")
    heir.stdin.flush()
    begun = time.monotonic()
    until(lambda: len(queue.taken()) == 2, NEVER / 2)

    assert time.monotonic() - begun < 1.0
