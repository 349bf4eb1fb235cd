"""How often "improved" is said of an adapter that is no better than the best prompt, when the prompt is chosen on dev.

`python tests/bench/bench_choice.py [WORLDS]`. Five prompts of known rates, an adapter as good as the best of them (or
better by 5 and 10 points), 200 test rows. Rows are hard or easy for all alike (`ALIKE`). Before: the adapter is
compared with the prompt that did best on dev. After: with every prompt that the dev rows cannot tell from it, too.
Carried: none of these was asked the test rows, and the doubt of the dev rows is added instead, for each of the others
its part of 5 % (`comparison.doubt`). Plainly: the same with 95 % for each. In per cent of worlds; 40,000 leave a doubt
of 0.2 beside 5.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.evaluation import statistics
from app.evaluation.comparison import ONE_SIDED, doubt
from app.intervals import CONFIDENCE

TEST = 200
DEVS = (40, 70, 100, 140, 188, 400)
GAINS = (0.0, 0.05, 0.1)
SHAPES = {
    "50, 46, 45, 45, 35": (0.5, 0.46, 0.45, 0.45, 0.35),
    "55, 45 x 4": (0.55, 0.45, 0.45, 0.45, 0.45),
    "40, 30 x 7": (0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),
    "85, 78 x 4": (0.85, 0.78, 0.78, 0.78, 0.78),
    "55, 45 x 2": (0.55, 0.45, 0.45),
}
ALIKE = (0.0, 0.5)  # correlation of the latent ease of a row between two arms
AT_ONCE = 2000  # worlds

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Per cent of worlds in which "improved" was said, and in which the truly best prompt was chosen or left out."""

    before: float
    after: float
    carried: float
    plainly: float
    chosen: float
    lost: float
    rivals: float


@dataclass(frozen=True, slots=True)
class Differences:
    """Of many worlds: second minus first, its interval, and the rows that only one gets right."""

    delta: Floats
    low: Floats
    high: Floats
    b: Floats
    c: Floats


def paired(first: Bools, second: Bools, confidence: float) -> Differences:
    """`statistics.paired_rates` of (worlds, rows)."""
    rows, z = first.shape[1], norm.ppf(0.5 + confidence / 2)
    both = (first & second).sum(axis=1).astype(float)
    one, two = first.sum(axis=1).astype(float), second.sum(axis=1).astype(float)
    b, c = one - both, two - both
    neither = rows - both - b - c
    cross, margins = both * neither - b * c, one * (rows - one) * two * (rows - two)
    corrected = np.where(cross < 0, cross, np.maximum(0.0, cross - rows / 2))
    phi = np.where(margins > 0, corrected / np.sqrt(np.maximum(margins, 1.0)), 0.0)
    (low_1, high_1), (low_2, high_2) = _wilson(one, rows, z), _wilson(two, rows, z)

    def joined(x: Floats, y: Floats) -> Floats:
        return np.sqrt(np.maximum(0.0, x * x - 2 * phi * x * y + y * y))

    p, q = one / rows, two / rows
    low = q - p - joined(q - low_2, high_1 - p)
    high = q - p + joined(high_2 - q, p - low_1)
    return Differences(q - p, np.maximum(-1, low), np.minimum(1, high), b, c)


def _wilson(right: Floats, rows: int, z: float) -> tuple[Floats, Floats]:
    rate = right / rows
    centre = (rate + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(rate * (1 - rate) / rows + z * z / (4 * rows * rows))
    return np.maximum(0, centre - half), np.minimum(1, centre + half)


def surely(found: Differences) -> Bools:
    """What `comparison.compare` calls improved."""
    p = np.minimum(1, 2 * binom.cdf(np.minimum(found.b, found.c), found.b + found.c, 0.5))
    return np.asarray((found.low > 0) & (p < statistics.ALPHA))


def _chained(one: Differences, other: Differences) -> Floats:
    """The lower end of `statistics.chained`."""
    return one.delta + other.delta - np.hypot(one.delta - one.low, other.delta - other.low)


def shares(rates: Sequence[float], dev: int, gain: float, worlds: int, alike: float, seed: int = 3) -> Shares:
    """Play it so many times. The adapter is the last column; the first prompt is truly best."""
    generator = np.random.default_rng(seed)
    limits = norm.ppf([*rates, max(rates) + gain])
    found, played = np.zeros(7), 0
    while played < worlds:
        count = min(AT_ONCE, worlds - played)
        found += _play(generator, limits, dev, count, alike)
        played += count
    before, after, carried, plainly, chosen, lost, rivals = (float(one) / worlds for one in found)
    return Shares(100 * before, 100 * after, 100 * carried, 100 * plainly, 100 * chosen, 100 * lost, rivals)


def _play(generator: np.random.Generator, limits: Floats, dev: int, worlds: int, alike: float) -> Floats:
    prompts = len(limits) - 1
    tried, tested = (_rows(generator, limits, (worlds, size), alike) for size in (dev, TEST))
    right = tried[:, :, :prompts].sum(axis=1)
    first = (right + generator.random(right.shape) / 2).argmax(axis=1)  # a tie is settled by lot
    each = np.arange(worlds)
    leading, led, adapter = tried[each, :, first], tested[each, :, first], tested[:, :, -1]
    main = paired(led, adapter, CONFIDENCE)
    improved = surely(main)
    beaten, carried, plainly = improved.copy(), improved.copy(), improved.copy()
    rivals, kept = np.zeros(worlds), first == 0
    for other in range(prompts):
        seen = paired(tried[:, :, other], leading, CONFIDENCE)
        doubted = paired(tried[:, :, other], leading, doubt(prompts - 1))
        near = (seen.low <= 0) & (first != other)
        rivals += near
        kept |= near & (other == 0)
        beaten &= ~near | (paired(tested[:, :, other], adapter, ONE_SIDED).low > 0)
        carried &= ~near | (_chained(main, doubted) > 0)
        plainly &= ~near | (_chained(main, seen) > 0)
    counts = (improved, beaten, carried, plainly, first == 0, ~kept, rivals)
    return np.array([float(one.sum()) for one in counts])


def _rows(generator: np.random.Generator, limits: Floats, size: tuple[int, int], alike: float) -> Bools:
    ease = generator.standard_normal((*size, 1), dtype=np.float32) * np.float32(np.sqrt(alike))
    own = generator.standard_normal((*size, len(limits)), dtype=np.float32) * np.float32(np.sqrt(1 - alike))
    return np.asarray(ease + own < limits.astype(np.float32), dtype=np.bool_)


def main() -> None:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print("| alike | rates | dev | gain | before | after | carried | plainly | best chosen | best lost | rivals |")
    print("| --- " * 11 + "|")
    for alike in ALIKE:
        for name, rates in SHAPES.items():
            for dev in DEVS:
                for gain in GAINS:
                    one = shares(rates, dev, gain, worlds, alike)
                    print(
                        f"| {alike:.1f} | {name} | {dev} | {100 * gain:.0f} | {one.before:.1f} | {one.after:.1f} | "
                        f"{one.carried:.1f} | {one.plainly:.1f} | {one.chosen:.0f} | {one.lost:.1f} | "
                        f"{one.rivals:.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
