"""Verdicts that must come out right, of tiny models that are really trained by the job."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from app.baselines.tables import AnswerRow, ArmRow
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.release import service as releases
from app.results import job, service
from app.training.tables import TrainingRow
from tests.support import lessons
from tests.support.factories import Make
from tests.support.lessons import Lesson
from tests.support.story import Story

pytestmark = [pytest.mark.torch, pytest.mark.deep]

Trained = Callable[..., tuple[Story, TrainingRow]]


@pytest.fixture
def trained(
    make: Make,
    engine: Engine,
    queue: job_engine.Client,
    tiny_model: Path,
    tmp_path: Path,
    torch_here: None,
    warm_children: None,
) -> Trained:
    """Train a lesson to its result; settings change the recipe."""
    model = lessons.teachable(tiny_model, tmp_path)

    def run(lesson: Lesson, passed: int, **settings: Any) -> tuple[Story, TrainingRow]:
        story = lessons.begin(make, engine, queue, model, lesson, passed=passed)
        if settings:
            story.recipe(**settings)
        story.check()
        story.approve()
        row = story.launch()
        job.train(story.claim(story.train_job(row)))
        return story, story.run(row)

    return run


def failing(row: TrainingRow) -> set[str]:
    kept = releases.of_run(row)
    assert kept is not None
    return {check.name.removeprefix("release.") for check in kept.failed}


def test_a_good_adapter_is_an_improvement_and_on_few_rows_inconclusive(trained: Trained, engine: Engine) -> None:
    _, row = trained(lessons.right, 150)

    assert row.result is not None
    assert row.result["verdict"] == "improved", row.result["words"]
    assert "changing" not in failing(row)

    # The same adapter, where all but twelve rows got no answer from the prompt: nine of these it had right.
    with writing(engine) as session:
        best = session.scalars(select(ArmRow.id).where(ArmRow.name == "few_shot_nearest")).one()
        rows = session.scalars(select(ExampleRow.id).where(ExampleRow.split == "test").order_by(ExampleRow.id)).all()
        lost = [row for place, row in enumerate(rows) if not (place < 9 or 150 <= place < 153)]
        answers = update(AnswerRow).where(AnswerRow.arm_id == best, AnswerRow.example_id.in_(lost))
        session.execute(answers.values(status="error", score=None))
    with reading(engine) as session:
        few = service.outcome(session, row.id)
    assert few.compared is not None
    assert (few.compared.verdict, few.compared.rows, few.left_out) == ("inconclusive", 12, 208)


def test_an_over_trained_adapter_regressed_and_knows_its_rows_by_heart(trained: Trained) -> None:
    _, row = trained(lessons.by_heart, 150, epochs=2)

    assert row.result is not None
    assert row.result["verdict"] == "regressed", row.result["words"]
    assert "by_heart" in failing(row)


def test_labels_drawn_by_lot_are_not_better_than_guessing_the_usual_one(trained: Trained) -> None:
    _, row = trained(lessons.by_lot, 154)

    assert row.result is not None
    assert row.result["verdict"] == "not better", row.result["words"]


def test_an_adapter_that_does_nothing_is_not_better_and_said_to_do_nothing(trained: Trained) -> None:
    _, row = trained(lessons.right, 1, max_steps=1, learning_rate=1e-6)

    assert row.result is not None
    assert row.result["verdict"] == "not better", row.result["words"]
    assert row.result["words"].startswith("The adapter changes nothing:")
    assert "changing" in failing(row)
