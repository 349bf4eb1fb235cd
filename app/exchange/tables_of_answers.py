"""Answers as lines: JSON for programs, CSV for people and their spreadsheets.

A spreadsheet runs a cell that begins like a formula. Answers are a stranger's text, so such cells get an apostrophe
in front, which spreadsheets take as "this is text" (OWASP, CSV injection).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import orjson

from app.exchange.values import Block, ExportedAnswer, ExportedPassage, Lines, Measurement
from app.text import cell

COLUMNS = tuple(ExportedAnswer.__dataclass_fields__)


def jsonl(_measurement: Measurement, blocks: Sequence[Block], lines: Lines) -> Iterator[bytes]:
    for block in blocks:
        for line in lines(block):
            yield orjson.dumps(asdict(line)) + b"\n"


def as_csv(_measurement: Measurement, blocks: Sequence[Block], lines: Lines) -> Iterator[bytes]:
    """With a byte order mark, so that spreadsheets read it as UTF-8."""
    yield "\ufeff".encode() + _row(COLUMNS)
    for block in blocks:
        yield from rows(lines(block))


def rows(lines: Iterable[ExportedAnswer]) -> Iterator[bytes]:
    """The lines of a table under `COLUMNS`."""
    for line in lines:
        yield _row([_cell(getattr(line, name)) for name in COLUMNS])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, tuple | list):
        of_passages = bool(value) and isinstance(value[0], ExportedPassage)
        written = [_passage(at, part) if of_passages else str(part) for at, part in enumerate(value, 1)]
        return cell(("\n\n" if of_passages else " ").join(written))
    if isinstance(value, Mapping):
        return cell(orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS).decode()) if value else ""
    return cell(str(value))


def _passage(number: int, passage: ExportedPassage) -> str:
    """As it stood in the prompt."""
    return f"[{number}] {passage.title}\n{passage.text}"


def _row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
