"""How often a 95 % interval of graded scores holds the truth, and how often a verdict on them is false.

`python tests/bench/bench_intervals.py [--worlds N] [--rows N ...] [--pairs FILE.jsonl] [choosing | judging]`.

Shapes are split: those for choosing were looked at while the method was chosen, those for judging were run once it was
fixed. Besides the method of the app its peers: t, percentile bootstrap, BCa, bootstrap-t, Wilson for bounded means, and
the bound of Gaffke. `--pairs` takes real scores of two systems: lines such as `{"before": 0.4, "after": 0.5}`; worlds
are drawn from them with replacement, with the mean difference taken as the truth.

All worlds share one set of random weights, which is what makes 4,000 of them a matter of seconds.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.evaluation import statistics
from app.evaluation.comparison import WORTHWHILE
from app.intervals import Interval

Floats = NDArray[np.float64]
Generator = np.random.Generator
Draw = Callable[[Generator, int], Floats]
Ends = tuple[Floats, Floats]  # low and high of every world

DRAWS = 4000
QUIET = 0.03  # spread of differences that hardly move


@dataclass(frozen=True, slots=True)
class Shape:
    """How scores, or differences of scores, are spread over rows. truth: their mean."""

    draw: Draw
    truth: float


# ------------------------------------------------------------------ shapes


def mixed(*parts: tuple[float, float | Draw]) -> Draw:
    """Each part in its share of the rows: a number, or something to draw. What is left over is 0."""

    def draw(generator: Generator, rows: int) -> Floats:
        which, out, start = generator.random(rows), np.zeros(rows), 0.0
        for share, what in parts:
            chosen = (which >= start) & (which < start + share)
            count = int(chosen.sum())
            out[chosen] = what(generator, count) if callable(what) else what
            start += share
        return out

    return draw


def beta(a: float, b: float, scale: float = 1.0) -> Draw:
    return lambda generator, rows: scale * generator.beta(a, b, rows)


def normal(mean: float, spread: float) -> Draw:
    return lambda generator, rows: np.clip(generator.normal(mean, spread, rows), -1, 1)


def flat(low: float, high: float) -> Draw:
    return lambda generator, rows: generator.uniform(low, high, rows)


def both(quantile: Callable[[Floats], Floats], alike: float) -> Draw:
    """Differences of two systems whose scores are spread alike, correlated over rows: the truth is 0."""

    def draw(generator: Generator, rows: int) -> Floats:
        ease = math.sqrt(alike) * generator.standard_normal(rows)
        one, other = (ease + math.sqrt(1 - alike) * generator.standard_normal(rows) for _ in range(2))
        return np.asarray(quantile(stats.norm.cdf(other)) - quantile(stats.norm.cdf(one)))

    return draw


def beta_quantile(a: float, b: float) -> Callable[[Floats], Floats]:
    """From a table: exact ones take a hundred times as long."""
    at = np.linspace(0, 1, 20_001)
    table = stats.beta.ppf(np.clip(at, 1e-6, 1 - 1e-6), a, b)
    return lambda share: np.interp(share, at, table)


def steps(*shares: tuple[float, float]) -> Callable[[Floats], Floats]:
    """Scores of a few levels: (share, level)."""
    edges = np.cumsum([share for share, _ in shares])[:-1]
    levels = np.array([level for _, level in shares])
    return lambda share: levels[np.searchsorted(edges, share)]


def near_ceiling(share_below: float, a: float, b: float) -> Callable[[Floats], Floats]:
    below = beta_quantile(a, b)
    return lambda share: np.where(share > share_below, 1.0, below(np.minimum(share / share_below, 1.0)))


def tied(generator: Generator, rows: int) -> Floats:
    change = np.round(generator.beta(2, 2, rows), 1) - np.round(generator.beta(2, 2, rows), 1)
    return np.where(generator.random(rows) < 0.5, 0.0, change)


def even(share: float, size: Draw) -> Draw:
    """So many rows change, for the better as often as for the worse."""
    return mixed((share / 2, size), (share / 2, lambda generator, rows: -size(generator, rows)))


MEANS = {
    "usual": Shape(beta(2.2, 2.8), 0.44),
    "skewed": Shape(mixed((0.06, 1.0), (0.94, beta(1.2, 14))), 0.06 + 0.94 * 1.2 / 15.2),
    "mostly full": Shape(mixed((0.7, 1.0), (0.3, beta(2, 2))), 0.85),
    "near full": Shape(beta(5, 1), 5 / 6),
    "half points": Shape(mixed((0.8, 1.0), (0.1, 0.5)), 0.85),
}
DIFFERENCES = {
    "usual": Shape(normal(0.04, 0.2), 0.04),
    "some stay": Shape(mixed((0.6, both(beta_quantile(2.2, 2.8), 0.0))), 0.0),
    "few big jumps, even": Shape(mixed((0.04, 0.8), (0.04, -0.8), (0.92, normal(0, 0.01))), 0.0),
    "few big jumps": Shape(mixed((0.056, 0.8), (0.024, -0.8), (0.92, normal(0, 0.01))), 0.032 * 0.8),
    "rare and large": Shape(mixed((0.04, 0.9), (0.01, -0.9)), 0.027),
    "quiet": Shape(normal(0, 0.05), 0.0),
    "quiet, long tails": Shape(lambda generator, rows: np.clip(QUIET * generator.standard_t(3, rows), -1, 1), 0.0),
    "80 % stay, even": Shape(even(0.2, beta(2, 4)), 0.0),
    "80 % stay, losses big": Shape(mixed((0.16, 0.2), (0.04, -0.8)), 0.0),
    "90 % stay, even": Shape(even(0.1, flat(0, 1)), 0.0),
    "90 % stay, losses big": Shape(mixed((0.075, beta(2.5, 7.5)), (0.025, beta(7.5, 2.5, -1))), 0.0),
    "90 % stay, gains": Shape(mixed((0.08, beta(6, 3)), (0.02, beta(3, 6, -1))), 0.14 / 3),
    "95 % stay, even": Shape(even(0.05, flat(0, 1)), 0.0),
    "95 % stay, losses big": Shape(mixed((0.04, 0.2), (0.01, -0.8)), 0.0),
    "half points": Shape(both(steps((0.2, 0.0), (0.3, 0.5), (0.5, 1.0)), 0.6), 0.0),
    "chrF, skewed": Shape(both(beta_quantile(1.2, 5), 0.7), 0.0),
    "chrF, close": Shape(both(beta_quantile(2.5, 2.5), 0.97), 0.0),
    "near the ceiling": Shape(both(near_ceiling(0.15, 4, 2), 0.5), 0.0),
    "none or all": Shape(both(beta_quantile(0.3, 0.35), 0.6), 0.0),
    "tenths, half tied": Shape(tied, 0.0),
    "small gains, rare collapse": Shape(mixed((0.6, 0.05), (0.04, -0.75)), 0.0),
    "gains everywhere, rare collapse": Shape(mixed((0.97, normal(0.018 / 0.97, 0.03)), (0.03, -0.6)), 0.0),
}
JUDGED_MEANS = {
    "near full": Shape(beta(12, 1.5), 12 / 13.5),
    "half points, even": Shape(mixed((0.4, 0.5), (0.3, 1.0)), 0.5),
    "half points, low": Shape(mixed((0.15, 0.5), (0.05, 1.0)), 0.125),
    "none or all": Shape(beta(0.25, 0.4), 0.25 / 0.65),
    "92 % full": Shape(mixed((0.92, 1.0), (0.08, beta(2, 3))), 0.92 + 0.08 * 0.4),
    "chrF, skewed": Shape(beta(1.5, 5), 1.5 / 6.5),
    "chrF, narrow": Shape(beta(12, 16), 12 / 28),
    "85 % nothing": Shape(mixed((0.15, beta(2, 2))), 0.075),
    "two heaps": Shape(mixed((0.4, beta(3, 20)), (0.6, beta(14, 4))), 0.4 * 3 / 23 + 0.6 * 14 / 18),
}
JUDGED_DIFFERENCES = {
    "85 % stay, even": Shape(even(0.15, beta(2, 3)), 0.0),
    "80 % stay, gains big": Shape(mixed((0.15, beta(2, 6, -1)), (0.05, beta(6, 2))), 0.0),
    "90 % stay, losses big": Shape(mixed((0.08, beta(3, 9)), (0.02, -1.0)), 0.0),
    "90 % stay, halves": Shape(mixed((0.04, 0.5), (0.01, 1.0), (0.04, -0.5), (0.01, -1.0)), 0.0),
    "95 % stay, gains big": Shape(mixed((0.03, -0.3), (0.01, 0.9)), 0.0),
    "95 % stay, gains": Shape(mixed((0.04, beta(4, 4)), (0.01, beta(2, 4, -1))), 0.02 - 0.01 / 3),
    "half points, low": Shape(both(steps((0.6, 0.0), (0.3, 0.5), (0.1, 1.0)), 0.5), 0.0),
    "chrF, skewed": Shape(both(beta_quantile(1.5, 5), 0.5), 0.0),
    "chrF, prose": Shape(both(beta_quantile(12, 16), 0.6), 0.0),
    "near the ceiling": Shape(both(near_ceiling(0.1, 2, 3), 0.6), 0.0),
    "none or all": Shape(both(beta_quantile(0.25, 0.4), 0.7), 0.0),
    "fifths, many tied": Shape(
        both(steps((0.1, 0.0), (0.1, 0.2), (0.15, 0.4), (0.2, 0.6), (0.2, 0.8), (0.25, 1.0)), 0.9), 0.0
    ),
    "gains, long tails": Shape(
        lambda generator, rows: 0.04 + np.clip(0.08 * generator.standard_t(4, rows), -0.9, 0.9), 0.04
    ),
    "three in ten gain a little, 2 % collapse": Shape(mixed((0.3, flat(0, 0.08)), (0.02, flat(-0.8, -0.4))), 0.0),
    "all gain a little, 2 % collapse": Shape(mixed((0.98, normal(0.014 / 0.98, 0.02)), (0.02, -0.7)), 0.0),
}


def real(path: Path) -> Shape:
    """Differences of two systems on real rows, to be drawn from."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    changes = np.array([float(one["after"]) - float(one["before"]) for one in lines])
    return Shape(lambda generator, rows: generator.choice(changes, rows), float(changes.mean()))


