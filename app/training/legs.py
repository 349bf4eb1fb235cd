"""The trainings of one run, each a leg of it: what differs from the config, what came out, which one is judged. Pure.

The order is fixed. The learning rates come first, from the lowest up; what is best on the dev rows is the adapter that
the test rows judge. Then come the other seeds and the parts of the training set, with the chosen rate. A run without
options is one leg without a name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

from app.json_types import JsonObject
from app.recipes import legs as planned
from app.strict import stored
from app.training.checkpoints import CheckpointStore
from app.training.facts import Kind, OutcomeJson
from app.training.recipe import Recipe
from app.wording import percent

Row = TypeVar("Row")
FOLDER = "legs"
DIVERGED = "diverged"  # of a leg's folder: what says that it ended at a number that is none


@dataclass(frozen=True, slots=True)
class Leg:
    """One training. share: of the training rows, 0 to 1. number, of: its place in the run, from 1."""

    name: str
    kind: Kind
    recipe: Recipe
    share: float = 1.0
    number: int = 1
    of: int = 1

    @property
    def words(self) -> str:
        return title(self.kind, self.recipe.learning_rate, self.recipe.seed, self.share)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a leg came to. rows: of the task that it trained on. steps: taken until the best checkpoint, of so many.
    base_loss, best_loss: on the dev rows, in nats a trained token; best_score: 0 to 1 by the deciding metric, None
    where it was not measured. diverged: why it has no adapter, or empty."""

    name: str
    kind: Kind
    learning_rate: float
    seed: int
    share: float
    rows: int = 0
    steps: int = 0
    of: int = 0
    base_loss: float | None = None
    best_loss: float | None = None
    best_score: float | None = None
    seconds: float = 0.0
    diverged: str = ""

    @property
    def words(self) -> str:
        return title(self.kind, self.learning_rate, self.seed, self.share)

    def to_json(self) -> OutcomeJson:
        return cast("OutcomeJson", asdict(self))

    @staticmethod
    def from_json(value: JsonObject) -> "Outcome":
        return stored(Outcome, value)


def title(kind: Kind, learning_rate: float, seed: int, share: float) -> str:
    """What people call a leg."""
    match kind:
        case "rate":
            return f"Learning rate {learning_rate:.3g}"
        case "seed":
            return f"Seed {seed}"
        case "part":
            return f"{percent(share, 0)} of the training rows"
        case "main":
            return "Whole training set"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an outcome takes of the facts that an adapter was sealed with (`TrainingLoop`)."""

    train_rows: int
    best_step: int
    of: int
    base_loss: float | None
    best_loss: float | None
    seconds: float
    replay_rows: int = 0
    best_score: float | None = None


def outcome(leg: Leg, facts: JsonObject) -> Outcome:
    """A finished leg. facts: what its adapter was sealed with."""
    sealed = stored(Sealed, facts)
    return Outcome(
        name=leg.name,
        kind=leg.kind,
        learning_rate=leg.recipe.learning_rate,
        seed=leg.recipe.seed,
        share=leg.share,
        rows=sealed.train_rows - sealed.replay_rows,
        steps=sealed.best_step,
        of=sealed.of,
        base_loss=sealed.base_loss,
        best_loss=sealed.best_loss,
        best_score=sealed.best_score,
        seconds=sealed.seconds,
    )


def diverged(leg: Leg, why: str, seconds: float) -> Outcome:
    """A leg that ended at a number that is none."""
    return Outcome(
        leg.name, leg.kind, leg.recipe.learning_rate, leg.recipe.seed, leg.share, seconds=seconds, diverged=why
    )


def alone(recipe: Recipe) -> bool:
    """Whether a run is one training."""
    return planned.count(asdict(recipe)) == 1


def first(recipe: Recipe) -> Sequence[Leg]:
    """The legs of which one is judged: one for each learning rate."""
    rates, of = planned.rates(asdict(recipe)), planned.count(asdict(recipe))
    if len(rates) == 1:
        return [Leg("main", "main", recipe, of=of)]
    return [
        Leg(f"rate-{number}", "rate", replace(recipe, learning_rate=rate), number=number, of=of)
        for number, rate in enumerate(rates, 1)
    ]


def after(recipe: Recipe, chosen: Leg) -> Iterator[Leg]:
    """The legs that come once the learning rate is chosen."""
    settings = asdict(recipe)
    number, of = len(planned.rates(settings)), planned.count(settings)
    for seed in planned.seeds(settings)[1:]:
        number += 1
        yield Leg(f"seed-{seed}", "seed", replace(chosen.recipe, seed=seed), number=number, of=of)
    for share in planned.parts(settings):
        number += 1
        yield Leg(f"part-{round(100 * share)}", "part", chosen.recipe, share, number, of)


def chosen(legs: Iterable[Outcome], stop_by: str) -> Outcome | None:
    """The leg whose adapter is judged: by the highest dev score where that decides (`Recipe.stop_by`), and by the least
    dev loss; of equal ones the lowest learning rate. None where every one diverged."""

    def rank(one: Outcome) -> tuple[float, float]:
        score = one.best_score if stop_by == "metric" and one.best_score is not None else 0.0
        return (-score, one.best_loss if one.best_loss is not None else float("inf"))

    return min((one for one in legs if not one.diverged), key=rank, default=None)


def store(run: CheckpointStore, name: str) -> CheckpointStore:
    """Where a leg keeps its checkpoints and its adapter: sealed so that nothing of another leg is taken for its own."""
    digest = sha256(f"{run.digest}\n{name}".encode()).hexdigest()
    return CheckpointStore(folder(run.root, name), run.key, digest, run.attempt)


def folder(run: Path, name: str) -> Path:
    """The folder of a leg; the run's own where it has no name."""
    return run / FOLDER / name if name else run


def part_of(rows: Sequence[Row], share: float, order: Sequence[int]) -> list[Row]:
    """The first `share` of these rows in this order, as they stood; so a smaller part lies within a larger one."""
    if share >= 1:
        return list(rows)
    taken = sorted(order[: max(1, round(share * len(rows)))])
    return [rows[number] for number in taken]
