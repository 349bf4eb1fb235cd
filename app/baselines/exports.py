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
class ExportedPassage:
    """A passage that stood before a question. score: as the way of searching gives it; gold: whether it is a gold
    passage of the row, None where none is known."""

    id: int
    title: str
    text: str
    score: float | None
    gold: bool | None


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """One answer with what it was asked and how it was judged.

    raw: the text as it came, where thinking was taken off. Tokens: None where the model did not say. latency_ms: of
    this answer alone; None where it was taken from an earlier measurement, whose answer `taken_from` is. cost: see the
    API. constraint: what the answer was held to, kind and SHA-256; None where it was free. passages: what stood before
    the question, in this order; the whole corpus is not written out for each answer.
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
    constraint: str | None = None
    passages: tuple[ExportedPassage, ...] = ()


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
        written = [_passage(at, part) if isinstance(part, dict) else str(part) for at, part in enumerate(value, 1)]
        return cell(("\n\n" if value and isinstance(value[0], dict) else " ").join(written))
    return cell(str(value))


def _passage(number: int, passage: Mapping[str, Any]) -> str:
    """As it stood in the prompt."""
    return f"[{number}] {passage['title']}\n{passage['text']}"


def _row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