# ------------------------------------------------------------------ methods


@cache
def _weights(rows: int, unseen: float) -> Floats:
    """Dirichlet weights of the rows and of two unseen ones, one line a draw."""
    drawn = np.random.default_rng(6).standard_gamma(np.append(np.ones(rows), (unseen, unseen)), (DRAWS, rows + 2))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


@cache
def _counts(rows: int) -> Floats:
    drawn = np.random.default_rng(5).multinomial(rows, np.full(rows, 1 / rows), DRAWS)
    return np.asarray(drawn / rows)


def _middle(means: NDArray[np.floating[Any]]) -> Ends:
    """The middle 95 % of each line, to the nearest draw, which is all that thousands of worlds need."""
    first, last = round(0.025 * (DRAWS - 1)), round(0.975 * (DRAWS - 1))
    parted = np.partition(means, (first, last), axis=1)
    return parted[:, first].astype(np.float64), parted[:, last].astype(np.float64)


def _weighed(values: Floats, low: Floats, high: Floats, unseen: float = statistics.UNSEEN) -> Ends:
    weights = _weights(values.shape[1], unseen).astype(np.float32)
    rows = np.column_stack([values, low, high]).astype(np.float32)
    return _middle(rows @ weights.T)


def _flat_ones(values: Floats, ends: Ends, *, paired: bool) -> Ends:
    """Worlds in which all rows are the same, as the app has them."""
    same = np.ptp(values, axis=1) == 0
    for world in np.flatnonzero(same):
        row = values[world].tolist()
        found: Interval | statistics.Difference = (
            statistics.paired_bootstrap([0.0] * len(row), row) if paired else statistics.bootstrap_mean(row)
        )
        ends[0][world], ends[1][world] = found.low, found.high
    return ends


