"""Which sign parts the columns of a table."""

import re

from app.datasets.reading.faults import short
from app.datasets.reading.read_as import column_name
from app.datasets.reading.shapes import PAIRS, shape_of
from app.wording import Statement, state

_SEPARATOR = re.compile(rb"sep=([!#-/:-@[-^`{-~]|\t)[\r\n]?$", re.IGNORECASE)  # Excel's first line


def why_no_table(line: bytes, name: str) -> Statement:
    """What is said of text that is neither JSON nor parted into columns."""
    first = line.decode("utf-8", "replace").strip().strip('"').strip()
    column = first.casefold()
    if name.casefold().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")) or any(column in pair for pair in PAIRS):
        return state("one_column", seen=short(first))
    return state("neither")


def delimiter_of(line: bytes) -> str:
    """The sign that parts the columns of a table with this first line; empty if it is none."""
    if separator := _SEPARATOR.match(line):
        return separator[1].decode()
    if line.strip().strip(b'"').lower() in (b"messages", b"conversations"):  # one column can hold all of a chat
        return ","
    return _commonest(line)


def _commonest(line: bytes) -> str:
    """The sign that parts the first row into columns: one that gives a pair we know, or else the commonest."""
    first = line.decode("utf-8", "replace")
    signs = (",", ";", "\t", "|")
    for sign in signs:
        names = [column_name(name.strip().strip('"')) for name in first.split(sign)]
        if len(names) > 1 and shape_of(names) is not None:
            return sign
    best = max(signs, key=first.count)
    return best if best in first else ""
