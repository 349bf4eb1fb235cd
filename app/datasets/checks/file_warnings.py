"""What is odd about a file as a whole though each of its rows can be read: the verdict listens to it.

Each sentence here is a reason behind the verdict "warn" and, but for the last, a warning of its own. They are about
what training or judging on these rows would be worth: most repeat each other, all would be cut, a handful of texts
answers everything, question and answer stand on each other's side, or there are far too few.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.datasets.checks.working_rows import Rows, last_said

TOO_FEW = "Prompting needs far fewer, and can be measured."  # ends the sentence that pages say in words of their own
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
class Counts:
    """Rows of the upload that could be read, and how they ended. unread: those that could not; usable: besides the test
    rows; repeats: copies and near copies; answers: different ones.
    """

    rows: int
    unread: int
    usable: int
    repeats: int
    answers: int


def found(rows: Rows, task: str, counts: Counts, sizes: Mapping[str, Any], needed: int) -> Iterator[str]:
    """The sentences, the gravest first.

    sizes: the report's lengths. needed: examples that training asks for; 0 where nobody trains.
    """
    if not counts.rows:
        return
    if counts.unread >= HALF * (counts.rows + counts.unread):
        yield f"{counts.unread:,} of {counts.rows + counts.unread:,} rows could not be read."
    yield from _swapped(rows, task)
    yield from _cut(sizes)
    if counts.rows >= LEAST and counts.repeats >= HALF * counts.rows:
        yield f"{counts.repeats:,} of {counts.rows:,} rows repeat another one: here are far fewer examples than rows."
    if task != "labels" and counts.rows >= ENOUGH_ROWS and 1 < counts.answers <= FEW_ANSWERS * counts.rows:
        yield (
            f"There are only {counts.answers:,} different answers in {counts.rows:,} rows, and they are no short"
            " labels: a model learns to pick one of them. Is that the task?"
        )
    if counts.usable < needed:
        some = f"{counts.usable:,} usable example{'' if counts.usable == 1 else 's'} besides the test rows"
        yield f"{some}; training needs {needed:,}. {TOO_FEW}"


def _cut(sizes: Mapping[str, Any]) -> Iterator[str]:
    over, of = sizes.get("over", 0), sizes.get("rows", 0)
    if over and of and over >= HALF * of:
        some = "Every row is" if over == of else f"{over:,} of {of:,} rows are"
        text = f"{some} longer than {sizes['limit']:,} {sizes['unit']} and would be cut:"
        yield f"{text} what is cut is neither learned nor judged."


def _swapped(rows: Rows, task: str) -> Iterator[str]:
    """Rows whose question looks like an answer and whose answer like a question."""
    mine = np.flatnonzero(np.asarray(rows.files) == 0)
    if len(mine) < LEAST:
        return
    asked, said = (np.asarray(keys)[mine].tolist() for keys in (rows.keys, rows.answers))
    sides = "question and answer seem to stand on the wrong sides"
    names = {key for key, number in Counter(said).items() if number >= NAMES}
    over = sum(one in names and two not in names for one, two in zip(asked, said, strict=True))
    if over >= max(NAMES, SWAPPED * len(mine)):
        yield f"In {over:,} rows the question is what others answer: {sides}."
        return
    again = [number for number in Counter(asked).values() if number >= NAMES]
    if len({*said}) >= HALF * len(mine) and sum(again) >= (1 - SWAPPED) * len(mine):
        some = f"{len(again):,} question{' is' if len(again) == 1 else 's are'} asked again and again"
        yield f"{some} and answered each time in another way: {sides}."
        return
    if task != "labels":
        yield from _asking(rows, mine.tolist())


def _asking(rows: Rows, mine: list[int]) -> Iterator[str]:
    asks = answers = 0
    for index in mine[:: max(1, len(mine) // LOOKED_AT)]:
        record = rows[index]
        one, two = (text.rstrip().endswith(_MARKS) for text in (last_said(record), record.target))
        asks, answers = asks + (one and not two), answers + (two and not one)
    if asks + answers >= LEAST and ASKING[0] <= answers / (asks + answers) <= ASKING[1]:
        share = round(100 * answers / (asks + answers))
        yield (
            f"Of the rows with a question mark on one side, {share}% have it at the end of the answer: perhaps question"
            " and answer stand on the wrong sides in a part of the file."
        )
