"""How often a 95 % interval of graded scores holds the truth: mean and paired difference, the shapes that scores have.

`python tests/bench/bench_intervals.py [WORLDS] [ROWS ...]`. Before: resampling the rows alone. After: `bootstrap_mean`
and `paired_bootstrap`. Per cent of worlds, and mean width in points.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.evaluation import statistics

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

DRAWS = 1000


def usual(generator: np.random.Generator, rows: int) -> Floats:
    """Scores like chrF's."""
    return generator.beta(2.2, 2.8, rows)


def skewed(generator: np.random.Generator, rows: int) -> Floats:
    """Few are quite right, the others hardly at all."""
    return np.where(generator.random(rows) < 0.06, 1.0, generator.beta(1.2, 14, rows))


def full(generator: np.random.Generator, rows: int) -> Floats:
    """Most are quite right."""
    return np.where(generator.random(rows) < 0.7, 1.0, generator.beta(2, 2, rows))


def moved(generator: np.random.Generator, rows: int) -> Floats:
    """Every row changes a little."""
    return np.clip(generator.normal(0.04, 0.2, rows), -1, 1)


def some(generator: np.random.Generator, rows: int) -> Floats:
    """Four in ten rows stay as they are."""
    change = generator.beta(2.2, 2.8, rows) - generator.beta(2.2, 2.8, rows)
    return np.where(generator.random(rows) < 0.4, 0.0, change)


def jumps(generator: np.random.Generator, rows: int) -> Floats:
    """Few big changes, seven in ten of them for the better, and noise."""
    big = generator.choice([0.8, -0.8], rows, p=[0.7, 0.3])
    return np.where(generator.random(rows) < 0.08, big, generator.normal(0, 0.01, rows))


def rare(generator: np.random.Generator, rows: int) -> Floats:
    """One row in twenty changes, by nearly the whole scale."""
    big = generator.choice([0.9, -0.9], rows, p=[0.8, 0.2])
    return np.where(generator.random(rows) < 0.05, big, 0.0)


MEANS: dict[str, tuple[Draw, float]] = {
    "usual": (usual, 2.2 / 5),
    "skewed": (skewed, 0.06 + 0.94 * 1.2 / 15.2),
    "mostly full": (full, 0.7 + 0.3 * 0.5),
}
DIFFERENCES: dict[str, tuple[Draw, float]] = {
    "usual": (moved, 0.04),
    "some stay": (some, 0.0),
    "few big jumps": (jumps, 0.08 * 0.4 * 0.8),
    "rare and large": (rare, 0.05 * 0.6 * 0.9),
}


def covered(
    draw: Draw, truth: float, rows: int, worlds: int, *, paired: bool, seed: int = 11, draws: int = DRAWS
) -> tuple[float, ...]:
    """Share of worlds whose interval holds the truth, before and after, and the mean widths."""
    generator = np.random.default_rng(seed)
    held, width = np.zeros(2), np.zeros(2)
    for world in range(worlds):
        values = draw(generator, rows)
        older = statistics.percentile_mean(values.tolist(), world, draws)
        if paired:
            newer = statistics.paired_bootstrap([0.0] * rows, values.tolist(), world, draws)
            ends = [(older.low, older.high), (newer.low, newer.high)]
        else:
            mean = statistics.bootstrap_mean(values.tolist(), world, draws)
            ends = [(older.low, older.high), (mean.low, mean.high)]
        held += [low <= truth <= high for low, high in ends]
        width += [high - low for low, high in ends]
    return (*(held / worlds), *(width / worlds))


def main() -> None:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    sizes = [int(one) for one in sys.argv[2:]] or [50, 150]
    print("what | rows | before | after | width before | width after")
    for rows in sizes:
        for paired, shapes in ((False, MEANS), (True, DIFFERENCES)):
            for name, (draw, truth) in shapes.items():
                before, after, narrow, wide = covered(draw, truth, rows, worlds, paired=paired)
                what = "difference" if paired else "mean"
                print(
                    f"{what}, {name} | {rows} | {100 * before:.1f} | {100 * after:.1f} | {100 * narrow:.1f} | "
                    f"{100 * wide:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
