"""What the several trainings of a run say together: how far apart seeds are, which learning rate was taken, what more
rows would bring. Pure over what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from app.baselines.tables import ArmRow, BaselineRow
from app.json_types import JsonObject
from app.training.legs import Outcome
from app.training.tables import TrainingRow
from app.wording import percent, plural, signed_points


@dataclass(frozen=True, slots=True)
class SeedScore:
    """One seed's adapter on the test rows, 0 to 1. deciding: it is the one that the verdict is about."""

    seed: int
    score: float
    low: float
    high: float
    delta: float
    deciding: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Seeds side by side. before: the best prompt's score on the same rows. missing: why one has no score, or empty."""

    seeds: tuple[SeedScore, ...]
    before: float
    missing: str = ""

    @property
    def mean(self) -> float:
        return mean(one.score for one in self.seeds)

    @property
    def lowest(self) -> float:
        return min(one.score for one in self.seeds)

    @property
    def highest(self) -> float:
        return max(one.score for one in self.seeds)

    @property
    def ahead(self) -> int:
        """How many are ahead of the best prompt."""
        return sum(one.delta > 0 for one in self.seeds)

    @property
    def words(self) -> str:
        """The spread in a line."""
        deciding = next((one.seed for one in self.seeds if one.deciding), None)
        return (
            f"{plural(len(self.seeds), 'seed')}: {percent(self.mean)} on average, {percent(self.lowest)} at the lowest "
            f"and {percent(self.highest)} at the highest; {self.ahead} of {len(self.seeds)} are ahead of the best "
            f"prompt. The verdict is that of seed {deciding}, which was named before."
        )

    def to_json(self) -> JsonObject:
        return {
            "seeds": [{"seed": one.seed, "score": one.score, "deciding": one.deciding} for one in self.seeds],
            "mean": self.mean,
            "lowest": self.lowest,
            "highest": self.highest,
        }


@dataclass(frozen=True, slots=True)
class Point:
    """A part of the training set. rows: trained on. loss: the best on the dev rows, nats a trained token; score: there,
    0 to 1, where answers were scored."""

    share: float
    rows: int
    loss: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Together:
    """All trainings of a run. rates: one for each learning rate, from the lowest; chosen: the name of the one that was
    taken. spread: None while there are not two seeds. points: none without a learning curve."""

    outcomes: tuple[Outcome, ...]
    rates: tuple[Outcome, ...]
    chosen: str
    spread: Spread | None
    points: tuple[Point, ...]

    @property
    def more_rows(self) -> str:
        """What the last doubling of the rows brought, in words; empty without a curve."""
        if len(self.points) < 2:
            return ""
        half, whole = self.points[-2:]
        gained = half.loss - whole.loss
        moved = f"dev loss {'falls' if gained > 0 else 'rises'} by {abs(gained):.3f} nats"
        if half.score is not None and whole.score is not None:
            moved += f", the dev score moves by {signed_points(whole.score - half.score)} points"
        moved = f"From {half.rows:,} to {whole.rows:,} rows {moved}."
        if self.luck is None:
            return f"{moved} One seed each: with more seeds it could be told from luck."
        if gained > self.luck:
            return f"{moved} Seeds differ by {self.luck:.3f}, so the rows made the difference, and more should help."
        return f"{moved} Seeds differ by {self.luck:.3f} alone, so more rows of the same kind would bring little."

    @property
    def luck(self) -> float | None:
        """How far the dev losses of seeds lie apart, in nats; None for one seed."""
        seeds = [one for one in self.outcomes if one.kind == "seed" or one.name == self.chosen]
        losses = [one.best_loss for one in seeds if one.best_loss is not None]
        return max(losses) - min(losses) if len(losses) > 1 else None


def together(training: TrainingRow, baseline: BaselineRow, before: ArmRow | None) -> Together | None:
    """What is known of the trainings of a run; None for a run that is one. before: what its adapter has to beat."""
    outcomes = tuple(Outcome.from_json(one) for one in training.training_facts.get("legs", ()))
    chosen = training.training_facts.get("chosen_leg", "")
    if not outcomes or not chosen:
        return None
    whole = next((one for one in outcomes if one.name == chosen), None)
    parts = [one for one in (*outcomes, whole) if one is not None and (one.kind == "part" or one.name == chosen)]
    curve = {one.name: one for one in parts if one.best_loss is not None and not one.diverged}
    points = sorted((Point(one.share, one.rows, one.best_loss or 0.0, one.best_score) for one in curve.values()),
                    key=lambda point: point.rows)  # fmt: skip
    return Together(
        outcomes,
        tuple(one for one in outcomes if one.kind == "rate"),
        chosen,
        _spread(training, baseline, before, outcomes, chosen),
        tuple(points) if len(points) > 1 else (),
    )


def _spread(
    training: TrainingRow, baseline: BaselineRow, before: ArmRow | None, outcomes: Sequence[Outcome], chosen: str
) -> Spread | None:
    expected = [one for one in outcomes if one.kind == "seed"]
    if not expected or before is None or before.test is None:
        return None
    first = next(one.seed for one in outcomes if one.name == chosen)
    score = before.test.score
    seeds: list[SeedScore] = []
    for arm in baseline.arms:
        if arm.settings.get("training") != training.id or arm.family != "adapter" or arm.test is None:
            continue
        judged, mine = arm.id == training.arm_id, arm.test
        seed = first if judged else int(arm.settings["seed"])
        seeds.append(SeedScore(seed, mine.score, mine.low, mine.high, mine.score - score, judged))
    missing = training.training_facts.get("seeds_fault", "")
    without = [f"Seed {one.seed} ended at a number that is none." for one in expected if one.diverged]
    ordered = tuple(sorted(seeds, key=lambda one: (not one.deciding, one.seed)))
    return Spread(ordered, score, " ".join([*without, missing]).strip()) if len(ordered) > 1 else None
