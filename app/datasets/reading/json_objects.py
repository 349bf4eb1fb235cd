"""One JSON object a record: its text parsed, or the reason in words why it can't be."""

import re
from collections import Counter
from typing import Any

import orjson

from app.datasets.reading import encodings
from app.datasets.reading.faults import DEEPEST, Fault, too_deep
from app.datasets.reading.json_text import Written

JSON_LINES, JSON_ARRAY = "JSON lines", "JSON array"  # the layouts of a file, as pages name them
LONGEST_LINE = 4 << 20  # bytes; the longest honest record is a long document, a few hundred KiB
# What files that were joined, or JSON text sequences (RFC 7464), have before a record.
BEFORE_RECORD = re.compile(rb"(?:\xef\xbb\xbf|\x1e)+")
_KEY = re.compile(rb'"\s*:')
_SYNTAX = (
    # (a part of the parser's message, what it means to the person who wrote the file)
    ("trailing comma", "a comma stands before the closing bracket"),
    ("unexpected content after document", "something follows the object; write one object on each line"),
    ("depth limit", "brackets are nested too deep"),
    ("surrogate", "half of a character pair (a lone surrogate) stands alone"),
    ("unexpected end of data", "it ends in the middle of the object"),
    ("infinity when parsed", "a number is too large"),
    ("control character", "a control character stands bare in a string; write it as \\u00XX"),
    ("unexpected character, expected a string key", "keys and text need double quotes"),
    ("no digit after sign", "a value is not JSON (-Infinity is not)"),
    ("expected a JSON value", "a value is not JSON (NaN, Infinity, None and bare words are not)"),
)
_DIGITS_EXACT = 19  # of a whole number, up to which every one is exact


class ObjectParser:
    """Parses the records of one file. undecodable: those that were no text in the file's encoding, so far."""

    def __init__(self, layout: str, line_word: str, encoding: str, longest: int) -> None:
        self._layout = layout
        self._line_word = line_word
        self._encoding = encoding
        self._longest = longest
        self.undecodable = 0

    def parse(self, raw_line: bytes | None, number: int) -> dict[str, Any] | Fault:
        """The object of a line, or why there is none. raw_line: None for one that is too long."""
        word = self._line_word
        if raw_line is None:
            return Fault(number, "", f"The {word} is longer than {self._longest >> 20} MiB and was skipped.")
        raw = raw_line
        if raw[0] in b"\xef\x1e" and (marks := BEFORE_RECORD.match(raw)) is not None:
            raw = raw[marks.end() :]
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            return Fault(number, "", self._why_not_json(raw, error))
        if isinstance(value, dict) and any(type(held) is float for held in value.values()):
            value = _as_written(raw, value)
        if not isinstance(value, dict):
            return Fault(number, "", f"The {word} is {_named(value)}, not an object with prompt and completion.")
        if raw.count(b"[") + raw.count(b"{") > DEEPEST and too_deep(value):
            return Fault(number, "", f"Brackets are nested more than {DEEPEST} deep.")
        twice = _repeated_key(raw, value)
        if twice is not None:
            return Fault(number, twice[:80], f"The key {twice[:80]!r} stands twice; which one is meant?")
        return value

    def _why_not_json(self, raw: bytes, error: orjson.JSONDecodeError) -> str:
        """Why a line is not JSON, in words for the person who wrote it."""
        word = self._line_word
        if undecodable := encodings.fault(raw, self._encoding, word):
            self.undecodable += 1
            return undecodable
        message = str(error)
        known = (
            (b"\0" in raw, f"The {word} holds NUL bytes."),
            (
                raw.lstrip().startswith((b"#", b"//", b"/*")),
                f"The {word} is a comment, and JSON has none; take it out.",
            ),
            (
                self._layout == JSON_LINES and raw.rstrip().endswith(b"},"),
                "A comma follows the object. Write one object on each line, without commas between them.",
            ),
            (
                self._layout == JSON_ARRAY and "unexpected content after document" in message,
                f"Something follows the object (character {error.pos + 1}); perhaps a comma is missing.",
            ),
        )
        reason = next((meaning for part, meaning in _SYNTAX if part in message), message.split(":", 1)[0])
        otherwise = f"The {word} is not JSON: {reason} (character {error.pos + 1})."
        return next((text for true, text in known if true), otherwise)


def is_json(line: bytes) -> bool:
    if len(line) > LONGEST_LINE:
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def is_continued(raw: bytes) -> bool:
    """Whether the first line looks like the beginning of an object that is laid out over several lines."""
    stripped = raw.strip()
    return stripped == b"{" or (stripped[:1] == b"{" and stripped[-1:] == b"," and not stripped.endswith(b"},"))


def _named(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a number"


def _repeated_key(raw: bytes, value: dict[str, Any]) -> str | None:
    """A key that one object of the line holds twice, or None.

    The fast parser keeps the last of two and says nothing, so the colons are counted first; only where there are more
    than keys is the line parsed again by the slower one, which can tell.
    """
    if len(_KEY.findall(raw)) <= _keys(value):
        return None
    decoder = _TwiceDecoder()
    return decoder.twice(raw)


def _as_written(raw: bytes, value: dict[str, Any]) -> dict[str, Any]:
    """The record with its numbers as they were written; a whole one of over 64 bits would lose digits, too."""
    import json

    def big(digits: str) -> object:
        return int(digits) if len(digits) < _DIGITS_EXACT else Written(digits)

    try:
        exact = json.loads(raw, parse_float=Written, parse_int=big)
    except (ValueError, RecursionError):
        return value
    return {key: exact.get(key, held) if type(held) is float else held for key, held in value.items()}


def _keys(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_keys(inner) for inner in value)
    return 0


class _TwiceDecoder:
    """Finds the first key that an object repeats."""

    def __init__(self) -> None:
        self.repeated: str | None = None

    def twice(self, raw: bytes) -> str | None:
        import json

        try:
            json.loads(raw, object_pairs_hook=self._pairs, parse_int=len)
        except RecursionError:
            return "(nested too deep)"
        return self.repeated

    def _pairs(self, pairs: list[tuple[str, object]]) -> None:
        if self.repeated is None and len(pairs) != len(dict(pairs)):
            self.repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
