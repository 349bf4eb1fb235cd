"""What is said about lines and about the file while it is read, with a bound on how much of it is kept."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict

from app.datasets.checks.message_words import sentence
from app.datasets.checks.report_json import fields_of
from app.datasets.checks.report_parts import ReportMessage
from app.datasets.checks.statuses import RowStatus
from app.datasets.reading.faults import Fault, Level
from app.privacy.masking import Masker
from app.wording import Statement

_BAD_LINES = 100_000  # lines with a fault or a warning that are remembered
_REFUSED = 50_000  # lines without a record that are remembered with their sentence


class Sentence(Protocol):
    """What notes are made of: a fault of reading, a message of the check, or one that is in words already."""

    @property
    def line(self) -> int | None: ...
    @property
    def field(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def level(self) -> Level: ...


@dataclass(frozen=True, slots=True)
class Message:
    """What the check says of a row, or of the file (`line` is None), by its code in `message_words`."""

    line: int | None
    statement: Statement
    level: Level = "warning"
    field: str = ""

    @property
    def text(self) -> str:
        """The statement in words."""
        return sentence(self.statement)


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that gave no row. file: 0 the upload, 1 the own test file."""

    file: int
    line: int
    status: RowStatus
    text: str


class NotesDump(TypedDict):
    """What `Notes` holds, as JSON. refused: file, line, status, text; refused_counts: file, status, number."""

    kept: list[dict[str, Any]]
    counts: dict[str, int]
    lines: list[int]
    refused: list[tuple[int, int, str, str]]
    refused_counts: list[tuple[int, str, int]]


@dataclass(slots=True)
class Notes:
    """Messages as they come.

    max_messages: how many about single lines are kept. masker: what hides values in them. counts: messages by level.
    lines: of the upload, with a fault or a warning. refused_counts: of (file, status).
    """

    max_messages: int
    masker: Masker
    messages: list[ReportMessage] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lines: set[int] = field(default_factory=set)
    refused: list[RefusedLine] = field(default_factory=list)
    refused_counts: Counter[tuple[int, RowStatus]] = field(default_factory=Counter)

    def add(self, note: Sentence, file: int) -> None:
        self.counts[note.level] += 1
        if note.line is not None and note.level != "note" and len(self.lines) < _BAD_LINES and file == 0:
            self.lines.add(note.line)
        # Words about the file as a whole are never crowded out by words about lines.
        if note.line is None or len(self.messages) < self.max_messages:
            text, at = self.masker.text(note.text), self.masker.text(note.field)  # it may quote what it is about
            self.messages.append(ReportMessage(note.line, at, text, note.level, file))

    def refuse(self, fault: Fault, file: int) -> None:
        """Count the line that a fault is about; a fault of the whole file, such as a list never closed, is no line."""
        if fault.line is not None:
            status = RowStatus.EMPTY if fault.kind == "empty" else RowStatus.FAULT
            self.leave_out(fault.line, file, status, fault.text)

    def leave_out(self, line: int, file: int, status: RowStatus, text: str) -> None:
        """Count a line that gave no row; nothing of what it says is kept."""
        self.refused_counts[file, status] += 1
        if len(self.refused) < _REFUSED:
            self.refused.append(RefusedLine(file, line, status, self.masker.text(text)))

    def dump(self) -> NotesDump:
        """Everything as a JSON value, for an attempt that goes on later."""
        return {
            "kept": [fields_of(message) for message in self.messages],
            "counts": self.counts,
            "lines": sorted(self.lines),
            "refused": [(refused.file, refused.line, refused.status, refused.text) for refused in self.refused],
            "refused_counts": [(file, status, count) for (file, status), count in self.refused_counts.items()],
        }

    def load(self, dumped: NotesDump) -> None:
        self.messages = [ReportMessage(**message) for message in dumped["kept"]]
        self.counts, self.lines = Counter(dumped["counts"]), set(dumped["lines"])
        self.refused = [RefusedLine(file, line, RowStatus(word), text) for file, line, word, text in dumped["refused"]]
        self.refused_counts = Counter(
            {(file, RowStatus(word)): count for file, word, count in dumped["refused_counts"]}
        )
