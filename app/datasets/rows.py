"""The readable rows of one check, on disk, with what is compared about each kept in a few bytes of memory.

A million rows take 40 MiB here; the texts stay in the working file and are read again where they are looked at.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from app.datasets import duplicates
from app.datasets.formats import Record
from app.datasets.reading import canonical, from_canonical
from app.datasets.remarks import length


class Rows:
    """Rows by position, in the order in which they were added; `file` is 0 for the upload, 1 for the own test file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._end = 0
        self.offsets = array("Q")
        self.lines = array("Q")
        self.files = array("B")
        self.lengths = array("L")
        self.keys = array("Q")  # of what is asked
        self.answers = array("Q")  # of the answer
        self.answer_lengths: Counter[int] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def add(self, record: Record, file: int) -> None:
        raw = canonical(record)
        self._file.seek(self._end)
        self._file.write(raw)
        self.offsets.append(self._end)
        self._end += len(raw)
        self.lines.append(record.line)
        self.files.append(file)
        self.lengths.append(length(record))
        asked = question(record)
        self.keys.append(duplicates.key(asked))
        self.answers.append(duplicates.key(record.target))
        self.answer_lengths[min(len(record.target), 1000)] += 1

    def __getitem__(self, index: int) -> Record:
        start = self.offsets[index]
        end = self.offsets[index + 1] if index + 1 < len(self.offsets) else self._end
        self._file.seek(start)
        return from_canonical(self._file.read(end - start))

    def pair(self, index: int) -> tuple[str, str]:
        record = self[index]
        return question(record), record.target


def question(record: Record) -> str:
    """All that is asked as one text: the way rows are compared."""
    if len(record.messages) == 1:
        return record.messages[0].content
    return "\n".join(f"{turn.role}: {turn.content}" for turn in record.messages)
