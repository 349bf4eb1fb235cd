"""Labels: how evenly they are spread, and the page of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.datasets.checks.report import Report
from app.datasets.thresholds import RARE_LABEL


@dataclass(frozen=True, slots=True)
class LabelBalance:
    """How many labels there are; `rare` have too few rows to be judged. share: of all rows, the commonest label's."""

    different: int
    rare: int
    share: float


def label_balance(report: Report) -> LabelBalance | None:
    """How evenly the rows are spread over the labels, None where the answers are none."""
    if not report.labels:
        return None
    most = max(label.rows for label in report.labels)
    share = most / report.labelled_rows if report.labelled_rows else 0.0
    return LabelBalance(report.different_labels, report.rare_labels, share)


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it is written, with its rows. `share`: of all rows. `variants`: other ways in which it is written.

    train, dev, test: None where nobody counted them.
    """

    label: str
    rows: int
    train: int | None
    dev: int | None
    test: int | None
    share: float
    variants: Sequence[str] = ()

    @property
    def rare(self) -> bool:
        return self.rows < RARE_LABEL

    @property
    def unused(self) -> int:
        if self.train is None or self.dev is None or self.test is None:
            return 0
        return self.rows - self.train - self.dev - self.test


def counted_labels(counts: Iterable[tuple[str, str, int]]) -> list[Label]:
    """Put (answer, split, rows) together by label, the commonest first."""
    by_label: dict[str, dict[str, int]] = {}
    for label, split, number in counts:
        parts = by_label.setdefault(label, {})
        parts[split] = parts.get(split, 0) + number  # labels whose values are masked look alike
    written: dict[str, list[str]] = {}
    for label in by_label:
        written.setdefault(" ".join(label.casefold().split()), []).append(label)
    total = sum(sum(parts.values()) for parts in by_label.values())
    counted = [
        Label(
            label,
            rows := sum(parts.values()),
            parts.get("train", 0),
            parts.get("dev", 0),
            parts.get("test", 0),
            rows / total,
            [other for other in written[" ".join(label.casefold().split())] if other != label],
        )
        for label, parts in by_label.items()
    ]
    return sorted(counted, key=lambda label: (-label.rows, label.label))


def labels_of(report: Report) -> list[Label]:
    """The labels that the report names, without their parts: enough for a set too large to be counted for one page."""
    total = sum(label.rows for label in report.labels) or 1
    return [Label(label.label, label.rows, None, None, None, label.rows / total) for label in report.labels]


def ordered(labels: Sequence[Label], order: str) -> list[Label]:
    """rare: the rarest first; name: by the alphabet; anything else: the commonest first."""
    if order == "rare":
        return sorted(labels, key=lambda label: (label.rows, label.label))
    if order == "name":
        return sorted(labels, key=lambda label: label.label.casefold())
    return list(labels)


def label_bars(listed: Sequence[Label], every: Sequence[Label]) -> dict[str, float]:
    """How long a label's bar is, in percent of the commonest label's."""
    most = max((label.rows for label in every), default=1)
    return {label.label: round(max(100 * label.rows / most, 0.5), 2) for label in listed}
