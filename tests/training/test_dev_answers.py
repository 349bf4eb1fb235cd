"""Early stopping by the deciding metric: the adapter answers dev rows in the trainer, at a price that is measured."""

import dataclasses
import json
from contextlib import closing
from typing import Any

import pytest

from app.baselines import prompts
from app.evaluation import metrics
from app.inference.generator import Request
from app.inference.local import LocalModel
from app.recipes import dev_answers
from app.recipes.dev_answers import Scored
from app.training import spec as specs
from app.training.protocol import Exit
from tests.support.trainer import Run

EXACT: Scored = {"metric": "exact_match", "options": {}, "max_tokens": 8}


@pytest.mark.parametrize(
    ("settings", "scored", "words"),
    [
        ({}, None, ""),
        ({"stop_by": "metric"}, EXACT, ""),
        ({"stop_by": "metric"}, None, "run the baselines first"),
        ({"stop_by": "metric"}, EXACT | {"metric": "sql_result"}, "in a process of its own"),
        ({"stop_by": "metric"}, EXACT | {"metric": "of a later version"}, "not known to this version"),
    ],
)
def test_why_the_metric_cannot_choose_is_said(settings: dict[str, Any], scored: Scored | None, words: str) -> None:
    against = dev_answers.against(settings, scored)

    assert (words in against) if words else against == ""


def test_a_trainer_takes_no_subject_without_the_metric_that_it_stops_by(run: Run) -> None:
    run.recipe = dataclasses.replace(run.recipe, stop_by="metric")

    with pytest.raises(ValueError, match="run the baselines first"):
        specs.from_subject(run.subject())


@pytest.mark.torch
def test_the_checkpoint_with_the_best_dev_score_is_kept(run: Run) -> None:
    """The tiny model learns to say the first word twice; its answers are scored at each check, and written down."""
    run.recipe = dataclasses.replace(run.recipe, stop_by="metric", epochs=3, scored_rows=10)
    run.scored = {**EXACT, "metric": "chrf"}

    child = run.train()

    assert child.code == Exit.DONE, child.output
    checks = {event["step"]: event for event in child.events("dev")}
    done = child.events("done")[0]
    best = max(checks.values(), key=lambda check: check["score"])
    assert checks[0]["score"] < best["score"]
    assert checks[done["best_step"]]["score"] == best["score"] == done["facts"]["best_score"]
    first = min(step for step, check in checks.items() if check["score"] == best["score"])
    assert first <= done["best_step"]
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert any(json.loads(line).get("score") == best["score"] for line in lines)


@pytest.mark.torch
def test_a_preflight_times_answers_and_prices_every_training(run: Run, torch_here: None) -> None:
    from app.training import probe

    run.recipe = dataclasses.replace(run.recipe, stop_by="metric", seeds=2, replay=0.2, scored_rows=10)
    run.scored = EXACT

    found = probe.probe(specs.from_subject(run.subject()), run.model, run.rows, 1)

    assert found["scored_rows"] == 6  # as many as there are
    assert found["score_seconds"] > 0
    assert [one["words"] for one in found["trainings"]] == ["Whole training set", "Seed 2"]
    assert found["seconds"] == pytest.approx(sum(one["seconds"] for one in found["trainings"]))
    assert (found["replay"]["rows"], found["replay"]["wanted"], found["train"]["rows"]) == (6, 6, 30)
    assert len(found["replay_samples"]) == 3
    assert all("Say the first word twice" not in sample["prompt"] for sample in found["replay_samples"])


@pytest.mark.torch
@pytest.mark.deep
def test_a_dev_score_is_what_the_adapter_scores_when_it_is_asked_afterwards(run: Run) -> None:
    """The kept adapter, asked by the process that asks the test rows: the same answers, so the same score."""
    run.recipe = dataclasses.replace(run.recipe, stop_by="metric", epochs=3, scored_rows=10)
    run.scored = {**EXACT, "metric": "chrf"}
    child = run.train()
    dev = [row for row in specs.rows(run.rows.read_bytes().splitlines()) if row.split == "dev"]
    asked = [Request(str(row.line), prompts.render("Say the first word twice.", (), row.messages), 8) for row in dev]

    with closing(LocalModel(run.model, run.folder / "adapter", 1, "float32")) as model:
        texts = {answer.id: answer.text for answer in model.answer(asked, lambda: False)}

    scores = [metrics.score("chrf", texts[str(row.line)], row.target, {}) for row in dev]
    assert child.events("done")[0]["facts"]["best_score"] == pytest.approx(sum(scores) / len(scores))
