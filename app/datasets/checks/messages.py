"""What a check says about the rows as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.datasets.checks import compared_text, contradictions, paraphrases
from app.datasets.checks.duplicates import Twin
from app.datasets.checks.notes import Message
from app.datasets.checks.paraphrases import Edit
from app.datasets.checks.report_parts import LabelCount
from app.datasets.checks.working_rows import WorkingRows, different_values
from app.datasets.thresholds import RARE_LABEL
from app.wording import state

CONSTANT_ROWS = 10
LOPSIDED = 0.95  # share of the commonest label from which on a model can score by always saying it
SLIP_LENGTH = 5  # characters of a label, from which on one letter is more likely a slip than another name
SLIP_TIMES = 5  # so many times as many rows has the label that a slip was meant for
_LABELS_NAMED = 5  # in a sentence


@dataclass(frozen=True, slots=True)
class FileNumbers:
    """What the sentences about a whole file are made of.

    labels: where the answers are labels, the commonest first. leaks: test rows that stand in the upload. contradicting:
    rows that are answered in two ways. own_test: whether there is an own test file; test_rows: usable rows that judge.
    """

    labels: Sequence[LabelCount]
    leaks: Sequence[Twin]
    contradicting: int
    own_test: bool
    test_rows: int


def of_file(rows: WorkingRows, numbers: FileNumbers) -> Iterable[Message]:
    """What is to be said about the rows as a whole."""
    uploaded = np.flatnonzero(np.asarray(rows.files) == 0)
    different = different_values(np.asarray(rows.keys)[uploaded]) if len(uploaded) else 0
    if len(uploaded) == 1:
        yield Message(None, state("one_record"), "error")
    elif different == 1:
        yield Message(None, state("one_question", rows=len(uploaded)), "error")
    if not len(uploaded):
        yield Message(None, state("no_record"), "error")
    if numbers.own_test and not numbers.test_rows:
        yield Message(None, state("no_test_row"), "error")
    if numbers.leaks:
        exact = sum(rows.keys[leak.earlier] == rows.keys[leak.later] for leak in numbers.leaks)
        yield Message(None, state("leaking", exact=exact, near=len(numbers.leaks) - exact))
    if len(uploaded) >= CONSTANT_ROWS and different > 1:
        yield from _answers(np.asarray(rows.answers)[uploaded], numbers.labels)
        yield from _misspelt(rows, uploaded, numbers.labels)
    if numbers.contradicting:
        yield Message(None, state("contradicting", rows=numbers.contradicting))


def _answers(answers: npt.NDArray[np.uint64], labels: Sequence[LabelCount]) -> Iterable[Message]:
    if different_values(answers) == 1:
        yield Message(None, state("one_answer"))
        return
    if not labels:
        return
    total = sum(label.rows for label in labels)
    commonest = labels[0]
    if commonest.rows >= LOPSIDED * total:
        yield Message(None, state("lopsided", rows=commonest.rows, total=total, label=commonest.label[:60]))
    rare = [label.label for label in labels if label.rows < RARE_LABEL]
    if rare:
        names = [name[:40] for name in rare[:_LABELS_NAMED]]
        few = state("rare_labels", labels=len(rare), names=names, more=len(rare) > _LABELS_NAMED)
        yield Message(None, few, "note")


def _misspelt(rows: WorkingRows, uploaded: npt.NDArray[np.int64], labels: Sequence[LabelCount]) -> Iterable[Message]:
    """Rows whose label is likely a slip of the pen for a common one, or the same in another spelling."""
    answers = np.asarray(rows.answers)[uploaded]
    for label in labels:
        if label.rows >= RARE_LABEL:
            continue
        often = (other for other in labels if other.rows >= SLIP_TIMES * label.rows)
        meant = next((other for other in often if _slip(label.label, other.label)), None)
        if meant is None:
            continue
        for index in uploaded[answers == np.uint64(compared_text.key(label.label))].tolist():
            slip = state("slip", label=label.label[:60], rows=meant.rows, meant=meant.label[:60])
            yield Message(rows.lines[index], slip)


def _slip(label: str, meant: str) -> bool:
    rare, common = contradictions.label(label), contradictions.label(meant)
    if rare == common:
        return True
    if min(len(rare), len(common)) < SLIP_LENGTH or abs(len(rare) - len(common)) > 1 or rare[0] != common[0]:
        return False
    if not compared_text.same_numbers(rare, common) or paraphrases.slips(rare, common) != 1:
        return False
    return paraphrases.edit(paraphrases.of(rare), paraphrases.of(common), asking=False) is not Edit.OTHER
