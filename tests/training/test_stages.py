"""A run is followed to its very end: each stage has its mark, and what was seen is said in rows."""

from datetime import timedelta
from typing import Any

import pytest

from app.db import utcnow
from app.economics.prices import Price
from app.jobs.progress import Progress
from app.jobs.tables import JobRow, Status
from app.training import events
from app.training.cost import so_far
from app.training.legs import Outcome
from app.training.protocol import Measured
from app.training.stages import Kept, kept, live
from app.training.tables import CheckpointRow, MetricRow, TrainingRow

NAMES = (
    "Queued",
    "First dev evaluation",
    "Training steps",
    "Last dev evaluation",
    "Adapter stored",
    "Test set answered",
    "Release checks",
    "Compared with the best prompt",
)


def run(**different: Any) -> TrainingRow:
    usual: dict[str, Any] = {
        "recipe": {"batch_rows": "8", "max_steps": "16"},
        "training_facts": {"steps": 16, "train_rows": 6692},
        "adapter_sha256": None,
        "result": None,
    }
    return TrainingRow(**(usual | different))


def metrics(*steps: int, speed: float | None = 400.0) -> list[MetricRow]:
    return [
        MetricRow(step=step, loss=1.0, learning_rate=step * 1e-5, tokens_per_second=speed, at=utcnow())
        for step in steps
    ]


@pytest.mark.parametrize(
    ("state", "steps", "dev", "different", "at"),
    [
        ("queued", (), (), {}, "Queued"),
        ("running", (), (), {}, "First dev evaluation"),
        ("running", (), (0,), {}, "Training steps"),
        ("running", (1, 2, 15), (0,), {}, "Training steps"),
        ("running", (15, 16), (0,), {}, "Last dev evaluation"),
        ("running", (15, 16), (0, 16), {}, "Adapter stored"),
        ("evaluating", (15, 16), (0, 16), {"adapter_sha256": "a"}, "Test set answered"),
        ("done", (15, 16), (0, 16), {"adapter_sha256": "a"}, "Compared with the best prompt"),
        ("evaluating", (8,), (0, 8), {"adapter_sha256": "a"}, "Test set answered"),  # stopped early
    ],
)
def test_one_stage_is_now_and_those_before_are_done(
    state: str, steps: tuple[int, ...], dev: tuple[int, ...], different: dict[str, Any], at: str
) -> None:
    stages = live(run(**different), state, metrics(*steps), metrics(*dev), None).stages

    assert [one.name for one in stages] == list(NAMES)
    place = NAMES.index(at)
    assert [one.mark for one in stages] == ["done"] * place + ["now"] + ["to come"] * (len(NAMES) - place - 1)


def test_a_run_that_is_over_has_no_stage_left() -> None:
    ended = run(adapter_sha256="a", result={"verdict": "improved"})

    assert {one.mark for one in live(ended, "done", metrics(16), metrics(0, 16), None).stages} == {"done"}


@pytest.mark.parametrize("state", ["failed", "cancelled", "refused"])
def test_a_run_that_ended_early_stops_where_it_was(state: str) -> None:
    stages = live(run(), state, metrics(1, 9), metrics(0), None).stages

    assert [(one.mark, one.done, one.total) for one in stages if one.name == "Training steps"] == [("stopped", 9, 16)]
    assert stages[3].mark == "to come"


def test_test_rows_are_counted_as_the_job_says() -> None:
    going = run(adapter_sha256="a")
    stages = live(going, "evaluating", metrics(16), metrics(16), {"done": 40, "total": 220, "unit": "calls"}).stages
    before = live(going, "running", metrics(16), metrics(16), {"done": 9, "total": 16, "unit": "steps"}).stages

    assert [(one.done, one.total) for one in stages if one.name == "Test set answered"] == [(40, 220)]
    assert [(one.done, one.total) for one in before if one.name == "Test set answered"] == [(0, None)]


