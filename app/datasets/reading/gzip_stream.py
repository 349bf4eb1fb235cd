"""gzip, unpacked as it is read and never further than it is worth.

A megabyte of gzip can hold a gigabyte. So at most one chunk is in memory, and unpacking ends where the content grows
out of all proportion to what was uploaded: honest text packs 3 to 20 times, and 100 times is what nobody means.
"""

import zlib
from typing import Protocol

from app.datasets.reading.faults import Unreadable
from app.processes.sandbox import BOMB
from app.wording import state

GZIP = b"\x1f\x8b"
FREE = 16 << 20  # bytes that may always come out: small repetitive files are honest
MOST = 8 << 30  # bytes, whatever was uploaded
_CHUNK = 1 << 18


class Source(Protocol):
    """All that reading needs of a file."""

    def read(self, size: int, /) -> bytes: ...


class Unpacked:
    """The content of a gzip stream, read like a file. Several members one after the other are one content."""

    def __init__(self, stream: Source, head: bytes) -> None:
        self._stream = stream
        self._waiting = head
        self._taken = len(head)
        self._given = 0
        self._member = self._new()

    @staticmethod
    def _new() -> "zlib._Decompress":
        return zlib.decompressobj(zlib.MAX_WBITS | 16)

    def read(self, size: int, /) -> bytes:
        """`size` bytes; fewer at the end, or before a place from which on the data can't be used.

        Raises:
            Unreadable: the data is damaged, cut off, or unpacks to too much, from here on.
        """
        content = bytearray()
        try:
            while len(content) < size and (more := self._some(size - len(content))):
                content += more
        except Unreadable:
            if not content:
                raise
        return bytes(content)

    def _some(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                if not self._following():
                    return b""
                self._member = self._new()
            if not self._waiting:
                self._waiting = self._stream.read(_CHUNK)
                self._taken += len(self._waiting)
                if not self._waiting:
                    raise Unreadable(state("gzip_cut_off"))
            try:
                content = self._member.decompress(self._waiting, size)
            except zlib.error as error:
                raise Unreadable(state("gzip_damaged")) from error
            self._waiting = self._member.unconsumed_tail or self._member.unused_data
            self._given += len(content)
            if self._given > MOST or (self._given > FREE and self._given > BOMB * self._taken):
                raise Unreadable(state("gzip_bomb", times=BOMB))
            if content:
                return content

    def _following(self) -> bool:
        """Whether another member follows; zeros behind the last one are padding."""
        while True:
            self._waiting = self._waiting.lstrip(b"\0")
            if self._waiting:
                if not self._waiting.startswith(GZIP[: len(self._waiting)]):
                    raise Unreadable(state("gzip_followed"))
                return True
            self._waiting = self._stream.read(_CHUNK)
            self._taken += len(self._waiting)
            if not self._waiting:
                return False
