"""The order of jobs that wait: fair between people, within the limit, and kept by real workers on both databases."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.db import engine_for, reading, writing
from app.jobs import engine as job_engine
from app.jobs import service, store
from app.jobs.line import Busy, Waiting, Why, order, waits
from app.jobs.tables import JobRow, Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support import processes
from tests.support.databases import on_both
from tests.support.factories import Make
from tests.support.processes import Started, until

ADA, BEN, CORA = 1, 2, 3


def at(second: int) -> datetime:
    return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)


def ids(jobs: list[Waiting], busy: Busy) -> list[int]:
    return [job.id for job in order(jobs, busy)]


def test_people_take_turns_however_many_jobs_one_has() -> None:
    jobs = [*(Waiting(number, ADA) for number in range(1, 5)), Waiting(5, BEN), Waiting(6, BEN), Waiting(7, CORA)]

    assert ids(jobs, Busy({}, {}, {})) == [1, 5, 7, 2, 6, 3, 4]
    assert ids(jobs, Busy({}, {}, {ADA: at(9), BEN: at(5)})) == [7, 5, 1, 6, 2, 3, 4], "who waited longest begins"
    assert ids(jobs, Busy({ADA: 1}, {ADA: 1}, {ADA: at(1)}))[:2] == [5, 7], "who has none running begins"


def test_what_was_moved_up_goes_first_but_not_over_the_limit() -> None:
    jobs = [Waiting(1, ADA), Waiting(2, BEN), Waiting(3, BEN, moved_up=1), Waiting(4, CORA, moved_up=2)]

    assert ids(jobs, Busy({}, {}, {})) == [4, 3, 1, 2]
    full = Busy({CORA: 1}, {CORA: 1}, {}, limit=1)
    assert ids(jobs, full) == [3, 1, 4, 2]
    assert waits(order(jobs, full), full, slots=1)[4].why == Why.LIMIT


def test_each_job_says_what_it_waits_for() -> None:
    jobs = [Waiting(1, ADA), Waiting(2, BEN), Waiting(3, None)]
    busy = Busy({ADA: 3}, {ADA: 4}, {}, limit=4)
    ordered = order(jobs, busy)

    assert {job: wait.why for job, wait in waits(ordered, busy, slots=4).items()} == {
        1: Why.LIMIT, 2: Why.NEXT, 3: Why.SLOTS,
    }  # fmt: skip
    assert {wait.why for wait in waits(ordered, busy, slots=0).values()} == {Why.NO_WORKER}


@given(
    st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.integers(0, 2)), max_size=12),
    st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(1, 3)),
    st.integers(0, 4),
)
def test_the_order_loses_nobody_and_gives_no_turn_over_the_limit(
    asked: list[tuple[int | None, int]], running: dict[int | None, int], limit: int
) -> None:
    jobs = [Waiting(number, by, moved) for number, (by, moved) in enumerate(asked)]
    busy = Busy(running, running, {}, limit)
    ordered = order(jobs, busy)

    assert sorted(job.id for job in ordered) == [job.id for job in jobs]
    if ordered and busy.full(ordered[0].by):
        assert all(busy.full(job.by) for job in ordered), "the first is full only where all are"
    for by in {job.by for job in jobs}:
        own = [(-job.moved_up, job.id) for job in ordered if job.by == by]
        assert own == sorted(own), "a person's own jobs keep their order"


# ---------------------------------------------------------------- with real workers


class Yard:
    """An installation with two people, a limit, and workers that count to 6 for each job until they are let go."""

    def __init__(self, settings: Settings, folder: Path, make: Make) -> None:
        self.settings, self.engine = settings, make.engine
        self.queue = job_engine.Client(settings.url)
        self.file, self.gate = folder / "count", folder / "count.hold"
        self.ada, self.ben = make.author("Ada"), make.author("Ben")
        self._subject = 0

    def add(self, by: UserRow, queue: str = "cpu") -> int:
        self._subject += 1
        with writing(self.engine) as session:
            service.bind(session, self.queue)
            return service.add(session, "check", self._subject, by.id, title="Count", queue=queue).id

    def jobs(self) -> list[JobRow]:
        with reading(self.engine) as session:
            return list(reversed(store.newest(session, None, 50)))

    def running(self) -> Counter[int | None]:
        return Counter(job.created_by for job in self.jobs() if job.status == Status.RUNNING)


@pytest.fixture
def yard(either: Settings, tmp_path: Path) -> Iterator[Yard]:
    limited = either.model_copy(update={"jobs_per_person": 2})
    engine: Engine = engine_for(limited)
    made = Yard(limited, tmp_path, Make(engine, limited))
    yield made
    made.queue.close()
    engine.dispose()


@on_both
@pytest.mark.worker
def test_two_workers_keep_to_the_limit_and_to_the_turns(zygote: None, yard: Yard) -> None:
    yard.gate.write_text("0")
    hers = [yard.add(yard.ada) for _ in range(5)]
    his = yard.add(yard.ben)
    workers: list[Started] = []
    try:
        counting = ("1", str(yard.file))
        workers += [processes.begin(yard.settings, "tests.support.counting", slot, *counting) for slot in "ab"]
        until(lambda: yard.running() == {yard.ada.id: 2, yard.ben.id: 1})
        time.sleep(4 * yard.settings.worker_poll)  # eight slots are there, and five looks of each worker pass
        assert yard.running() == {yard.ada.id: 2, yard.ben.id: 1}, "her third waits though slots are free"
        with reading(yard.engine) as session:
            standing = service.standing(session, 30.0)
        assert [job.id for job in standing.waiting] == hers[2:]
        assert {wait.why for wait in standing.waits.values()} == {Why.LIMIT}

        yard.gate.unlink()
        until(lambda: all(job.final for job in yard.jobs()))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    called = {job.id: job.called_at for job in yard.jobs()}
    assert all(called.values())
    turns = sorted(called, key=lambda job_id: str(called[job_id]))
    assert turns.index(his) <= 1, "one of hers at most went before his"
    assert [job_id for job_id in turns if job_id in hers] == hers
    assert {job.status for job in yard.jobs()} == {Status.DONE}