def ours_mean(values: Floats) -> Ends:
    """`statistics.bootstrap_mean`, for many worlds at once."""
    ones = np.ones(len(values))
    return _flat_ones(values, _weighed(values, 0 * ones, ones), paired=False)


def _telling(changes: Floats) -> Floats:
    squares = np.square(changes).sum(axis=1)
    return np.where(squares > 0, np.abs(changes).sum(axis=1) ** 2 / np.maximum(squares, 1e-300), 0.0)


def ours_paired(values: Floats) -> Ends:
    """`statistics.paired_bootstrap`, for many worlds at once."""
    unknown = np.exp(-_telling(values) / statistics.SIZE_KNOWN)
    sizes = []
    for side in (np.maximum(-values, 0.0), np.maximum(values, 0.0)):
        largest = side.max(axis=1)
        open_ = np.maximum(unknown, np.exp(-_telling(side) / statistics.SIDE_KNOWN))
        sizes.append(largest + open_ * (1 - largest))
    return _flat_ones(values, _weighed(values, -sizes[0], sizes[1]), paired=True)


def bounded(values: Floats) -> Ends:
    """`statistics.paired_bounded`, for many worlds at once."""
    ones = np.ones(len(values))
    return _weighed(values, -ones, ones, statistics.BOUNDED)


