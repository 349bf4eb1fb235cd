"""How far a judge agrees with people, and its score corrected by what their labels show. Pure.

A judge that passes one in five bad answers scores every variant too high, and a bad variant more so. People's labels on
a random sample of the same answers say how often its pass is a pass and its fail a fail (predictive values). Over the
answers that the sample was drawn from, these and the shares of its two words give the true share: that is
prediction-powered inference for a rate (Angelopoulos et al. 2023, Science 382:669; in closed form the double sampling
of Tenenbein 1970, JASA 65:1350). One variant has too few labels of its own, so the predictive values are turned into
sensitivity and specificity, which do not depend on how many answers are right, and the variant's own share of passes is
corrected by them (Rogan and Gladen 1978, American Journal of Epidemiology 107:71):

    true = (passes + specificity - 1) / (sensitivity + specificity - 1)

It holds as long as the judge errs alike on all variants. A variant that copies the judge's taste breaks that, and only
labels of its own would show it; wherever a judge decides, that is said. A difference of two variants is the difference
of their shares of passes over what the judge tells, sensitivity + specificity - 1: it errs alike, so it shrinks every
difference by the same factor and turns none around. A test of the judge's own words is therefore a test of the truth.

The interval is that of draws from Jeffreys' distributions of the rates that were counted, as for a rate it is Jeffreys'
interval. Where the judge did not judge all that the sample was drawn from (another measurement's answers, the test
set), sensitivity and specificity are drawn from the labels alone, which is wider. `tests/judging/test_coverage.py` has
what both cover.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.evaluation.agreement import Agreement, agreement, kappa_interval
from app.evaluation.statistics import ALPHA, Difference
from app.intervals import CONFIDENCE, Interval, wilson, z

Floats = NDArray[np.float64]

WORDS = ("pass", "fail")
LEAST = 50  # labels from which agreement counts, as between two people (decision rules 4.5)
OF_EACH = 5  # labels of each word without which nothing is corrected
TELLS = 0.1  # sensitivity + specificity - 1, which a judge has to be surely above to be corrected: 0 is a coin
DRAWS = 4_000
PRIOR = 0.5  # Jeffreys' for a rate


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a judge said pass, of so many answers."""

    passes: int
    total: int

    @property
    def share(self) -> float:
        """0 to 1; 0 of none."""
        return self.passes / self.total if self.total else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.passes, self.total)


@dataclass(frozen=True, slots=True)
class Labels:
    """Answers that a person labelled and a judge judged: each with both words, the person's first."""

    both_pass: int = 0
    judge_fails: int = 0
    judge_passes: int = 0
    both_fail: int = 0

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> "Labels":
        counted = Counter(pairs)
        return cls(*(counted[words] for words in product(WORDS, WORDS)))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """In the order of the fields."""
        return self.both_pass, self.judge_fails, self.judge_passes, self.both_fail

    @property
    def passes(self) -> int:
        return self.both_pass + self.judge_fails

    @property
    def fails(self) -> int:
        return self.judge_passes + self.both_fail

    @property
    def total(self) -> int:
        return self.passes + self.fails


@dataclass(frozen=True, slots=True)
class Calibration:
    """What people's labels say of a judge. kappa_interval: None where there is no kappa. sensitivity: of the answers
    that pass, the share that the judge passes; specificity: of those that fail, the share that it fails; each None
    without such labels, with its interval. limit: the agreement that the policy asks for."""

    labels: Labels
    agreement: Agreement
    kappa_interval: Interval | None
    limit: float

    @property
    def kappa(self) -> float | None:
        return self.agreement.kappa

    @property
    def enough(self) -> bool:
        return self.labels.total >= LEAST

    @property
    def holds(self) -> bool:
        """Whether the judge agrees with people as far as the policy asks, on enough labels."""
        return self.enough and self.kappa is not None and self.kappa >= self.limit - 1e-9

    @property
    def sensitivity(self) -> Tally:
        return Tally(self.labels.both_pass, self.labels.passes)

    @property
    def specificity(self) -> Tally:
        return Tally(self.labels.both_fail, self.labels.fails)

    @property
    def sentence(self) -> str:
        """How it stands, plainly."""
        if not self.labels.total:
            return "Not calibrated: no answer that it judged was labelled by a person."
        if not self.enough:
            return f"Not calibrated: {self.labels.total} of {LEAST} labels by a person."
        if self.kappa is None:
            return "Not calibrated: judge and person used one word only, so nothing tells agreement from habit."
        kappa = f"{self.kappa:.2f}".replace("-", "\N{MINUS SIGN}")
        if self.holds:
            return f"Calibrated: kappa {kappa} with a person, {self.limit:.2g} is asked for."
        return f"Not calibrated: kappa {kappa} below {self.limit:.2g}."


