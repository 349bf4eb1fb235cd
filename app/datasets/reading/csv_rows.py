"""The rows of CSV and its kin, cut out of bytes as they arrive, with their two numbers: row and line.

A quotation mark is read as the rules of CSV have it wherever that gives a row. Many tables, above all with tabs, were
written without those rules, and a mark in them is a mark: `"Help" Letter 1 ...<TAB>refund`. So a line that breaks the
rules is read once more, with marks inside a cell as they stand, and then with every mark as it stands; what gives as
many cells as the first row is taken. Between tabs a line whose cell stays open is such a one too if it, and each line
that the cell would swallow, has by itself as many cells as the first row; between commas it is a fault.

A row that can't be read becomes a fault and the reading goes on at the next line; only where nobody can tell any
more what is inside quotation marks does it end, and says so.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.datasets.reading import encodings
from app.datasets.reading.faults import Fault
from app.wording import Statement, state

LONGEST_CELL = 4 << 20  # bytes
TRIES = 100
AHEAD = 50  # lines that are looked at for the end of a cell; so many with just the right cells each are no cell


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
        self._odd: Statement | None = None  # what is wrong with the bytes of a line of the present row
        self.undecodable = 0
        self._over = False
        self._again: list[str] | None = None
        self.number = 0
        self.line = 1
        self.width = 0  # cells of the first row, once somebody has said so
        self._delimiter = delimiter
        self._spaced = spaced
        self._texts_left = self._texts(chunks, longest)
        self._ahead: deque[str] = deque()  # lines that were looked at already
        self._taken = 0  # lines that were given out
        self._reader = csv.reader(iter(self._take, None), delimiter=delimiter, strict=True, skipinitialspace=spaced)

    def __iter__(self) -> Iterator[list[str] | Fault]:
        return self

    def __next__(self) -> list[str] | Fault:
        if self._again is not None:
            row, self._again = self._again, None
            return row
        if self._over:
            raise StopIteration
        self.number += 1
        self.line = self._taken + 1
        try:
            row = self._plain() or next(self._reader)
        except csv.Error as error:
            self._odd = None
            return self.placed(Fault(self.number, "", self._why(str(error))))
        if self._odd:
            odd, self._odd = self._odd, None
            self.undecodable += 1
            return self.placed(Fault(self.number, "", odd))
        return row if any(row) else []

    # ------------------------------------------------------------------ marks that follow no rule
    def _take(self) -> str | None:
        line = self._ahead.popleft() if self._ahead else next(self._texts_left, None)
        self._taken += line is not None
        return line

    def _look(self, place: int) -> str | None:
        """The line at this place of those that come."""
        while len(self._ahead) <= place:
            if (line := next(self._texts_left, None)) is None:
                return None
            self._ahead.append(line)
        return self._ahead[place]

    def _plain(self) -> list[str] | None:
        """The cells of the next line, where its marks break the rules and another reading gives a row."""
        line = self._look(0) if self.width > 1 else None
        if line is None or '"' not in line:
            return None
        try:
            next(csv.reader([line], delimiter=self._delimiter, strict=True, skipinitialspace=self._spaced))
        except csv.Error as error:
            row = self._otherwise(line, still_open="unexpected end" in str(error))
            if row is not None:
                self._take()
            return row
        return None

    def _otherwise(self, line: str, *, still_open: bool) -> list[str] | None:
        tabs = self._delimiter == "\t"
        if still_open and not (tabs and self._swallows_rows()):
            return None
        text = line.rstrip("\r\n")
        as_it_stands = [cell.lstrip(" ") if self._spaced else cell for cell in text.split(self._delimiter)]
        # Between tabs a mark is more often a mark; between commas a cell with commas is in marks.
        cells = as_it_stands if tabs and len(as_it_stands) == self.width else self._with_inner_marks(text)
        return cells or (as_it_stands if len(as_it_stands) == self.width else None)

    def _swallows_rows(self) -> bool:
        """Whether each line that an open cell would take in looks like a row."""
        for place in range(1, AHEAD):
            line = self._look(place)
            if line is None:
                return True
            if line.count(self._delimiter) != self.width - 1:
                return not line.strip()
            if f'"{self._delimiter}' in line or line.rstrip("\r\n").endswith('"'):
                return True  # where the cell would end
        return True

    def _with_inner_marks(self, text: str) -> list[str] | None:
        """The cells, where a mark ends a cell only before what parts cells, and stands for itself elsewhere.

        Of several ways to end them the first that gives the right number; after TRIES ends nothing is tried any more.
        """
        sign, tries = self._delimiter, TRIES
        open_ways: list[tuple[int, list[str]]] = [(0, [])]
        while open_ways and tries:
            tries -= 1
            place, cells = open_ways.pop()
            if place > len(text):
                if len(cells) == self.width:
                    return cells
                continue
            if len(cells) >= self.width:
                continue
            if self._spaced:
                place += len(text[place:]) - len(text[place:].lstrip(" "))
            if text[place : place + 1] != '"':
                end = text.find(sign, place)
                end = len(text) if end < 0 else end
                open_ways.append((end + 1, [*cells, text[place:end]]))
                continue
            ends = [at for at in range(place + 1, len(text)) if text[at] == '"' and text[at + 1 : at + 2] in ("", sign)]
            open_ways += [
                (end + 2, [*cells, text[place + 1 : end].replace('""', '"')]) for end in reversed(ends[:TRIES])
            ]
        return None

    def again(self, row: list[str]) -> None:
        """Give this row, the last one, once more."""
        self._again = row

    def placed(self, fault: Fault) -> Fault:
        """The fault with the physical line of its row, where cells that hold lines have pushed it down."""
        if fault.line is None or self.line == self.number:
            return fault
        return replace(fault, file_line=self.line)

    def _why(self, message: str) -> Statement:
        """What an error of the csv module means. lines: that the cell took in besides its own."""
        lines = self._taken - self.line
        if "unexpected end" in message:
            self._over = True
            return state("cell_open", lines=lines)
        if "field larger" in message or "long row" in message:
            self._over = True
            return state("cell_long" if "field" in message else "row_long", mib=LONGEST_CELL >> 20)
        return (
            state("after_quote", lines=lines) if "expected after" in message else state("row_unread", problem=message)
        )

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
