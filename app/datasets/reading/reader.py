"""From the bytes of an upload to records and faults, one at a time.

Everything here is written against files that nobody wrote in good faith: memory is bounded by the longest line that is
accepted, nothing is kept of a line that is too long, and whatever can't be read becomes a fault with the line it
stands on. What a file is, is seen from its bytes. Its name is looked at for one thing: packed bytes are unpacked only
when the name says so (.gz), because under another name they are more often a download that went wrong.

Line numbers are 1-based and physical for JSON lines (LF, CRLF and lone CR end a line; U+2028 and its like stand inside
strings and do not). In CSV the number is the spreadsheet's row, because cells may hold lines (where the two differ, a
sentence about the row names its line as well); in a JSON array, which may stand on one line as a whole, it is the
element's place, and in Parquet the row's.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from app.chat import Record
from app.datasets.reading import (
    csv_rows,
    encodings,
    gzip_stream,
    json_pieces,
    other_tools,
    parquet,
    promptfoo_file,
    yaml_text,
)
from app.datasets.reading.conversations import order_remark
from app.datasets.reading.convert import convert, used_keys
from app.datasets.reading.delimiters import delimiter_of, why_no_table
from app.datasets.reading.faults import Fault, Unfit, Unreadable
from app.datasets.reading.file_kinds import foreign_kind, is_binary
from app.datasets.reading.gzip_stream import Source
from app.datasets.reading.json_objects import (
    BEFORE_RECORD,
    JSON_ARRAY,
    JSON_LINES,
    LONGEST_LINE,
    ObjectParser,
    is_continued,
    is_json,
)
from app.datasets.reading.observations import SAMPLES, Observations
from app.datasets.reading.read_as import GUESS, ReadAs, column_name
from app.datasets.reading.shapes import COLUMNS, SHAPES, Shape, shape_of, tidy_keys, why_unknown
from app.json_types import JsonDict, JsonObject
from app.wording import Statement, state

CHUNK = 1 << 18
# Characters of a record that anything is done with. Rows of over 24,000 are left out for their length
# (`row_warnings`), but are read, searched and shown; what is longer still is named and not looked at, so that no row
# can take minutes.
MOST_READ = 200_000
# Characters that a turn counts for besides its text: a conversation of a hundred thousand turns is long, too.
A_TURN = 16
YAML = "YAML"  # a layout
LINE_WORDS = {"CSV": "row", "Parquet": "row", "JSON array": "record"}  # what a number counts, else it is a line


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
        source = upload if isinstance(upload, Upload) else Upload(upload)
        self._stream: Source = source.stream
        self._name = source.name
        self._longest = longest_line
        self.how = source.how
        self.shape: Shape | None = None
        self.layout = ""  # "JSON lines", "JSON array", "CSV", "YAML" or "Parquet"
        self.encoding = encodings.UTF_8
        self.delimiter = ""
        self.lines = 0
        self.undecodable = 0
        self._observations = Observations()
        self._unpacked = False

    @property
    def line_word(self) -> str:
        return LINE_WORDS.get(self.layout, "line")

    @property
    def unused(self) -> Counter[str]:
        return self._observations.unused

    @property
    def columns(self) -> dict[str, list[str]]:
        return self._observations.columns

    @property
    def tool_rows(self) -> int:
        return self._observations.tool_rows

    def __iter__(self) -> Iterator[Record | Fault]:
        try:
            head = self._stream.read(CHUNK)
            if head[:2] == gzip_stream.GZIP and self._name.casefold().endswith((".gz", ".gzip")):
                self._stream = gzip_stream.Unpacked(self._stream, head)
                self._unpacked = True
                head = self._stream.read(CHUNK)
            yield from self._contents(head)
        except Unreadable as refusal:
            yield refusal.fault()

    def _contents(self, head: bytes) -> Iterator[Record | Fault]:
        if not head.strip():
            yield Fault(None, "", self._blank())
            return
        if head.startswith(parquet.MAGIC):
            yield from self._parquet(head)
            return
        if kind := foreign_kind(head, unpacked=self._unpacked):
            yield Fault(None, "", state("foreign", kind=kind))
            return
        mark, marked = encodings.marked(head)
        self.encoding = marked or self.how.encoding or encodings.UTF_8
        if not encodings.wide(self.encoding):
            if wide := encodings.without_mark(head[:400]):
                self.undecodable += 1
                yield Fault(None, "", state("no_mark", encoding=wide))
                return
            if is_binary(head[:4096]):
                yield Fault(None, "", state("binary"))
                return
        yield from self._about_encoding(head, marked)
        yield from self._records(encodings.as_utf_8(self._chunks(head[len(mark) :]), self.encoding))

    def _about_encoding(self, head: bytes, marked: str) -> Iterator[Fault]:
        """What a person should know where the text is not plainly UTF-8."""
        name, chosen = encodings.title(self.encoding), self.how.encoding
        if chosen and marked not in ("", chosen):
            yield Fault(None, "", state("other_mark", encoding=name, wanted=encodings.title(chosen)), "warning")
        elif chosen:
            yield Fault(None, "", state("as_chosen", encoding=name), "note")
            if encodings.seems_utf_8(head):
                yield Fault(None, "", state("rather_utf_8", encoding=name), "warning")
        elif marked not in ("", encodings.UTF_8):
            yield Fault(None, "", state("by_its_mark", encoding=name), "warning")

    def _blank(self) -> Statement:
        """What is said of a file that begins with nothing. Its end is looked for before it is called empty."""
        while chunk := self._stream.read(CHUNK):
            if chunk.strip():
                return state("begins_blank", kib=CHUNK >> 10)
        return state("empty_file")

    def _parquet(self, head: bytes) -> Iterator[Record | Fault]:
        self.layout = "Parquet"
        yield from self._objects(json_pieces.lines(parquet.lines(self._stream, head), self._longest))

    def _chunks(self, head: bytes) -> Iterator[bytes]:
        yield head
        while chunk := self._stream.read(CHUNK):
            yield chunk

    def _records(self, chunks: Iterator[bytes]) -> Iterator[Record | Fault]:
        first = next(chunks, b"")
        start = first.lstrip()
        if (marks := BEFORE_RECORD.match(start)) is not None:
            start = start[marks.end() :].lstrip()
        if not start:
            blank = not any(chunk.strip() for chunk in chunks)
            yield Fault(None, "", state("empty_file" if blank else "blank_stretch"))
            return
        if start[:1] == b"<":
            yield Fault(first[: len(first) - len(start)].count(b"\n") + 1, "", state("markup"))
            return
        first, cases = self._as_cases(first, start, chunks)
        if cases is not None:
            yield from self._cases(cases)
            return
        whole = itertools.chain((first,), chunks)
        line, *others = json_pieces.LINE_END.split(start, 1)
        if start[:1] == b"[" and not (is_json(line) and others and others[0].strip()):
            # A complete list with more lines after it is a (wrong) record; any other list is the whole file.
            self.layout = JSON_ARRAY
            yield from self._objects(json_pieces.elements(whole, self._longest))
        elif start[:1] == b"{" or is_json(line):
            self.layout = JSON_LINES
            yield from self._objects(json_pieces.lines(whole, self._longest))
        elif delimiter := delimiter_of(line):
            self.layout, self.delimiter = "CSV", delimiter
            yield from self._table(whole, spaced=f"{delimiter} ".encode() in line)
        elif b"{" in first:  # a comment, perhaps, and then records
            self.layout = JSON_LINES
            yield from self._objects(json_pieces.lines(whole, self._longest))
        else:
            yield Fault(None, "", why_no_table(line, self._name))

    # ------------------------------------------------------------------ JSON
    def _objects(self, lines: Iterable[tuple[int, bytes | Fault | None]]) -> Iterator[Record | Fault]:
        parser = ObjectParser(self.layout, self.line_word, self.encoding, self._longest)
        for number, raw in lines:
            if isinstance(raw, Fault):
                yield raw
                continue
            if raw is not None and not raw.strip(b" \t\r\n\x0b\x0c"):
                continue
            self.lines += 1
            if self.lines == 1 and self.layout == JSON_LINES and raw is not None and is_continued(raw):
                yield Fault(None, "", state("spread_out"))
                return
            value = parser.parse(raw, number)
            self.undecodable = parser.undecodable
            if isinstance(value, Fault):
                yield value
            else:
                yield from self._converted(value, number)
        yield from self._closing()

    def _converted(self, value: JsonDict, number: int) -> Iterator[Record | Fault]:
        """The record in our shape, with what is odd about it; or why it has none."""
        self._observations.look(value)
        try:
            shape, value = self._shape(value)
            if shape is None:
                raise why_unknown(value)
            record, aside = convert(shape, value, number, self.how)
            _bounded(record)
        except Unfit as unfit:
            yield Fault(number, unfit.field, unfit.statement, kind=unfit.kind)
            return
        yield record
        if self.shape is None:
            self.shape = shape
        elif shape is not self.shape:
            # A converted file of mixed origin is more often an accident than a wish: read it, but say so loudly.
            mixed = state("other_shape", shape=shape.title.lower(), first=self.shape.title.lower())
            yield Fault(number, "", mixed, kind="shape")
        self._observations.note(value, record, shape, self.how)
        at = shape.name if shape.name == "conversations" else "messages"
        if remark := order_remark(record.messages):
            yield Fault(number, at, remark, "warning")
        if aside.cut:
            yield Fault(number, at, state("cut"), "warning")
        self._observations.note_aside(aside)

    def _shape(self, value: JsonDict) -> tuple[Shape | None, JsonDict]:
        """The shape that was chosen or is seen, and the record with the keys that fit it."""
        if self.how.shape:
            chosen = SHAPES[self.how.shape]
            return (chosen if chosen is COLUMNS or _has(chosen, value) else None), value
        shape = shape_of(value)
        tidy = tidy_keys(value) if shape is None else None
        if tidy is not None and (shape := shape_of(tidy)) is not None:
            self._observations.tidied = True
            return shape, tidy
        if shape is not None:
            return shape, value
        translated = other_tools.translated(value)
        if translated is None and tidy is not None:
            translated = other_tools.translated(tidy)
        if translated is None:
            return None, value
        shape = shape_of(translated)
        if shape is None and (inner := other_tools.translated(translated)) is not None:  # a case inside a case
            return shape_of(inner), inner
        return shape, translated

    def _closing(self) -> Iterator[Fault]:
        if not self.lines and self.layout in ("CSV", "Parquet"):
            yield Fault(None, "", state("parquet_empty" if self.layout == "Parquet" else "no_rows"))
        yield from self._observations.faults(records=self.lines, shape=self.shape, how=self.how)

    def _as_cases(
        self, first: bytes, start: bytes, chunks: Iterator[bytes]
    ) -> tuple[bytes, Iterator[promptfoo_file.Item] | None]:
        """The beginning of a file as far as it was read, and the cases that it is as a whole, if it is promptfoo's."""
        if yaml_text.begins(start):
            self.layout = YAML
            return first, promptfoo_file.cases_in_yaml(_at_most(yaml_text.LONGEST, first, chunks))
        if start[:1] == b"{" and b'"tests"' in start:
            first = _at_most(yaml_text.LONGEST, first, chunks)
            if (config := promptfoo_file.config_in(first)) is not None:
                self.layout = JSON_ARRAY
                return first, promptfoo_file.cases(config)
        return first, None

    def _cases(self, items: Iterable[promptfoo_file.Item]) -> Iterator[Record | Fault]:
        """Test cases out of one document."""
        for item in items:
            if isinstance(item, Fault):
                yield item
                continue
            self.lines += 1
            number, case = item
            yield from self._converted(case, number)
        yield from self._closing()

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
        self._observations.look(
            dict.fromkeys(header), always=True
        )  # they can be chosen from even where no row below them can be read
        if fault := self._unusable(header):
            for row in itertools.islice(rows, SAMPLES):
                if not isinstance(row, Fault):
                    self._observations.look(dict(zip(header, row, strict=False)), always=True)
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
            yield rows.placed(Fault(rows.number, "", state("cells", cells=len(row), columns=len(header))))
            return
        for item in self._converted(dict(zip(header, row, strict=True)), rows.number):
            yield item if isinstance(item, Record) else rows.placed(item)

    def _unusable(self, header: list[str]) -> Fault | None:
        """What is wrong with the first row, or None."""
        twice = [name for name, count in Counter(header).items() if count > 1 and name]
        if twice:
            return Fault(None, twice[0][:80], state("column_twice", column=twice[0][:80]))
        if self.how.shape == COLUMNS.name:
            missing = [name for name in (self.how.question, self.how.answer) if name not in header]
            return Fault(None, missing[0][:80], state("no_column", column=missing[0][:80])) if missing else None
        if shape_of(header) is not None or other_tools.known(header):
            return None
        return Fault(None, "", state("no_names"))


def _at_most(limit: int, start: bytes, chunks: Iterator[bytes]) -> bytes:
    """A text as a whole, or one byte more of it than `limit` at least: what is larger is not read any further."""
    parts, size = [start], len(start)
    while size <= limit and (chunk := next(chunks, None)) is not None:
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts)


def read(upload: Source | Upload, longest_line: int = LONGEST_LINE) -> Reading:
    """Read an upload. Nothing is read before the first step of the iteration."""
    return Reading(upload, longest_line)


def _bounded(record: Record) -> None:
    """
    Raises:
        Unfit: there is more in it than anything is done with.
    """
    size = len(record.target) + sum(A_TURN + len(turn.content) for turn in record.messages)
    if record.source is not None:
        size = max(size, len(orjson.dumps(record.source)) // 2)  # of its letters, half are keys and brackets at least
    if size > MOST_READ:
        raise Unfit("", state("long_record", size=size, most=MOST_READ))


def _has(shape: Shape, value: JsonObject) -> bool:
    """Whether a record has what a chosen shape asks for; a prompt pair fits a chat no better than a guess would say."""
    return shape_of([key for key in value if key in used_keys(shape)]) is shape
