"""Parquet, read by a child: its rows come as JSON lines, and from there on they are like any others.

The child (`parquet_child`) holds the library; this side holds a pipe and one chunk.
"""

import json
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from app.datasets.reading.faults import Unreadable
from app.datasets.reading.gzip_stream import Source
from app.datasets.reading.parquet_child import REFUSED
from app.processes import children, sandbox
from app.wording import Statement, state

MAGIC = b"PAR1"
_CHUNK = 1 << 18


def lines(stream: Source, head: bytes) -> Iterator[bytes]:
    """The rows as JSON lines, in chunks of bytes. `head`: what was taken from the stream already.

    Raises:
        Unreadable: it is damaged, or takes more memory or time than a file is given.
    """
    with tempfile.TemporaryFile() as copy:
        file = _real(stream)
        if file is None:  # a place in the file is jumped to, which a packed stream or a pipe can't
            copy.write(head)
            while chunk := stream.read(_CHUNK):
                copy.write(chunk)
            copy.flush()
            file = copy
        yield from _rows(file)


def _real(stream: Source) -> BinaryIO | None:
    try:
        real = stream.fileno() >= 0 and stream.seekable()  # type: ignore[attr-defined]  # asked of any object
    except (AttributeError, OSError):
        return None
    return stream if real else None  # type: ignore[return-value]  # it has a number, so it is a file


def _rows(file: BinaryIO) -> Iterator[bytes]:
    with sandbox.start("app.datasets.reading.parquet_child", file=file) as child:
        yield from child.chunks()
        if child.code:
            raise Unreadable(_why(child))


def _why(child: children.Child) -> Statement:
    refusal = child.last_words().strip().splitlines()
    if child.code == REFUSED and refusal:
        code, values = json.loads(refusal[-1])
        return state(code, **values)
    if sandbox.out_of_memory(child):
        return state("parquet_memory", gib=sandbox.MEMORY >> 30)
    return state("parquet_unread")
