"""Whether probabilities mean what they say, and what is gained by passing unsure cases on. Pure.

A probability is that of the label that was given. Calibration: of answers given with 80 %, 80 % should be right (the
reliability table and its sum, the expected calibration error: Naeini, Cooper and Hauskrecht 2015, with bins of equal
width). Selective answering: the fewer answers, the more of them should be right (El-Yaniv and Wiener 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.intervals import Interval, wilson

BINS = 10
SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # of the rows that are answered, in the table
LEAST = 20  # answers that a threshold is chosen by, at least: what fewer reach says nothing


@dataclass(frozen=True, slots=True)
class Sure:
    """One answer: the probability of the label that was given, and whether it was right."""

    chance: float
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies from low to below high (the last bin: to 1): how many, their mean probability and
    the share of them that is right, with its 95 % interval. All shares 0 to 1."""

    low: float
    high: float
    rows: int
    chance: float
    right: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Reliability:
    """bins: those with answers. error: the expected calibration error, 0 to 1: by how much probabilities and shares
    differ, on average over the answers. lean: mean probability less the share right; above 0 is too sure."""

    bins: Sequence[Bin]
    error: float
    lean: float


def reliability(answers: Sequence[Sure], bins: int = BINS) -> Reliability:
    """Compare probabilities with what came true."""
    groups: dict[int, list[Sure]] = {}
    for answer in answers:
        groups.setdefault(min(int(answer.chance * bins), bins - 1), []).append(answer)
    made = []
    for at, group in sorted(groups.items()):
        passed = sum(answer.right for answer in group)
        chance = sum(answer.chance for answer in group) / len(group)
        rate = passed / len(group)
        made.append(Bin(at / bins, (at + 1) / bins, len(group), chance, rate, wilson(passed, len(group))))
    number = max(1, len(answers))
    error = sum(part.rows * abs(part.chance - part.right) for part in made) / number
    lean = sum(part.rows * (part.chance - part.right) for part in made) / number
    return Reliability(made, error, lean)


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered with at least `threshold`: which share of all rows, how many, and the share of them that is
    right, with its 95 % interval. right: None where nothing is answered."""

    threshold: float
    share: float
    rows: int
    right: float | None
    interval: Interval


def at(answers: Sequence[Sure], threshold: float) -> Answered:
    """Answer what is at least so sure, and pass the rest on."""
    kept = [answer for answer in answers if answer.chance >= threshold]
    passed = sum(answer.right for answer in kept)
    rate = passed / len(kept) if kept else None
    return Answered(threshold, len(kept) / max(1, len(answers)), len(kept), rate, wilson(passed, len(kept)))


def curve(answers: Sequence[Sure]) -> list[Answered]:
    """What is right when about these shares of the rows are answered, the surest first. Answers with the same
    probability are answered together, so a share may be passed over."""
    ordered = sorted((answer.chance for answer in answers), reverse=True)
    thresholds = [ordered[max(1, round(share * len(ordered))) - 1] for share in SHARES if ordered]
    return [at(answers, threshold) for threshold in dict.fromkeys(thresholds)]


def threshold_for(answers: Sequence[Sure], target: float) -> Answered | None:
    """The lowest threshold at which what is answered reaches the target, as right as the answers are on these rows;
    None where none does on `LEAST` answers. It is chosen on them, so other rows have to confirm it."""
    ordered = sorted(answers, key=lambda answer: -answer.chance)
    best, passed = None, 0
    for number, answer in enumerate(ordered, start=1):
        passed += answer.right
        last = number == len(ordered) or ordered[number].chance < answer.chance
        if last and number >= LEAST and passed / number >= target:
            best = answer.chance
    return None if best is None else at(answers, best)
