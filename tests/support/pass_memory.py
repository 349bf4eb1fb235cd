"""What passes through a model take at their most, and what was worked out: in a process of its own, which says it.

`python -m tests.support.pass_memory MODEL_FOLDER ATTENTION PRECISION ROWSxTOKENS ...` prints one JSON line a shape:
bytes on top of what stood there (the largest of three passes), bytes that were worked out, and those of the process.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

from app.inference import loading
from app.inference.tokens import TokenRow
from app.training import fits, lora, preflight
from app.training.recipe import Recipe

REPEATS = 3


def measured(loaded: Any, count: int, tokens: int) -> dict[str, float]:
    """One pass over so many rows of random tokens, a third of them trained."""
    chance, size = random.Random(1), loaded.model.config.vocab_size
    rows = [
        TokenRow(*([chance.randrange(size) for _ in range(part)] for part in (tokens - tokens // 3, tokens // 3)))
        for _ in range(count)
    ]
    learner = lora.Learner(loaded, Recipe(batch_rows=count, pass_tokens=count * tokens), rows, rows[:1])
    learner.shared = 0
    step = (tuple(range(count)),)
    learner.rehearse(step)  # warms up
    took, peaks, standing = [], [], 0
    for _ in range(REPEATS):
        meter = fits.Meter(loaded.device)
        learner.rehearse(step)
        took.append(meter.more)
        peaks.append(meter.peak)
        standing = meter.standing
    told = fits.heaviest_pass(learner, step)
    parts = dict(fits.parts(learner, standing, told))
    band = preflight.band(parts, tried=False)
    bounds: dict[str, float] = {
        "bytes": band["bytes"],
        "low": band["low"],
        "high": band["high"],
        "tried": band["tried"],
    }
    return {"took": max(took), "told": told, "peak": max(peaks), **bounds}


def main() -> None:
    folder, attention, precision, *shapes = sys.argv[1:]
    loading.compute_with(1)
    for shape in shapes:
        loaded = loading.load(Path(folder), None, precision, attention=attention, trained=True)
        count, tokens = map(int, shape.split("x"))
        sys.stdout.write(json.dumps(measured(loaded, count, tokens)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
