"""The sentences of a check: about the rows as a whole, and why a file can't be used.

What is counted comes as numbers; the words and their plurals are made here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.datasets.checks import compared_text, contradictions, paraphrases
from app.datasets.checks.duplicates import Twin
from app.datasets.checks.paraphrases import Edit
from app.datasets.checks.report_parts import LabelCount
from app.datasets.checks.working_rows import WorkingRows, different_values
from app.datasets.reading.faults import Fault
from app.datasets.splits import draw
from app.datasets.thresholds import RARE_LABEL
from app.wording import inflect, percent, plural

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


def of_file(rows: WorkingRows, numbers: FileNumbers) -> Iterable[Fault]:
    """What is to be said about the rows as a whole."""
    uploaded = np.flatnonzero(np.asarray(rows.files) == 0)
    different = different_values(np.asarray(rows.keys)[uploaded]) if len(uploaded) else 0
    if len(uploaded) == 1:
        yield Fault(None, "", "There is one record only; it cannot be split into rows to learn from and rows to test.")
    elif different == 1:
        yield Fault(None, "", f"All {len(uploaded):,} records ask the same.")
    if not len(uploaded):
        yield Fault(None, "", "No record could be read.")
    if numbers.own_test and not numbers.test_rows:
        yield Fault(None, "", "The test file has no usable row.")
    if numbers.leaks:
        exact = sum(rows.keys[leak.earlier] == rows.keys[leak.later] for leak in numbers.leaks)
        yield Fault(None, "", leaking(exact, len(numbers.leaks) - exact), "warning")
    if len(uploaded) >= CONSTANT_ROWS and different > 1:
        yield from _answers(np.asarray(rows.answers)[uploaded], numbers.labels)
        yield from _misspelt(rows, uploaded, numbers.labels)
    if numbers.contradicting:
        number = numbers.contradicting
        rows_ask, are = plural(number, "row asks", "rows ask"), inflect(number, "is", "are")
        text = f"{rows_ask} what another row asks but {are} answered differently; none is used."
        yield Fault(None, "", text, "warning")


def leaking(exact: int, near: int) -> str:
    """How many test rows stand in the upload, those that stand there word for word apart from those that nearly do."""
    parts = []
    if exact:
        rows = plural(exact, "row of the test file", "rows of the test file")
        parts.append(f"{rows} {inflect(exact, 'stands', 'stand')} in the upload too")
    if near:
        whose = "" if exact else " of the test file"
        parts.append(f"{plural(near, 'row')}{whose} {inflect(near, 'is', 'are')} nearly asked there, or in part")
    return f"{', and '.join(parts)}; test rows are not used for training."


def _answers(answers: npt.NDArray[np.uint64], labels: Sequence[LabelCount]) -> Iterable[Fault]:
    if different_values(answers) == 1:
        yield Fault(None, "", "Every row has the same answer; there is nothing to learn.", "warning")
        return
    if not labels:
        return
    total = sum(label.rows for label in labels)
    commonest = labels[0]
    if commonest.rows >= LOPSIDED * total:
        share = f"the majority class alone would score {percent(commonest.rows / total, 0)}"
        text = f"{commonest.rows:,} of {total:,} answers are {commonest.label[:60]!r}; {share}."
        yield Fault(None, "", text, "warning")
    rare = [label.label for label in labels if label.rows < RARE_LABEL]
    if rare:
        names = ", ".join(repr(name[:40]) for name in rare[:_LABELS_NAMED])
        names += " and others" if len(rare) > _LABELS_NAMED else ""
        some = plural(len(rare), "label has", "labels have")
        text = f"{some} fewer than {RARE_LABEL} rows, too few to test: {names}."
        yield Fault(None, "", text, "note")


def _misspelt(rows: WorkingRows, uploaded: npt.NDArray[np.int64], labels: Sequence[LabelCount]) -> Iterable[Fault]:
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
            rows_have = plural(meant.rows, "row has", "rows have")
            text = f"The answer {label.label[:60]!r} may be a slip: {rows_have} {meant.label[:60]!r}."
            yield Fault(rows.lines[index], "", text, "warning")


def _slip(label: str, meant: str) -> bool:
    rare, common = contradictions.label(label), contradictions.label(meant)
    if rare == common:
        return True
    if min(len(rare), len(common)) < SLIP_LENGTH or abs(len(rare) - len(common)) > 1 or rare[0] != common[0]:
        return False
    if not compared_text.same_numbers(rare, common) or paraphrases.slips(rare, common) != 1:
        return False
    return paraphrases.edit(paraphrases.of(rare), paraphrases.of(common), asking=False) is not Edit.OTHER


def why_not_split(usable: int, groups: int, units: int, *, own_test: bool) -> str:
    """Why so many usable rows don't make every part. groups: that the file names; units: what stays together."""
    parts = "train and dev" if own_test else "train, dev and test"
    least = draw.LEAST_GROUPS - own_test
    if groups and units < least:
        return (
            f"The group column puts all {usable:,} usable rows into {plural(units, 'group')}, and"
            f" rows of one group stay together: {parts} need at least {least}. Name another column, or none."
        )
    return f"{plural(usable, 'usable row')} can't be shared out to {parts}; upload at least 4 different ones."


def why_refused(whole_file: Sequence[str], why_not: str) -> str:
    """The sentence behind a refusal. whole_file: the faults of the whole file, which come first."""
    return next(iter(whole_file), why_not or "No row is left that can be used.")
