"""How well a classifier does, label by label: precision, recall, F1, their mean over labels, and who is taken for whom.

Definitions are scikit-learn's: precision of a label is the share of right ones among the outputs that name it, recall
the share of right ones among the rows that want it, F1 their harmonic mean, 0 where nothing is right. Macro-F1 is the
mean F1 of the labels that these rows want, each counted alike however rare it is. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app import intervals
from app.intervals import Interval


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label. n: rows that want it; named: outputs that are it; right: both. Intervals are 95 % (Wilson); precision
    is None where no output names the label. instead: the output that most often stands in its place."""

    label: str
    n: int
    named: int
    right: int
    instead: str | None = None

    @property
    def recall(self) -> float:
        return self.right / self.n

    @property
    def precision(self) -> float | None:
        return self.right / self.named if self.named else None

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.n + self.named)

    @property
    def recall_interval(self) -> Interval:
        return intervals.wilson(self.right, self.n)

    @property
    def precision_interval(self) -> Interval | None:
        return intervals.wilson(self.right, self.named) if self.named else None


@dataclass(frozen=True, slots=True)
class LabelScores:
    """All labels that these rows want, the commonest first. outside: outputs that are none of the labels there are."""

    labels: tuple[LabelScore, ...]
    rows: int
    outside: int

    @property
    def accuracy(self) -> float:
        return sum(label.right for label in self.labels) / self.rows

    @property
    def macro_f1(self) -> float:
        return sum(label.f1 for label in self.labels) / len(self.labels)


def scores(pairs: Sequence[tuple[str, str]], known: Sequence[str] = ()) -> LabelScores | None:
    """From pairs of the wanted label and the output, as they are compared; None where there is no pair.

    known: labels that other rows have; an output that is one of them is a label, too.
    """
    if not pairs:
        return None
    wanted, named = Counter(label for label, _ in pairs), Counter(output for _, output in pairs)
    right = Counter(label for label, output in pairs if label == output)
    wrong: dict[str, Counter[str]] = {label: Counter() for label in wanted}
    for label, output in pairs:
        if label != output:
            wrong[label][output] += 1
    made = [LabelScore(label, n, named[label], right[label], _commonest(wrong[label])) for label, n in wanted.items()]
    every = {*wanted, *known}
    outside = sum(number for output, number in named.items() if output not in every)
    ordered = sorted(made, key=lambda score: (-score.n, score.label))
    return LabelScores(tuple(ordered), len(pairs), outside)


def _commonest(wrong: Counter[str]) -> str | None:
    return min(wrong, key=lambda output: (-wrong[output], output)) if wrong else None
