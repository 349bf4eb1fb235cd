"""How often a race drops an arm that it should not, and how many calls it saves.

`python tests/bench/bench_racing.py [WORLDS]`. Arms of known rates answer the same dev rows, which are hard or easy for
all alike (`ALIKE`: correlation of the latent ease of a row between two arms); after each round what `racing.losers`
names is dropped. Spoilt: runs in which any of several equal arms was dropped. Best lost: runs in which the truly best
one was. Saved: calls that were not made, of all that a full measurement makes on dev. In per cent; 4,000 worlds leave a
doubt of 0.7 beside 5.
"""

import hashlib
import json
import lzma
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.advice.facts import NO_MODEL
from app.demo import recording
from app.evaluation import racing

ROWS = (100, 200, 400)
ALIKE = (0.0, 0.5)
EQUAL = {"2 x 60": (0.6,) * 2, "5 x 60": (0.6,) * 5, "8 x 60": (0.6,) * 8, "8 x 90": (0.9,) * 8, "16 x 60": (0.6,) * 16}
SHAPES = {
    "50, 46, 45, 45, 35": (0.5, 0.46, 0.45, 0.45, 0.35),
    "70, 55, 40, 40, 20": (0.7, 0.55, 0.4, 0.4, 0.2),
    "80, 78, 76, 70, 60, 45, 30, 10": (0.8, 0.78, 0.76, 0.7, 0.6, 0.45, 0.3, 0.1),
    "90, 40 x 4": (0.9, 0.4, 0.4, 0.4, 0.4),
}

Floats = NDArray[np.float64]


def scores_of(
    generator: np.random.Generator, rates: tuple[float, ...], rows: int, alike: float, *, binary: bool
) -> Floats:
    """(arms, rows) in one world: right and wrong, or a graded score whose mean orders the arms in the same way."""
    shared = generator.standard_normal(rows)
    own = generator.standard_normal((len(rates), rows))
    ease = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
    thresholds = np.array([[NormalDist().inv_cdf(rate)] for rate in rates])
    if binary:
        return np.asarray(ease < thresholds, dtype=float)
    return np.asarray(np.clip((thresholds - ease) / 6 + 0.5, 0, 1), dtype=float)


def raced(scores: Floats, *, binary: bool) -> dict[int, int]:
    """Which arms are dropped, after how many rows."""
    arms, rows = scores.shape
    dropped: dict[int, int] = {}
    for end in racing.ends(rows)[:-1]:  # after the last row nothing is saved
        so_far = {str(arm): dict(enumerate(scores[arm, :end].tolist())) for arm in range(arms) if arm not in dropped}
        dropped |= {int(one.arm): end for one in racing.losers(so_far, binary=binary, of=arms)}
    return dropped


