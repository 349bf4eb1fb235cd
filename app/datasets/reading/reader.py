"""From the bytes of an upload to records and faults, one at a time.

Everything here is written against files that nobody wrote in good faith: memory is bounded by the longest line that is
accepted, nothing is kept of a line that is too long, and whatever can't be read becomes a sentence with the line it
stands on. What a file is, is seen from its bytes. Its name is looked at for one thing: packed bytes are unpacked only
when the name says so (.gz), because under another name they are more often a download that went wrong.

Line numbers are 1-based and physical for JSON lines (LF, CRLF and lone CR end a line; U+2028 and its like stand inside
strings and do not). In CSV the number is the spreadsheet's row, because cells may hold lines (where the two differ, a
sentence about the row names its line as well); in a JSON array, which may stand on one line as a whole, it is the
element's place, and in Parquet the row's.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.chat import Record, messages_from_json
from app.datasets.reading import (
    context_fields,
    csv_rows,
    encodings,
    gzip_stream,
    json_pieces,
    other_tools,
    parquet,
    test_cases,
)
from app.datasets.reading.columns import Mark, columns_of, misread
from app.datasets.reading.conversations import KNOWN_KEYS, Written, order_remark
from app.datasets.reading.convert import CUT, NOTHING, Aside, convert, used_keys
from app.datasets.reading.faults import DEEPEST, Fault, Unfit, kind_of, short, too_deep
from app.datasets.reading.gzip_stream import Packed, Source
from app.datasets.reading.read_as import GUESS, ReadAs, column_name
from app.datasets.reading.shapes import COLUMNS, PAIRS, PROMPTFOO, SHAPES, Shape, shape_of, tidy_keys, why_unknown
from app.privacy import masking

CHUNK = 1 << 18
LONGEST_LINE = 4 << 20  # bytes; the longest honest record is a long document, a few hundred KiB
# Characters of a record that anything is done with. Rows of over 24,000 are left out for their length (`remarks`), but
# are read, searched and shown; what is longer still is named and not looked at, so that no row can take minutes.
MOST_READ = 200_000
A_TURN = (
    16  # characters that a turn counts for besides its text: a conversation of a hundred thousand turns is long, too
)
BINARY = 0.05  # share of control characters from which on bytes are no text; random bytes have 0.1

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
    (b"PARE", "an encrypted Parquet file; save it without encryption"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save it as CSV"),
)
# What files that were joined, or JSON text sequences (RFC 7464), have before a record.
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf|\x1e)+")
_SEPARATOR = re.compile(rb"sep=([!#-/:-@[-^`{-~]|\t)[\r\n]?$", re.IGNORECASE)  # Excel's first line
_CONTROL = bytes(sign for sign in range(32) if sign not in b"\t\n\v\f\r\x1b") + b"\x7f"
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


_MISREAD: dict[Mark, str] = {
    "split": "names no part of the split (train, dev or test), so they are placed as if it said nothing",
    "group": "is neither text nor a number, so nothing keeps these records together",
}
LINE_WORDS = {"CSV": "row", "Parquet": "row", "JSON array": "record"}  # what a number counts, else it is a line
_DIGITS_EXACT = 19  # of a whole number, up to which every one is exact
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
    tried (blank lines do not count), `undecodable` those that are no text in this encoding (1 where the file as a whole
    is none); `columns` are the keys of the first records with a few of their values, for people who have to say how the
    file is to be read. A warning about a record follows the record; a fault of level error about a line whose record
    was still yielded says that the line differs from the rest.
    """

    def __init__(self, upload: Source | Upload, longest_line: int = LONGEST_LINE) -> None:
        given = upload if isinstance(upload, Upload) else Upload(upload)
        self._stream: Source = given.stream
        self._name = given.name
        self._longest = longest_line
        self.how = given.how
        self.shape: Shape | None = None
        self.layout = ""  # "JSON lines", "JSON array", "CSV" or "Parquet"
        self.encoding = encodings.UTF_8
        self.delimiter = ""
        self.lines = 0
        self.undecodable = 0
        self.unused: Counter[str] = Counter()
        self.columns: dict[str, list[str]] = {}
        self.tool_rows = 0
        self._long: Counter[str] = Counter()  # keys that are not used and hold long texts, by records
        self._thoughts: Counter[str] = Counter()
        self._joined: Counter[str] = Counter()
        self._padded = 0
        self._misread: dict[tuple[Mark, str], Counter[str]] = {}
        self._looked_at = 0
        self._keys: dict[str, frozenset[str]] = {}
        self._tidied = False
        self._unpacked = False

    @property
    def line_word(self) -> str:
        return LINE_WORDS.get(self.layout, "line")

    def __iter__(self) -> Iterator[Record | Fault]:
        try:
            head = self._stream.read(CHUNK)
            if head[:2] == gzip_stream.GZIP and self._name.casefold().endswith((".gz", ".gzip")):
                self._stream = gzip_stream.Unpacked(self._stream, head)
                self._unpacked = True
                head = self._stream.read(CHUNK)
            yield from self._contents(head)
        except Packed as refusal:
            yield Fault(None, "", str(refusal))

    def _contents(self, head: bytes) -> Iterator[Record | Fault]:
        if not head.strip():
            yield Fault(None, "", self._blank())
            return
        if head.startswith(parquet.MAGIC):
            yield from self._parquet(head)
            return
        what = next((words for magic, words in _MAGIC if head.startswith(magic)), "")
        if self._unpacked and head.startswith(gzip_stream.GZIP):
            what = "packed twice: gzip data inside gzip data; unpack it once"
        if what or head[257:262] == b"ustar":
            yield Fault(None, "", f"The file is {what or 'a tar archive; upload the file inside'}.")
            return
        mark, marked = encodings.marked(head)
        self.encoding = marked or self.how.encoding or encodings.UTF_8
        if not encodings.wide(self.encoding):
            if wide := encodings.without_mark(head[:400]):
                self.undecodable += 1
                text = f"The file looks like {wide} without a byte-order mark. Save it as UTF-8, {encodings.CHOOSE}."
                yield Fault(None, "", text)
                return
            if _binary(head[:4096]):
                yield Fault(
                    None, "", "The file is no text: it is full of control characters. Upload JSONL, CSV or Parquet."
                )
                return
        yield from self._said_of_encoding(head, marked)
        yield from self._records(encodings.as_utf_8(self._chunks(head[len(mark) :]), self.encoding))

    def _said_of_encoding(self, head: bytes, marked: str) -> Iterator[Fault]:
        """What a person should know where the text is not plainly UTF-8."""
        name, chosen = encodings.title(self.encoding), self.how.encoding
        if chosen and marked not in ("", chosen):
            wanted = encodings.title(chosen)
            yield Fault(
                None, "", f"The file begins with the mark of {name}, so it was not read as {wanted}.", "warning"
            )
        elif chosen:
            yield Fault(None, "", f"The file was read as {name}, as chosen.", "note")
            if encodings.seems_utf_8(head):
                text = f"All letters beyond ASCII at its beginning are valid UTF-8, so {name} is probably wrong."
                yield Fault(None, "", text, "warning")
        elif marked not in ("", encodings.UTF_8):
            yield Fault(None, "", f"The file is {name}; it was read as such. UTF-8 is safer to pass on.", "warning")

    def _blank(self) -> str:
        """What is said of a file that begins with nothing. Its end is looked for before it is called empty."""
        while chunk := self._stream.read(CHUNK):
            if chunk.strip():
                return f"The file begins with over {CHUNK >> 10} KiB of blanks; take them out."
        return "The file is empty."

    def _parquet(self, head: bytes) -> Iterator[Record | Fault]:
        self.layout = "Parquet"
        try:
            yield from self._judged(json_pieces.lines(parquet.lines(self._stream, head), self._longest))
        except parquet.Unreadable as refusal:
            yield Fault(None, "", str(refusal))

    def _chunks(self, head: bytes) -> Iterator[bytes]:
        yield head
        while chunk := self._stream.read(CHUNK):
            yield chunk

    def _records(self, chunks: Iterator[bytes]) -> Iterator[Record | Fault]:
        first = next(chunks, b"")
        start = first.lstrip()
        if (marks := _BEFORE.match(start)) is not None:
            start = start[marks.end() :].lstrip()
        if not start:
            blank = not any(chunk.strip() for chunk in chunks)
            yield Fault(None, "", "The file is empty." if blank else "The file begins with a long blank stretch.")
            return
        if start[:1] == b"<":
            yield Fault(first[: len(first) - len(start)].count(b"\n") + 1, "", "The file is a web page or XML.")
            return
        whole = itertools.chain((first,), chunks)
        line, *others = json_pieces.LINE_END.split(start, 1)
        if start[:1] == b"[" and not (_is_json(line) and others and others[0].strip()):
            # A complete list with more lines after it is a (wrong) record; any other list is the whole file.
            self.layout = "JSON array"
            yield from self._judged(json_pieces.elements(whole, self._longest))
        elif start[:1] == b"{" or _is_json(line):
            self.layout = "JSON lines"
            yield from self._judged(json_pieces.lines(whole, self._longest))
        elif delimiter := self._parted(line):
            self.layout, self.delimiter = "CSV", delimiter
            yield from self._table(whole, spaced=f"{delimiter} ".encode() in line)
        elif b"{" in first:  # a comment, perhaps, and then records
            self.layout = "JSON lines"
            yield from self._judged(json_pieces.lines(whole, self._longest))
        else:
            yield Fault(None, "", _no_table(line, self._name))

    def _parted(self, line: bytes) -> str:
        """The sign that parts the columns of a table with this first line; empty if it is none."""
        if told := _SEPARATOR.match(line):
            return told[1].decode()
        if line.strip().strip(b'"').lower() in (b"messages", b"conversations"):  # one column can hold all of a chat
            return ","
        return _delimiter(line)

    # ------------------------------------------------------------------ JSON
    def _judged(self, lines: Iterable[tuple[int, bytes | Fault | None]]) -> Iterator[Record | Fault]:
        for number, raw in lines:
            if isinstance(raw, Fault):
                yield raw
                continue
            if raw is not None and not raw.strip(b" \t\r\n\x0b\x0c"):
                continue
            self.lines += 1
            if self.lines == 1 and self.layout == "JSON lines" and raw is not None and _goes_on(raw):
                text = "An object is spread over several lines. Write each object on one line, or all in one list."
                yield Fault(None, "", text)
                return
            value = self._parsed(raw, number)
            if isinstance(value, Fault):
                yield value
            else:
                yield from self._fitted(value, number)
        yield from self._closing()

    def _parsed(self, given: bytes | None, number: int) -> dict[str, Any] | Fault:
        """The object of a line, or why there is none."""
        word = self.line_word
        if given is None:
            return Fault(number, "", f"The {word} is longer than {self._longest >> 20} MiB and was skipped.")
        raw = given
        if raw[0] in b"\xef\x1e" and (marks := _BEFORE.match(raw)) is not None:
            raw = raw[marks.end() :]
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            return Fault(number, "", self._why(raw, error))
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

    def _why(self, raw: bytes, error: orjson.JSONDecodeError) -> str:
        """Why a line is not JSON, in words for the person who wrote it."""
        word = self.line_word
        if undecodable := encodings.fault(raw, self.encoding, word):
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
                self.layout == "JSON lines" and raw.rstrip().endswith(b"},"),
                "A comma follows the object. Write one object on each line, without commas between them.",
            ),
            (
                self.layout == "JSON array" and "unexpected content after document" in message,
                f"Something follows the object (character {error.pos + 1}); perhaps a comma is missing.",
            ),
        )
        words = next((meaning for part, meaning in _SYNTAX if part in message), message.split(":", 1)[0])
        otherwise = f"The {word} is not JSON: {words} (character {error.pos + 1})."
        return next((text for true, text in known if true), otherwise)

    def _fitted(self, value: dict[str, Any], number: int) -> Iterator[Record | Fault]:
        """The record in our shape, with what is odd about it; or why it has none."""
        if self._looked_at < SEEN_RECORDS:
            self._look(value)
        try:
            shape, value = self._shape(value)
            if shape is None:
                raise why_unknown(value)
            record, aside = convert(shape, value, number, self.how)
            _bounded(record)
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
            asked = test_cases.variables(value) if shape is PROMPTFOO and test_cases.EXPECTED in value else ()
            free = [key for key in list(value)[:50] if key and key not in used and key not in asked]
            self._not_used(free)
            self._long.update(key for key in free if key in self.unused and _long(value[key]))
        if record.source is not None:
            self.tool_rows += _uses_tools(record.source)
            self._not_used(
                f"messages.{key}" for turn in record.source["messages"] for key in turn if key not in KNOWN_KEYS
            )
        self._note_marks(value, record)
        at = shape.name if shape.name == "conversations" else "messages"
        if remark := order_remark(record.messages):
            yield Fault(number, at, remark, "warning")
        if aside.cut:
            yield Fault(number, at, CUT, "warning")
        self._aside(aside)

    def _shape(self, value: dict[str, Any]) -> tuple[Shape | None, dict[str, Any]]:
        """The shape that was chosen or is seen, and the record with the keys that fit it."""
        if self.how.shape:
            chosen = SHAPES[self.how.shape]
            return (chosen if chosen is COLUMNS or _has(chosen, value) else None), value
        shape = shape_of(value)
        tidy = tidy_keys(value) if shape is None else None
        if tidy is not None and (shape := shape_of(tidy)) is not None:
            self._tidied = True
            return shape, tidy
        found = other_tools.translated(value) if shape is None else None
        if found is None and shape is None and tidy is not None:
            found = other_tools.translated(tidy)
        if found is not None:
            shape = shape_of(found)
            if shape is None and (again := other_tools.translated(found)) is not None:  # a case inside a case
                return shape_of(again), again
            return shape, found
        return shape, value

    def _aside(self, aside: Aside) -> None:
        if aside is NOTHING:
            return
        self._padded += aside.padded
        if aside.thought:
            self._thoughts[aside.thought] += 1
        self._joined.update(aside.joined)

    def _look(self, value: Mapping[str, Any]) -> None:
        """Remember the columns, and a few short samples of what is in them."""
        self._looked_at += 1
        for name, held in columns_of(value):
            if len(name) > 200 or (name not in self.columns and len(self.columns) >= SEEN_COLUMNS):
                continue
            samples = self.columns.setdefault(name, [])
            if len(samples) < SEEN_VALUES and (text := _sample(held)) and text not in samples:
                samples.append(text)

    def _note_marks(self, value: Mapping[str, Any], record: Record) -> None:
        for mark, name, says in misread(value, record, self.how):
            seen = self._misread.setdefault((mark, name), Counter())
            seen[says if says in seen or len(seen) < SEEN_RECORDS else "others"] += 1

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
        if not self.lines and self.layout in ("CSV", "Parquet"):
            text = "The Parquet file has no rows." if self.layout == "Parquet" else "No row follows the first one."
            yield Fault(None, "", text)
        if self.tool_rows:
            text = (
                f"Tools are called or defined in {self.tool_rows:,} records. A call is written as JSON text and a "
                "tool's result as a user's message, so that any model can be measured on them; a server's own way of "
                "calling tools is not measured."
            )
            yield Fault(None, "tool_calls", text, "warning")
        yield from self._said_of_asides()
        for (mark, name), seen in self._misread.items():
            listed = ", ".join(says for says, _ in seen.most_common(4)) + (" and more" if len(seen) > 4 else "")
            yield Fault(
                None, name[:80], f"{name[:80]!r} of {seen.total():,} records {_MISREAD[mark]}: {listed}.", "warning"
            )
        if self._tidied:
            yield Fault(None, "", "Key names were read without their spaces and capitals.", "warning")
        if self.unused:
            names = ", ".join(repr(key[:40]) for key, _ in self.unused.most_common(8))
            more = f" and {len(self.unused) - 8} more" if len(self.unused) > 8 else ""
            yield Fault(None, "", f"Keys that are not used: {names}{more}.", "note")

    def _said_of_asides(self) -> Iterator[Fault]:
        """What became of the parts of records that have no place in ours."""
        if self._thoughts:
            names, number = _quoted(self._thoughts), self._thoughts.total()
            some = f"{number:,} record{'' if number == 1 else 's'}"
            text = (
                f"What was thought before the answer stands beside it in {some} ({names}). It is left out: models are"
                " asked and trained without it. To have it learned, write it into the answer; there is no choice for it"
                " yet."
            )
            yield Fault(None, next(iter(self._thoughts)), text, "warning")
        if self._padded:
            one = self._padded == 1
            text = f"{self._padded:,} empty argument{'' if one else 's'} that only the table added "
            text += f"{'was' if one else 'were'} taken out of tool calls: the tools that are called do not define them."
            yield Fault(None, "tool_calls", text, "note")
        for name, number in self._joined.most_common():
            some = f"{number:,} record{'' if number == 1 else 's'}"
            yield Fault(None, name, f"{name!r} is a part of the question: it is asked with it in {some}.", "note")
        titles = [name for name in context_fields.TITLES if name in self.unused]
        if titles and self.shape is not None and self.shape.name in ("chat", "sharegpt"):
            text = (
                f"{titles[0]!r} is taken for the conversation's name and is not asked; write it into the first message"
            )
            yield Fault(None, titles[0], f"{text} if a model should see it.", "warning")
        often = {name: count for name, count in self._long.items() if 2 * count > self.lines}
        if often and not self.how.shape:
            what = f"{_quoted(Counter(often))} {'hold' if len(often) > 1 else 'holds'} long texts that are not asked"
            text = f"{what}. If they are needed to answer, call {'one' if len(often) > 1 else 'it'} context."
            yield Fault(None, min(often)[:80], text, "warning")

    # ------------------------------------------------------------------ CSV
    def _table(self, chunks: Iterator[bytes], *, spaced: bool) -> Iterator[Record | Fault]:
        self.how = self.how.in_lower_case()
        rows = csv_rows.Rows(chunks, self.delimiter, self._longest, spaced=spaced, encoding=self.encoding)
        first = next((row for row in rows if row and not csv_rows.tells_separator(row)), [])
        if isinstance(first, Fault):
            yield self._counted(first, rows)
            return
        header = [f"column {number}" for number in range(1, len(first) + 1)]
        if self.how.header:
            header = [column_name(name) for name in first]
        else:
            rows.again(first)
        rows.width = len(header)
        self._look(dict.fromkeys(header))  # they can be chosen from even where no row below them can be read
        if fault := self._unusable(header):
            for row in itertools.islice(rows, SEEN_VALUES):
                if not isinstance(row, Fault):
                    self._look(dict(zip(header, row, strict=False)))
            self.undecodable = rows.undecodable
            yield fault
            return
        for row in rows:
            if isinstance(row, Fault):
                yield self._counted(row, rows)
            elif row:
                self.lines += 1
                yield from self._filled(header, row, rows)
        yield from self._closing()

    def _counted(self, fault: Fault, rows: csv_rows.Rows) -> Fault:
        self.lines += 1
        self.undecodable = rows.undecodable
        return fault

    def _filled(self, header: list[str], row: list[str], rows: csv_rows.Rows) -> Iterator[Record | Fault]:
        """The record of a row that has as many cells as the first."""
        if len(row) > len(header) and not any(row[len(header) :]):
            del row[len(header) :]  # a spreadsheet's empty columns at the right
        if len(row) != len(header):
            text = f"The row has {len(row):,} cells, but the first row has {len(header):,}."
            yield rows.placed(Fault(rows.number, "", text))
            return
        for item in self._fitted(dict(zip(header, row, strict=True)), rows.number):
            yield item if isinstance(item, Record) else rows.placed(item)

    def _unusable(self, header: list[str]) -> Fault | None:
        """What is wrong with the first row, or None."""
        twice = [name for name, count in Counter(header).items() if count > 1 and name]
        if twice:
            return Fault(None, twice[0][:80], f"The column {twice[0][:80]!r} stands twice in the first row.")
        if self.how.shape == COLUMNS.name:
            missing = [name for name in (self.how.question, self.how.answer) if name not in header]
            return Fault(None, missing[0][:80], f"There is no column {missing[0][:80]!r}.") if missing else None
        if shape_of(header) is not None or other_tools.known(header):
            return None
        text = "The first row names no columns that we know. Begin with a row such as: prompt,completion"
        return Fault(None, "", f"{text}; or say under Read it another way which column holds what.")


