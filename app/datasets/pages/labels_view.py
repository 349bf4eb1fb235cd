"""Labels: the chart of the report, and the page of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.datasets.checks.report import Report
from app.datasets.pages.addresses import rows_url
from app.datasets.thresholds import RARE_LABEL
from app.web import charts

LABELS = 6  # labels at either end that the chart shows
NAME = 34  # characters of a label beside its bar


@dataclass(frozen=True, slots=True)
class LabelChart:
    """The commonest and the rarest labels; `left_out` lie between them. `rare` have too few rows to be judged.

    share: of all rows, the commonest label's.
    """

    chart: charts.BarChart
    different: int
    left_out: int
    rare: int
    share: float


def label_balance(report: Report, rows: str) -> LabelChart | None:
    """The labels at both ends: those that a model could live on, and those that it hardly sees."""
    if not report.labels:
        return None
    by_rows = sorted(report.labels, key=lambda label: -label.rows)
    drawn = by_rows if len(by_rows) <= 2 * LABELS + 1 else [*by_rows[:LABELS], *by_rows[-LABELS:]]
    parts = [
        charts.Part(
            _short(label.label),
            label.rows,
            url=rows_url(rows, label=label.label),
            tone="open" if label.rows < RARE_LABEL else "accent",
            note="rare" if label.rows < RARE_LABEL else "",
        )
        for label in drawn
    ]
    chart = charts.bars("Rows by label", parts, unit="Rows")
    share = by_rows[0].rows / report.labelled_rows if report.labelled_rows else 0.0
    return LabelChart(chart, report.different_labels, report.different_labels - len(drawn), report.rare_labels, share)


def _short(label: str) -> str:
    """Long labels of one set often differ at their end, so both ends stay."""
    return label if len(label) <= NAME else f"{label[: NAME - 13]}\N{HORIZONTAL ELLIPSIS}{label[-12:]}"


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
