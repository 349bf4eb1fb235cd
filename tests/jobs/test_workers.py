"""Jobs in real worker processes, on SQLite and PostgreSQL: what is killed goes on, what is cancelled stops."""

import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import make_engine, reading, utcnow, writing
from app.errors import Conflict
from app.jobs import engine as job_engine
from app.jobs import service, store
from app.jobs.tables import JobRow, Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support import processes
from tests.support.databases import on_both, postgres_first
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.processes import Started, until

pytestmark = pytest.mark.worker

Start = Callable[..., Started]

TARGET = depth(12, 60)
HALF = TARGET // 2


class Yard:
    """One installation with jobs in it, and a count on the disk."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.engine: Engine = make_engine(settings.url)
        self.queue = job_engine.Client(settings.url)
        self.file, self.gate = folder / "count", folder / "count.hold"
        self.user: UserRow = Make(self.engine, settings).author()

    def add(self, kind: str = "check", subject: int = 1) -> int:
        with writing(self.engine) as session:
            service.bind(session, self.queue)
            return service.add(session, kind, subject, self.user.id, title="Count", queue="cpu").id

    def job(self, job_id: int) -> JobRow:
        with reading(self.engine) as session:
            return store.get(session, job_id)

    def cancel(self, job_id: int) -> None:
        with writing(self.engine) as session:
            service.cancel(session, job_id, self.user)

    def hold(self) -> None:
        """Have them count to the half and wait there."""
        self.gate.write_text(str(HALF))

    def held(self) -> bool:
        return len(self.counted()) == HALF

    def let_go(self) -> None:
        self.gate.unlink()

    def counted(self) -> list[int]:
        return [int(number) for number in self.file.read_text().split()] if self.file.exists() else []

    def log(self, job_id: int) -> list[str]:
        with reading(self.engine) as session:
            return [str(event.body["line"]) for event in store.log_lines(session, job_id)]


@pytest.fixture
def yard(either: Settings, tmp_path: Path) -> Iterator[Yard]:
    made = Yard(either, tmp_path)
    yield made
    made.queue.close()
    made.engine.dispose()


@pytest.fixture
def counting(zygote: None, yard: Yard) -> Iterator[Start]:
    """`counting("a")` starts a worker named a that counts to the target."""
    started: list[Started] = []

    def start(slot: str = "a") -> Started:
        process = processes.begin(yard.settings, "tests.support.counting", slot, str(TARGET), str(yard.file))
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_job_runs_to_its_end_and_says_how_far_it_is(yard: Yard, counting: Start) -> None:
    job_id = yard.add()
    counting()

    until(lambda: yard.job(job_id).final)

    job = yard.job(job_id)
    assert (job.status, job.attempt, yard.counted()) == (Status.DONE, 1, list(range(TARGET)))
    assert job.progress["total"] == TARGET
    assert yard.log(job_id) == [f"counted to {TARGET}"]


def test_a_killed_worker_goes_on_when_it_starts_again(yard: Yard, counting: Start) -> None:
    yard.hold()
    job_id = yard.add()
    first = counting()
    until(yard.held)
    first.send_signal(signal.SIGKILL)
    first.wait()

    yard.let_go()
    counting()
    until(lambda: yard.job(job_id).final)

    assert yard.counted() == list(range(TARGET)), "nothing lost, nothing twice"
    assert (yard.job(job_id).status, yard.job(job_id).attempt) == (Status.DONE, 2)


@pytest.mark.deep
def test_killed_at_any_moment_again_and_again_it_ends_with_all_of_it(yard: Yard, counting: Start) -> None:
    """Nobody waits for a good moment: the worker may be starting, claiming, counting or in a transaction."""
    job_id = yard.add()
    chance = random.Random(5)
    kills = 0
    while kills < 12 and not yard.job(job_id).final:
        worker = counting()
        _until_counted(yard, job_id, len(yard.counted()) + chance.randint(0, 3))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        kills += 1
    counting()
    until(lambda: yard.job(job_id).final)

    assert kills >= 3
    assert yard.job(job_id).status == Status.DONE
    # A number that was written just before the kill is in the file, so it is never written again.
    assert yard.counted() == list(range(TARGET))


@postgres_first
def test_another_worker_inherits_the_jobs_of_a_killed_one(yard: Yard, counting: Start) -> None:
    yard.hold()
    job_id = yard.add()
    first = counting("a")
    until(yard.held)
    counting("b")
    until(lambda: _alive(yard) == 2)
    first.send_signal(signal.SIGKILL)
    first.wait()

    yard.let_go()
    until(lambda: yard.job(job_id).final)

    assert yard.counted() == list(range(TARGET))
    assert (yard.job(job_id).status, str(yard.job(job_id).worker).split(":")[-1]) == (Status.DONE, "b")


@pytest.mark.deep
def test_a_worker_that_slept_finds_the_door_closed(yard: Yard, counting: Start) -> None:
    yard.hold()
    job_id = yard.add()
    first = counting("a")
    until(yard.held)
    counting("b")
    until(lambda: _alive(yard) == 2)
    until(lambda: _frozen_between_transactions(first, yard))

    until(lambda: yard.job(job_id).attempt >= 2)
    first.send_signal(signal.SIGCONT)
    yard.let_go()
    until(lambda: yard.job(job_id).final)

    assert yard.job(job_id).status == Status.DONE
    assert set(yard.counted()) == set(range(TARGET))
    assert len(yard.log(job_id)) == 1, "the sleeper wrote nothing after it woke"


def test_a_stopped_worker_puts_its_job_back_without_failing_it(yard: Yard, counting: Start) -> None:
    yard.hold()
    job_id = yard.add()
    first = counting()
    until(yard.held)
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert yard.job(job_id).status == Status.QUEUED

    yard.let_go()
    counting()
    until(lambda: yard.job(job_id).final)

    assert (yard.job(job_id).status, yard.counted()) == (Status.DONE, list(range(TARGET)))


def test_cancel_stops_a_running_job_and_a_waiting_one_never_starts(yard: Yard, counting: Start) -> None:
    yard.hold()
    waiting = yard.add(subject=2)
    yard.cancel(waiting)
    job_id = yard.add()
    counting()
    until(yard.held)

    yard.cancel(job_id)
    until(lambda: yard.job(job_id).final)

    assert yard.job(job_id).status == Status.CANCELLED
    assert (yard.job(waiting).status, yard.job(waiting).attempt) == (Status.CANCELLED, 0)


def test_a_failure_says_its_cause_and_a_crash_keeps_its_secrets(yard: Yard, counting: Start) -> None:
    failing, crashing = yard.add("preflight"), yard.add("convert")
    counting()

    until(lambda: yard.job(failing).final and yard.job(crashing).final)

    assert (yard.job(failing).status, yard.job(failing).failure) == (Status.FAILED, "The sky is not blue. Paint it.")
    assert yard.job(crashing).status == Status.FAILED
    assert "secret" not in str(yard.job(crashing).failure)


def test_a_second_worker_of_the_same_name_is_refused(yard: Yard, counting: Start) -> None:
    counting("a")
    until(lambda: _alive(yard) == 1)

    assert counting("a").wait(60) == 2


def test_a_job_and_its_cause_are_kept_together_or_not_at_all(yard: Yard, counting: Start) -> None:
    with pytest.raises(ZeroDivisionError):
        _add_and_fail(yard)
    counting()
    last = yard.add(subject=8)
    until(lambda: yard.job(last).final)

    with reading(yard.engine) as session:
        assert store.latest(session, "check", 7) is None


def _add_and_fail(yard: Yard) -> None:
    with writing(yard.engine) as session:
        service.bind(session, yard.queue)
        service.add(session, "check", 7, None, title="Count", queue="cpu")
        raise ZeroDivisionError


def test_the_same_work_is_never_in_line_twice(yard: Yard) -> None:
    yard.add()
    with pytest.raises(Conflict):
        yard.add()


@on_both
def test_the_database_refuses_a_training_job_without_an_approved_run(yard: Yard) -> None:
    with pytest.raises(DBAPIError, match="needs its approved run"):
        yard.add("train", 99)


def test_the_fence_holds_for_every_write(yard: Yard) -> None:
    job_id = yard.add()
    with writing(yard.engine) as session:
        assert store.claim(session, job_id, "one", utcnow()) == 1
    with writing(yard.engine) as session:
        assert store.claim(session, job_id, "two", utcnow()) == 2
        assert not store.fenced_update(session, job_id, 1, progress={"done": 1})
        assert store.fenced_update(session, job_id, 2, progress={"done": 2})
    assert yard.job(job_id).progress == {"done": 2}


def _until_counted(yard: Yard, job_id: int, number: int) -> None:
    until(lambda: len(yard.counted()) >= min(number, TARGET) or yard.job(job_id).final)


def _frozen_between_transactions(process: Started, yard: Yard) -> bool:
    """Stop the process at a moment when it holds no lock; woken again and False when it does.

    A frozen writer holds up every other one, which is the database's business and not what is tested here.
    """
    process.send_signal(signal.SIGSTOP)
    until(lambda: processes.state(process.pid) == "T")  # until then it may still begin a transaction
    free = _free_sqlite(yard) if yard.engine.dialect.name == "sqlite" else _free_postgres(yard)
    if not free:
        process.send_signal(signal.SIGCONT)
    return free


def _free_sqlite(yard: Yard) -> bool:
    """Whether a writer gets in: not with our own engine, which would wait ten seconds for it."""
    connection = sqlite3.connect(str(yard.engine.url.database), timeout=0.5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _free_postgres(yard: Yard) -> bool:
    lock = "LOCK TABLE jobs, workers, job_events, dbos.workflow_status, dbos.operation_outputs IN EXCLUSIVE MODE NOWAIT"
    try:
        with yard.engine.connect() as connection, connection.begin():
            connection.execute(text(lock))
    except DBAPIError:
        return False
    finally:
        yard.engine.dispose()
    return True


def _alive(yard: Yard) -> int:
    with reading(yard.engine) as session:
        return sum(service.process_lives(worker.pid) for worker in store.workers(session))


def test_a_read_only_session_cannot_write(yard: Yard) -> None:
    with reading(yard.engine) as session, pytest.raises(DBAPIError):
        _write(session)


def _write(session: Session) -> None:
    session.execute(
        text("insert into workers (id, queues, pid, version, started_at, seen_at) values ('x','',1,'','','')")
    )
