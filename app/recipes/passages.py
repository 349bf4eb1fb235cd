"""The passages that training rows carry, where the best prompt gives passages: what was looked up, and whether it is
still what would be trained with.

A model that is trained without the passages that it will see in use learns to answer from memory (RAFT, Zhang et al.
2024); so where the winning arm retrieves, every training row is rendered with what that arm's index finds for it.
"""

from collections.abc import Sequence
from typing import cast

from app.baselines import standing
from app.baselines.tables import BaselineRow
from app.datasets.tables import DatasetRow
from app.json_types import JsonObject
from app.recipes.passages_carried import CarriedPassages
from app.recipes.tables import RecipeRow

ASKED = ("way", "k", "index", "sha256")  # of an arm's passages: what decides which passages a row is given
KEPT = (*ASKED, "rows_sha256", "excluded")


def wanted(baseline: BaselineRow | None, dataset: DatasetRow | None) -> CarriedPassages | None:
    """What the training rows have to carry; None where the best prompt gives no passages."""
    best = standing.best(baseline) if baseline else None
    settings = (best.settings.get("passages") if best else None) or None
    if settings is None or dataset is None:
        return None
    every: JsonObject = settings
    asked = cast("CarriedPassages", {name: every[name] for name in ASKED if name in every})
    return {**asked, "of_rows": dataset.rows_sha256, "of_split": dataset.split_sha256}


def part(recipe: RecipeRow | None, baseline: BaselineRow | None, dataset: DatasetRow | None) -> CarriedPassages | None:
    """What the subject says of them: with the hash of the rows that carry them where these were made for exactly this
    arm, index and split, without it where a preflight has to look them up first."""
    asked = wanted(baseline, dataset)
    if asked is None:
        return None
    stored = recipe.passages if recipe else None
    if stored is None or any(stored.get(name) != value for name, value in asked.items()):
        return _only(asked, ASKED)
    return _only(stored, KEPT)


def _only(passages: CarriedPassages, names: Sequence[str]) -> CarriedPassages:
    return cast("CarriedPassages", {name: value for name, value in passages.items() if name in names})


def carried(recipe: RecipeRow | None, baseline: BaselineRow | None, dataset: DatasetRow | None) -> bool:
    """Whether rows with passages are there for what would be trained now."""
    return "rows_sha256" in (part(recipe, baseline, dataset) or {})
