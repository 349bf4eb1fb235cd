"""The rows of CSV and its kin, cut out of bytes as they arrive, with their two numbers: row and line.

A row that can't be read becomes a sentence and the reading goes on at the next line; only where nobody can tell any
more what is inside quotation marks does it end, and says so.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.datasets import encodings
from app.datasets.records import Fault

LONGEST_CELL = 4 << 20  # bytes


class Rows:
    """The rows of a table: cells, an empty list for a blank row, or a fault in place of one that can't be read.

    number: of the row given last, as a spreadsheet counts. line: the physical one that it begins on. spaced: whether a
    blank follows what parts the cells, and is none of theirs. encoding: that the chunks had before they became UTF-8.
    undecodable: rows so far that are no text in it.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        delimiter: str,
        longest: int,
        *,
        spaced: bool = False,
        encoding: str = encodings.UTF_8,
    ) -> None:
        csv.field_size_limit(LONGEST_CELL)
        self._encoding = encoding
        self._odd = ""  # what is wrong with the bytes of a line of the present row
        self.undecodable = 0
        self._over = False
        self._again: list[str] | None = None
        self.number = 0
        self.line = 1
        texts = self._texts(chunks, longest)
        self._reader = csv.reader(texts, delimiter=delimiter, strict=True, skipinitialspace=spaced)

    def __iter__(self) -> Iterator[list[str] | Fault]:
        return self

    def __next__(self) -> list[str] | Fault:
        if self._again is not None:
            row, self._again = self._again, None
            return row
        if self._over:
            raise StopIteration
        self.number += 1
        self.line = self._reader.line_num + 1
        try:
            row = next(self._reader)
        except csv.Error as error:
            self._odd = ""
            return self.placed(Fault(self.number, "", self._words(str(error))))
        if self._odd:
            text, self._odd = self._odd, ""
            self.undecodable += 1
            return self.placed(Fault(self.number, "", text))
        return row if any(row) else []

    def again(self, row: list[str]) -> None:
        """Give this row, the last one, once more."""
        self._again = row

    def placed(self, fault: Fault) -> Fault:
        """The fault with the physical line of its row, where cells that hold lines have pushed it down."""
        if fault.line is None or self.line == self.number:
            return fault
        return replace(fault, text=f"{fault.text} (Line {self.line:,} of the file.)")

    def _words(self, message: str) -> str:
        lines = self._reader.line_num - self.line
        took = f" The {lines:,} lines after it were taken for a part of that cell." if lines > 1 else ""
        if "unexpected end" in message:
            self._over = True
            return f"A quotation mark opens a cell and is never closed.{took}"
        if "field larger" in message or "long row" in message:
            self._over = True
            what = "A cell" if "field" in message else "The row"
            text = f"{what} is longer than {LONGEST_CELL >> 20} MiB; perhaps a quotation mark is never closed."
            return f"{text} Nothing after it was read."
        if "expected after" in message:
            return f"Text follows a closing quotation mark; double the quotation marks inside a cell.{took}"
        return f"The row could not be read: {message}."

    def _texts(self, chunks: Iterable[bytes], longest: int) -> Iterator[str]:
        """Lines with their ends, decoded; a line without an end for too long stops the reading."""
        pending = b""
        for chunk in chunks:
            whole = (pending + chunk).splitlines(keepends=True)
            # A line's end may be half of CR and LF, so only LF says that it is complete.
            pending = b"" if not whole or whole[-1].endswith(b"\n") else whole.pop()
            for line in whole:
                yield self._decoded(line)
            if len(pending) > longest:
                raise csv.Error("long row")
        if pending:
            yield self._decoded(pending)

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            self._odd = self._odd or encodings.fault(line, self._encoding, "row")
            return line.decode("utf-8", "replace")


def tells_separator(row: list[str] | Fault) -> bool:
    """Whether this is the line by which Excel says what parts its columns."""
    return isinstance(row, list) and row[0].casefold() == "sep=" and not any(row[1:])
