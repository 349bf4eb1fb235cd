"""What a search for personal data and secrets found in a file: kinds, numbers and lines, never a value."""

from collections.abc import Container, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentifierKind:
    """One kind that was found. rows: that hold it; lines, test_lines: the first of them, of the upload and of the own
    test file; action: what was decided about it when the file was checked (mask, exclude, attest), or nothing.
    """

    kind: str
    rows: int = 0
    lines: tuple[int, ...] = ()
    test_lines: tuple[int, ...] = ()
    action: str = ""

    @property
    def unnamed(self) -> int:
        """Rows that hold it and are not among the lines named."""
        return self.rows - len(self.lines) - len(self.test_lines)


@dataclass(frozen=True, slots=True)
class IdentifierReport:
    """rows: with a find; left_out: of them, as somebody decided. decided: the action of each kind, None while one of
    the kinds found is undecided.
    """

    rows: int = 0
    left_out: int = 0
    kinds: tuple[IdentifierKind, ...] = ()
    decided: Mapping[str, str] | None = None

    def undecided(self, decided: Container[str]) -> list[str]:
        """The kinds that nobody has decided on. decided: the kinds with a decision."""
        return [kind.kind for kind in self.kinds if kind.kind not in decided]

    def undecided_rows(self, decided: Container[str]) -> int:
        """How many rows hold a kind that nobody has decided on: at least those of the largest, at most all with a find.

        A row with two kinds counts in both, so only where every kind is open the number is exact.
        """
        open_kinds = [kind for kind in self.kinds if kind.kind not in decided]
        if not open_kinds:
            return 0
        if len(open_kinds) == len(self.kinds):
            return self.rows
        return min(self.rows, sum(kind.rows for kind in open_kinds))
