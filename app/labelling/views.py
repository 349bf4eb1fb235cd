"""Rows as a second person may read them, and differences side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.masked_rows import MaskedRow
from app.datasets.tables import DatasetRow
from app.evaluation.agreement import Agreement, kappa_interval
from app.intervals import Interval, wilson
from app.labelling import service, store
from app.labelling.tables import LabelRoundRow
from app.users import store as user_store


@dataclass(frozen=True, slots=True)
class ToLabel:
    """One row of a round. label: what was said of it, empty for nothing yet."""

    row: MaskedRow
    label: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The file's answer and the second person's word on one row. id: of that word."""

    id: int
    row: MaskedRow
    target: str
    label: str
    by: str
    settled: str
    settled_by: str


@dataclass(frozen=True, slots=True)
class Result:
    """What rounds that are done came to. interval: of kappa; wrong_interval: of the share of wrong references."""

    agreement: Agreement
    interval: Interval | None
    judged: int
    wrong: int
    wrong_interval: Interval | None
    differences: Sequence[Difference]

    @property
    def open(self) -> int:
        """How many differences nobody has settled."""
        return sum(not one.settled for one in self.differences)

    @property
    def rows(self) -> int:
        return self.agreement.rows + self.judged


def rows_of(session: Session, dataset: DatasetRow, row: LabelRoundRow) -> list[ToLabel]:
    """The rows of a round in the order of the file. The answers are there only where they are judged."""
    labels = service.by_row(store.words_of(session, [row.id]))
    masker = masked_rows.masker(dataset)
    examples = dataset_store.by_ids(session, row.rows)
    return [
        ToLabel(masked_rows.row(examples[example_id], masker), labels.get(example_id, ""))
        for example_id in sorted(row.rows)
        if example_id in examples
    ]


def result(session: Session, dataset: DatasetRow) -> Result:
    """Agreement, and every difference, those that nobody settled first."""
    compared = service.compared(session, dataset.id)
    masker = masked_rows.masker(dataset)
    examples = dataset_store.by_ids(session, {one.kept.example_id for one in compared.differences})
    people = {by for one in compared.differences for by in (one.by, one.kept.settled_by) if by}
    names = user_store.names(session, sorted(people))
    listed = [
        Difference(
            one.kept.id,
            masked_rows.row(examples[one.kept.example_id], masker),
            masker.text(one.target),
            masker.text(one.kept.label),
            names.get(one.by, ""),
            one.kept.settled or "",
            names.get(one.kept.settled_by or 0, ""),
        )
        for one in compared.differences
    ]
    listed.sort(key=lambda one: (bool(one.settled), one.row.line))
    return Result(
        compared.agreement,
        kappa_interval(compared.pairs, dataset.seed),
        compared.judged,
        compared.wrong,
        wilson(compared.wrong, compared.judged) if compared.judged else None,
        listed,
    )
