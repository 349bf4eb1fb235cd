"""What is odd about a file as a whole though each of its rows can be read: the verdict listens to it.

Each is a reason behind the verdict "warn" and, but for the last, a warning of its own. They are about
what training or judging on these rows would be worth: most repeat each other, all would be cut, a handful of texts
answers everything, question and answer stand on each other's side, or there are far too few.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.datasets.checks.message_words import sentence
from app.datasets.checks.report_parts import LengthReport
from app.datasets.checks.working_rows import WorkingRows, last_said
from app.wording import Statement, state

HALF = 0.5  # of the uploaded rows that repeat others, or of the usable rows that would be cut
LEAST = 20  # rows below which nothing is said of shares
FEW_ANSWERS = 0.05  # different answers a row, below which prose or JSON is picked from a handful of texts
ENOUGH_ROWS = 50
NAMES = 3  # rows that have a text as their answer, from which on it is one of the answers of this file
SWAPPED = 0.05  # share of the rows whose question is an answer of others
ASKING = (0.25, 0.9)  # share of the questions (by their mark) on the answer's side; beyond it the task is to ask
LOOKED_AT = 2000  # rows whose texts are read for it
_MARKS = ("?", "\uff1f", "\u061f")


@dataclass(frozen=True, slots=True)
class FileWarning:
    """kind: unread, swapped, cut, repeats, few_answers or too_few."""

    kind: str
    statement: Statement

    @property
    def text(self) -> str:
        """The statement in words."""
        return sentence(self.statement)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the upload that could be read, and how they ended. unread: those that could not; usable: besides the test
    rows; repeats: copies and near copies; answers: different ones.
    """

    rows: int
    unread: int
    usable: int
    repeats: int
    answers: int


def of_file(rows: WorkingRows, task: str, counts: Counts, sizes: LengthReport, needed: int) -> Iterator[FileWarning]:
    """The warnings, the gravest first.

    sizes: the report's lengths. needed: examples that training asks for; 0 where nobody trains.
    """
    if not counts.rows:
        return
    if counts.unread >= HALF * (counts.rows + counts.unread):
        yield FileWarning("unread", state("unread", unread=counts.unread, rows=counts.rows + counts.unread))
    yield from _swapped(rows, task)
    yield from _cut(sizes)
    if counts.rows >= LEAST and counts.repeats >= HALF * counts.rows:
        yield FileWarning("repeats", state("repeats", repeats=counts.repeats, rows=counts.rows))
    if task != "labels" and counts.rows >= ENOUGH_ROWS and 1 < counts.answers <= FEW_ANSWERS * counts.rows:
        yield FileWarning("few_answers", state("few_answers", answers=counts.answers, rows=counts.rows))
    if counts.usable < needed:
        yield FileWarning("too_few", state("too_few", usable=counts.usable, needed=needed))


def _cut(sizes: LengthReport) -> Iterator[FileWarning]:
    over, of = sizes.over, sizes.rows
    if over and of and over >= HALF * of:
        yield FileWarning("cut", state("cut", over=over, of=of, limit=sizes.limit, unit=sizes.unit))


def _swapped(rows: WorkingRows, task: str) -> Iterator[FileWarning]:
    """Rows whose question looks like an answer and whose answer like a question."""
    uploaded = np.flatnonzero(np.asarray(rows.files) == 0)
    if len(uploaded) < LEAST:
        return
    questions, answers = (np.asarray(keys)[uploaded].tolist() for keys in (rows.keys, rows.answers))
    names = {key for key, number in Counter(answers).items() if number >= NAMES}
    over = sum(question in names and answer not in names for question, answer in zip(questions, answers, strict=True))
    if over >= max(NAMES, SWAPPED * len(uploaded)):
        yield FileWarning("swapped", state("asked_as_answers", rows=over))
        return
    again = [number for number in Counter(questions).values() if number >= NAMES]
    if len({*answers}) >= HALF * len(uploaded) and sum(again) >= (1 - SWAPPED) * len(uploaded):
        yield FileWarning("swapped", state("asked_again", questions=len(again)))
        return
    if task != "labels":
        yield from _asking(rows, uploaded.tolist())


def _asking(rows: WorkingRows, uploaded: list[int]) -> Iterator[FileWarning]:
    only_question = only_answer = 0
    for index in uploaded[:: max(1, len(uploaded) // LOOKED_AT)]:
        record = rows[index]
        question, answer = (text.rstrip().endswith(_MARKS) for text in (last_said(record), record.target))
        only_question, only_answer = only_question + (question and not answer), only_answer + (answer and not question)
    one_side = only_question + only_answer
    if one_side >= LEAST and ASKING[0] <= only_answer / one_side <= ASKING[1]:
        share = round(100 * only_answer / one_side)
        yield FileWarning("swapped", state("marks_in_answers", share=share))
