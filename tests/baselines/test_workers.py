"""The measuring job in real worker processes."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from app.baselines import answer_store, controls, outbox, runs, store
from app.db import make_engine, reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.tables import Status
from app.settings import Settings
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, clever, started
from tests.support.model_server import serving
from tests.support.processes import Process, until

pytestmark = pytest.mark.worker

DELAY = depth(0.02, 0.05)
DEV, TEST = depth(12, 30), depth(14, 40)


def open_to_loopback(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_concurrency": 4})


@pytest.mark.deep
def test_kill_9_in_the_middle_repeats_only_what_was_in_flight(either: Settings, worker: Callable[..., Process]) -> None:
    settings = open_to_loopback(either)
    own = make_engine(settings.url)
    queue = job_engine.Client(settings.url)
    killed = threading.Event()

    def reply(body: dict[str, Any]) -> str:
        """Two arms are answered and the third is not, however quick the worker is or slow the test."""
        if len(server.calls) > 2.5 * DEV:
            killed.wait(60)
        return clever(body)

    with serving(reply, delay=DELAY) as server:
        case = a_case(Make(own, settings), own, server, dev=DEV, test=TEST)
        baseline_id = started(own, queue, case).id
        first = worker(settings, slot="a")
        until(lambda: len(server.calls) > 2.5 * DEV)
        first.kill()
        asked_before, kept = len(server.calls), _answers(own, baseline_id)
        killed.set()

        worker(settings, slot="b")
        until(lambda: _status(own, baseline_id) == Status.DONE)

        asked = Counter(server.questions)
    looks = len(baseline_of(own, baseline_id).test_looks)
    repeated = len(server.calls) - (5 * DEV + looks * TEST)
    at_once = settings.endpoint_concurrency
    assert asked_before < 5 * DEV
    assert kept >= 3 * DEV, "two arms, and one that needs no model"
    assert repeated == asked_before - (kept - DEV), "whatever was stored is not asked again"
    # Calls in flight, and answers that were not stored yet: a few, or the last quarter of a second's.
    assert 0 <= repeated <= at_once + depth(outbox.FLUSH_ROWS, at_once / DELAY * outbox.FLUSH_SECONDS)
    assert len(asked) == DEV + TEST
    assert _answers(own, baseline_id) == 6 * DEV + (1 + looks) * TEST
    with reading(own) as session:
        last = runs.last_job(session, store.get(session, baseline_id))
        assert last is not None
        assert (last.status, last.attempt) == (Status.DONE, 2)
    queue.close()
    own.dispose()


@pytest.mark.deep
def test_paused_killed_and_at_its_budget_nothing_is_asked_twice_but_calls_in_flight(
    either: Settings, worker: Callable[..., Process]
) -> None:
    """A run that is paused, resumed, killed in the middle and stopped by its budget; then a second one that takes what
    the first one has answers to, and asks the rest."""
    settings = open_to_loopback(either)
    own = make_engine(settings.url)
    queue = job_engine.Client(settings.url)
    at_once, whole = settings.endpoint_concurrency, DEV + TEST
    with serving(clever, delay=DELAY) as server:
        case = a_case(Make(own, settings), own, server, dev=DEV, test=TEST)
        one = {"arms": ("zero_shot",), "fresh": False}
        baseline_id = started(own, queue, case, **one, budget_calls=whole - 2).id
        first = worker(settings, slot="a")
        until(lambda: len(server.calls) >= DEV // 4)
        with writing(own) as session:
            jobs.bind(session, queue)
            controls.pause(session, baseline_id, by=case.author)
        until(lambda: _status(own, baseline_id) == Status.CANCELLED)
        quiet = len(server.calls)
        assert quiet < whole - 2
        assert Counter(server.questions).most_common(1)[0][1] == 1

        with writing(own) as session:
            jobs.bind(session, queue)
            runs.resume(session, baseline_id, by=case.author)
        until(lambda: len(server.calls) >= quiet + 2)
        first.kill()
        worker(settings, slot="b")
        until(lambda: _status(own, baseline_id) == Status.CANCELLED)
        stopped = len(server.calls)
        kept = sum(_kept_of(own, baseline_id).values())

        second = started(own, queue, case, **one).id
        until(lambda: _status(own, second) == Status.DONE)

    assert kept == whole - 2, "the budget counts answers that are kept"
    assert stopped - kept <= at_once + outbox.FLUSH_ROWS, "calls in flight when it was killed"
    assert len(server.calls) == stopped + 2, "the second run asks what the first one did not"
    assert _kept_of(own, second) == {"dev": DEV, "test": TEST}
    queue.close()
    own.dispose()


def _kept_of(engine: Engine, baseline_id: int) -> dict[str, int]:
    """Answers of the prompt, by split."""
    with reading(engine) as session:
        arm = next(arm for arm in store.get(session, baseline_id).arms if arm.name == "zero_shot")
        return {split: len(answer_store.answers(session, arm.id, split)) for split in ("dev", "test")}


def test_cancel_ends_a_measurement_that_is_in_the_middle_of_its_calls(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, worker: Callable[..., Process]
) -> None:
    """The server answers nothing until the job is over, so nobody can have waited for it."""
    settings = open_to_loopback(settings)
    over = threading.Event()

    def reply(body: dict[str, Any]) -> str:
        if len(server.calls) >= 8:
            over.wait(60)
        return clever(body)

    with serving(reply) as server:
        case = a_case(make, engine, server, dev=DEV, test=TEST)
        baseline_id = started(engine, queue, case).id
        process = worker(settings)
        until(lambda: len(server.calls) >= 8)

        _cancel(engine, case, baseline_id)

        until(lambda: _status(engine, baseline_id) == Status.CANCELLED)
        quiet = len(server.calls)
        over.set()
        process.stop()
        assert len(server.calls) == quiet, "nothing is asked after the cancel"


@pytest.mark.alone
def test_cancel_stops_a_running_measurement_within_two_seconds(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, worker: Callable[..., Process]
) -> None:
    settings = open_to_loopback(settings)
    with serving(clever, delay=0.5) as server:
        case = a_case(make, engine, server)
        baseline_id = started(engine, queue, case).id
        worker(settings)
        until(lambda: len(server.calls) >= 8, 40)
        _cancel(engine, case, baseline_id)
        pressed = time.monotonic()

        until(lambda: _status(engine, baseline_id) == Status.CANCELLED, 5)

        assert time.monotonic() - pressed < 2
        quiet = len(server.calls)
        time.sleep(0.6)
        assert len(server.calls) == quiet, "nothing is asked after the cancel"


def _cancel(engine: Engine, case: Case, baseline_id: int) -> None:
    with writing(engine) as session:
        last = runs.last_job(session, store.get(session, baseline_id))
        assert last is not None
        jobs.cancel(session, last.id, case.author)


def _answers(engine: Engine, baseline_id: int) -> int:
    with reading(engine) as session:
        baseline = store.get(session, baseline_id)
        return sum(
            len(answer_store.answers(session, arm.id, split)) for arm in baseline.arms for split in ("dev", "test")
        )


def _status(engine: Engine, baseline_id: int) -> Status:
    with reading(engine) as session:
        last = runs.last_job(session, store.get(session, baseline_id))
        assert last is not None
        return last.status
