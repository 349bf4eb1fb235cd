"""Contradicting rows by what they ask, the different answers side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.datasets.checks.statuses import RowStatus
from app.datasets.masked_rows import MaskedGroup, MaskedRow
from app.datasets.pages import diff_view


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers with the rows that give it. asked: what the first of them asks, in pieces; empty where it asks
    the same as the first row of all.
    """

    text: str
    rows: Sequence[MaskedRow]
    asked: Sequence[diff_view.Piece]


@dataclass(frozen=True, slots=True)
class Question:
    """A group of rows that ask the same, or nearly. cluster: the group as its actions want it; size: of the group."""

    cluster: MaskedGroup
    asked: str
    answers: Sequence[Answer]

    @property
    def size(self) -> int:
        return self.cluster.size


def question(group: MaskedGroup) -> Question:
    """The group by its answers: first those that contradict each other, then what else stands in it."""
    by_answer: dict[str, list[MaskedRow]] = {}
    for row in sorted(group.rows, key=lambda row: row.status != RowStatus.CONTRADICTION):
        by_answer.setdefault(row.target, []).append(row)
    first = next(iter(by_answer.values()))[0]
    asked = diff_view.whole_question(first.messages)
    answers = [Answer(text, rows, _other(asked, rows[0])) for text, rows in by_answer.items()]
    return Question(group, asked, answers)


def _other(asked: str, row: MaskedRow) -> Sequence[diff_view.Piece]:
    whole = diff_view.whole_question(row.messages)
    return [] if whole == asked else diff_view.differences(asked, whole)[1]
