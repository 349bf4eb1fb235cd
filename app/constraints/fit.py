"""How many of the answers that are wanted a constraint allows. One that is not allowed can never be given. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.inference.constraints import Constraint

LEAST = 0.95  # share of wanted answers, of each split that is looked at, that has to be allowed
MOST = 20_000  # rows of a split that are looked at
LISTED = 10  # answers that are listed


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer of a row that learns or chooses; test rows are not looked at."""

    split: str
    line: int
    answer: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A wanted answer that is not allowed, and why."""

    split: str
    line: int
    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class Fit:
    """counts: for each split how many wanted answers are allowed, and how many there are. forbidden: the first ones."""

    counts: Mapping[str, tuple[int, int]]
    forbidden: tuple[Forbidden, ...] = ()

    def share(self, split: str) -> float | None:
        """Of the wanted answers of a split that are allowed; None where there are none."""
        allowed, of = self.counts.get(split, (0, 0))
        return allowed / of if of else None

    @property
    def left_out(self) -> int:
        return sum(of - allowed for allowed, of in self.counts.values())

    @property
    def enough(self) -> bool:
        return all(allowed >= LEAST * of for allowed, of in self.counts.values())

    def to_json(self) -> dict[str, list[int]]:
        return {split: [allowed, of] for split, (allowed, of) in self.counts.items()}

    @staticmethod
    def from_json(stored: Mapping[str, Sequence[Any]]) -> "Fit":
        return Fit({split: (int(pair[0]), int(pair[1])) for split, pair in stored.items()})


def of(constraint: Constraint, rows: Iterable[Wanted]) -> Fit:
    """Check every wanted answer."""
    counts: dict[str, tuple[int, int]] = {}
    forbidden: list[Forbidden] = []
    for row in rows:
        why = constraint.check.fault(row.answer)
        allowed, seen = counts.get(row.split, (0, 0))
        counts[row.split] = (allowed + (not why), seen + 1)
        if why and len(forbidden) < LISTED:
            forbidden.append(Forbidden(row.split, row.line, row.answer, why))
    return Fit(counts, tuple(forbidden))
