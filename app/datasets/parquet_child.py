"""The process that holds the Parquet library: a file on standard input, its rows as JSON lines on standard output.

Whatever a table holds that JSON does not (dates, decimals, categories) is written as text. A number that stands for a
label by the `datasets` library's own notes in the file is written as the label.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from app.datasets import limits

BATCH = 200  # rows
MOST_COLUMNS = 2000
RATIO, FREE = 100, 64 << 20  # as in `unpacking`: what comes out is bounded by what went in
REFUSED = 3


class _Refused(Exception):
    """The text is for people."""


def main() -> int:
    limits.confine()
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        for line in _bounded(_rows(), os.fstat(0).st_size):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except _Refused as refusal:
        print(refusal, file=sys.stderr)  # noqa: T201 - the parent reads it
        return REFUSED
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0][:200]
        print(f"The Parquet file is damaged or of an unknown kind: {first}", file=sys.stderr)  # noqa: T201 - the parent reads it
        return REFUSED
    return 0


def _rows() -> Iterator[bytes]:
    """Each row as a line of JSON; a row group is decoded a few rows at a time."""
    import orjson
    import pyarrow.parquet as pq

    with pq.ParquetFile(os.fdopen(0, "rb"), pre_buffer=False, buffer_size=1 << 20) as file:
        if len(file.schema_arrow.names) > MOST_COLUMNS:
            raise _Refused(f"The Parquet file has over {MOST_COLUMNS:,} columns.")
        tell = dict(_labels(file.schema_arrow.metadata or {}))
        for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
            for row in batch.to_pylist():
                plain = {name: _plain(tell, name, held) for name, held in row.items()}
                yield orjson.dumps(plain, default=_text) + b"\n"


def _bounded(lines: Iterator[bytes], size: int) -> Iterator[bytes]:
    written = 0
    for line in lines:
        written += len(line)
        if written > FREE and written > RATIO * size:
            raise _Refused(f"The Parquet file holds over {RATIO} times its size; it was read no further.")
        yield line


def _plain(tell: dict[str, list[str]], name: str, held: Any) -> Any:
    """A cell as JSON: numbers at the top are text, as they are in CSV; inside lists and objects they stay."""
    if name in tell and isinstance(held, int) and 0 <= held < len(tell[name]):
        return tell[name][held]
    if isinstance(held, int | float) and not isinstance(held, bool):
        return str(held)
    return held


def _labels(metadata: dict[bytes, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Column -> names of its labels, where the `datasets` library wrote them down."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        for name, feature in features.items():
            names = feature.get("names") if isinstance(feature, dict) else None
            if isinstance(names, list) and all(isinstance(one, str) for one in names):
                yield name, names
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def _text(value: Any) -> str:
    """What JSON has no form for."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.exit(main())
