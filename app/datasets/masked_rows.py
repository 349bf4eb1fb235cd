"""Rows as pages and the API show them: found values hidden until somebody decides to keep them."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.datasets.group_store import Group
from app.datasets.tables import DatasetRow, ExampleRow
from app.privacy import masking
from app.privacy.decisions import actions
from app.privacy.detect import find
from app.privacy.kinds import KINDS
from app.privacy.masking import UNMASKED, Masker


@dataclass(frozen=True, slots=True)
class MaskedRow:
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
    messages: list[dict[str, str]]
    target: str
    hides: tuple[str, ...] = ()


def masker(dataset: DatasetRow) -> Masker:
    """What hides values in the rows of a version, on pages and in answers to programs."""
    return masking.masker(actions(dataset.decisions))


def masker_for_measurements(dataset: DatasetRow) -> Masker:
    """For pages of measurements, see `masking.masker_for_undecided`."""
    return masking.masker_for_undecided(dataset.report.identifiers, dataset.decisions)


def row(stored: ExampleRow, masker: Masker) -> MaskedRow:
    messages, target = masker.turns(stored.messages), masker.text(stored.target)
    hides: tuple[str, ...] = ()
    if target != stored.target or messages != stored.messages:
        texts = (stored.target, *(turn["content"] for turn in stored.messages))
        kinds = {finding.kind for text in texts for finding in find(text)} & masker.kinds
        hides = tuple(kind for kind in KINDS if kind in kinds)
    return MaskedRow(
        id=stored.id,
        dataset_id=stored.dataset_id,
        file=stored.file,
        line=stored.line,
        status=stored.status,
        reason=stored.reason,
        of_line=stored.of_line,
        similarity=stored.similarity,
        split=stored.split,
        cluster=stored.cluster,
        size=stored.size,
        characters=len(stored.target) + sum(len(turn["content"]) for turn in stored.messages),
        messages=messages,
        target=target,
        hides=hides,
    )


def rows(stored: Iterable[ExampleRow], masker: Masker) -> list[MaskedRow]:
    return [row(example, masker) for example in stored]


def unmasked(stored: ExampleRow) -> MaskedRow:
    """The row with everything in it, for somebody whose asking is on record."""
    return row(stored, UNMASKED)


@dataclass(frozen=True, slots=True)
class MaskedGroup:
    """`group_store.Group` with its rows as they may be read."""

    number: int
    size: int
    rows: list[MaskedRow]


def groups(stored: Iterable[Group], masker: Masker) -> list[MaskedGroup]:
    return [MaskedGroup(group.number, group.size, rows(group.rows, masker)) for group in stored]
