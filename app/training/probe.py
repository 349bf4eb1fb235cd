"""The preflight's measuring half: `python -m app.training.probe`, an order as one JSON line in, events out.

It renders and counts every row, shows five of them as they would be trained, times a few passes forward and back, and
goes through the steps that take most memory, since they decide what the run needs.
It takes no optimizer step and stores nothing, so it needs no approval.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from app.inference import children, folders, loading, tokens
from app.training import batches, bench, lora, preflight
from app.training import order as orders
from app.training.order import Order
from app.training.preflight import RowSize, Sizes
from app.training.protocol import Exit

SHOWN = 5
TIMED = 4  # steps
ENOUGH = 20.0  # seconds of timing, for models whose steps take long


def probe(order: Order, model: Path, source: Path, threads: int) -> dict[str, Any]:
    """Everything that the preflight page shows, measured where it can be. threads: that this process computes with."""
    loading.say(event="stage", text="Loading the model")
    loaded = loading.load(model, order.files, order.recipe.precision, attention="eager")
    loading.say(event="stage", text="Counting tokens")
    with source.open("rb") as lines:
        rows = [row for row in orders.rows(lines) if row.split in {"train", "dev"}]
    sized: dict[str, list[RowSize]] = {"train": [], "dev": []}
    fitting: dict[str, list[tokens.TokenRow]] = {"train": [], "dev": []}
    shown: list[dict[str, Any]] = []
    limit = min(order.recipe.max_row_tokens, loaded.context)
    for row in rows:
        ids = bench.row(loaded, order, row)
        sized[row.split].append(RowSize(str(row.line), len(ids.prompt), len(ids.completion)))
        if ids.length <= limit:
            fitting[row.split].append(ids)
        if row.split == "train" and len(shown) < SHOWN:
            decode = loaded.tokenizer.decode
            shown.append({"id": str(row.line), "prompt": decode(ids.prompt), "completion": decode(ids.completion)})
    found = preflight.report(order.recipe, Sizes(sized["train"], sized["dev"], loaded.context))
    found["warnings"] = list(loading.stop_faults(loaded))
    found |= {"samples": shown, "dtype": loaded.dtype, "context": loaded.context, "threads": threads}
    if fitting["train"] and fitting["dev"]:
        found |= _timed(loaded, order, fitting["train"], fitting["dev"], found)
    return found


def _timed(
    loaded: loading.Loaded,
    order: Order,
    train: list[tokens.TokenRow],
    dev: list[tokens.TokenRow],
    found: dict[str, Any],
) -> dict[str, Any]:
    recipe = order.recipe
    learner = lora.Learner(loaded, recipe, train, bench.sample(dev, recipe.dev_rows, recipe.seed))
    loading.say(event="stage", text="Timing a few steps")
    plan = batches.epoch(learner.lengths, recipe.batch_rows, recipe.seed, 0)
    learner.rehearse(plan[0])  # warms up
    read, started = 0, time.monotonic()
    for step in plan[1 : 1 + TIMED] or plan[:1]:
        learner.rehearse(step)
        read += sum(learner.lengths[row] for part in step for row in part)
        if time.monotonic() - started > ENOUGH:
            break
    rate = read / max(time.monotonic() - started, 1e-9)
    loading.say(event="stage", text="Trying the longest batches")
    learner.make_room()
    loading.say(event="stage", text="Timing a dev check")
    started = time.monotonic()
    list(learner.dev_losses())
    dev_seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "tokens_per_second": rate,
        "dev_seconds": dev_seconds,
        "seconds": preflight.seconds(recipe, found, rate, dev_seconds),
        "shared_tokens": learner.shared,
        "padding": batches.padding(plan, learner.lengths),
        "adapter_parameters": learner.adapter_parameters,
        "memory": dict(lora.memory(learner, peak)),
        "peak_bytes": peak,
    }


def _lifeline() -> None:
    sys.stdin.read()
    os._exit(Exit.STOPPED)


def main() -> int:
    """Read the order, say the report; refusals in words."""
    children.give_way()
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_lifeline, daemon=True).start()
    loading.compute_with(int(given["threads"]))
    try:
        order = orders.from_subject(given["subject"])
        found = probe(order, Path(given["model"]), Path(given["rows"]), int(given["threads"]))
    except (folders.NotAModel, folders.Damaged, tokens.CannotRender, ValueError) as error:
        loading.say(event="failed", text=str(error))
        return Exit.REFUSED
    loading.say(event="report", report=found)
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
