"""One JSON object a record: its text parsed, or the reason why it can't be."""

import re
from collections import Counter

import orjson

from app.datasets.reading import encodings
from app.datasets.reading.faults import DEEPEST, Fault, kind_of, too_deep
from app.datasets.reading.json_text import Written
from app.json_types import JsonDict
from app.wording import Statement, state

JSON_LINES, JSON_ARRAY = "JSON lines", "JSON array"  # the layouts of a file, as pages name them
LONGEST_LINE = 4 << 20  # bytes; the longest honest record is a long document, a few hundred KiB
# What files that were joined, or JSON text sequences (RFC 7464), have before a record.
BEFORE_RECORD = re.compile(rb"(?:\xef\xbb\xbf|\x1e)+")
_KEY = re.compile(rb'"\s*:')
# A part of the parser's message, and the code of what it means to the person who wrote the file.
_SYNTAX = (
    ("trailing comma", "trailing_comma"),
    ("unexpected content after document", "content_after"),
    ("depth limit", "too_deep"),
    ("surrogate", "surrogate"),
    ("unexpected end of data", "cut_off"),
    ("infinity when parsed", "too_large"),
    ("control character", "control"),
    ("unexpected character, expected a string key", "quotes"),
    ("no digit after sign", "infinity"),
    ("expected a JSON value", "no_value"),
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

    def parse(self, raw_line: bytes | None, number: int) -> JsonDict | Fault:
        """The object of a line, or why there is none. raw_line: None for one that is too long."""
        word = self._line_word
        if raw_line is None:
            return Fault(number, "", state("long_line", word=word, mib=self._longest >> 20))
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
            return Fault(number, "", state("no_object", word=word, got=kind_of(value)))
        if raw.count(b"[") + raw.count(b"{") > DEEPEST and too_deep(value):
            return Fault(number, "", state("too_deep", most=DEEPEST))
        twice = _repeated_key(raw, value)
        if twice is not None:
            return Fault(number, twice[:80], state("key_twice", key=twice[:80]))
        return value

    def _why_not_json(self, raw: bytes, error: orjson.JSONDecodeError) -> Statement:
        word = self._line_word
        if undecodable := encodings.fault(raw, self._encoding, word):
            self.undecodable += 1
            return undecodable
        message, position = str(error), error.pos + 1
        if b"\0" in raw:
            return state("nul_bytes", word=word)
        if raw.lstrip().startswith((b"#", b"//", b"/*")):
            return state("comment", word=word)
        if self._layout == JSON_LINES and raw.rstrip().endswith(b"},"):
            return state("comma_follows")
        if self._layout == JSON_ARRAY and "unexpected content after document" in message:
            return state("object_followed", position=position)
        reason = next((code for part, code in _SYNTAX if part in message), "")
        return state("syntax", word=word, reason=reason, position=position, otherwise=message.split(":", 1)[0])


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


def _repeated_key(raw: bytes, value: JsonDict) -> str | None:
    """A key that one object of the line holds twice, or None.

    The fast parser keeps the last of two and says nothing, so the colons are counted first; only where there are more
    than keys is the line parsed again by the slower one, which can tell.
    """
    if len(_KEY.findall(raw)) <= _keys(value):
        return None
    decoder = _TwiceDecoder()
    return decoder.twice(raw)


def _as_written(raw: bytes, value: JsonDict) -> JsonDict:
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
