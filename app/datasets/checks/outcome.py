"""What a check gives back: for each row its status, its twin, its group and its part of the split; and the report."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.datasets.checks import row_warnings
from app.datasets.checks.notes import RefusedLine
from app.datasets.checks.report import Report
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.splits.places import Places


class Twins:
    """For each row the row that its status speaks of, and how alike the two are, 0 to 1; in 16 bytes a row."""

    def __init__(self, rows: int) -> None:
        self._other = array("q", [-1]) * rows
        self._alike = array("d", [0.0]) * rows

    def __setitem__(self, index: int, twin: tuple[int, float]) -> None:
        self._other[index], self._alike[index] = twin

    def get(self, index: int) -> tuple[int, float] | None:
        """None where the status speaks of no other row."""
        return (self._other[index], self._alike[index]) if self._other[index] >= 0 else None


@dataclass(slots=True)
class Check:
    """The outcome, by position in `rows`.

    status; twin: see `Twins`; group: oldest row of the near-duplicates; split: of the usable rows. refused: lines
    without a record, the first of them. marks: what is doubtful about each row's content, a `suspicious.Mark` each.
    sizes: how long each row is, in the unit that the report's lengths name.
    """

    rows: WorkingRows
    status: list[RowStatus]
    twin: Twins
    group: Sequence[int]
    split: Places
    refused: list[RefusedLine]
    report: Report = field(default_factory=Report)
    marks: Sequence[int] = ()
    sizes: Sequence[int] = ()

    def reason(self, index: int) -> str:
        """The sentence beside a row that is not used."""
        status = self.status[index]
        if status is RowStatus.TOO_LONG:
            return f"{self.rows.lengths[index]:,} characters; rows over {row_warnings.LONGEST_RECORD:,} would be cut."
        if status is RowStatus.TEST_GROUP:
            return "Its group stands in the test file too."
        if (twin := self.twin.get(index)) is None:
            return ""
        other, similarity = twin
        where = f"line {self.rows.lines[other]}"
        if self.rows.files[other] != self.rows.files[index]:
            where += " of the test file" if self.rows.files[other] else " of the upload"
        return {
            RowStatus.DUPLICATE: f"Asks the same as {where}.",
            RowStatus.NEAR_DUPLICATE: f"Nearly the same as {where} ({100 * similarity:.0f} % alike).",
            RowStatus.CONTRADICTION: f"Asks the same as {where} but is answered differently.",
            RowStatus.LEAK: self._leak(index, other, similarity, where),
        }.get(status, "")

    def _leak(self, index: int, other: int, similarity: float, where: str) -> str:
        if self.rows.keys[index] == self.rows.keys[other]:
            return f"Stands in the test set too: {where}."
        if similarity < 1:
            return f"Nearly the same as {where} ({100 * similarity:.0f} % alike), a test row."
        return f"Asks what {where} asks, but for courtesies, or holds it word for word."
