"""A list that somebody works through, ten at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

TEN = 10


@dataclass(frozen=True, slots=True)
class Ten:
    """Ten of a list, or what is left of it. number: which ten, from 1; pages: of how many; rows: where they stand."""

    number: int
    pages: int

    @property
    def rows(self) -> slice:
        return slice(TEN * (self.number - 1), TEN * self.number)


def ten_of(done: Sequence[bool], number: int | None) -> Ten:
    """Which ten to show. done: of each one of the list, whether nothing is left to do about it. number: those that were
    asked for; None: those with the first that is left, the last ones where none is."""
    pages = max(1, -(-len(done) // TEN))
    if number is not None:
        return Ten(min(number, pages), pages)
    first = next((at for at, settled in enumerate(done) if not settled), len(done) - 1)
    return Ten(1 + max(0, first) // TEN, pages)
