"""The preflight's measuring half: `python -m app.training.probe`, what to train as one JSON line in, events out.

It renders and counts every row, shows five of them as they would be trained, times a few passes forward and back, and
goes through the steps that take most memory, since they decide what the run needs.
It takes no optimizer step and stores nothing, so it needs no approval.
"""

import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.inference import devices, folders, loading, tokens
from app.processes import parent
from app.recipes import replay
from app.training import batches, dev_answers, legs, lora, preflight, prices, sharding
from app.training import learner as learners
from app.training import spec as specs
from app.training.preflight import RowSize, Sizes
from app.training.protocol import Exit
from app.training.spec import TrainingSpec

SAMPLE_ROWS = 5
TIMED = 4  # steps
REPLAY_SAMPLES = 3
ANSWERED = 16  # dev rows that are answered to time it
ENOUGH = 20.0  # seconds of timing, for models whose steps take long


def probe(spec: TrainingSpec, model: Path, source: Path, threads: int, device: str = "cpu") -> dict[str, Any]:
    """Everything that the preflight page shows, measured where it can be. threads: that this process computes with.
    device: see `devices.choose`."""
    parent.say("stage", text="Loading the model")
    recipe = spec.recipe
    whole = recipe.base_weights == "whole"
    loaded = loading.load(
        model, spec.files, recipe.precision, device=device, longest=recipe.max_row_tokens, trained=True, whole=whole
    )
    report_of_shards = {} if whole else {"shards": dict(sharding.estimate(loaded.model, recipe.processes))}
    parent.say("stage", text="Counting tokens")
    with source.open("rb") as lines:
        rows = [row for row in specs.rows(lines) if row.split in {"train", "dev"}]
    sized: dict[str, list[RowSize]] = {"train": [], "dev": []}
    fitting: dict[str, list[tokens.TokenRow]] = {"train": [], "dev": []}
    samples: list[dict[str, Any]] = []
    limit = min(spec.recipe.max_row_tokens, loaded.context)
    for row in rows:
        ids = learners.token_row(loaded, spec, row)
        sized[row.split].append(RowSize(str(row.line), len(ids.prompt), len(ids.completion)))
        if ids.length <= limit:
            fitting[row.split].append(ids)
        if row.split == "train" and len(samples) < SAMPLE_ROWS:
            decode = loaded.tokenizer.decode
            samples.append({"id": str(row.line), "prompt": decode(ids.prompt), "completion": decode(ids.completion)})
    own, general = len(fitting["train"]), learners.replayed(loaded, spec, len(fitting["train"]))
    mixed_in = [RowSize("", len(row.prompt), len(row.completion)) for row in general]
    sizes = Sizes(sized["train"], sized["dev"], loaded.context, mixed_in, replay.wanted(asdict(spec.recipe), own))
    report = preflight.report(spec.recipe, sizes)
    if general:
        report["replay_samples"] = [
            {"prompt": loaded.tokenizer.decode(row.prompt), "completion": loaded.tokenizer.decode(row.completion)}
            for row in general[:REPLAY_SAMPLES]
        ]
    report["warnings"] = list(loading.stop_faults(loaded))
    report |= {"samples": samples, "dtype": loaded.dtype, "context": loaded.context, "threads": threads}
    report |= {"device": loaded.device.title, "device_free": devices.free_bytes(loaded.device)}
    report["devices"] = devices.count(loaded.device)
    report |= report_of_shards
    # What does not fit one device cannot be timed on one.
    if fitting["train"] and fitting["dev"] and (whole or not loaded.device.accelerator):
        report |= _timed(loaded, spec, [*fitting["train"], *general], fitting["dev"], len(general))
        report |= _answered(loaded, spec, rows, report)
        report["seconds"] = prices.whole(recipe, report)
        if not legs.alone(recipe):
            report["trainings"] = prices.trainings(recipe, report)
    return report


def _answered(
    loaded: loading.Loaded, spec: TrainingSpec, rows: list[specs.SourceRow], report: dict[str, Any]
) -> dict[str, Any]:
    """How long answering the dev rows of one check takes, from a few of them; the base answers, which goes on longer
    than an adapter that has learnt to stop."""
    answers = dev_answers.DevAnswers.of(spec, rows)
    if answers is None:
        return {}
    parent.say("stage", text="Timing a few answers")
    few = replace(answers, rows=answers.rows[:ANSWERED])
    started = time.monotonic()
    few.scored(loaded, threading.Event())
    each = (time.monotonic() - started) / len(few.rows)
    peak = devices.peak_bytes(loaded.device)
    return {
        "scored_rows": len(answers.rows),
        "score_seconds": each * len(answers.rows),
        "memory": {**report["memory"], "answers": max(0, peak - report["peak_bytes"])},
        "peak_bytes": peak,
    }


def _timed(
    loaded: loading.Loaded,
    spec: TrainingSpec,
    train: list[tokens.TokenRow],
    dev: list[tokens.TokenRow],
    general: int,
) -> dict[str, Any]:
    """general: how many rows at the end of `train` are mixed in."""
    recipe = spec.recipe
    chosen = learners.dev_sample(dev, recipe.dev_rows, recipe.seed)
    learner = lora.Learner(loaded, recipe, train, chosen, replay=general)
    parent.say("stage", text="Timing a few steps")
    plan = batches.epoch(learner.lengths, recipe.batch_rows, recipe.seed, 0, learner.budget)
    learner.rehearse(plan[0])  # warms up
    read, started = 0, time.monotonic()
    for step in plan[1 : 1 + TIMED] or plan[:1]:
        learner.rehearse(step)
        read += sum(learner.lengths[row] for part in step for row in part)
        if time.monotonic() - started > ENOUGH:
            break
    rate = read / max(time.monotonic() - started, 1e-9)
    parent.say("stage", text="Trying the longest batches")
    learner.make_room()
    parent.say("stage", text="Timing a dev check")
    started = time.monotonic()
    list(learner.dev_losses())
    dev_seconds = time.monotonic() - started
    peak = devices.peak_bytes(loaded.device)
    return {
        "tokens_per_second": rate,
        "dev_seconds": dev_seconds,
        "shared_tokens": learner.shared,
        "padding": batches.padding(plan, learner.lengths),
        "adapter_parameters": learner.adapter_parameters,
        "memory": dict(lora.memory(learner, peak)),
        "peak_bytes": peak,
    }


def main() -> int:
    """Read the spec, say the report; refusals in words."""
    parent.give_way()
    message = next(parent.messages())
    parent.end_with_parent(Exit.STOPPED)
    loading.compute_with(int(message["threads"]))
    try:
        spec = specs.from_subject(message["subject"])
        report = probe(spec, Path(message["model"]), Path(message["rows"]), int(message["threads"]), message["device"])
    except (
        devices.NotThere,
        folders.NotAModel,
        folders.Damaged,
        sharding.CannotShard,
        tokens.CannotRender,
        ValueError,
    ) as error:
        parent.say("failed", text=str(error))
        return Exit.REFUSED
    parent.say("report", report=report)
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