def read(upload: Source | Upload, longest_line: int = LONGEST_LINE) -> Reading:
    """Read an upload. Nothing is read before the first step of the iteration."""
    return Reading(upload, longest_line)


def canonical(record: Record) -> bytes:
    """A record as one line of our own JSON, without split or id: what the working file holds."""
    value: dict[str, Any] = {
        "line": record.line,
        "messages": [turn.to_json() for turn in record.messages],
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
    messages = messages_from_json(value["messages"])
    more = value.get("group", ""), value.get("part"), value.get("source"), value.get("time", "")
    return Record(value["line"], messages, value["target"], *more)


def _bounded(record: Record) -> None:
    """
    Raises:
        Unfit: there is more in it than anything is done with.
    """
    size = len(record.target) + sum(A_TURN + len(turn.content) for turn in record.messages)
    if record.source is not None:
        size = max(size, len(orjson.dumps(record.source)) // 2)  # of its letters, half are keys and brackets at least
    if size > MOST_READ:
        raise Unfit("", f"The record is {size:,} characters long; over {MOST_READ:,} none is looked at.")


def _long(value: object) -> bool:
    return isinstance(value, str) and len(value) >= context_fields.LONG


# ---------------------------------------------------------------------- words
def _quoted(names: Counter[str]) -> str:
    return ", ".join(repr(name[:40]) for name, _ in names.most_common(4)) + (" and more" if len(names) > 4 else "")


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

    def big(words: str) -> object:
        return int(words) if len(words) < _DIGITS_EXACT else Written(words)

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


def _binary(head: bytes) -> bool:
    """Whether these are no bytes of a text: a program, a picture or a recording that we don't know by its mark."""
    return len(head) - len(head.translate(None, _CONTROL)) > max(8, BINARY * len(head))


def _no_table(line: bytes, name: str) -> str:
    """What is said of text that is neither JSON nor parted into columns."""
    first = line.decode("utf-8", "replace").strip().strip('"').strip()
    one = first.casefold()
    if name.casefold().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")) or any(one in pair for pair in PAIRS):
        return f"The table has one column only, {short(first)}; it needs one for the question and one for the answer."
    return "The file is neither JSON nor a table: its first line is no JSON object and names no columns."


def _delimiter(line: bytes) -> str:
    """The sign that parts the first row into columns: one that gives a pair we know, or else the commonest."""
    first = line.decode("utf-8", "replace")
    signs = (",", ";", "\t", "|")
    for sign in signs:
        names = [column_name(name.strip().strip('"')) for name in first.split(sign)]
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
    return " ".join(masking.mask(str(value)[:4000]).split())[:80]
