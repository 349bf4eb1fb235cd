"""Recipes: defaults with reasons, bounds, and the course of the learning rate."""

from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.gate.subject import exact
from app.training import recipe as recipes
from app.training.recipe import FIELDS, Recipe


def test_every_setting_has_a_field_with_a_reason_and_a_default_within_bounds() -> None:
    assert sorted(field.name for field in FIELDS) == sorted(field.name for field in fields(Recipe))
    assert all(len(field.why) > 20 for field in FIELDS)
    assert recipes.parse(asdict(Recipe())) == Recipe()


@pytest.mark.parametrize(("rows", "batch"), [(1999, 8), (2000, 16)])
def test_few_rows_get_smaller_batches(rows: int, batch: int) -> None:
    assert recipes.defaults(rows).batch_rows == batch


def test_a_recipe_survives_the_subjects_spelling_of_numbers() -> None:
    recipe = Recipe(learning_rate=0.1 / 3 / 100, dropout=0.05)

    spelled: Any = exact(asdict(recipe))

    assert recipes.parse(spelled) == recipe


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        recipes.parse({"rank": "0", "learning_rate": "nan", "epochs": 1.5, "schedule": "x", "trust_remote_code": True})

    assert [error.field for error in refused.value.errors] == [
        "trust_remote_code", "epochs", "learning_rate", "rank", "schedule",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["inf", "-inf", "1e999", "", None, True, [], "0x10"])
def test_what_is_no_number_in_bounds_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        recipes.parse({"warmup": value})


@given(st.integers(1, 400), st.sampled_from(["cosine", "constant"]), st.floats(0, 0.5))
def test_the_learning_rate_rises_once_and_never_exceeds_the_top(total: int, schedule: str, warmup: float) -> None:
    recipe = Recipe(schedule=schedule, warmup=warmup)
    rates = [recipes.learning_rate(recipe, step, total) for step in range(1, total + 1)]

    assert all(0 < rate <= recipe.learning_rate * 1.0001 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_what_was_changed_is_listed() -> None:
    assert list(recipes.changed(Recipe(rank=8, curve="quarters"), Recipe())) == [
        ("LoRA rank (r)", "16", "8"),
        ("Learning curve", "No", "25 % and 50 % of the rows, too"),
    ]


def test_a_setting_that_came_later_changes_no_digest_of_what_was_approved_before() -> None:
    assert set(recipes.LATER).isdisjoint(recipes.to_json(Recipe()))
    assert recipes.LATER.items() <= asdict(Recipe()).items()
    assert recipes.to_json(Recipe(scaling="rslora"))["scaling"] == "rslora"
    assert recipes.parse(recipes.to_json(Recipe(scaling="rslora"))) == Recipe(scaling="rslora")


@pytest.mark.parametrize(("rank", "served"), [(4, 8), (16, 16), (17, 32), (200, 256)])
def test_a_rank_is_served_by_the_next_one_that_a_server_knows(rank: int, served: int) -> None:
    assert recipes.served_rank(rank) == served
    assert [f"--max-lora-rank {served}." in note for note in recipes.serving_notes(Recipe(rank=rank))] == (
        [True] if rank > 16 else []
    )
