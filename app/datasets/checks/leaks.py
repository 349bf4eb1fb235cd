"""Test rows that stand inside rows to learn from, where the rows as wholes are not alike.

Groups of near-duplicates find a test row that is a row of the upload. They miss a test question that was asked in the
same words under another system prompt or at the end of another conversation, one that stands as an example in a longer
prompt, and a test answer that a prompt quotes. Word for word only: a question of at least five words where it is the
last that was said, of eight where it stands among others, an answer of twelve. What stands in many rows is a phrase of
the trade and no leak.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.datasets.checks.compared_text import comparable
from app.datasets.checks.duplicates import Twin
from app.datasets.checks.working_rows import WorkingRows, last_said

LEAST_SAID = 5  # words
LEAST_INSIDE = 8
LEAST_ANSWER = 12
ANCHOR = 4  # words that a text is looked up by
PHRASE = 3  # rows with the same text, from which on it is a phrase

_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")

Words = tuple[str, ...]


def words(text: str) -> Words:
    """The words of a text as they are compared; of a script without spaces each sign is one."""
    return tuple(_WORD.findall(comparable(text)))


@dataclass(slots=True)
class _Wanted:
    """Texts of the test file. asked_last, inside: by their words the test row; anchors: of those in `inside`."""

    asked_last: dict[Words, int] = field(default_factory=dict)
    inside: dict[Words, int] = field(default_factory=dict)
    anchors: defaultdict[Words, list[Words]] = field(default_factory=lambda: defaultdict(list))


def find(rows: WorkingRows, tick: Callable[[int, int], None]) -> list[Twin]:
    """Pairs of a row of the upload (the earlier end) and the test row that stands in it."""
    wanted = _wanted(rows)
    if not wanted.asked_last and not wanted.inside:
        return []
    twins: list[Twin] = []
    for index, file in enumerate(rows.files):
        if file:
            continue
        if index % 1000 == 0:
            tick(index, len(rows))
        twins += [Twin(index, test, 1.0) for test in _in(rows, index, wanted)]
    often = Counter(twin.later for twin in twins)
    same = rows.answers
    return [twin for twin in twins if often[twin.later] < PHRASE or same[twin.earlier] == same[twin.later]]


def _wanted(rows: WorkingRows) -> _Wanted:
    wanted = _Wanted()
    often: Counter[Words] = Counter()
    for index, file in enumerate(rows.files):
        if not file:
            continue
        record = rows[index]
        question, answer = words(last_said(record)), words(record.target)
        if len(question) >= LEAST_SAID:
            wanted.asked_last.setdefault(question, index)
        if len(question) >= LEAST_INSIDE:
            wanted.inside.setdefault(question, index)
        if len(answer) >= LEAST_ANSWER:
            wanted.inside.setdefault(answer, index)
        often.update({question, answer})
    for texts in (wanted.asked_last, wanted.inside):
        for text in [text for text in texts if often[text] >= PHRASE]:
            del texts[text]
    for text in wanted.inside:
        wanted.anchors[text[:ANCHOR]].append(text)
    return wanted


def _in(rows: WorkingRows, index: int, wanted: _Wanted) -> Iterator[int]:
    """Test rows that stand in the row."""
    record = rows[index]
    seen: set[int] = set()
    for turn in record.messages:
        text = words(turn.content)
        if turn is record.messages[-1] and text in wanted.asked_last:
            seen.add(wanted.asked_last[text])
        runs = zip(*(text[step:] for step in range(ANCHOR)), strict=False)
        for anchor in wanted.anchors.keys() & set(runs):
            seen.update(wanted.inside[part] for part in wanted.anchors[anchor] if _holds(text, part))
    yield from sorted(seen)


def _holds(text: Words, part: Words) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(text)} "