def students(values: Floats) -> Ends:
    rows = values.shape[1]
    half = stats.t.ppf(0.975, rows - 1) * values.std(axis=1, ddof=1) / math.sqrt(rows)
    return values.mean(axis=1) - half, values.mean(axis=1) + half


def percentile(values: Floats) -> Ends:
    return _middle(values @ _counts(values.shape[1]).T)


def bca(values: Floats) -> Ends:
    """Efron (1987); a world where its correction is not defined takes the outermost draw."""
    means, centre = np.sort(values @ _counts(values.shape[1]).T, axis=1), values.mean(axis=1)
    off = means - centre[:, None]
    below = (off < -1e-6).mean(axis=1) + 0.5 * (np.abs(off) <= 1e-6).mean(axis=1)
    bias = stats.norm.ppf(np.clip(below, 1e-4, 1 - 1e-4))
    off = values - centre[:, None]
    skew = (off**3).sum(axis=1) / (6 * np.maximum((off**2).sum(axis=1), 1e-12) ** 1.5)
    ends = []
    for z in (-1.959964, 1.959964):
        share = stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))
        at = np.clip((share * (DRAWS - 1)).round().astype(int), 0, DRAWS - 1)
        ends.append(means[np.arange(len(values)), at].astype(np.float64))
    return ends[0], ends[1]


def bootstrap_t(values: Floats) -> Ends:
    counts, centre, spread = _counts(values.shape[1]), values.mean(axis=1), values.std(axis=1)
    means = values @ counts.T
    spreads = np.sqrt(np.maximum(values**2 @ counts.T - means**2, 1e-10))
    low, high = _middle((means - centre[:, None]) / spreads)
    return centre - np.minimum(high, 50) * spread, centre - np.maximum(low, -50) * spread


def gaffke(low: float, high: float) -> Callable[[Floats], Ends]:
    """A whole unseen row at the end that is looked at (Gaffke 2005)."""

    def ends(values: Floats) -> Ends:
        rows = values.shape[1]
        drawn = np.random.default_rng(8).standard_exponential((DRAWS, rows + 1))
        weights = drawn / drawn.sum(axis=1, keepdims=True)
        means = values @ weights[:, :-1].T
        outer = weights[:, -1]
        return _middle(means + low * outer)[0], _middle(means + high * outer)[1]

    return ends


