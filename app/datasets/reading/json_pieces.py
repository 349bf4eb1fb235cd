"""JSON cut out of bytes as they arrive: lines, or the elements of a list. What is in a piece is not looked at.

Memory is bounded by the longest piece that is accepted; a longer one is passed over and named, and the next is read.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

import orjson

from app.datasets.reading.faults import Fault
from app.wording import state

LINE_END = re.compile(rb"\r\n|\n|\r")


def lines(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[int, bytes | None]]:
    """Physical lines with their number; None in place of one that is longer than `longest` bytes."""
    number = 1
    pending: list[bytes] = []
    size = 0
    after_cr = False
    for original in chunks:
        chunk = original
        if after_cr and chunk:  # CR and LF of one line end came in two chunks
            chunk = chunk.removeprefix(b"\n")
        after_cr = original.endswith(b"\r") if original else after_cr
        parts = chunk.split(b"\n") if b"\r" not in chunk else LINE_END.split(chunk)
        for part in parts[:-1]:
            size += len(part)
            yield number, None if size > longest else b"".join((*pending, part))
            number += 1
            pending.clear()
            size = 0
        size += len(parts[-1])
        if size > longest:
            pending.clear()
        elif parts[-1]:
            pending.append(parts[-1])
    if size:
        yield number, None if size > longest else b"".join(pending)


# A whole string (its last quote may be missing where the buffer ends), or a run of signs that open, close or part: a
# file of nothing but brackets is one step a chunk, not one a byte.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[\[{]++|[\]}]++|,++', re.DOTALL)
_STRING_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def elements(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[int, bytes | Fault | None]]:
    """The elements of one JSON array with their places, None in place of one that is too long; and what is wrong
    between them: brackets that are never closed, commas with nothing beside them, something after the end.
    """
    left = iter(chunks)
    buffer, at = b"", 0
    while not at and (chunk := next(left, None)) is not None:
        buffer, at = chunk, chunk.find(b"[") + 1
    for number in itertools.count(1):
        end = _element_end(buffer, at)
        while end is None and len(buffer) - at <= longest:
            if (chunk := next(left, None)) is None:
                yield from _broken_off(number, buffer[at:])
                return
            buffer, at = buffer[at:] + chunk, 0
            end = _element_end(buffer, at)
        if end is None:
            yield number, None
            buffer, end = _past(buffer[at:], left), 0
        else:
            piece, last = buffer[at:end], buffer[end : end + 1] == b"]"
            yield number, piece if piece.strip() else _missing(number, last=last)
        at = end + 1
        if buffer[end:at] != b",":
            yield from _after_the_end(number, buffer[end:], left)
            return


def _broken_off(number: int, rest: bytes) -> Iterator[tuple[int, bytes | Fault]]:
    """The last piece of a list that is never closed. If it is whole the cut would not be seen otherwise."""
    if rest.strip():
        yield number, rest
    if not rest.strip() or _whole(rest):
        yield number, _CUT_OFF


def _after_the_end(number: int, rest: bytes, left: Iterator[bytes]) -> Iterator[tuple[int, Fault]]:
    """What is said of a list after its last element; `rest` begins with the bracket, or is empty."""
    if not rest:
        yield number, _CUT_OFF
    elif rest[1:].strip() or any(more.strip() for more in left):
        yield number, Fault(None, "", state("list_followed"))


_CUT_OFF = Fault(None, "", state("list_open"))


def _missing(number: int, *, last: bool) -> Fault:
    """What is said where a record should be and none is."""
    if not last:
        return Fault(number, "", state("comma_alone"))
    if number == 1:
        return Fault(None, "", state("list_empty"))
    return Fault(None, "", state("comma_at_end"), "warning")


def _end(buffer: bytes, at: int, depth: int) -> tuple[int | None, int, bool]:
    """Where the element ends that is `depth` brackets deep at `at`; if that is not in the buffer yet None, how deep the
    end of the buffer is, and whether that stands inside a string.
    """
    for match in _TOKEN.finditer(buffer, at):
        start, end = match.span()
        sign = buffer[start : start + 1]
        if sign == b'"':
            if not match.group(1):
                return None, depth, True
        elif sign == b",":
            if depth <= 0:
                return start, depth, False
        elif sign in b"[{":
            depth += end - start
        else:
            if (closed := buffer.find(b"]", start + max(depth, 0), end)) >= 0:
                return closed, depth, False
            depth -= end - start
    return None, depth, False


def _element_end(buffer: bytes, at: int) -> int | None:
    """Where the element that begins at `at` ends, or None if that is not in the buffer yet."""
    return _end(buffer, at, 0)[0]


def _past(buffer: bytes, chunks: Iterator[bytes]) -> bytes:
    """What follows an element, from the sign that ends it; empty if it never ends. Nothing of the element is kept."""
    depth, inside = 0, False
    while True:
        at = 0
        if inside:
            closing = _STRING_END.match(buffer)
            inside, at = closing is None, closing.end() if closing else len(buffer)
        if not inside:
            end, depth, inside = _end(buffer, at, depth)
            if end is not None:
                return buffer[end:]
        escaping = inside and (len(buffer) - len(buffer.rstrip(b"\\"))) % 2
        chunk = next(chunks, None)
        if chunk is None:
            return b""
        buffer = (b"\\" if escaping else b"") + chunk


def _whole(piece: bytes) -> bool:
    try:
        orjson.loads(piece)
    except orjson.JSONDecodeError:
        return False
    return True
