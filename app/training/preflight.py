"""What a training run will take, said before it starts: rows, tokens, steps, minutes and memory. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.recipes.preflights import Counts, Needs, Preflight
from app.training import batches, room
from app.training.recipe import Recipe
from app.wording import plural

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
    """All rows that were looked at. context: what the model reads at most. replay: general rows that are mixed in;
    replay_wanted: how many the config asks for."""

    train: Sequence[RowSize]
    dev: Sequence[RowSize]
    context: int
    replay: Sequence[RowSize] = ()
    replay_wanted: int = 0

    def fitting(self, recipe: Recipe) -> list[RowSize]:
        limit = min(recipe.max_row_tokens, self.context)
        return [row for row in self.train if row.total <= limit]


def counts(sizes: Sequence[RowSize]) -> Counts:
    """Rows and tokens, and how many of these are trained."""
    trained = sum(row.completion for row in sizes)
    return {"rows": len(sizes), "tokens": sum(row.total for row in sizes), "trained_tokens": trained}


def report(recipe: Recipe, sizes: Sizes) -> Preflight:
    """What follows from recipe and row lengths alone."""
    fitting = sizes.fitting(recipe)
    trained = [*fitting, *sizes.replay]
    an_epoch = batches.steps_per_epoch(len(trained), recipe.batch_rows)
    steps = min(an_epoch * recipe.epochs, recipe.max_steps or an_epoch * recipe.epochs)
    longest = sorted(sizes.train, key=lambda row: -row.total)[:LONGEST]
    counted: Preflight = {"train": counts(trained)}
    if sizes.replay_wanted:
        counted["replay"] = {**counts(sizes.replay), "wanted": sizes.replay_wanted}
    return {
        **counted,
        "dev_rows": min(recipe.dev_rows, len(sizes.dev)),
        "left_out": len(sizes.train) - len(fitting),
        "untrained": [row.id for row in fitting if row.completion <= 1],
        "steps": steps,
        "steps_per_epoch": an_epoch,
        "longest": [{"id": row.id, "prompt": row.prompt, "completion": row.completion} for row in longest],
    }


def band(parts: Mapping[str, int], *, tried: bool) -> Needs:
    """What a run needs, in bytes, and between which bounds. tried: on its heaviest steps, not only worked out.

    The bounds are by how much forecasts were off when they were held against the peaks of real runs
    (tests/bench/RESULTS.md).
    """
    whole = room.total(parts)
    unsure = room.TRIED * whole if tried else room.UNTRIED * parts["activations"] + room.TRIED * whole
    return {"bytes": whole, "low": round(max(0, whole - unsure)), "high": round(whole + unsure), "tried": tried}


def blockers(recipe: Recipe, measured: Preflight, available: int) -> Iterator[str]:
    """Every reason why this run should not start. available: bytes of free memory on this machine."""
    if not measured["train"]["rows"]:
        yield "No training row is within the max sequence length."
    if measured["untrained"]:
        rows = ", ".join(measured["untrained"][:5])
        rows_have = plural(len(measured["untrained"]), "row has", "rows have")
        yield f"{rows_have} nothing to learn after the prompt (lines {rows})."
    if not measured["dev_rows"]:
        yield "There is no dev row to measure the loss on."
    # Several processes on the CPUs of this machine share its memory; on a cluster, this machine's says nothing.
    side_by_side = recipe.processes if recipe.launcher == "torchrun" and not measured.get("device_free") else 1
    needed = room.total(measured.get("memory", {})) * side_by_side
    if available and needed > available and recipe.launcher != "ray":
        fits = any(one["fits"] for one in measured.get("proposals", ()))
        what = "What would fit is below." if fits else "Train a smaller model, or on another machine."
        yield f"The run needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free. {what}"
    shards = sum(measured.get("shards", {}).values())
    if recipe.launcher == "torchrun" and measured.get("device_free") and shards > measured["device_free"]:
        free = measured["device_free"]
        yield (
            f"Its part of the base takes about {shards / 1e9:.1f} GB of each device and {free / 1e9:.1f} GB are free. "
            "Choose more processes, or a smaller model."
        )
    if measured.get("seconds", 0) > recipe.max_minutes * 60:
        yield (
            f"It would take about {measured['seconds'] / 60:.0f} minutes, and the training config allows "
            f"{recipe.max_minutes}. Raise the limit, or take fewer epochs."
        )
