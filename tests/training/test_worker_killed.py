"""The worker is killed -9 in the middle of training: the trainer ends with it, and the next worker goes on."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.db import reading
from app.jobs import store as job_store
from app.training import events, store
from app.training.protocol import JOURNAL
from tests.support.depth import depth
from tests.support.processes import Process, runs, until
from tests.support.story import Story

pytestmark = [pytest.mark.torch, pytest.mark.worker]


@pytest.mark.long("the one real kill of a worker and its trainer")
@pytest.mark.deep
def test_killed_with_its_worker_a_run_goes_on_where_it_was(
    story: Story,
    worker: Callable[..., Process],
    engine: Engine,
) -> None:
    steps = depth(60, 240)
    story.recipe(max_steps=steps, evals_per_epoch=20)
    story.check()
    story.approve()
    row = story.launch()
    # What the trainer itself writes down: the database hears of it a second later, when a short run is over.
    journal = story.make.settings.runs_dir / f"training-{row.id}" / JOURNAL

    first = worker(story.make.settings, slot="a")
    until(lambda: len(events.journal(journal)) >= depth(5, 30))
    trainers = _trainers(row.id)
    os.kill(first.popen.pid, signal.SIGKILL)
    until(lambda: not any(runs(pid) for pid in trainers))
    worker(story.make.settings, slot="b")
    until(lambda: story.run(row).state == "done", 240)

    with reading(engine) as session:
        numbers = [metric.step for metric in store.metrics(session, row.id, "step")]
        attempts = {metric.attempt for metric in store.metrics(session, row.id, "step")}
        log = [str(event.body["line"]) for event in job_store.log_lines(session, int(row.job_id or 0))]
    assert trainers
    assert numbers == list(range(1, steps + 1))
    assert attempts == {1, 2}
    assert any("Attempt 2 begins from the checkpoint of step" in line for line in log)
    assert story.run(row).training_facts["attempts"] == 2


def _trainers(training_id: int) -> list[int]:
    """Process ids of this run's trainer."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command: Any = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if b"app.training.child" in command and f"training-{training_id}".encode() in command:
                found.append(int(entry.name))
    return found
