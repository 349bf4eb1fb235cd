"""All runs of an assessment, and how much the same config differs from seed to seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from sqlalchemy.orm import Session

from app.evaluation.kept_result import KeptResult
from app.recipes.settings import RecipeSettings
from app.training import service as trainings
from app.training import store
from app.training.tables import TrainingRow


@dataclass(frozen=True, slots=True)
class Run:
    """One launch. state: as its own page shows it. result: what was kept of its comparison, None where there is none.
    failing: release checks that fail."""

    training: TrainingRow
    state: str
    result: KeptResult | None
    failing: int

    @property
    def seed(self) -> int:
        return int(self.training.recipe.get("seed", 1))


@dataclass(frozen=True, slots=True)
class Seeds:
    """Scores of the adapters of one config on the same test rows, 0 to 1. deviation: their standard deviation (n - 1
    below the line). numbers: the seeds, in the order of the runs."""

    numbers: tuple[int, ...]
    mean: float
    low: float
    high: float
    deviation: float


def runs(session: Session, assessment_id: int) -> list[Run]:
    """Every launch, the newest first: none is hidden by a later one, however that ended."""
    return [
        Run(row, trainings.standing(session, row)[0], row.result, _failing(row))
        for row in store.of_assessment(session, assessment_id)
    ]


def _failing(row: TrainingRow) -> int:
    release = (row.result or {}).get("release") or {}
    return sum(check["state"] == "fail" for check in release.get("checks", ()))


def seeds(listed: Sequence[Run], training: TrainingRow) -> Seeds | None:
    """How far runs of one config lie apart that differ in their seed alone: same base, recipe, measurement and prompt.

    The interval of a result covers the test rows; this is what it does not cover. None where fewer than two seeds were
    judged. Of a seed that was run more often the newest run counts.
    """
    scores: dict[int, float] = {}
    for run in listed:
        after = (run.result or {}).get("after")
        if after is not None and _alike(run.training) == _alike(training):
            scores.setdefault(run.seed, after)
    if len(scores) < 2:
        return None
    values = list(scores.values())
    return Seeds(tuple(scores), fmean(values), min(values), max(values), stdev(values))


def _alike(row: TrainingRow) -> tuple[int, int, RecipeSettings, str | None]:
    """What two runs share where only the seed sets them apart."""
    recipe = {name: value for name, value in row.recipe.items() if name != "seed"}
    return row.model_id, row.baseline_id, recipe, (row.result or {}).get("compared_with")
