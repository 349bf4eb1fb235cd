"""A form with files, taken apart while it arrives.

Why not the framework's own parser: it writes each file to a temporary one before a route sees a byte, and our files
have to go into the content store anyway. Here a part's bytes are handed on as they come, one chunk at a time; nothing
but the small fields is kept.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import FieldError, Invalid
from app.text import normal_form

MOST_PARTS = 20
LONGEST_NAME = 200  # characters of a file name that are shown
_BROKEN = "The form could not be read; it may have broken off on the way. Please upload again."
# What could turn, hide or break a line of text, and the blanks at the ends.
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


@dataclass
class Part:
    """One field of the form. `body` has to be used up before the next part is asked for."""

    name: str
    filename: str | None
    body: Iterator[bytes]

    def text(self, limit: int = 4096) -> str:
        """The whole value of a small field.

        Raises:
            Invalid: it is longer than `limit` bytes.
        """
        value = b""
        for chunk in self.body:
            value += chunk
            if len(value) > limit:
                raise Invalid(_BROKEN, [FieldError(f"#/{self.name[:40]}", "This value is too long.")])
        return value.decode("utf-8", "replace")


def display_name(name: str) -> str:
    """A file name as it may be shown. It is never a path here: files are stored under their content's hash."""
    readable = _UNSHOWN.sub("", normal_form("NFC", name[: 4 * LONGEST_NAME])).strip()
    return readable[:LONGEST_NAME] or "unnamed"


def boundary_of(content_type: str) -> bytes:
    """The form's boundary.

    Raises:
        Invalid: this is no multipart form.
    """
    kind, options = parse_options_header(content_type[:1000])
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Invalid("Send a form with a file (multipart/form-data).")
    return boundary


def parts(chunks: Iterable[bytes], boundary: bytes, most: int = MOST_PARTS) -> Iterator[Part]:
    """The parts of a form as they arrive, at most so many.

    Raises:
        Invalid: what comes is no form, has too many parts, or ends too early.
    """
    form = _Form(chunks, boundary)
    number = 0
    while (part := form.part()) is not None:
        number += 1
        if number > most:
            raise Invalid(f"The form has more than {most:,} parts.")
        yield part
        deque(part.body, maxlen=0)  # whatever its reader left
    deque(form.chunks, maxlen=0)  # what follows the last boundary is read and dropped, so that the answer can be sent


class _Form:
    """Turns the parser's calls into events that are asked for one at a time."""

    def __init__(self, chunks: Iterable[bytes], boundary: bytes) -> None:
        self.chunks = iter(chunks)
        self.events: deque[tuple[str, bytes]] = deque()
        self.name = self.value = b""
        calls = {
            "on_part_data": lambda data, start, end: self.events.append(("data", data[start:end])),
            "on_part_end": lambda: self.events.append(("end", b"")),
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_headers_finished": lambda: self.events.append(("headers", b"")),
            "on_end": lambda: self.events.append(("over", b"")),
        }
        try:
            self.parser = MultipartParser(boundary, calls)  # type: ignore[arg-type]  # a TypedDict of these very names
        except FormParserError as error:
            raise Invalid(_BROKEN) from error

    def part(self) -> Part | None:
        """The next part, or None after the last."""
        disposition = b""
        while (event := self._next())[0] not in ("headers", "over"):
            if event[0] == "disposition":
                disposition = event[1]
        if event[0] == "over":
            return None
        _, options = parse_options_header(disposition)
        file_name = options.get(b"filename")
        name = options.get(b"name", b"").decode("utf-8", "replace")
        return Part(name, None if file_name is None else file_name.decode("utf-8", "replace"), self._body())

    def _body(self) -> Iterator[bytes]:
        while (event := self._next())[0] != "end":
            if event[0] == "data" and event[1]:
                yield event[1]

    def _next(self) -> tuple[str, bytes]:
        while not self.events:
            chunk = next(self.chunks, None)
            if chunk is None:
                raise Invalid(_BROKEN)
            try:
                self.parser.write(chunk)
            except FormParserError as error:
                raise Invalid(_BROKEN) from error
        return self.events.popleft()

    def _field(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def _header(self) -> None:
        if self.name.lower() == b"content-disposition":
            self.events.append(("disposition", self.value))
        self.name = self.value = b""
