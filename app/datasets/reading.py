"""From the bytes of an upload to records and faults, one at a time.

Everything here is written against files that nobody wrote in good faith: memory is bounded by the longest line that is
accepted, nothing is kept of a line that is too long, and whatever can't be read becomes a sentence with the line it
stands on. What a file is, is seen from its bytes. Its name is looked at for one thing: packed bytes are unpacked only
when the name says so (.gz), because under another name they are more often a download that went wrong.

Line numbers are 1-based and physical for JSON lines (LF, CRLF and lone CR end a line; U+2028 and its like stand inside
strings and do not). In CSV the number is the spreadsheet's row, the header being row 1, because cells may hold lines;
in a JSON array, which may stand on one line as a whole, it is the element's place, and in Parquet the row's.
"""

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.datasets import parquet, personal_data, unpacking
from app.datasets.conversations import KNOWN_KEYS, order_remark
from app.datasets.formats import (
    COLUMNS,
    GUESS,
    SHAPES,
    Fault,
    Message,
    ReadAs,
    Record,
    Shape,
    Unfit,
    columns,
    convert,
    shape_of,
    stranger,
    tidy_keys,
    used_keys,
)
from app.datasets.records import kind_of
from app.datasets.unpacking import Packed, Source

CHUNK = 1 << 18
LONGEST_LINE = 4 << 20  # bytes; the longest honest record is a long document, a few hundred KiB

