"""How often a comparison says "better" of what is not, how often its interval holds the truth, and what it finds.

`python tests/bench/bench_honesty.py [--worlds N] [--rows N ...] [--graded] [--settle]`. Two systems answer the same
rows, the second truly better by 0, 2, 5 and 10 points; the first is right on 60 %. Rows are hard or easy for both alike
(`ALIKE`), so they differ on a fifth to a quarter of them. With groups, rows come in about 30 of unequal size, and the
scores of one group are correlated by 0.3 for each system, in part for both alike.

Judged are the app's own functions, as they are called; the same without being told of the groups (as results were
before); the unpaired z-test of two rates; and TrainJudge's rule as its report has it: exact McNemar test with p < 0.05
and a gain of 3 points or more. Better: it says that the second is better. Coverage: of the 95 % interval.

`--settle`: of comparisons that are inconclusive, how many still are at the number of rows that is named: by the power
formula, and by assurance at 80 %. `--graded`: scores from 0 to 1 in groups.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.evaluation import assurance, grouped, statistics
from app.evaluation.comparison import WORTHWHILE, Pair, compare

GAINS = (0.0, 0.02, 0.05, 0.10)
ROWS = (50, 150, 500)
FIRST = 0.6  # rate of the first system
GROUPS = 30
WITHIN = 0.46  # correlation of latent ease within a group: 0.30 between right and wrong
ALIKE = 0.75  # correlation of the latent ease of a row between the two systems
POINTS = 0.03  # of TrainJudge's rule
USUAL = 0.06  # standard deviation of true gains, where they are drawn

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass
class Tally:
    """Per cent of worlds, by method: "better" was said; the interval held the truth."""

    better: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    effect: float = 1.0

    def add(self, name: str, *, better: bool, held: bool | None = None) -> None:
        self.better[name] = self.better.get(name, 0) + better
        if held is not None:
            self.held[name] = self.held.get(name, 0) + held


def codes(generator: np.random.Generator, rows: int, *, in_groups: bool) -> NDArray[np.int64]:
    """For each row its group: about `GROUPS` of unequal size, or each alone."""
    if not in_groups:
        return np.arange(rows)
    weights = generator.gamma(2.0, size=GROUPS)
    return generator.choice(GROUPS, rows, p=weights / weights.sum())


def latent(generator: np.random.Generator, of: NDArray[np.int64], *, in_groups: bool) -> Floats:
    """How easy each row is for both systems, standard normal, one column each."""
    within = WITHIN if in_groups else 0.0

    def alike(size: int) -> Floats:
        both, own = generator.standard_normal((size, 1)), generator.standard_normal((size, 2))
        return math.sqrt(ALIKE) * both + math.sqrt(1 - ALIKE) * own

    return math.sqrt(within) * alike(int(of.max()) + 1)[of] + math.sqrt(1 - within) * alike(len(of))


def unpaired(first: int, second: int, rows: int) -> bool:
    """The z-test of two rates that takes them for two samples."""
    pooled = (first + second) / (2 * rows)
    error = math.sqrt(2 * pooled * (1 - pooled) / rows)
    return error > 0 and (second - first) / rows / error > norm.ppf(0.975)


def trainjudge(b: int, c: int, rows: int) -> bool:
    """TrainJudge's rule."""
    return statistics.mcnemar(b, c) < 0.05 and (c - b) / rows >= POINTS


def play(gain: float, rows: int, worlds: int, *, in_groups: bool, seed: int = 5) -> Tally:
    """Judge so many worlds of right and wrong."""
    generator = np.random.default_rng([seed, rows, round(1000 * gain), in_groups])
    limits, tally, effects = norm.ppf([FIRST, FIRST + gain]), Tally(), []
    for _ in range(worlds):
        of = codes(generator, rows, in_groups=in_groups)
        right = latent(generator, of, in_groups=in_groups) < limits
        a, b = right[:, 0].astype(float), right[:, 1].astype(float)
        first, second = a.tolist(), b.tolist()
        names = of.tolist() if in_groups else None
        difference = grouped.paired(first, second, binary=True, groups=names)
        p, _ = grouped.difference_test(first, second, binary=True, groups=names)
        tally.add("ours", better=difference.low > 0 and p < 0.05, held=difference.low <= gain <= difference.high)
        effects.append(grouped.design((b - a).tolist(), names).effect if names else 1.0)
        both, lost, won = int((a * b).sum()), int((a > b).sum()), int((b > a).sum())
        alone = statistics.paired_rates(both, lost, won, rows - both - lost - won)
        tally.add(
            "ours, groups unknown",
            better=alone.low > 0 and statistics.mcnemar(lost, won) < 0.05,
            held=alone.low <= gain <= alone.high,
        )
        tally.add("unpaired z", better=unpaired(both + lost, both + won, rows))
        tally.add("TrainJudge", better=trainjudge(lost, won, rows))
    return _shares(tally, effects, worlds)


def play_graded(gain: float, rows: int, worlds: int, seed: int = 6) -> Tally:
    """The same for scores from 0 to 1 in groups: `comparison.compare` as a whole."""
    generator = np.random.default_rng([seed, rows, round(1000 * gain)])
    tally, effects = Tally(), []
    for world in range(worlds):
        of = codes(generator, rows, in_groups=True)
        ease = norm.cdf(latent(generator, of, in_groups=True))
        a = 0.9 * ease[:, 0]
        b = 0.9 * ease[:, 1] + gain
        pairs = [Pair(row, float(a[row]), float(b[row])) for row in range(rows)]
        found = compare(pairs, binary=False, seed=world, groups=dict(enumerate(of.tolist())))
        tally.add("ours", better=found.verdict == "improved", held=found.low <= gain <= found.high)
        effects.append(found.design.effect if found.design else 1.0)
    return _shares(tally, effects, worlds)


