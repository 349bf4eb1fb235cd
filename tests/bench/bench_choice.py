"""How often "improved" is said of an adapter that is no better than the best prompt, when the prompt is chosen on dev.

`python tests/bench/bench_choice.py [WORLDS]`. Five prompts of known rates, an adapter as good as the best of them (or
better by 5 and 10 points), 200 test rows. Rows are hard or easy for all alike (`ALIKE`). Before: the adapter is
compared with the prompt that did best on dev. After: with every prompt that the dev rows cannot tell from it, too.
Carried: none of these was asked the test rows, and the doubt of the dev rows is added instead. In per cent of worlds.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.evaluation import statistics
from app.evaluation.comparison import ONE_SIDED
from app.evaluation.statistics import Difference
from app.intervals import CONFIDENCE

TEST = 200
DEVS = (40, 100, 188, 400)
GAINS = (0.0, 0.05, 0.1)
SHAPES = {"50, 46, 45, 45, 35": (0.5, 0.46, 0.45, 0.45, 0.35), "55, 45 x 4": (0.55, 0.45, 0.45, 0.45, 0.45)}
ALIKE = (0.0, 0.5)  # correlation of the latent ease of a row between two arms

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shares:
    """Per cent of worlds in which "improved" was said, and in which the truly best prompt was chosen or left out."""

    before: float
    after: float
    carried: float
    chosen: float
    lost: float
    rivals: float


@cache
def _paired(both: int, b: int, c: int, neither: int, confidence: float) -> Difference:
    return statistics.paired_rates(both, b, c, neither, confidence)


@cache
def _p(b: int, c: int) -> float:
    return statistics.mcnemar(b, c)


def _counts(before: Bools, after: Bools) -> tuple[int, int, int, int]:
    both = int((before & after).sum())
    b, c = int(before.sum()) - both, int(after.sum()) - both
    return both, b, c, len(before) - both - b - c


def _surely(before: Bools, after: Bools) -> bool:
    """What `comparison.compare` calls improved."""
    counts = _counts(before, after)
    return _paired(*counts, CONFIDENCE).low > 0 and _p(counts[1], counts[2]) < statistics.ALPHA


def shares(rates: Sequence[float], dev: int, gain: float, worlds: int, alike: float, seed: int = 3) -> Shares:
    """Play it so many times. The adapter is the last column; the first prompt is truly best."""
    generator = np.random.default_rng(seed)
    limits = norm.ppf([*rates, max(rates) + gain])
    found = np.zeros(6)
    for _ in range(worlds):
        tried, tested = (_rows(generator, limits, size, alike) for size in (dev, TEST))
        right = tried[:, :-1].sum(axis=0)
        first = int(generator.choice(np.flatnonzero(right == right.max())))
        near = [
            (other, seen)
            for other in range(len(rates))
            if other != first and (seen := _paired(*_counts(tried[:, other], tried[:, first]), CONFIDENCE)).low <= 0
        ]
        adapter = tested[:, -1]
        improved = _surely(tested[:, first], adapter)
        main = _paired(*_counts(tested[:, first], adapter), CONFIDENCE)
        all_beaten = improved and all(
            _paired(*_counts(tested[:, other], adapter), ONE_SIDED).low > 0 for other, _ in near
        )
        carried = improved and all(statistics.chained(main, seen).low > 0 for _, seen in near)
        lost = first != 0 and all(other != 0 for other, _ in near)
        found += [improved, all_beaten, carried, first == 0, lost, len(near)]
    before, after, both, chosen, left, rivals = (float(one) / worlds for one in found)
    return Shares(100 * before, 100 * after, 100 * both, 100 * chosen, 100 * left, rivals)


def _rows(generator: np.random.Generator, limits: NDArray[np.float64], size: int, alike: float) -> Bools:
    ease = np.sqrt(alike) * generator.standard_normal((size, 1))
    own = np.sqrt(1 - alike) * generator.standard_normal((size, len(limits)))
    return np.asarray(ease + own < limits, dtype=np.bool_)


def main() -> None:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("alike | rates | dev | gain | before | after | carried | best chosen | best lost | rivals")
    for alike in ALIKE:
        for name, rates in SHAPES.items():
            for dev in DEVS:
                for gain in GAINS:
                    one = shares(rates, dev, gain, worlds, alike)
                    print(
                        f"{alike:.1f} | {name} | {dev} | {100 * gain:.0f} | {one.before:.1f} | {one.after:.1f} | "
                        f"{one.carried:.1f} | {one.chosen:.0f} | {one.lost:.1f} | {one.rivals:.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
