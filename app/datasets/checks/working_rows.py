"""The readable rows of one check, on disk, with what is compared about each kept in a few bytes of memory.

A million rows take 50 MiB here; the texts stay in the working file and are read again where they are looked at.
"""

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import numpy as np
import numpy.typing as npt

from app.chat import Record
from app.datasets.checks import compared_text, languages, suspicious
from app.datasets.checks.row_warnings import length
from app.datasets.checks.suspicious import Mark
from app.datasets.reading.canonical import from_line, to_line
from app.privacy.masking import Masker

_INDEX = np.dtype(
    [
        ("offsets", "<u8"),
        ("lines", "<u8"),
        ("keys", "<u8"),
        ("answers", "<u8"),
        ("lengths", "<u8"),
        ("answer_sizes", "<u2"),
        ("files", "u1"),
        ("marks", "u1"),
        ("languages", "u1"),
        ("declared", "u1"),
    ]
)
_MOST_LANGUAGES = 250
_LONGEST_ANSWER = 1000  # characters, from which on answers count as equally long


class SavedRows(TypedDict):
    """What is on the disk, as JSON: how many rows, the bytes that they take, and the codes of languages."""

    rows: int
    end: int
    codes: list[str]


class WorkingRows:
    """Rows by position, in the order in which they were added; `file` is 0 for the upload, 1 for the own test file.

    marks: see `suspicious.Mark`. languages: of what is asked, as a place in `codes`. declared: 1 where the row says
    itself to which group, time or part of the split it belongs.
    """

    def __init__(self, path: Path, saved: SavedRows | None = None) -> None:
        """`saved`: what `save` gave to an earlier attempt; rows that came after it are forgotten."""
        self._file = path.open("r+b" if saved else "w+b")
        self._end = 0
        self._at_end = False  # where the file stands; a seek would empty the write buffer after each row
        self._written = 0  # rows that are in the index on the disk
        self._index = path.with_name(f"{path.name}.index").open("r+b" if saved else "w+b")
        self.offsets = array("Q")
        self.lines = array("Q")
        self.files = array("B")
        self.lengths = array("Q")
        self.keys = array("Q")  # of what is asked
        self.answers = array("Q")  # of the answer
        self.answer_sizes = array("H")  # in characters
        self.marks = array("B")
        self.languages = array("B")
        self.declared = array("B")
        self.codes = [""]
        self.masker: Masker | None = None  # what hides values where a report quotes rows
        if saved:
            self._restore(saved)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file, self._index:  # both are closed, even where one finds the disk full
            pass

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    @property
    def answer_lengths(self) -> Counter[int]:
        """How many answers have how many characters; the long ones together."""
        return Counter(self.answer_sizes)

    def add(self, record: Record, file: int) -> None:
        raw = to_line(record)
        if not self._at_end:
            self._file.seek(self._end)
            self._at_end = True
        self._file.write(raw)
        self.offsets.append(self._end)
        self._end += len(raw)
        self.lines.append(record.line)
        self.files.append(file)
        self.lengths.append(length(record))
        asked = question(record)
        self.keys.append(compared_text.key(asked))
        self.answers.append(compared_text.key(record.target))
        self.answer_sizes.append(min(len(record.target), _LONGEST_ANSWER))
        asked_last = last_said(record)
        language = languages.of(asked_last)
        answer_language = languages.of(record.target, strict=True) if suspicious.tells(record.target) else ""
        self.marks.append(int(suspicious.marks(record, asked_last, language, answer_language)))
        self.languages.append(self._language(language))
        self.declared.append(bool(record.group or record.part or record.time))

    def _language(self, code: str) -> int:
        if code not in self.codes:
            if len(self.codes) >= _MOST_LANGUAGES:
                return 0
            self.codes.append(code)
        return self.codes.index(code)

    def mark(self, index: int) -> Mark:
        return Mark(self.marks[index])

    def __getitem__(self, index: int) -> Record:
        start = self.offsets[index]
        end = self.offsets[index + 1] if index + 1 < len(self.offsets) else self._end
        self._file.seek(start)
        self._at_end = False
        return from_line(self._file.read(end - start))

    def pair(self, index: int) -> tuple[str, str]:
        record = self[index]
        return question(record), record.target

    def quoted(self, index: int) -> Record:
        """The row as a report may quote it. Cut it afterwards: half a value is one too."""
        return self.masker.record(self[index]) if self.masker else self[index]

    # ---------------------------------------------------------------------- going on after a kill
    def save(self) -> SavedRows:
        """Bring all rows to the disk; a later `WorkingRows(path, saved)` goes on from what is given back."""
        new = np.empty(len(self) - self._written, dtype=_INDEX)
        for name in new.dtype.names or ():
            new[name] = getattr(self, name)[self._written :]
        self._index.seek(self._written * _INDEX.itemsize)
        self._index.write(new.tobytes())
        for file in (self._file, self._index):
            file.flush()
            os.fsync(file.fileno())
        self._written = len(self)
        return {"rows": self._written, "end": self._end, "codes": self.codes}

    def _restore(self, saved: SavedRows) -> None:
        raw = self._index.read(saved["rows"] * _INDEX.itemsize)
        index = np.frombuffer(raw, dtype=_INDEX)
        for name in index.dtype.names or ():
            column: array[int] = getattr(self, name)
            column.frombytes(np.ascontiguousarray(index[name]).tobytes())
        self._written, self._end, self.codes = len(index), saved["end"], list(saved["codes"])


def different_values(values: Sequence[int] | npt.NDArray[np.uint64]) -> int:
    """How many different values there are; a set of a million Python numbers would take 100 MB."""
    return len(np.unique(np.asarray(values, dtype=np.uint64)))


def question(record: Record) -> str:
    """All that is asked as one text: the way rows are compared."""
    if len(record.messages) == 1:
        return record.messages[0].content
    return "\n".join(f"{turn.role}: {turn.content}" for turn in record.messages)


def last_said(record: Record) -> str:
    """What the user said last; for conversations that begin otherwise, all that is asked."""
    return next((turn.content for turn in reversed(record.messages) if turn.role == "user"), question(record))
