"""Several trainings from one approval: what is planned, what is chosen and by which rule, and kills in between."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from app.baselines import differences
from app.db import reading
from app.gate import reviews, subject_builder
from app.gate import store as review_store
from app.gate.subject import exact
from app.inference import folders
from app.recipes import legs as planned
from app.recipes import store as recipe_store
from app.results import card
from app.results import job as results_job
from app.results import service as results
from app.training import child, legs, store
from app.training import spec as specs
from app.training.checkpoints import CheckpointStore
from app.training.legs import Outcome
from app.training.protocol import Exit
from app.training.recipe import Recipe
from tests.support.story import Story

SEVERAL = Recipe(learning_rate=2e-4, sweep="three", seeds=3, curve="quarters", seed=5)


def outcome(name: str, **different: Any) -> Outcome:
    usual: dict[str, Any] = {"kind": "rate", "learning_rate": 1e-4, "seed": 1, "share": 1.0, "best_loss": 1.0}
    return Outcome(name=name, **(usual | different))


def test_the_plan_names_every_training_and_one_without_options_is_one() -> None:
    first = legs.first(SEVERAL)
    chosen = first[2]
    after = list(legs.after(SEVERAL, chosen))

    assert [leg.recipe.learning_rate for leg in first] == [1e-4, 2e-4, 4e-4]
    assert [(leg.kind, leg.recipe.seed, leg.share) for leg in after] == [
        ("seed", 6, 1.0), ("seed", 7, 1.0), ("part", 5, 0.25), ("part", 5, 0.5),
    ]  # fmt: skip
    assert {leg.recipe.learning_rate for leg in after} == {4e-4}
    assert [leg.number for leg in [*first, *after]] == list(range(1, 8))
    assert {leg.of for leg in [*first, *after]} == {planned.count(asdict(SEVERAL))} == {7}
    assert legs.alone(Recipe())


@pytest.mark.parametrize(
    ("stop_by", "others", "wins"),
    [
        ("loss", [outcome("a", best_loss=1.2), outcome("b", best_loss=1.1)], "b"),
        ("loss", [outcome("a", best_score=0.9), outcome("b", best_loss=0.9, best_score=0.1)], "b"),
        ("metric", [outcome("a", best_score=0.5), outcome("b", best_loss=1.4, best_score=0.6)], "b"),
        ("metric", [outcome("a", best_score=0.5), outcome("b", best_loss=0.9, best_score=0.5)], "b"),
        ("loss", [outcome("a"), outcome("b")], "a"),
        ("loss", [outcome("a", best_loss=None, diverged="no number"), outcome("b", best_loss=9.0)], "b"),
        ("loss", [outcome("a", diverged="no number")], None),
    ],
)
def test_what_is_judged_is_chosen_on_the_dev_rows(stop_by: str, others: list[Outcome], wins: str | None) -> None:
    chosen = legs.chosen(others, stop_by)

    assert (chosen.name if chosen else None) == wins


def test_a_subject_says_which_trainings_are_approved_and_the_trainer_takes_no_other(run: Any) -> None:
    run.recipe = replace(run.recipe, seeds=2)
    subject: Any = exact(run.subject())

    assert subject["training"]["legs"]["deciding_seed"] == run.recipe.seed
    assert specs.from_subject(subject).recipe == run.recipe
    subject["training"]["legs"]["seeds"] = [1, 2, 3]
    with pytest.raises(ValueError, match="which trainings"):
        specs.from_subject(subject)


def test_one_that_diverged_is_written_down_and_not_trained_again(tmp_path: Path) -> None:
    run = CheckpointStore(tmp_path, b"key", "0" * 64, 1)
    leg = legs.first(SEVERAL)[2]
    store = legs.store(run, leg.name)
    store.commit(3, lambda _folder: None, {"seconds": 12.5})

    marked = child._mark_diverged(store, leg, "The loss of step 4 is not a number.")

    assert (marked.diverged, marked.seconds) == ("The loss of step 4 is not a number.", 12.5)
    assert child._ended(legs.store(replace(run, attempt=2), leg.name), leg) == marked
    assert child._ended(legs.store(replace(run, digest="1" * 64), leg.name), leg) is None
    assert child._ended(legs.store(run, "rate-1"), leg) is None


@pytest.mark.torch
def test_each_training_is_kept_and_the_best_on_dev_is_handed_out(another: Callable[..., Any]) -> None:
    """Killed once within a training and once between two, it ends as one that nobody disturbed."""
    options = {"sweep": "three", "seeds": 2, "curve": "quarters", "epochs": 1, "evals_per_epoch": 1}
    whole, cut = (another(**options, learning_rate=2e-3) for _ in range(2))
    undisturbed = whole.train()
    assert undisturbed.code == Exit.DONE, undisturbed.output
    for attempt, wait in enumerate(("step", "leg"), 1):
        cut.order(attempt)
        killed = cut.start()
        killed.until(wait)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    last = cut.train(attempt=3)

    ended = [event["name"] for event in undisturbed.events("leg")]
    assert ended == ["rate-1", "rate-2", "rate-3", "seed-2", "part-25", "part-50"]
    assert last.code == Exit.DONE, last.output
    assert cut.adapter == whole.adapter
    facts = undisturbed.events("done")[0]["facts"]
    outcomes = [Outcome.from_json(one) for one in facts["legs"]]
    best = min(outcomes[:3], key=lambda one: one.best_loss or 0.0)
    assert facts["chosen_leg"] == best.name
    assert whole.adapter == folders.sha256(whole.folder / "legs" / best.name / "adapter" / "adapter_model.safetensors")
    assert [one.rows for one in outcomes] == [24, 24, 24, 24, 6, 12]
    assert {one.learning_rate for one in outcomes[3:]} == {best.learning_rate}
    assert [one["legs"][-1]["best_loss"] for one in (facts, last.events("done")[0]["facts"])] == [
        outcomes[-1].best_loss
    ] * 2


@pytest.mark.torch
@pytest.mark.deep
def test_an_adapter_of_another_training_of_the_run_is_not_taken(another: Callable[..., Any]) -> None:
    made = another(seeds=2, epochs=1)
    first = made.train()
    assert first.code == Exit.DONE, first.output
    seed, main = made.folder / "legs" / "seed-2" / "adapter", made.folder / "legs" / "main" / "adapter"
    folders.discard(seed)
    main.rename(seed)
    folders.discard(made.folder / "adapter")

    again = made.train(attempt=2)

    losses = [{one["name"]: one["best_loss"] for one in each.events("leg")} for each in (first, again)]
    assert losses[0] == losses[1]
    assert json.loads(again.output.splitlines()[-1])["event"] == "done"


@pytest.mark.torch
def test_seeds_answer_the_test_rows_and_decide_nothing(story: Story) -> None:
    """From the config to the result, as a worker does it."""
    story.recipe(
        seeds=2, curve="quarters", max_steps=2, evals_per_epoch=1, stop_by="metric", scored_rows=10, replay=0.1
    )
    story.check()
    story.approve()
    row = story.launch()
    with reading(story.engine) as session:
        review = review_store.get(session, row.review_id)
        recipe = recipe_store.of_assessment(session, story.assessment.id)
        frozen = reviews.subject_of(review)
        assert subject_builder.preflight_of(frozen, recipe) == {"blockers": []}, "what was checked is what was approved"
        assert frozen.training is not None
        assert frozen.training.scored == {"metric": "exact_match", "options": {}, "max_tokens": 4}

    results_job.train(story.claim(story.train_job(row)))

    run = story.run(row)
    with reading(story.engine) as session:
        metrics = store.metrics(session, run.id, "step")
        dev = store.metrics(session, run.id, "dev", "part-25")
        outcome = results.outcome(session, run.id)
        several = results.together(outcome)
        usual = differences.usual(outcome.baseline, "test")
        card_text = card.card(results.facts(session, outcome))
    assert (run.state, run.training_facts["chosen_leg"]) == ("done", "main")
    assert {metric.leg for metric in metrics} == {"main", "seed-2", "part-25", "part-50"}
    assert dev
    arms = {arm.name: arm for arm in outcome.baseline.arms if arm.family == "adapter"}
    assert set(arms) == {f"adapter/{run.id}", f"adapter/{run.id}/seed-2"}
    assert outcome.adapter is arms[f"adapter/{run.id}"]
    assert usual is not None
    assert usual[1] == outcome.adapter.id
    assert several is not None
    assert several.spread is not None
    assert [(one.seed, one.deciding) for one in several.spread.seeds] == [(1, True), (2, False)]
    assert [one.score for one in several.spread.seeds] == [arm.test.score for arm in arms.values() if arm.test]
    assert [point.share for point in several.points] == [0.25, 0.5, 1.0]
    assert all(point.score is not None for point in several.points)
    assert all(metric.score is not None for metric in dev)
    assert run.training_facts["replay_rows"] > 0
    assert several.spread.words in card_text
    assert run.result is not None
    assert run.result["spread"]["mean"] == several.spread.mean
    assert [look["why"] for look in outcome.baseline.test_looks][-2:] == ["adapter", "another seed of an adapter"]