def wilson(values: Floats) -> Ends:
    """With as many rows as would spread so little if they were right or wrong; t in the place of z."""
    rows, mean, variance = values.shape[1], values.mean(axis=1), values.var(axis=1, ddof=1)
    z = stats.t.ppf(0.975, rows - 1)
    size = np.maximum(rows, np.where(variance > 0, rows * mean * (1 - mean) / np.maximum(variance, 1e-12), rows))
    centre = (mean + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(mean * (1 - mean) / size + z * z / (4 * size * size))
    return centre - half, centre + half


def signs(values: Floats) -> Floats:
    """p-values of `statistics.sign_flip`, for many worlds at once."""
    flips = np.random.default_rng(9).integers(0, 2, (DRAWS, values.shape[1])) * 2.0 - 1
    seen = np.abs(values.sum(axis=1))
    as_far = np.abs(values.astype(np.float32) @ flips.T.astype(np.float32)) >= seen[:, None] - 1e-5
    return np.asarray((as_far.sum(axis=1) + 1) / (DRAWS + 1))


OF_MEANS = {"ours": ours_mean, "t": students, "percentile": percentile, "BCa": bca, "bootstrap-t": bootstrap_t,
            "Wilson": wilson, "Gaffke": gaffke(0, 1)}  # fmt: skip
OF_DIFFERENCES = {"ours": ours_paired, "t": students, "percentile": percentile, "BCa": bca, "bootstrap-t": bootstrap_t,
                  "Gaffke": gaffke(-1, 1)}  # fmt: skip


# ------------------------------------------------------------------ what comes out


def worlds_of(shape: Shape, rows: int, worlds: int, seed: int = 11) -> Floats:
    return shape.draw(np.random.default_rng(seed), rows * worlds).reshape(worlds, rows)


def covered(shape: Shape, values: Floats, method: Callable[[Floats], Ends]) -> tuple[float, float]:
    """Share of worlds whose interval holds the truth, and the mean width."""
    low, high = method(values)
    held = (low <= shape.truth + 1e-9) & (shape.truth - 1e-9 <= high)
    return float(held.mean()), float((high - low).mean())


def verdicts(values: Floats) -> tuple[float, float, float]:
    """Shares of worlds of which `comparison.compare` says improved, regressed, and not better."""
    (low, high), (lowest, highest), sure = ours_paired(values), bounded(values), signs(values) < statistics.ALPHA
    low, high = np.minimum(low, lowest), np.maximum(high, highest)
    improved, regressed = (low > 0) & sure, (high < 0) & sure
    return float(improved.mean()), float(regressed.mean()), float((~regressed & (high < WORTHWHILE)).mean())


def _table(
    shapes: dict[str, Shape],
    methods: dict[str, Callable[[Floats], Ends]],
    rows: Sequence[int],
    worlds: int,
    *,
    paired: bool,
) -> None:
    more = ["improved", "regressed", "not better"] if paired else []
    print("| " + " | ".join(["difference, truth in points" if paired else "mean", "rows", *methods, *more]) + " |")
    print("| --- " * (2 + len(methods) + len(more)) + "|")
    for count in rows:
        for name, shape in shapes.items():
            values = worlds_of(shape, count, worlds)
            found = [covered(shape, values, method) for method in methods.values()]
            cells = [f"{100 * held:.1f} ({100 * wide:.1f})" for held, wide in found]
            said = [f"{100 * share:.1f}" for share in verdicts(values)] if paired else []
            truth = f", {100 * shape.truth:+.1f}" if paired else ""
            print("| " + " | ".join([name + truth, str(count), *cells, *said]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="?", choices=("choosing", "judging"), default="judging")
    parser.add_argument("--worlds", type=int, default=4000)
    parser.add_argument("--rows", type=int, nargs="+", default=[30, 50, 100, 200])
    parser.add_argument("--pairs", type=Path, action="append", default=[])
    given = parser.parse_args()
    chosen = given.which == "choosing"
    if not given.pairs:
        _table(MEANS if chosen else JUDGED_MEANS, OF_MEANS, given.rows, given.worlds, paired=False)
        print()
    shapes = {path.stem: real(path) for path in given.pairs} or (DIFFERENCES if chosen else JUDGED_DIFFERENCES)
    _table(shapes, OF_DIFFERENCES, given.rows, given.worlds, paired=True)


if __name__ == "__main__":
    main()
