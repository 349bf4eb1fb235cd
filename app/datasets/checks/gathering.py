"""Reading the files of a check into the working rows, with what is said about each line on the way."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from app.chat import Record
from app.datasets.checks import row_warnings
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.message_words import sentence
from app.datasets.checks.notes import Message, Notes
from app.datasets.checks.report_json import plain
from app.datasets.checks.report_parts import Column, FileFacts
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import Reading, Upload, read
from app.privacy import masking
from app.privacy.scan import Scan
from app.wording import Statement, state

EVERY = 0.5  # seconds between two looks whether somebody cancelled, however long rows are
_LINES_NAMED = 8  # in a sentence

Tick = Callable[[str, int, int], None]


READING, READING_TEST = "Reading the file", "Reading the test file"  # stages


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def facts_of(reading: Reading) -> FileFacts:
    """What reading a file told about it: the part of the report that a later attempt can't make without reading."""
    shape = reading.shape
    return FileFacts(
        format=shape.name if shape else "unknown",
        format_title=shape.title if shape else "Unknown",
        format_about=shape.about if shape else "",
        layout=reading.layout,
        line_word=reading.line_word,
        # Where a table names no columns, its first row is taken for their names: values of a person, perhaps.
        columns=tuple(Column(masking.mask(name), tuple(samples)) for name, samples in reading.columns.items()),
        read_as=reading.how.to_json(),
        encoding=reading.encoding,
        undecodable=reading.undecodable,
    )


def _facts_from(dumped: Mapping[str, Any]) -> FileFacts:
    columns = tuple(Column(column["name"], tuple(column["samples"])) for column in dumped["columns"])
    return FileFacts(**{**dumped, "columns": columns})


class Gathering:
    """Reads the files into `rows` and `notes`; every few seconds saves how far it is.

    Going on after a kill parses the file again from its start, for lines can't be counted without it, but does not
    look again at what was looked at: of the time that takes most.
    """

    def __init__(self, rows: WorkingRows, notes: Notes, scan: Scan, tick: Tick, checkpoint: Checkpoint | None) -> None:
        self.rows = rows
        self.notes = notes
        self.scan = scan
        self.tick = tick
        self.checkpoint = checkpoint
        self.done: list[FileFacts] = []
        self.items = 0  # of the present file
        self.invisible_lines: list[int] = []
        self.markup_lines: list[int] = []
        self.last_line: int | None = None
        self.ticked_at = time.monotonic()

    def run(self, files: Sequence[BinaryIO | Upload]) -> list[FileFacts]:
        if self.checkpoint and (before := self.checkpoint.load_json("reading")):
            self.notes.load(before["notes"])
            self.scan.load(before["scan"])
            self.done = [_facts_from(facts) for facts in before["done"]]
            self.items, self.invisible_lines, self.last_line = before["items"], before["hidden"], before["last"]
            self.markup_lines = before.get("markup", [])
        for number, stream in enumerate(files):
            if number >= len(self.done):
                self._read(stream, number)
        return self.done

    def _read(self, stream: BinaryIO | Upload, file: int) -> None:
        reading = read(stream)
        stage = READING_TEST if file else READING
        self.tick(stage, len(self.rows), 0)
        for item in itertools.islice(reading, self.items, None):
            self._take(item, file, table=reading.layout == "CSV")
            self.items += 1
            if self.items % 1000 == 0 or time.monotonic() - self.ticked_at >= EVERY:
                self.ticked_at = time.monotonic()
                if self.checkpoint and self.checkpoint.due():
                    self._save()
                self.tick(stage, len(self.rows), 0)
        self._note_signs(file)
        self.done.append(facts_of(reading))
        self.items, self.invisible_lines, self.markup_lines, self.last_line = 0, [], [], None
        self._save()

    def _note_signs(self, file: int) -> None:
        if self.invisible_lines:
            self.notes.add(Message(None, _in(self.invisible_lines, "invisible")), file)
        if self.markup_lines:
            self.notes.add(Message(None, _in(self.markup_lines, "markup"), "note"), file)

    def _take(self, item: Record | Fault, file: int, *, table: bool) -> None:
        if isinstance(item, Record):
            self._take_record(item, file, table=table)
            return
        self.notes.add(item, file)
        if item.level == "error" and item.line != self.last_line:
            self.notes.refuse(item, file)

    def _take_record(self, record: Record, file: int, *, table: bool) -> None:
        self.last_line = record.line
        used, undecided = self.scan.see(record, file)
        for where, kinds in undecided.items():
            self.notes.add(Message(record.line, state("private", where=where, kinds=kinds)), file)
        if used is None:
            self.notes.leave_out(record.line, file, RowStatus.PRIVATE, sentence(state("left_out")))
            return
        self.rows.add(used, file)
        for remark in row_warnings.remarks(used, table=table):
            self.notes.add(remark, file)
        if len(self.invisible_lines) <= _LINES_NAMED and row_warnings.invisible(used):
            self.invisible_lines.append(record.line)
        if len(self.markup_lines) <= _LINES_NAMED and row_warnings.markup(used):
            self.markup_lines.append(record.line)

    def _save(self) -> None:
        """The rows first: a note that names rows which are not on the disk would be a lie."""
        if self.checkpoint is None:
            return
        state = {
            "rows": self.rows.save(),
            "notes": self.notes.dump(),
            "scan": self.scan.dump(),
            "done": plain(self.done),
            "items": self.items,
            "hidden": self.invisible_lines,
            "markup": self.markup_lines,
            "last": self.last_line,
        }
        self.checkpoint.save_json("reading", state)


def _in(lines: Sequence[int], code: str) -> Statement:
    """What is said of the first of these lines."""
    return state(code, lines=lines[:_LINES_NAMED], more=len(lines) > _LINES_NAMED)
