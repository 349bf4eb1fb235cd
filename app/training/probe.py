"""The preflight's measuring half: `python -m app.training.probe`, what to train as one JSON line in, events out.

It renders and counts every row, shows five of them as they would be trained, times a few passes forward and back, and
goes through the steps that take most memory, since they decide what the run needs.
It takes no optimizer step and stores nothing, so it needs no approval. What by its shape takes more memory than there
is, is not tried, since the system would end this process for it: then it is worked out, and what would fit is tried.
"""

import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

from app.inference import devices, folders, loading, tokens
from app.processes import parent
from app.recipes import replay
from app.recipes.preflights import Preflight, Sample
from app.training import batches, dev_answers, fits, legs, lora, preflight, prices, proposals, sharding
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


def probe(
    spec: TrainingSpec, model: Path, source: Path, threads: int, device: str = "cpu", memory: int = 0
) -> Preflight:
    """Everything that the preflight page shows, measured where it can be. threads: that this process computes with.
    device: see `devices.choose`. memory: bytes that a run may take, 0 for what is free."""
    parent.say("stage", text="Loading the model")
    recipe = spec.recipe
    whole = recipe.base_weights == "whole"
    loaded = loading.load(
        model,
        spec.files,
        recipe.precision,
        device=device,
        longest=recipe.max_row_tokens,
        trained=True,
        whole=whole,
        bits=spec.bits,
    )
    shards = {} if whole else sharding.estimate(loaded.model, recipe.processes)
    parent.say("stage", text="Counting tokens")
    with source.open("rb") as lines:
        rows = [row for row in specs.rows(lines) if row.split in {"train", "dev"}]
    sized: dict[str, list[RowSize]] = {"train": [], "dev": []}
    fitting: dict[str, list[tokens.TokenRow]] = {"train": [], "dev": []}
    samples: list[Sample] = []
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
    report["warnings"] = [*loading.stop_faults(loaded), *_begun_twice(loaded, fitting["train"])]
    report["remarks"] = list(tokens.remarks(loaded.tokenizer))
    report |= {"samples": samples, "dtype": loaded.dtype, "context": loaded.context, "threads": threads}
    report |= {"device": loaded.device.title, "device_free": devices.free_bytes(loaded.device)}
    report["available"] = fits.limit(loaded.device, memory)
    report["devices"] = devices.count(loaded.device)
    if not whole:
        report["shards"] = shards
    # What does not fit one device cannot be timed on one.
    if fitting["train"] and fitting["dev"] and (whole or not loaded.device.accelerator):
        mine = report["available"] // fits.beside(recipe, loaded.device)
        report |= _tried(loaded, spec, [*fitting["train"], *general], fitting["dev"], len(general), mine)
    if "tokens_per_second" in report:
        report |= _answered(loaded, spec, rows, report)
        report["seconds"] = prices.whole(recipe, report)
        if not legs.alone(recipe):
            report["trainings"] = prices.trainings(recipe, report)
    return report


def _answered(loaded: loading.Loaded, spec: TrainingSpec, rows: list[specs.SourceRow], report: Preflight) -> Preflight:
    """How long answering the dev rows of one check takes, from a few of them; the base answers, which goes on longer
    than an adapter that has learnt to stop."""
    answers = dev_answers.DevAnswers.of(spec, rows)
    if answers is None:
        return {}
    parent.say("stage", text="Timing a few answers")
    few = replace(answers, rows=answers.rows[:ANSWERED])
    meter, started = fits.Meter(loaded.device), time.monotonic()
    few.scored(loaded, threading.Event())
    each = (time.monotonic() - started) / len(few.rows)
    memory = {**report["memory"], "answers": max(0, meter.more - report["memory"]["activations"])}
    return {
        "scored_rows": len(answers.rows),
        "score_seconds": each * len(answers.rows),
        "memory": memory,
        "needs": preflight.band(memory, tried=True),
        "peak_bytes": max(report["peak_bytes"], meter.peak),
    }


