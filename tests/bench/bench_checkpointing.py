"""What gradient checkpointing costs in time and saves in memory: one step by rows of one length, both ways.

`python tests/bench/bench_checkpointing.py MODEL_FOLDER [--tokens 90 400 1500] [--rows 8] [--repeats 3] [--threads 1]`

Rows are random tokens, a third of them trained; passes are made as in a run. Seconds are processor seconds of a step
forward and back (a busy machine stretches the clock, not these), the middle one of the repeats after one that warms up;
both ways in turn. Memory is what a step takes on top of what stood there, at its most.
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.inference import loading
from app.inference.tokens import TokenRow
from app.training import batches, fits, lora
from app.training.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[90, 400, 1500])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--attention", default="eager")
    given = parser.parse_args()
    loading.compute_with(given.threads)
    loaded = loading.load(given.model, None, given.precision, attention=given.attention)
    chance = random.Random(1)
    size = loaded.model.config.vocab_size
    learner = None
    print("| tokens a row | passes | kept: s | GB | worked out | again: s | GB | worked out | time | memory |")
    print("| ---: " * 10 + "|", flush=True)
    for tokens in given.tokens:
        rows = [
            TokenRow(*([chance.randrange(size) for _ in range(part)] for part in (tokens - tokens // 3, tokens // 3)))
            for _ in range(given.rows)
        ]
        if learner is None:
            learner = lora.Learner(loaded, Recipe(batch_rows=given.rows), rows, rows[:1])
            learner.shared = 0
        learner.train, learner.lengths = rows, [tokens] * given.rows
        step = batches.passes(range(given.rows), learner.lengths, learner.budget)
        spent: dict[bool, list[float]] = {False: [], True: []}
        took: dict[bool, list[int]] = {False: [], True: []}
        told: dict[bool, int] = {}
        for repeat in range(given.repeats + 1):
            for again in (False, True):
                learner.recompute.on = again
                told[again] = fits.heaviest_pass(learner, step)
                meter = fits.Meter(loaded.device)
                began = time.process_time()
                learner.rehearse(step)
                if repeat:
                    spent[again].append(time.process_time() - began)
                    took[again].append(meter.more)
        seconds = {again: statistics.median(found) for again, found in spent.items()}
        peak = {again: max(found) for again, found in took.items()}
        shown = " | ".join(
            f"{seconds[again]:.2f} | {peak[again] / 1e9:.2f} | {told[again] / 1e9:.2f}" for again in (False, True)
        )
        print(
            f"| {tokens} | {len(step)} | {shown} | {seconds[True] / seconds[False] - 1:+.0%} "
            f"| {peak[True] / peak[False] - 1:+.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
