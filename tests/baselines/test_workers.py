"""The measuring job in real worker processes."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from app.baselines import service, store
from app.db import make_engine, reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.tables import Status
from app.settings import Settings
from tests.support.factories import Make
from tests.support.measured import a_case, baseline_of, clever, started
from tests.support.model_server import serving
from tests.support.processes import Process, until

pytestmark = pytest.mark.worker

DELAY = 0.05


def open_to_loopback(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_concurrency": 4})


def test_kill_9_in_the_middle_repeats_only_what_was_in_flight(either: Settings, worker: Callable[..., Process]) -> None:
    settings = open_to_loopback(either)
    own = make_engine(settings.url)
    line = job_engine.Client(settings.url)
    with serving(clever, delay=DELAY) as server:
        case = a_case(Make(own, settings), own, server)
        baseline_id = started(own, line, case).id
        first = worker(settings, slot="a")
        until(lambda: len(server.calls) >= 60, 40)
        first.kill()
        kept = _answers(own, baseline_id)
        asked_before = len(server.calls)

        worker(settings, slot="b")
        until(lambda: baseline_of(own, baseline_id).concluded_at is not None, 60)

        asked = Counter(server.asked)
    repeated = len(server.calls) - (5 * 30 + 40)
    assert asked_before < 5 * 30
    assert kept > 0
    at_once = settings.endpoint_concurrency
    # Calls in flight, and the answers of the last quarter of a second.
    assert 0 <= repeated <= at_once + at_once / DELAY * 0.25
    assert len(asked) == 30 + 40
    assert _answers(own, baseline_id) == 6 * 30 + 2 * 40
    with reading(own) as session:
        job = service.last_job(session, store.get(session, baseline_id))
        assert job is not None
        assert (job.status, job.attempt) == (Status.DONE, 2)
    line.close()
    own.dispose()


@pytest.mark.alone
def test_cancel_stops_a_running_measurement_within_two_seconds(
    make: Make, engine: Engine, settings: Settings, line: job_engine.Client, worker: Callable[..., Process]
) -> None:
    settings = open_to_loopback(settings)
    with serving(clever, delay=0.5) as server:
        case = a_case(make, engine, server)
        baseline_id = started(engine, line, case).id
        worker(settings)
        until(lambda: len(server.calls) >= 8, 40)
        with writing(engine) as session:
            job = service.last_job(session, store.get(session, baseline_id))
            assert job is not None
            jobs.cancel(session, job.id, case.author)
        pressed = time.monotonic()

        until(lambda: _status(engine, baseline_id) == Status.CANCELLED, 5)

        assert time.monotonic() - pressed < 2
        quiet = len(server.calls)
        time.sleep(0.6)
        assert len(server.calls) == quiet, "nothing is asked after the cancel"


def _answers(engine: Engine, baseline_id: int) -> int:
    with reading(engine) as session:
        baseline = store.get(session, baseline_id)
        return sum(len(store.answers(session, arm.id, split)) for arm in baseline.arms for split in ("dev", "test"))


def _status(engine: Engine, baseline_id: int) -> Status:
    with reading(engine) as session:
        job = service.last_job(session, store.get(session, baseline_id))
        assert job is not None
        return job.status