def _shares(tally: Tally, effects: Sequence[float], worlds: int) -> Tally:
    tally.better = {name: 100 * count / worlds for name, count in tally.better.items()}
    tally.held = {name: 100 * count / worlds for name, count in tally.held.items()}
    tally.effect = float(np.mean(effects))
    return tally


# ------------------------------------------------------------------ rows still needed


@cache
def cells(gain: float) -> Floats:
    """Shares of rows that are right in both, only in the first, only in the second, in neither."""
    limits = norm.ppf([FIRST, FIRST + gain])
    both = float(multivariate_normal([0, 0], [[1, ALIKE], [ALIKE, 1]]).cdf(limits))
    return np.array([both, FIRST - both, FIRST + gain - both, 1 - 2 * FIRST - gain + both])


def settled(counts: NDArray[Any]) -> bool:
    """Whether these rows settle it."""
    found = statistics.paired_rates(*(int(count) for count in counts))
    sure = statistics.mcnemar(int(counts[1]), int(counts[2])) < 0.05
    return (sure and (found.low > 0 or found.high < 0)) or found.high < WORTHWHILE


@dataclass(frozen=True)
class Open:
    """Of inconclusive comparisons: how many there were, the median of the number that is named and the share still
    open there, in per cent, by the power formula and by assurance."""

    worlds: int
    power: tuple[float, float]
    assured: tuple[float, float]


def still_open(gain: float | None, rows: int, worlds: int, seed: int = 7) -> Open:
    """Ask as many rows as is named, and look whether that settles it. gain: None draws another one for each world, as
    large as gains usually are (`USUAL`), for better or worse."""
    generator = np.random.default_rng([seed, rows, 999 if gain is None else round(1000 * gain)])
    numbers: tuple[list[int], list[int]] = ([], [])
    left = [0, 0]
    played = 0
    while played < worlds:
        shares = cells(float(np.clip(generator.normal(0, USUAL), -0.25, 0.25)) if gain is None else gain)
        seen = generator.multinomial(rows, shares)
        if settled(seen):
            continue
        delta, differ = (seen[2] - seen[1]) / rows, (seen[1] + seen[2]) / rows
        gap = max(abs(delta), WORTHWHILE)
        named = statistics.rows_needed(gap, max(differ, gap))
        assured = assurance.needed_rates(*(float(one) for one in seen), WORTHWHILE)
        if assured is None:
            continue
        played += 1
        for place, number in enumerate((max(named, rows), assured.rows)):
            numbers[place].append(number)
            left[place] += not settled(seen + generator.multinomial(number - rows, shares))
    first, second = ((float(np.median(numbers[at])), 100 * left[at] / worlds) for at in (0, 1))
    return Open(worlds, first, second)


# ------------------------------------------------------------------ tables


def _table(rows: Sequence[int], worlds: int) -> None:
    names = ("ours", "ours, groups unknown", "unpaired z", "TrainJudge")
    print("| rows | groups | true gain | " + " | ".join(f"better: {name}" for name in names), end="")
    print(" | coverage: ours | groups unknown | design effect |")
    print("| ---: | --- | ---: " + "| ---: " * (len(names) + 3) + "|")
    for in_groups in (False, True):
        for count in rows:
            for gain in GAINS:
                found = play(gain, count, worlds, in_groups=in_groups)
                said = " | ".join(f"{found.better[name]:.1f}" for name in names)
                held = f"{found.held['ours']:.1f} | {found.held['ours, groups unknown']:.1f}"
                group = str(GROUPS) if in_groups else "none"
                print(f"| {count} | {group} | {100 * gain:.0f} | {said} | {held} | {found.effect:.2f} |", flush=True)


def _graded(rows: Sequence[int], worlds: int) -> None:
    print("| rows | true gain | better | coverage | design effect |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count in rows:
        for gain in (0.0, 0.05):
            found = play_graded(gain, count, worlds)
            print(
                f"| {count} | {100 * gain:.0f} | {found.better['ours']:.1f} | {found.held['ours']:.1f} | "
                f"{found.effect:.2f} |",
                flush=True,
            )


def _settle(rows: Sequence[int], worlds: int) -> None:
    print("| rows so far | true gain | power: rows named, median | still open | assurance: rows named | still open |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in rows:
        for gain in (*GAINS, None):
            found = still_open(gain, count, worlds)
            points = "drawn" if gain is None else f"{100 * gain:.0f}"
            print(
                f"| {count} | {points} | {found.power[0]:,.0f} | {found.power[1]:.0f} % | "
                f"{found.assured[0]:,.0f} | {found.assured[1]:.0f} % |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--graded", action="store_true")
    parser.add_argument("--settle", action="store_true")
    given = parser.parse_args()
    if given.graded:
        _graded(given.rows, given.worlds)
    elif given.settle:
        _settle(given.rows, given.worlds)
    else:
        _table(given.rows, given.worlds)


if __name__ == "__main__":
    main()
