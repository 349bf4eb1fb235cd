"""Parquet, read by a child: its rows come as JSON lines, and from there on they are like any others.

The child (`parquet_child`) holds the library; this side holds a pipe and one chunk.
"""

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from app.datasets import limits
from app.datasets.reading.gzip_stream import Source

MAGIC = b"PAR1"
_CHUNK = 1 << 18


class Unreadable(Exception):
    """The file can't be read any further; the text says why, for the page."""


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
    child = limits.start("app.datasets.reading.parquet_child", (), file)
    assert child.stdout is not None  # noqa: S101 - `start` opens both
    assert child.stderr is not None  # noqa: S101 - `start` opens both
    try:
        while chunk := child.stdout.read1(_CHUNK):  # type: ignore[attr-defined]  # a buffered pipe has it
            yield chunk
        said = child.stderr.read(4000).decode("utf-8", "replace")
        if code := child.wait():
            raise Unreadable(_words(code, said))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def _words(code: int, said: str) -> str:
    lines = said.strip().splitlines()
    if code == REFUSED and lines:
        return lines[-1]
    if "MemoryError" in said or "bad_alloc" in said or "malloc" in said:
        return f"The Parquet file needs more than the {limits.MEMORY >> 30} GiB of memory that reading one may take."
    return "The Parquet file could not be read: it is damaged, or took too long."


REFUSED = 3  # the child's exit code when its last line on standard error is for people
