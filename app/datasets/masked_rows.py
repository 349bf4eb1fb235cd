"""Rows as pages and the API show them: found values hidden until somebody decides to keep them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.datasets.store import Group
from app.datasets.tables import DatasetRow, ExampleRow
from app.privacy import personal_data
from app.privacy.personal_data import Veil


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it may be read. hides: the kinds of personal data in it that stand as their name in brackets.

    characters: of question and answer, as they are.
    """

    id: int
    dataset_id: int
    file: int
    line: int
    status: str
    reason: str
    of_line: int | None
    similarity: float | None
    split: str
    cluster: int | None
    size: int | None
    characters: int
    messages: list[dict[str, Any]]
    target: str
    hides: tuple[str, ...] = ()


def veil(dataset: DatasetRow) -> Veil:
    return personal_data.veil(dataset.decisions)


def measured_veil(dataset: DatasetRow) -> Veil:
    """For pages of measurements, see `personal_data.veil_undecided`."""
    return personal_data.veil_undecided(dataset.report.identifiers, dataset.decisions)


def row(found: ExampleRow, veil: Veil) -> Seen:
    messages, target = veil.turns(found.messages), veil.text(found.target)
    hides: tuple[str, ...] = ()
    if target != found.target or messages != found.messages:
        texts = (found.target, *(turn["content"] for turn in found.messages))
        there = {one.kind for text in texts for one in personal_data.find(text)} & veil.kinds
        hides = tuple(kind for kind in personal_data.KINDS if kind in there)
    return Seen(
        id=found.id,
        dataset_id=found.dataset_id,
        file=found.file,
        line=found.line,
        status=found.status,
        reason=found.reason,
        of_line=found.of_line,
        similarity=found.similarity,
        split=found.split,
        cluster=found.cluster,
        size=found.size,
        characters=len(found.target) + sum(len(turn["content"]) for turn in found.messages),
        messages=messages,
        target=target,
        hides=hides,
    )


def rows(found: Iterable[ExampleRow], veil: Veil) -> list[Seen]:
    return [row(one, veil) for one in found]


def in_the_open(found: ExampleRow) -> Seen:
    """The row with everything in it, for somebody whose asking is on record."""
    return row(found, Veil(frozenset()))


@dataclass(frozen=True, slots=True)
class Alike:
    """`store.Group` with its rows as they may be read."""

    number: int
    size: int
    rows: list[Seen]


def groups(found: Iterable[Group], veil: Veil) -> list[Alike]:
    return [Alike(one.number, one.size, rows(one.rows, veil)) for one in found]
