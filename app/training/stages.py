"""How far a run is, to the very end of it: its stages, and what the training has seen so far. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.gate.checks import Steps, batch_rows, seen
from app.jobs.progress import Progress
from app.recipes import legs as planned
from app.training.legs import Outcome
from app.training.tables import CheckpointRow, MetricRow, TrainingRow

Mark = Literal["done", "now", "to come", "stopped"]
LATEST = 20  # steps that the speed is taken of: enough to be steady, few enough to be of now
RELEASE_CHECKS = "Release checks"  # how the job's stages begin that ask what these need
Counted = tuple[str, bool, int, int | None, str]  # a stage: name, over, done, of, unit
ENDED = frozenset({"failed", "cancelled", "refused"})
GOING = frozenset({"running", "evaluating"})


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. done, total: in its own unit; total None where there is nothing to count."""

    name: str
    mark: Mark
    done: int = 0
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """What is known of a run while it goes on. learning_rate: of the last step. tokens_per_second and train_loss: over
    the last ones. Each is None before the first step. seconds_left: of the stage that counts, as its job estimates it.
    dev_loss: the newest; best_loss, best_step: the lowest so far and where it was. memory_bytes: what the trainer takes
    now, None where it does not run; peak_bytes: the most that it took so far."""

    stages: tuple[Stage, ...]
    progress: Steps | None
    learning_rate: float | None
    tokens_per_second: float | None
    seconds_left: float | None = None
    train_loss: float | None = None
    dev_loss: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    memory_bytes: int | None = None
    peak_bytes: int | None = None


def leg_shown(row: TrainingRow) -> str:
    """Of which training of a run figures are shown: the chosen one, before that the one that goes on; empty for a run
    that is one."""
    return row.training_facts.get("chosen_leg") or row.training_facts.get("leg") or ""


def live(
    run: TrainingRow, state: str, steps: Sequence[MetricRow], dev: Sequence[MetricRow], job: Progress | None
) -> Live:
    """steps, dev: measurements in the order of the steps. job: the progress that its job reported last, or None."""
    facts = run.training_facts
    last = steps[-1] if steps else None
    rows = facts.get("train_rows") or 0
    losses = [one.loss for one in steps[-LATEST:] if one.loss is not None]
    checked = [(one.loss, one.step) for one in dev if one.loss is not None]
    best = min(checked, default=None)
    report: Progress = job or {}
    speeds = [one.tokens_per_second for one in steps[-LATEST:] if one.tokens_per_second]
    return Live(
        stages=tuple(_stages(run, state, last.step if last else 0, {one.step for one in dev}, job or {})),
        progress=seen(last.step, batch_rows(run.recipe), rows) if last and rows else None,
        learning_rate=last.learning_rate if last else None,
        tokens_per_second=sum(speeds) / len(speeds) if speeds else None,
        seconds_left=report.get("seconds_left") if state in GOING else None,
        train_loss=sum(losses) / len(losses) if losses else None,
        dev_loss=checked[-1][0] if checked else None,
        best_loss=best[0] if best else None,
        best_step=best[1] if best else None,
        memory_bytes=report.get("memory_bytes") if state == "running" else None,
        peak_bytes=facts.get("peak_bytes") or report.get("peak_bytes"),
    )


def _stages(run: TrainingRow, state: str, step: int, evaluated: set[int], job: Progress) -> Sequence[Stage]:
    total = run.training_facts.get("steps") or None
    trained = run.adapter_sha256 is not None
    ends = trained or (total is not None and step >= total)
    checking = state == "evaluating" and job.get("stage", "").startswith(RELEASE_CHECKS)
    several = planned.count(run.recipe) > 1
    over = [
        ("Queued", state != "queued", 0, None, ""),
        *(_legs(run, step, total) if several else _of_one(trained, ends, step, total, evaluated)),
        ("Adapter stored", trained, 0, None, ""),
        ("Test set answered", state == "done" or checking, *_answered(state, {} if checking else job)),
        ("Release checks", state == "done", *_answered(state, job if checking else {})),
        ("Compared with the best prompt", run.result is not None, 0, None, ""),
    ]
    current = next((place for place, (_, done, *_) in enumerate(over) if not done), len(over))
    here: Mark = "stopped" if state in ENDED else "now"
    return [
        Stage(name, "done" if place < current else here if place == current else "to come", done, of, unit)
        for place, (name, _, done, of, unit) in enumerate(over)
    ]


def _of_one(
    trained: bool,
    ends: bool,
    step: int,
    total: int | None,
    evaluated: set[int],
) -> list[Counted]:
    """The stages of one training."""
    return [
        ("First dev evaluation", trained or bool(evaluated) or step > 0, 0, None, ""),
        ("Training steps", ends, step, total, "steps"),
        ("Last dev evaluation", trained or (ends and step in evaluated), 0, None, ""),
    ]


def _legs(run: TrainingRow, step: int, total: int | None) -> list[Counted]:
    """One stage for each training of a run, by the order in which they come: those that are over by what they are
    called, the one that is going on with its steps."""
    facts = run.training_facts
    over, of = facts.get("legs", []), planned.count(run.recipe)
    stages: list[Counted] = [
        (Outcome.from_json(one).words + (" (diverged)" if one["diverged"] else ""), True, 0, None, "") for one in over
    ]
    ended = {one["name"] for one in over}
    if len(over) < of and facts.get("leg") and facts["leg"] not in ended:
        stages.append((facts["leg_words"], False, step, total, "steps"))
    return stages + [(f"Training {number} of {of}", False, 0, None, "") for number in range(len(stages) + 1, of + 1)]


def _answered(state: str, job: Progress) -> tuple[int, int | None, str]:
    """How many questions the adapter has answered, as its job says while it does nothing else."""
    if state != "evaluating" or not job.get("total"):
        return 0, None, ""
    return job.get("done", 0), job["total"], job.get("unit", "")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run that stopped, or would stop now, goes on from. step: of the newest checkpoint; 0 where there is none,
    and it begins anew. done: steps that were taken; again: those of them that are taken once more."""

    step: int
    done: int

    @property
    def again(self) -> int:
        return max(0, self.done - self.step)


def kept(steps: Sequence[MetricRow], checkpoints: Sequence[CheckpointRow]) -> Kept:
    """steps: in their order; checkpoints: newest first."""
    return Kept(checkpoints[0].step if checkpoints else 0, steps[-1].step if steps else 0)