_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_MAGIC = (
    (b"\x1f\x8b", "gzip data under another name; call it .gz, or unpack it first"),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook, which is one); upload the file inside, or the sheet as CSV"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"%PDF", "a PDF document; examples have to be text with a question and an answer each"),
    (b"BZh", "bzip2 data; unpack it and upload the file inside"),
    (b"\xfd7zXZ", "xz data; unpack it and upload the file inside"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and upload the file inside"),
    (b"\x28\xb5\x2f\xfd", "zstd data; unpack it and upload the file inside"),
    (b"SQLite format 3", "a database; export the examples as JSONL or CSV"),
    *((mark, "a Python pickle, which is never opened here; save it as JSONL or CSV") for mark in _PICKLES),
    (b"\x89HDF", "an HDF5 file; save it as JSONL, CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array; save it as JSONL, CSV or Parquet"),
    (b"ARROW1", "an Arrow file; save it as JSONL, CSV or Parquet"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save it as CSV"),
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LINE_END = re.compile(rb"\r\n|\n|\r")
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


LINE_WORDS = {"CSV": "row", "Parquet": "row", "JSON array": "record"}  # what a number counts, else it is a line
SEEN_COLUMNS, SEEN_RECORDS, SEEN_VALUES = 40, 200, 3  # of what the page offers to choose from


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file with what was said about it: its name as uploaded, and how a person wants it read."""

    stream: Source
    name: str = ""
    how: ReadAs = GUESS


class Reading:
    """An upload being read: iterate for its records and faults, in the order of the file.

    shape, layout, encoding, delimiter and unused are known once the first record has come; `lines` counts the records
    tried (blank lines do not count); `columns` are the keys of the first records with a few of their values, for
    people who have to say how the file is to be read. A warning about a record follows the record; a fault of level
    error about a line whose record was still yielded says that the line differs from the rest.
    """

    def __init__(self, upload: Source | Upload, longest_line: int = LONGEST_LINE) -> None:
        given = upload if isinstance(upload, Upload) else Upload(upload)
        self._stream: Source = given.stream
        self._name = given.name
        self._longest = longest_line
        self.how = given.how
        self.shape: Shape | None = None
        self.layout = ""  # "JSON lines", "JSON array", "CSV" or "Parquet"
        self.encoding = "utf-8"
        self.delimiter = ""
        self.lines = 0
        self.unused: Counter[str] = Counter()
        self.columns: dict[str, list[str]] = {}
        self.tool_rows = 0
        self._looked_at = 0
        self._keys: dict[str, frozenset[str]] = {}
        self._tidied = False

    @property
    def line_word(self) -> str:
        return LINE_WORDS.get(self.layout, "line")

    def __iter__(self) -> Iterator[Record | Fault]:
        try:
            head = self._stream.read(CHUNK)
            if head[:2] == unpacking.GZIP and self._name.casefold().endswith((".gz", ".gzip")):
                self._stream = unpacking.Unpacked(self._stream, head)
                head = self._stream.read(CHUNK)
            yield from self._contents(head)
        except Packed as refusal:
            yield Fault(None, "", str(refusal))

    def _contents(self, head: bytes) -> Iterator[Record | Fault]:
        if not head.strip():
            yield Fault(None, "", "The file is empty.")
            return
        if head.startswith(parquet.MAGIC):
            yield from self._parquet(head)
            return
        what = next((words for magic, words in _MAGIC if head.startswith(magic)), "")
        if what:
            yield Fault(None, "", f"The file is {what}.")
            return
        bom, self.encoding = next((pair for pair in _BOMS if head.startswith(pair[0])), (b"", "utf-8"))
        if self.encoding == "utf-8" and _every_other_is_nul(head[:200]):
            yield Fault(None, "", "The file looks like UTF-16 without a byte-order mark. Save it as UTF-8.")
            return
        yield from self._records(self._chunks(head[len(bom) :]))

    def _parquet(self, head: bytes) -> Iterator[Record | Fault]:
        self.layout = "Parquet"
        try:
            yield from self._judged(_lines(parquet.lines(self._stream, head), self._longest))
        except parquet.Unreadable as refusal:
            yield Fault(None, "", str(refusal))

    def _chunks(self, head: bytes) -> Iterator[bytes]:
        """The rest of the stream as UTF-8. Halves of pairs are kept, so that their line can be named later."""
        if self.encoding == "utf-8":
            yield head
            while chunk := self._stream.read(CHUNK):
                yield chunk
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("surrogatepass")
        try:
            chunk = head
            while chunk:
                yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
                chunk = self._stream.read(CHUNK)
            yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            yield b"\xff"  # an odd byte at the end: no UTF-8 either, so its line is refused

    def _records(self, chunks: Iterator[bytes]) -> Iterator[Record | Fault]:
        first = next(chunks, b"")
        start = first.lstrip()
        if not start:
            blank = not any(chunk.strip() for chunk in chunks)
            yield Fault(None, "", "The file is empty." if blank else "The file begins with a long blank stretch.")
            return
        if start[:1] == b"<":
            yield Fault(first[: len(first) - len(start)].count(b"\n") + 1, "", "The file is a web page or XML.")
            return
        if self.encoding != "utf-8":
            yield Fault(None, "", "The file is UTF-16; it was read as such. UTF-8 is safer to pass on.", "warning")
        whole = _again(first, chunks)
        line, *others = _LINE_END.split(start, 1)
        if start[:1] == b"[" and not (_is_json(line) and others and others[0].strip()):
            # A complete list with more lines after it is a (wrong) record; any other list is the whole file.
            self.layout = "JSON array"
            yield from self._judged(_elements(whole, self._longest))
        elif start[:1] == b"{" or _is_json(line):
            self.layout = "JSON lines"
            yield from self._judged(_lines(whole, self._longest))
        elif delimiter := _delimiter(line):
            self.layout, self.delimiter = "CSV", delimiter
            yield from self._table(whole)
        else:
            self.layout = "JSON lines"
            yield from self._judged(_lines(whole, self._longest))

    # ------------------------------------------------------------------ JSON
    def _judged(self, lines: Iterable[tuple[int, bytes | None]]) -> Iterator[Record | Fault]:
        for number, raw in lines:
            if raw is None:
                self.lines += 1
                yield Fault(number, "", f"The line is longer than {self._longest >> 20} MiB and was skipped.")
                continue
            if not raw.strip(b" \t\r\n\x0b\x0c"):
                continue
            self.lines += 1
            try:
                value = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                if self.lines == 1 and self.layout == "JSON lines" and _goes_on(raw):
                    yield Fault(None, "", "An object is spread over several lines. Write each object on one line.")
                    return
                yield Fault(number, "", _why(raw, error))
                continue
            if not isinstance(value, dict):
                yield Fault(number, "", f"The line is {_named(value)}, not an object with prompt and completion.")
                continue
            twice = _repeated_key(raw, value)
            if twice is not None:
                yield Fault(number, twice[:80], f"The key {twice[:80]!r} stands twice; which one is meant?")
                continue
            yield from self._fitted(value, number)
        yield from self._closing()

    def _fitted(self, value: dict[str, Any], number: int) -> Iterator[Record | Fault]:
        """The record in our shape, with what is odd about it; or why it has none."""
        if self._looked_at < SEEN_RECORDS:
            self._look(value)
        shape, value = self._shape(value)
        try:
            if shape is None:
                raise stranger(value)
            record, left_out = convert(shape, value, number, self.how)
        except Unfit as unfit:
            yield Fault(number, unfit.field, unfit.text, kind=unfit.kind)
            return
        yield record
        if self.shape is None:
            self.shape = shape
        elif shape is not self.shape:
            # A converted file of mixed origin is more often an accident than a wish: read it, but say so loudly.
            text = f"The record is {shape.title.lower()}, but the file began with {self.shape.title.lower()}."
            yield Fault(number, "", text, kind="shape")
        if not (used := self._used(shape)).issuperset(value):
            self._not_used(key for key in list(value)[:50] if key not in used)
        if record.source is not None:
            self.tool_rows += _uses_tools(record.source)
            self._not_used(
                f"messages.{key}" for turn in record.source["messages"] for key in turn if key not in KNOWN_KEYS
            )
        at = shape.name if shape.name == "conversations" else "messages"
        if remark := order_remark(record.messages):
            yield Fault(number, at, remark, "warning")
        if left_out:
            yield Fault(number, at, left_out, "warning")

    def _shape(self, value: dict[str, Any]) -> tuple[Shape | None, dict[str, Any]]:
        """The shape that was chosen or is seen, and the record with the keys that fit it."""
        if self.how.shape:
            chosen = SHAPES[self.how.shape]
            return (chosen if chosen is COLUMNS or _has(chosen, value) else None), value
        shape = shape_of(value)
        if shape is None and (tidy := tidy_keys(value)) is not None and (shape := shape_of(tidy)) is not None:
            self._tidied = True
            return shape, tidy
        return shape, value

    def _look(self, value: Mapping[str, Any]) -> None:
        """Remember the columns, and a few short samples of what is in them."""
        self._looked_at += 1
        for name, held in columns(value):
            if len(name) > 200 or (name not in self.columns and len(self.columns) >= SEEN_COLUMNS):
                continue
            samples = self.columns.setdefault(name, [])
            if len(samples) < SEEN_VALUES and (text := _sample(held)) and text not in samples:
                samples.append(text)

    def _used(self, shape: Shape) -> frozenset[str]:
        """The keys that are read of this shape, worked out once."""
        if shape.name not in self._keys:
            self._keys[shape.name] = used_keys(shape, self.how)
        return self._keys[shape.name]

    def _not_used(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.unused or len(self.unused) < 50:
                self.unused[name] += 1

    def _closing(self) -> Iterator[Fault]:
        if self.tool_rows:
            text = (
                f"Tools are called or defined in {self.tool_rows:,} records. A call is written as JSON text and a "
                "tool's result as a user's message, so that any model can be measured on them; a server's own way of "
                "calling tools is not measured."
            )
            yield Fault(None, "tool_calls", text, "warning")
        if self._tidied:
            yield Fault(None, "", "Key names were read without their spaces and capitals.", "warning")
        if self.unused:
            names = ", ".join(repr(key[:40]) for key, _ in self.unused.most_common(8))
            more = f" and {len(self.unused) - 8} more" if len(self.unused) > 8 else ""
            yield Fault(None, "", f"Keys that are not used: {names}{more}.", "note")

    # ------------------------------------------------------------------ CSV
    def _table(self, chunks: Iterator[bytes]) -> Iterator[Record | Fault]:
        csv.field_size_limit(LONGEST_LINE)
        self.how = self.how.in_lower_case()
        texts = _text_lines(chunks, self._longest)
        rows = csv.reader(texts, delimiter=self.delimiter, strict=True)
        row_number = 1
        try:
            first = next((row for row in rows if any(row)), [])
            if self.how.header:
                header = [name.strip().casefold() for name in first]
            else:
                header, row_number = [f"column {number}" for number in range(1, len(first) + 1)], 0
                rows = itertools.chain([first], rows)  # type: ignore[assignment]  # a reader is an iterator of rows
            twice = [name for name, count in Counter(header).items() if count > 1 and name]
            if twice:
                yield Fault(None, twice[0][:80], f"The column {twice[0][:80]!r} stands twice in the first row.")
                return
            if fault := self._unknown_header(header):
                for cells in itertools.islice(rows, SEEN_VALUES):
                    self._look(dict(zip(header, cells, strict=False)))
                yield fault
                return
            for cells in rows:
                row_number += 1
                if not any(cells):
                    continue
                self.lines += 1
                if len(cells) != len(header):
                    text = f"The row has {len(cells)} cells, but the first row has {len(header)}."
                    yield Fault(row_number, "", text)
                    continue
                yield from self._fitted(dict(zip(header, cells, strict=True)), row_number)
        except csv.Error as error:
            self.lines += 1
            yield Fault(row_number + 1, "", _csv_words(str(error)))
        except UnicodeDecodeError as error:
            self.lines += 1
            yield Fault(
                row_number + 1, "", f"The row is not UTF-8 (byte {error.object[error.start]:#04x}). Save as UTF-8."
            )
        yield from self._closing()

    def _unknown_header(self, header: list[str]) -> Fault | None:
        """What is missing from the first row, or None."""
        if self.how.shape == COLUMNS.name:
            missing = [name for name in (self.how.question, self.how.answer) if name not in header]
            return Fault(None, missing[0][:80], f"There is no column {missing[0][:80]!r}.") if missing else None
        if shape_of(header) is not None:
            return None
        text = "The first row names no columns that we know. Begin with a row such as: prompt,completion"
        return Fault(None, "", f"{text}; or choose below which column holds what.")


def read(upload: Source | Upload, longest_line: int = LONGEST_LINE) -> Reading:
    """Read an upload. Nothing is read before the first step of the iteration."""
    return Reading(upload, longest_line)


def canonical(record: Record) -> bytes:
    """A record as one line of our own JSON, without split or id: what the working file holds."""
    value: dict[str, Any] = {
        "line": record.line,
        "messages": [{"role": turn.role, "content": turn.content} for turn in record.messages],
        "target": record.target,
    }
    # Most rows have none of these.
    if record.group:
        value["group"] = record.group
    if record.part:
        value["part"] = record.part
    if record.source is not None:
        value["source"] = record.source
    if record.time:
        value["time"] = record.time
    return orjson.dumps(value)


def from_canonical(raw: bytes) -> Record:
    value = orjson.loads(raw)
    turns = tuple(Message(turn["role"], turn["content"]) for turn in value["messages"])
    more = value.get("group", ""), value.get("part"), value.get("source"), value.get("time", "")
    return Record(value["line"], turns, value["target"], *more)


# ---------------------------------------------------------------------- cutting bytes
def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _lines(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[int, bytes | None]]:
    """Physical lines with their number; None in place of one that is longer than `longest` bytes."""
    number = 1
    pending: list[bytes] = []
    size = 0
    after_cr = False
    for given in chunks:
        chunk = given
        if after_cr and chunk:  # CR and LF of one line end came in two chunks
            chunk = chunk.removeprefix(b"\n")
        after_cr = given.endswith(b"\r") if given else after_cr
        parts = chunk.split(b"\n") if b"\r" not in chunk else _LINE_END.split(chunk)
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


# A whole string (its last quote may be missing where the buffer ends), or a sign that opens, parts or closes.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+("?)|[\[\]{},]', re.DOTALL)


def _elements(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[int, bytes | None]]:
    """The elements of one JSON array with their places. One that is too long ends the reading."""
    number, buffer, opened = 1, b"", False
    for chunk in chunks:
        buffer += chunk
        at = 0
        if not opened and (bracket := buffer.find(b"[")) >= 0:
            opened, at = True, bracket + 1
        while (end := _element_end(buffer, at)) is not None:
            yield number, buffer[at:end]
            number += 1
            at = end + 1
            if buffer[end : end + 1] == b"]":
                if rest := buffer[at : at + 80].strip():
                    yield number, rest
                return
        buffer = buffer[at:]
        if len(buffer) > longest:
            yield number, None
            return
    yield number, buffer if buffer.strip() else b"["


def _element_end(buffer: bytes, at: int) -> int | None:
    """Where the element that begins at `at` ends, or None if that is not in the buffer yet."""
    depth = 0
    for match in _TOKEN.finditer(buffer, at):
        sign = buffer[match.start() : match.start() + 1]
        if sign == b'"':
            if not match.group(1):
                return None
        elif depth == 0 and sign in b",]":
            return match.start()
        else:
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(sign, 0)
    return None


def _text_lines(chunks: Iterable[bytes], longest: int) -> Iterator[str]:
    """Lines with their ends, decoded; a line without an end for too long stops the reading."""
    pending = b""
    for chunk in chunks:
        pending += chunk
        *whole, pending = pending.split(b"\n")
        for line in whole:
            yield line.decode("utf-8") + "\n"
        if len(pending) > longest:
            raise csv.Error("field larger than field limit")
    if pending:
        yield pending.decode("utf-8")


# ---------------------------------------------------------------------- words
def _is_json(line: bytes) -> bool:
    if len(line) > LONGEST_LINE:
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _goes_on(raw: bytes) -> bool:
    """Whether the first line looks like the beginning of an object that is laid out over several lines."""
    stripped = raw.strip()
    return stripped == b"{" or (stripped[:1] == b"{" and stripped[-1:] == b"," and not stripped.endswith(b"},"))


def _why(raw: bytes, error: orjson.JSONDecodeError) -> str:
    message = str(error)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        byte = raw[bad.start]
        return f"The line is not UTF-8 text: byte {byte:#04x} at position {bad.start + 1}. Save the file as UTF-8."
    if b"\0" in raw:
        return "The line holds NUL bytes."
    if raw.rstrip().endswith(b"},"):
        return "A comma follows the object. Write one object on each line, without commas between them."
    words = next((meaning for part, meaning in _SYNTAX if part in message), message.split(":", 1)[0])
    return f"The line is not JSON: {words} (character {error.pos + 1})."


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


def _keys(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_keys(inner) for inner in value)
    return 0


class _TwiceDecoder:
    """Finds the first key that an object repeats."""

    def __init__(self) -> None:
        self.found: str | None = None

    def twice(self, raw: bytes) -> str | None:
        import json

        try:
            json.loads(raw, object_pairs_hook=self._pairs, parse_int=len)
        except RecursionError:
            return "(nested too deep)"
        return self.found

    def _pairs(self, pairs: list[tuple[str, object]]) -> None:
        if self.found is None and len(pairs) != len(dict(pairs)):
            self.found = Counter(key for key, _ in pairs).most_common(1)[0][0]


def _every_other_is_nul(head: bytes) -> bool:
    """The mark of Western text in UTF-16."""
    halves = head[0::2].count(0), head[1::2].count(0)
    return min(halves) == 0 and max(halves) > len(head) // 4


def _delimiter(line: bytes) -> str:
    """The sign that parts the first row into columns: one that gives a pair we know, or else the commonest."""
    first = line.decode("utf-8", "replace")
    signs = (",", ";", "\t", "|")
    for sign in signs:
        names = [name.strip().strip('"').casefold() for name in first.split(sign)]
        if len(names) > 1 and shape_of(names) is not None:
            return sign
    best = max(signs, key=first.count)
    return best if best in first else ""


def _has(shape: Shape, value: Mapping[str, Any]) -> bool:
    """Whether a record has what a chosen shape asks for; a prompt pair fits a chat no better than a guess would say."""
    return shape_of([key for key in value if key in used_keys(shape)]) is shape


def _uses_tools(source: Mapping[str, Any]) -> bool:
    """Whether tools are defined or called in a conversation."""
    calls = {"tool_calls", "function_call", "tool_call_id"}
    return "tools" in source or any(not calls.isdisjoint(turn) for turn in source["messages"])


def _sample(value: object) -> str:
    """A short look at a value."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return f"{kind_of(value)} of {len(value):,}"
    # Hidden before it is cut; nobody decides on a column that is not read, so it is never shown in full.
    return " ".join(personal_data.mask(str(value)[:4000]).split())[:80]


def _csv_words(message: str) -> str:
    if "unexpected end" in message:
        return "A quotation mark opens a cell and is never closed."
    if "field larger" in message:
        return f"A cell is longer than {LONGEST_LINE >> 20} MiB; perhaps a quotation mark is never closed."
    if "expected after" in message:
        return "Text follows a closing quotation mark; double the quotation marks inside a cell."
    return f"The row could not be read: {message}."