def _begun_twice(loaded: loading.Loaded, rows: list[tokens.TokenRow]) -> list[str]:
    """A model was trained with one beginning token; a template that writes one may meet rows that bring another."""
    twice = sum(tokens.beginnings(loaded.tokenizer, row.prompt) > 1 for row in rows)
    if not twice:
        return []
    begin = loaded.tokenizer.decode([loaded.tokenizer.bos_token_id])
    said = f"{twice} of {len(rows)} prompts begin with {begin} more than once. The model was trained with one"
    return [f"{said}: look at what the rows or the instructions begin with."]


def _tried(
    loaded: loading.Loaded,
    spec: TrainingSpec,
    train: list[tokens.TokenRow],
    dev: list[tokens.TokenRow],
    general: int,
    limit: int,
) -> Preflight:
    """general: how many rows at the end of `train` are mixed in. limit: bytes of memory that one process may have, 0
    where nobody knows."""
    recipe = spec.recipe
    chosen = learners.dev_sample(dev, recipe.dev_rows, recipe.seed)
    learner = lora.Learner(loaded, recipe, train, chosen, replay=general)
    learner.rehearse(((min(range(len(train)), key=learner.lengths.__getitem__),),))  # warms up
    standing = fits.Meter(loaded.device).standing
    fitted = fits.settle(learner, limit)
    parent.say("stage", text="Timing a few steps")
    rate, padding = _rate(learner, limit)
    found: Preflight = {
        "shared_tokens": learner.shared,
        "padding": padding,
        "adapter_parameters": learner.adapter_parameters,
    }
    parent.say("stage", text="Trying the longest batches")
    if fitted:
        passes, fitted = _longest(learner)
    if not fitted:
        passes = fits.heaviest_pass(learner, fits.heaviest(learner, 1)[0])
    memory = fits.parts(learner, standing, passes)
    found |= {
        "memory": dict(memory),
        "needs": preflight.band(memory, tried=fitted),
        "passes": {"tokens": learner.budget, "usual": learner.widest, "recompute": learner.recompute.on},
    }
    if fitted and rate:
        parent.say("stage", text="Timing a dev check")
        started = time.monotonic()
        list(learner.dev_losses())
        dev_seconds = time.monotonic() - started
        found |= {"tokens_per_second": rate, "dev_seconds": dev_seconds}
        found |= {"peak_bytes": standing + passes}
    found["proposals"] = list(proposals.proposals(learner, limit, standing, passes, fitted=fitted))
    return found


def _rate(learner: lora.Learner, limit: int) -> tuple[float, float]:
    """Tokens a second over a few steps that fit, 0 where none does; and the share of padding."""
    plan = batches.epoch(learner.lengths, learner.recipe.batch_rows, learner.recipe.seed, 0, learner.budget)
    fitting = [step for step in plan if fits.within(learner, step, limit)]
    read, started = 0, time.monotonic()
    for step in fitting[1 : 1 + TIMED] or fitting[:1]:
        learner.rehearse(step)
        read += sum(learner.lengths[row] for part in step for row in part)
        if time.monotonic() - started > ENOUGH:
            break
    return read / max(time.monotonic() - started, 1e-9), batches.padding(plan, learner.lengths)


def _longest(learner: lora.Learner) -> tuple[int, bool]:
    """Bytes that the heaviest steps take on top of what stands, and whether they came through at all."""
    meter = fits.Meter(learner.loaded.device)
    try:
        learner.make_room()
    except RuntimeError as error:
        if not fits.ran_out(error):
            raise
        learner.forget_gradients()
        return 0, False
    return meter.more, True


def main() -> int:
    """Read the spec, say the report; refusals in words."""
    parent.give_way()
    message = next(parent.messages())
    parent.end_with_parent(Exit.STOPPED)
    loading.compute_with(int(message["threads"]))
    try:
        spec = specs.from_subject(message["subject"])
        model, rows = Path(message["model"]), Path(message["rows"])
        memory = int(message.get("memory", 0))
        report = probe(spec, model, rows, int(message["threads"]), message.get("device", "cpu"), memory)
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
