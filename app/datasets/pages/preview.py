"""The first rows of a stored file, read in one way or another: what a person looks at before choosing."""

from dataclasses import dataclass, field
from typing import BinaryIO

from app.chat import Record
from app.datasets.checks.report_parts import ReportMessage
from app.datasets.reading import parquet
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Reading, Upload, read
from app.privacy.masking import Masker

ROWS = 3
LOOKED_AT = 8 << 20  # bytes; the first rows of an honest file stand well before
_TRIED = 200  # records and faults looked at before giving up


@dataclass(slots=True)
class Preview:
    """records: up to ROWS. faults: what is said about the lines tried. reading: what was detected.

    columns: samples by name, as they may be shown; names: those of them that can be chosen by. A name with a value in
    it is no name: it is the first row of a table that names no columns.
    """

    reading: Reading
    records: list[Record] = field(default_factory=list)
    faults: list[ReportMessage] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


class _Beginning:
    """The first bytes of a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = LOOKED_AT

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(min(size, self._left))
        self._left -= len(piece)
        return piece


def preview(stream: BinaryIO, name: str, how: ReadAs, masker: Masker) -> Preview:
    """Read the first rows; the rest of the file is not touched. masker: hides the values in them."""
    columnar = stream.read(4) == parquet.MAGIC
    stream.seek(0)
    first_rows = Preview(read(Upload(stream if columnar else _Beginning(stream), name, how)))
    for number, item in enumerate(first_rows.reading):
        if isinstance(item, Record):
            first_rows.records.append(masker.record(item))
        elif len(first_rows.faults) < ROWS and item.level != "note":
            text = masker.text(item.text)
            first_rows.faults.append(ReportMessage(item.line, item.field, text, item.level))
        if len(first_rows.records) == ROWS or number >= _TRIED:
            break
    first_rows.columns = {masker.text(name): samples for name, samples in first_rows.reading.columns.items()}
    first_rows.names = [name for name in first_rows.reading.columns if name in first_rows.columns]
    return first_rows
