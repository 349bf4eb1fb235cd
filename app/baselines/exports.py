"""Answers as files: JSON lines for programs, CSV for people and their spreadsheets.

A spreadsheet runs a cell that begins like a formula. Answers are a stranger's text, so such cells get an apostrophe
in front, which spreadsheets take as "this is text" (OWASP, CSV injection).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from app.text import cell


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """One answer with what it was asked and how it was judged.

    raw: the text as it came, where thinking was taken off. Tokens: None where the model did not say. latency_ms: of
    this answer alone; None where it was taken from an earlier measurement, whose answer `taken_from` is. cost: see the
    API.
    """

    baseline: int
    arm: str
    split: str
    example_id: int
    line: int
    question: str
    target: str
    output: str
    raw: str | None
    compared_target: str
    compared_output: str
    metric: str
    score: float | None
    correct: bool | None
    status: str
    error: str | None
    finish: str
    cause: str | None
    prompt_sha256: str
    shots: tuple[int, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int | None
    taken_from: int | None
    cost: float | None
    cost_from: str | None
    attempt: int
    created_at: str


COLUMNS = tuple(ExportedAnswer.__dataclass_fields__)


def jsonl(lines: Iterable[ExportedAnswer]) -> Iterator[bytes]:
    for line in lines:
        yield orjson.dumps(asdict(line)) + b"\n"


def as_csv(lines: Iterable[ExportedAnswer]) -> Iterator[bytes]:
    """With a byte order mark, so that spreadsheets read it as UTF-8."""
    yield "\ufeff".encode() + _row(COLUMNS)
    for line in lines:
        yield _row([_cell(value) for value in _values(asdict(line))])


def _values(values: Mapping[str, Any]) -> list[Any]:
    return [values[name] for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, tuple | list):
        return " ".join(str(part) for part in value)
    return cell(str(value))


def _row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
