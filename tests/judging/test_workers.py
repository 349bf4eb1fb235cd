"""A judge in a real worker process that is killed in the middle."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.baselines import prompts
from app.chat import Message
from app.db import make_engine
from app.jobs import engine as job_engine
from app.settings import Settings
from tests.support.factories import Make
from tests.support.judged import fair, judgeable
from tests.support.measured import clever
from tests.support.model_server import serving
from tests.support.processes import Process, until

pytestmark = [pytest.mark.worker, pytest.mark.deep]

BEFORE = 40  # calls that are answered before the worker is killed


def test_kill_9_asks_nothing_twice_that_was_stored(either: Settings, worker: Callable[..., Process]) -> None:
    settings = either.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_concurrency": 4})
    own = make_engine(settings.url)
    queue = job_engine.Client(settings.url)
    killed = threading.Event()

    def held(body: dict[str, Any]) -> str:
        if len(judge.calls) > BEFORE:
            killed.wait(60)
        return fair(body)

    with serving(clever) as model, serving(held, delay=0.05) as judge:
        case = judgeable(Make(own, settings), own, settings, queue, (model, judge), dev=60)
        case.write_rubric()
        run_id = case.start()
        first = worker(settings, slot="a")
        until(lambda: len(judge.calls) > BEFORE)
        first.kill()
        kept = {row.prompt_sha256 for row in case.judgements(run_id)}
        asked_before = len(judge.calls)
        killed.set()
        worker(settings, slot="b")
        until(lambda: case.run(run_id).ending == "done")
        asked = Counter(_prompt(call.body) for call in judge.calls)
    twice = {sha256 for sha256, times in asked.items() if times > 1}
    assert kept, "some were stored before the kill"
    assert twice & kept == set()
    assert len(twice) <= asked_before - len(kept)
    assert case.outcome(run_id).waiting == 0
    assert case.run(run_id).spent.calls == len(asked)
    queue.close()
    own.dispose()


def _prompt(body: dict[str, Any]) -> str:
    return prompts.sha256([Message(turn["role"], turn["content"]) for turn in body["messages"]])
