"""A list that somebody works through, ten at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

TEN = 10


@dataclass(frozen=True, slots=True)
class Ten:
    """Ten of a list, or what is left of it. number: which ten, from 1; pages: of how many; rows: where they stand;
    total: all there are."""

    number: int
    pages: int
    total: int

    @property
    def rows(self) -> slice:
        return slice(TEN * (self.number - 1), TEN * self.number)

    @property
    def following(self) -> int:
        """The number of the next ten; 0 where these are the last."""
        return self.number + 1 if self.number < self.pages else 0

    @property
    def following_rows(self) -> int:
        """How many there are of the next ten."""
        return min(TEN, max(0, self.total - TEN * self.number))


def ten_of(done: Sequence[bool], number: int | None) -> Ten:
    """Which ten to show. done: of each one of the list, whether nothing is left to do about it. number: those that were
    asked for; None: those with the first that is left, the last ones where none is."""
    pages = max(1, -(-len(done) // TEN))
    if number is not None:
        return Ten(min(number, pages), pages, len(done))
    first = next((at for at, settled in enumerate(done) if not settled), len(done) - 1)
    return Ten(1 + max(0, first) // TEN, pages, len(done))