def calibration(pairs: Sequence[tuple[str, str]], limit: float, seed: int = 0) -> Calibration:
    """pairs: the person's word and the judge's, pass or fail, of each answer that has both."""
    return Calibration(Labels.of(pairs), agreement(pairs), kappa_interval(pairs, seed), limit)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A share of passes as people would give it, 0 to 1, with its 95 % interval."""

    share: float
    low: float
    high: float


def against(labels: Labels) -> str:
    """Why nothing can be corrected by these labels; empty where it can."""
    if labels.total < LEAST:
        return f"A corrected score takes {LEAST} labels by a person; there are {labels.total}."
    if min(labels.passes, labels.fails) < OF_EACH:
        word = "pass" if labels.passes < OF_EACH else "fail"
        return f"Fewer than {OF_EACH} of the labelled answers {word}, so nobody can tell how the judge does on those."
    if _tells(labels) <= TELLS:
        return "The judge cannot surely tell answers that pass from answers that fail, so there is nothing to correct."
    return ""


def corrected(arm: Tally, labels: Labels, pool: Sequence[Tally] = (), seed: int = 0) -> Corrected | None:
    """The corrected score of one variant; None where `against` says why not, or it has no judgement.

    pool: the judge's words on all that the labelled sample was drawn from, by variant, where it judged all of it. The
    variant's own tally may be one of them: then it has to be the same object.
    """
    if not arm.total or against(labels):
        return None
    draw = np.random.default_rng(seed)
    mine = _rate(draw, arm.passes, arm.total - arm.passes)
    if pool:
        weight = sum(one.total for one in pool)
        others = [(one, mine if one is arm else _rate(draw, one.passes, one.total - one.passes)) for one in pool]
        passed = np.add.reduce([share * (one.total / weight) for one, share in others])
        right_pass = _rate(draw, labels.both_pass, labels.judge_passes)
        right_fail = _rate(draw, labels.both_fail, labels.judge_fails)
        true = passed * right_pass + (1 - passed) * (1 - right_fail)
        sensitivity = passed * right_pass / true
        specificity = (1 - passed) * right_fail / (1 - true)
    else:
        sensitivity = _rate(draw, labels.both_pass, labels.judge_fails)
        specificity = _rate(draw, labels.both_fail, labels.judge_passes)
    shares = _turned(mine, sensitivity, specificity)
    low, middle, high = np.quantile(shares, [ALPHA / 2, 0.5, 1 - ALPHA / 2])
    return Corrected(float(middle), float(low), float(high))


def discernment(labels: Labels) -> float:
    """What the judge tells, sensitivity + specificity - 1, 0 to 1: the factor by which it shrinks every difference."""
    return max(TELLS / 10, float(np.median(_telling(labels, np.random.default_rng(0)))))


def difference(
    seen: Difference, before: Tally, after: Tally, labels: Labels, confidence: float = CONFIDENCE, seed: int = 0
) -> Difference:
    """A difference of two variants on the same rows as people's labels correct it, with what both leave open.

    seen: by the judge's words, with its interval of this confidence, 0 to 1. before, after: these words of the two.
    The interval is that of draws of the difference, normal with its own reach on each side, over draws of what the
    judge tells. That is above 0 in each, so it lies on the side of 0 on which the interval of the words lies.
    """
    draw, reach = np.random.default_rng(seed), z(confidence)
    grid = np.array([NormalDist().inv_cdf((place + 0.5) / DRAWS) for place in range(DRAWS)])
    around = draw.permutation(grid)
    sides = np.where(around > 0, seen.high - seen.delta, seen.delta - seen.low) / reach
    telling = np.maximum(_telling(labels, draw), TELLS / 10)
    low, high = np.quantile((seen.delta + around * sides) / telling, [(1 - confidence) / 2, (1 + confidence) / 2])
    first, second = corrected(before, labels, seed=seed), corrected(after, labels, seed=seed)
    delta = second.share - first.share if first and second else seen.delta / discernment(labels)
    return Difference(delta, max(-1.0, min(float(low), delta)), min(1.0, max(float(high), delta)))


def _turned(passes: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """Rogan and Gladen's estimate, kept between 0 and 1. A draw in which the judge tells nothing says nothing: either
    end is as likely."""
    tells = sensitivity + specificity - 1
    known = np.where(tells > TELLS / 10, tells, 1.0)
    ends = np.arange(passes.size) % 2
    return np.where(tells > TELLS / 10, np.clip((passes + specificity - 1) / known, 0.0, 1.0), ends)


def _tells(labels: Labels, seed: int = 0) -> float:
    """What sensitivity + specificity - 1 surely is above, at 97.5 %."""
    return float(np.quantile(_telling(labels, np.random.default_rng(seed)), ALPHA / 2))


def _telling(labels: Labels, draw: np.random.Generator) -> Floats:
    sensitivity = _rate(draw, labels.both_pass, labels.judge_fails)
    specificity = _rate(draw, labels.both_fail, labels.judge_passes)
    return np.asarray(sensitivity + specificity - 1, dtype=np.float64)


def _rate(draw: np.random.Generator, times: int, other: int) -> Floats:
    return draw.beta(times + PRIOR, other + PRIOR, size=DRAWS)
