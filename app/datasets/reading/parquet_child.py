"""The process that holds the Parquet library: a file on standard input, its rows as JSON lines on standard output.

Whatever a table holds that JSON does not (dates, decimals, categories) is written as text. A number that stands for a
label by the `datasets` library's own notes in the file is written as the label.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from app.datasets.reading.faults import Unreadable
from app.processes import sandbox
from app.wording import Statement, state

BATCH = 200  # rows
MOST_COLUMNS = 2000
FREE = 64 << 20  # bytes that may always come out; beyond, they are bounded by what went in
PIPE = 1 << 16  # bytes
REFUSED = 3  # the exit code when the last line on standard error says why: JSON of a code and its values


def main() -> int:
    sandbox.confine()
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        with os.fdopen(1, "wb", PIPE, closefd=False) as out:  # as much at once as a pipe holds
            out.writelines(_bounded(_rows(), os.fstat(0).st_size))
    except Unreadable as refusal:
        return _refuse(refusal.statement)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        first = (str(error).splitlines() or ["nothing more is known"])[0][:200]
        return _refuse(state("parquet_unknown", problem=first))
    return 0


def _refuse(statement: Statement) -> int:
    print(json.dumps([statement.code, statement.values]), file=sys.stderr)  # noqa: T201 - the parent reads it
    return REFUSED


def _rows() -> Iterator[bytes]:
    """Each row as a line of JSON; a row group is decoded a few rows at a time."""
    import orjson
    import pyarrow.parquet as pq

    with pq.ParquetFile(os.fdopen(0, "rb"), pre_buffer=False, buffer_size=1 << 20) as file:
        names = file.schema_arrow.names
        if len(names) > MOST_COLUMNS:
            raise Unreadable(state("parquet_columns", most=MOST_COLUMNS))
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Unreadable(state("parquet_twice", column=twice[:80]))
        tell = dict(_labels(file.schema_arrow.metadata or {}))
        for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
            columns = [_column(name, batch.column(name)) for name in names]
            for row in zip(*columns, strict=True):
                plain = {name: _plain(tell, name, held) for name, held in zip(names, row, strict=True)}
                yield orjson.dumps(plain, default=_text) + b"\n"


def _column(name: str, held: Any) -> list[object]:
    """The cells of a column. Times are written by the library: they may be finer, or further off, than Python's."""
    import pyarrow as pa

    if pa.types.is_temporal(held.type) and not pa.types.is_interval(held.type):
        for kind in (pa.string(), pa.int64(), pa.int32()):
            try:
                return list(held.cast(kind).to_pylist())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
    try:
        return list(held.to_pylist())
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise Unreadable(state("parquet_column", column=name[:80], problem=str(error)[:300])) from error


def _bounded(lines: Iterator[bytes], size: int) -> Iterator[bytes]:
    written = 0
    for line in lines:
        written += len(line)
        if written > FREE and written > sandbox.BOMB * size:
            raise Unreadable(state("parquet_bomb", times=sandbox.BOMB))
        yield line


def _plain(tell: dict[str, list[str]], name: str, held: object) -> object:
    """A cell as JSON: what is no text is written as text, as in CSV; inside lists and objects it stays."""
    if isinstance(held, bool):
        return "true" if held else "false"
    if name in tell and isinstance(held, int) and 0 <= held < len(tell[name]):
        return tell[name][held]
    if isinstance(held, float) and held != held:  # noqa: PLR0124 - a table's way to leave a cell empty
        return None
    return str(held) if isinstance(held, int | float) else held


def _labels(metadata: dict[bytes, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Column -> names of its labels, where the `datasets` library wrote them down."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        for name, feature in features.items():
            names = feature.get("names") if isinstance(feature, dict) else None
            if isinstance(names, list) and all(isinstance(label, str) for label in names):
                yield name, names
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def _text(value: object) -> str:
    """What JSON has no form for."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.exit(main())
