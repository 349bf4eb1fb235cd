"""A judge in a real worker process that is killed in the middle."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.db import make_engine
from app.jobs import engine as job_engine
from app.settings import Settings
from tests.support.factories import Make
from tests.support.judged import fair, judgeable
from tests.support.measured import clever
from tests.support.model_server import last_user, serving
from tests.support.processes import Process, until

pytestmark = [pytest.mark.worker, pytest.mark.deep]

BEFORE = 20  # calls that are answered before the worker is killed


def test_kill_9_asks_nothing_twice_but_what_was_in_flight(either: Settings, worker: Callable[..., Process]) -> None:
    settings = either.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_concurrency": 4})
    own = make_engine(settings.url)
    queue = job_engine.Client(settings.url)
    killed = threading.Event()

    def held(body: dict[str, Any]) -> str:
        if len(judge.calls) > BEFORE:
            killed.wait(60)
        return fair(body)

    with serving(clever) as model, serving(held, delay=0.05) as judge:
        case = judgeable(Make(own, settings), own, settings, queue, (model, judge))
        case.write_rubric()
        run_id = case.start()
        first = worker(settings, slot="a")
        until(lambda: len(judge.calls) > BEFORE)
        until(lambda: len(case.judgements(run_id)) >= BEFORE - settings.endpoint_concurrency)
        first.kill()
        kept = {row.prompt_sha256 for row in case.judgements(run_id)}
        killed.set()
        worker(settings, slot="b")
        until(lambda: case.run(run_id).ending == "done")
        asked = Counter(last_user(call.body) for call in judge.calls)
    twice = [text for text, times in asked.items() if times > 1]
    assert len(kept) >= BEFORE - settings.endpoint_concurrency
    assert len(twice) <= 2 * settings.endpoint_concurrency
    assert case.outcome(run_id).waiting == 0
    queue.close()
    own.dispose()