def in_groups(generator: np.random.Generator, rates: tuple[float, ...], rows: int, size: int, alike: float) -> Floats:
    """(arms, rows) of right and wrong where each `size` rows in a row belong together: an arm's luck with a group is
    its own, and `alike` of what decides a row. The worst case for a race: one lucky group looks like many rows."""
    luck = np.repeat(generator.standard_normal((len(rates), rows // size)), size, axis=1)
    own = generator.standard_normal((len(rates), rows))
    ease = np.sqrt(alike) * luck + np.sqrt(1 - alike) * own
    return np.asarray(ease < np.array([[NormalDist().inv_cdf(rate)] for rate in rates]), dtype=float)


def raced_in_groups(scores: Floats, size: int, *, aware: bool) -> dict[int, int]:
    """Which arms are dropped, after how many rows; aware: whether the race knows of the groups."""
    arms, rows = scores.shape
    groups = {row: row // size for row in range(rows)}
    dropped: dict[int, int] = {}
    for end in racing.ends(rows)[:-1]:
        asked = racing.whole(range(rows), end, groups) if aware else range(end)
        so_far = {
            str(arm): {row: float(scores[arm, row]) for row in asked} for arm in range(arms) if arm not in dropped
        }
        lost = racing.losers(so_far, binary=True, of=arms, groups=groups if aware else None)
        dropped |= {int(one.arm): end for one in lost}
    return dropped


def grouped(rates: tuple[float, ...], rows: int, size: int, worlds: int, *, aware: bool) -> tuple[float, float, float]:
    """As `measured`, with rows in groups."""
    generator = np.random.default_rng(2)
    any_, best, saved = 0, 0, 0.0
    for _ in range(worlds):
        dropped = raced_in_groups(in_groups(generator, rates, rows, size, 0.5), size, aware=aware)
        any_ += bool(dropped)
        best += 0 in dropped
        saved += sum(rows - end for end in dropped.values())
    return 100 * any_ / worlds, 100 * best / worlds, 100 * saved / (worlds * rows * len(rates))


def measured(
    rates: tuple[float, ...], rows: int, alike: float, worlds: int, *, binary: bool
) -> tuple[float, float, float]:
    """Per cent of worlds in which anything was dropped, in which the best arm was, and per cent of calls saved."""
    generator = np.random.default_rng(1)
    any_, best, saved = 0, 0, 0.0
    for _ in range(worlds):
        dropped = raced(scores_of(generator, rates, rows, alike, binary=binary), binary=binary)
        any_ += bool(dropped)
        best += 0 in dropped
        saved += sum(rows - end for end in dropped.values())
    return 100 * any_ / worlds, 100 * best / worlds, 100 * saved / (worlds * rows * len(rates))


def replayed(seed: int) -> tuple[dict[str, int], int, int]:
    """The finished example's own dev answers, raced after the fact: who is dropped after how many rows, calls saved,
    and all of them. seed: draws the order of the rows, as a measurement does."""
    rows = json.loads(lzma.decompress(recording.FILE.read_bytes()))["rows"]
    prompted = {arm["id"]: arm["name"] for arm in rows["arms"] if arm["family"] not in (*NO_MODEL, "adapter")}
    by_arm: dict[str, dict[int, float]] = {name: {} for name in prompted.values()}
    for answer in rows["answers"]:
        if answer["split"] == "dev" and answer["arm_id"] in prompted:
            by_arm[prompted[answer["arm_id"]]][answer["example_id"]] = answer["score"]
    ids = sorted({row for scores in by_arm.values() for row in scores})
    order = sorted(ids, key=lambda row: hashlib.sha256(f"{seed}/{row}".encode()).digest())
    dropped: dict[str, int] = {}
    for end in racing.ends(len(order))[:-1]:
        so_far = {
            name: {row: scores[row] for row in order[:end]} for name, scores in by_arm.items() if name not in dropped
        }
        dropped |= {one.arm: end for one in racing.losers(so_far, binary=True, of=len(by_arm))}
    return dropped, sum(len(order) - end for end in dropped.values()), len(order) * len(by_arm)


def main() -> None:
    print("The finished example, 100 dev rows, raced after the fact")
    for seed in range(7, 12):
        dropped, saved, calls = replayed(seed)
        print(f"seed {seed}: {saved} of {calls} calls saved; dropped: {dropped}")
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("right and wrong, rows in groups, half of what decides a row is the group's")
    print(f"{'arms':34} {'dev':>4} {'group':>5} {'race':>12} {'spoilt':>7} {'best lost':>9} {'saved':>6}")
    for name, rates in (EQUAL | SHAPES).items():
        for row_count, size in ((200, 5), (200, 10), (400, 10)):
            for aware in (False, True):
                spoilt, best, spared = grouped(rates, row_count, size, worlds // 2, aware=aware)
                shown = f"{spoilt:7.2f}" if name in EQUAL else f"{'':7}"
                told = "by group" if aware else "row by row"
                print(f"{name:34} {row_count:4} {size:5} {told:>12} {shown} {best:9.2f} {spared:6.1f}", flush=True)
    for binary in (True, False):
        print("right and wrong" if binary else "graded")
        print(f"{'arms':34} {'dev':>4} {'alike':>5} {'spoilt':>7} {'best lost':>9} {'saved':>6}")
        for name, rates in (EQUAL | SHAPES).items():
            for row_count in ROWS:
                for alike in ALIKE:
                    number = worlds if binary else worlds // 2
                    spoilt, best, spared = measured(rates, row_count, alike, number, binary=binary)
                    shown = f"{spoilt:7.2f}" if name in EQUAL else f"{'':7}"
                    print(f"{name:34} {row_count:4} {alike:5.1f} {shown} {best:9.2f} {spared:6.1f}", flush=True)


if __name__ == "__main__":
    main()
