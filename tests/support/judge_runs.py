"""Simulated judges: how often the interval of a corrected score or difference holds the truth, where 95 % is said.

A judge is a sensitivity and a specificity. People label a random sample of answers: of the very answers that are
scored, all of them judged ("all of them judged") or not known to be ("these"), or of other rows of the same variants,
as it is with a test set ("others").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.evaluation import correction
from app.evaluation.comparison import Pair, compare
from app.evaluation.correction import Labels, Tally

Bits = NDArray[np.bool_]
Source = Literal["all of them judged", "these", "others"]

JUDGES = ((0.9, 0.85), (0.95, 0.7), (0.8, 0.8), (0.97, 0.95))  # sensitivity, specificity
SHARES = ((0.3, 0.4, 0.5), (0.6, 0.7, 0.8), (0.75, 0.8, 0.85))  # of three variants, what people would pass
GAINS = (0.0, 0.05, 0.1, 0.2)
DEV = 100  # rows that people label answers of, where they are not the compared ones


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of run: rows and labels, the judge, the true share or gain; of the runs in which the labels let the
    judge be corrected, the shares whose interval held the truth and that were called an improvement, 0 to 1."""

    rows: int
    labels: int
    sides: tuple[float, float]
    truth: float
    runs: int
    covered: float
    better: float = 0.0


def judged(
    draw: np.random.Generator, rows: int, sides: tuple[float, float], shares: tuple[float, ...]
) -> tuple[Bits, Bits]:
    """Truth and judgement of every answer of some variants, which often are right on the same rows."""
    hard = draw.random(rows)
    truth = np.stack([np.where(draw.random(rows) < 0.5, hard, draw.random(rows)) < share for share in shares])
    luck = draw.random(truth.shape)
    return truth, np.where(truth, luck < sides[0], luck > sides[1])


def labelled(draw: np.random.Generator, truth: Bits, passed: Bits, labels: int) -> Labels:
    """What people say of a random sample of all these answers."""
    sampled = draw.permutation(truth.size)[:labels]
    words = np.where(np.stack([truth.ravel()[sampled], passed.ravel()[sampled]]), "pass", "fail")
    return Labels.of([(str(person), str(judge)) for person, judge in words.T])


def scores(source: Source, runs: int) -> Iterator[Case]:
    """Corrected scores of one of three variants."""
    for case, (rows, labels, sides, shares) in enumerate(product((50, 150, 500), (50, 100), JUDGES, SHARES)):
        draw = np.random.default_rng([17, case])
        held = []
        for run in range(runs):
            truth, passed = judged(draw, rows, sides, shares)
            sampled = judged(draw, DEV, sides, shares) if source == "others" else (truth, passed)
            given = labelled(draw, *sampled, labels)
            tallies = [Tally(int(one.sum()), rows) for one in passed]
            pool = tallies if source == "all of them judged" else ()
            came = correction.corrected(tallies[1], given, pool, seed=run)
            if came is not None:
                held.append(came.low <= shares[1] <= came.high)
        yield Case(rows, labels, sides, shares[1], len(held), float(np.mean(held)))


def differences(source: Source, runs: int) -> Iterator[Case]:
    """Corrected differences of two variants, with the verdict of the result page."""
    for case, (rows, labels, sides, gain) in enumerate(product((150, 500), (50, 100), JUDGES, GAINS)):
        draw, shares = np.random.default_rng([23, case]), (0.5, 0.5 + gain)
        held, better = [], []
        for _ in range(runs):
            truth, passed = judged(draw, rows, sides, shares)
            sampled = judged(draw, DEV, sides, shares) if source == "others" else (truth, passed)
            given = labelled(draw, *sampled, labels)
            if correction.against(given):
                continue
            pairs = [Pair(row, float(one), float(other)) for row, (one, other) in enumerate(passed.T)]
            came = compare(pairs, binary=True, labels=given, assured=False)  # rows still needed are not looked at
            held.append(came.low <= gain <= came.high)
            better.append(came.verdict == "improved")
        yield Case(rows, labels, sides, gain, len(held), float(np.mean(held)), float(np.mean(better)))
