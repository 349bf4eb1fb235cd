"""Several trainings from one approval, as a config asks for them: learning rates to choose from, further seeds, and
parts of the training set. Pure; what each of them is trained with stands in `training.legs`.

Which adapter the test rows judge is settled before anything is trained: of several learning rates the one that is best
on the dev rows, with the config's own seed. Other seeds answer the test rows too and decide nothing; parts of the
training set are compared on the dev rows alone.
"""

from collections.abc import Mapping
from typing import TypedDict

from app.recipes.settings import RecipeSettings

SWEEPS: Mapping[str, tuple[float, ...]] = {"none": (1.0,), "three": (0.5, 1.0, 2.0), "five": (0.25, 0.5, 1.0, 2.0, 4.0)}
"""Multiples of the config's learning rate."""
CURVES: Mapping[str, tuple[float, ...]] = {"none": (), "quarters": (0.25, 0.5)}
"""Shares of the training set besides the whole of it."""
BY: Mapping[str, str] = {"loss": "lowest dev loss", "metric": "highest dev score, then lowest dev loss"}
"""By what the checkpoint of a training is chosen, and the learning rate of a sweep."""


def rates(settings: RecipeSettings) -> tuple[float, ...]:
    """The learning rates, from the lowest up. settings: of a config; numbers may be texts, as approved."""
    rate = float(settings.get("learning_rate", 2e-4))
    return tuple(rate * times for times in SWEEPS[str(settings.get("sweep", "none"))])


def seeds(settings: RecipeSettings) -> tuple[int, ...]:
    """The seeds; the first one decides."""
    first = int(float(settings.get("seed", 1)))
    return tuple(range(first, first + int(float(settings.get("seeds", 1)))))


def parts(settings: RecipeSettings) -> tuple[float, ...]:
    """The shares of the training set that are trained on besides the whole of it."""
    return CURVES[str(settings.get("curve", "none"))]


def count(settings: RecipeSettings) -> int:
    """How many trainings a config is."""
    return len(rates(settings)) + len(seeds(settings)) - 1 + len(parts(settings))


class LegsStated(TypedDict):
    """The trainings of a config as a subject has them. judged_on_test: the rule, in words."""

    learning_rates: list[float]
    seeds: list[int]
    deciding_seed: int
    parts: list[float]
    judged_on_test: str


def stated(settings: RecipeSettings) -> LegsStated | None:
    """What a subject says of them, so that a reviewer approves each and the rule; None where there is one training."""
    if count(settings) == 1:
        return None
    return {
        "learning_rates": list(rates(settings)),
        "seeds": list(seeds(settings)),
        "deciding_seed": seeds(settings)[0],
        "parts": list(parts(settings)),
        "judged_on_test": f"deciding seed, {BY[str(settings.get('stop_by', 'loss'))]}",
    }
