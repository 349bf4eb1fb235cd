"""What a training run will take, said before it starts: rows, tokens, steps, minutes and memory. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.training import batches, room
from app.training.recipe import Recipe
from app.wording import plural

START_UP = 15.0  # seconds to load the model and hash the files
LONGEST = 5  # rows listed


@dataclass(frozen=True, slots=True)
class RowSize:
    """Tokens of one row, with the stop token. id: its line in the upload."""

    id: str
    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Sizes:
    """All rows that were looked at. context: what the model reads at most."""

    train: Sequence[RowSize]
    dev: Sequence[RowSize]
    context: int

    def fitting(self, recipe: Recipe) -> list[RowSize]:
        limit = min(recipe.max_row_tokens, self.context)
        return [row for row in self.train if row.total <= limit]


def counts(sizes: Sequence[RowSize]) -> dict[str, int]:
    """Rows and tokens, and how many of these are trained."""
    trained = sum(row.completion for row in sizes)
    return {"rows": len(sizes), "tokens": sum(row.total for row in sizes), "trained_tokens": trained}


def report(recipe: Recipe, sizes: Sizes) -> dict[str, Any]:
    """What follows from recipe and row lengths alone."""
    fitting = sizes.fitting(recipe)
    an_epoch = batches.steps_per_epoch(len(fitting), recipe.batch_rows)
    steps = min(an_epoch * recipe.epochs, recipe.max_steps or an_epoch * recipe.epochs)
    longest = sorted(sizes.train, key=lambda row: -row.total)[:LONGEST]
    return {
        "train": counts(fitting),
        "dev_rows": min(recipe.dev_rows, len(sizes.dev)),
        "left_out": len(sizes.train) - len(fitting),
        "untrained": [row.id for row in fitting if row.completion <= 1],
        "steps": steps,
        "steps_per_epoch": an_epoch,
        "longest": [{"id": row.id, "prompt": row.prompt, "completion": row.completion} for row in longest],
    }


def band(parts: Mapping[str, int], *, tried: bool) -> dict[str, Any]:
    """What a run needs, in bytes, and between which bounds. tried: on its heaviest steps, not only worked out.

    The bounds are by how much forecasts were off when they were held against the peaks of real runs
    (tests/bench/RESULTS.md).
    """
    whole = room.total(parts)
    unsure = room.TRIED * whole if tried else room.UNTRIED * parts["activations"] + room.TRIED * whole
    return {"bytes": whole, "low": round(max(0, whole - unsure)), "high": round(whole + unsure), "tried": tried}


def seconds(recipe: Recipe, measured: Mapping[str, Any], tokens_per_second: float, dev_seconds: float) -> float:
    """Estimated duration of the run, without an early stop and without the scoring of the adapter."""
    if not measured["steps_per_epoch"]:
        return 0.0
    read = measured["train"]["tokens"] * measured["steps"] / measured["steps_per_epoch"]
    checks = 1 + recipe.evals_per_epoch * measured["steps"] / measured["steps_per_epoch"]
    return float(START_UP + read / max(tokens_per_second, 1e-9) + checks * dev_seconds)


def blockers(recipe: Recipe, measured: Mapping[str, Any], available: int) -> Iterator[str]:
    """Every reason why this run should not start. available: bytes of free memory on this machine."""
    if not measured["train"]["rows"]:
        yield "No training row is within the max sequence length."
    if measured["untrained"]:
        rows = ", ".join(measured["untrained"][:5])
        rows_have = plural(len(measured["untrained"]), "row has", "rows have")
        yield f"{rows_have} nothing to learn after the prompt (lines {rows})."
    if not measured["dev_rows"]:
        yield "There is no dev row to measure the loss on."
    needed = room.total(measured.get("memory", {}))
    if available and needed > available:
        what = (
            "What would fit is below." if measured.get("proposals") else "Train a smaller model, or on another machine."
        )
        yield f"The run needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free. {what}"
    if measured.get("seconds", 0) > recipe.max_minutes * 60:
        yield (
            f"It would take about {measured['seconds'] / 60:.0f} minutes, and the training config allows "
            f"{recipe.max_minutes}. Raise the limit, or take fewer epochs."
        )