def test_what_was_seen_how_fast_and_at_which_rate() -> None:
    now = live(run(), "running", metrics(*range(1, 17)), metrics(0), None)

    assert now.progress is not None
    assert (now.progress.rows, now.progress.of) == (128, 6692)
    assert now.progress.text == "16 steps: 128 of 6,692 rows seen (2 % of an epoch)"
    assert now.learning_rate == pytest.approx(16e-5)
    assert now.tokens_per_second == pytest.approx(400)


def test_nothing_is_said_of_what_nobody_measured() -> None:
    empty = live(run(training_facts={}), "running", [], [], None)
    unknown = live(run(), "running", metrics(1, speed=None), [], None)

    assert (empty.progress, empty.learning_rate, empty.tokens_per_second) == (None, None, None)
    assert unknown.tokens_per_second is None


def test_after_the_last_step_the_job_names_what_goes_on_and_counts_no_steps() -> None:
    heard = events.Heard()
    step: Measured = {"event": "step", "step": 15, "of": 16, "loss": 1.0, "tokens_per_second": 400.0}

    assert events.progress(heard, step)["total"] == 16
    assert events.progress(heard, {**step, "step": 16}) == {
        "stage": "Last dev evaluation",
        "loss": 1.0,
        "tokens_per_second": 400.0,
    }


def test_each_training_of_a_run_has_its_stage_and_one_that_diverged_is_named() -> None:
    usual = {"kind": "rate", "seed": 1, "share": 1.0, "best_loss": 1.0, "name": "rate-1", "learning_rate": 1e-4}
    over = [usual, usual | {"name": "rate-2", "learning_rate": 2e-4, "diverged": "no number"}]
    facts = {"legs": [Outcome.from_json(one).to_json() for one in over], "steps": 16, "train_rows": 128}
    facts |= {"leg": "rate-3", "leg_words": "Learning rate 0.0004"}
    going = run(recipe={"sweep": "three", "seeds": "2", "batch_rows": "8"}, training_facts=facts)

    stages = live(going, "running", metrics(1, 2, 8), metrics(0), None).stages

    assert [(one.name, one.mark) for one in stages[:6]] == [
        ("Queued", "done"),
        ("Learning rate 0.0001", "done"),
        ("Learning rate 0.0002 (diverged)", "done"),
        ("Learning rate 0.0004", "now"),
        ("Training 4 of 4", "to come"),
        ("Adapter stored", "to come"),
    ]
    assert (stages[3].done, stages[3].total) == (8, 16)


def test_what_a_run_costs_and_what_it_would_go_on_from() -> None:
    now = utcnow()
    over = JobRow(status=Status.CANCELLED, started_at=now - timedelta(hours=5), finished_at=now - timedelta(hours=4))
    going = JobRow(status=Status.RUNNING, started_at=now - timedelta(minutes=30), finished_at=None)
    waiting = JobRow(status=Status.QUEUED, started_at=None, finished_at=None)
    hour = Price("GPU box", "machine_hour", 2.0, "EUR", now.date(), "contract")

    assert so_far([over, going, waiting], None, now).money is None
    assert so_far([over, going, waiting], hour, now).seconds == pytest.approx(1.5 * 3600)
    assert so_far([over, going, waiting], hour, now).money == pytest.approx(3.0)
    assert kept(metrics(1, 2, 3, 4), [CheckpointRow(step=3), CheckpointRow(step=1)]) == Kept(3, 4)
    assert (Kept(3, 4).again, kept(metrics(1, 2), []).again, kept([], []).again) == (1, 2, 0)


def test_live_figures_are_of_the_last_steps_and_memory_of_a_trainer_that_runs() -> None:
    losses = [MetricRow(step=step, loss=loss, at=utcnow()) for step, loss in ((0, 3.0), (8, 1.0), (16, 2.0))]
    report: Progress = {"memory_bytes": 5, "peak_bytes": 9}
    now = live(run(), "running", metrics(*range(1, 31)), losses, report)

    assert (now.train_loss, now.dev_loss, now.best_loss, now.best_step) == (1.0, 2.0, 1.0, 8)
    assert (now.memory_bytes, now.peak_bytes) == (5, 9)
    assert live(run(), "evaluating", [], [], report).memory_bytes is None
