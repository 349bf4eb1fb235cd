"""The parts of the quality report: frozen values, each of which says in which unit it counts.

Defaults are for what an earlier check did not look for; see `report`, which puts the parts together.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from app.datasets.checks.report_json import LEFT_OUT
from app.datasets.checks.statuses import RowStatus
from app.json_types import JsonDict, JsonObject


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file with its first values."""

    name: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What reading a file told about it. `Report` has the same fields, with the meaning said there."""

    format: str = "unknown"
    format_title: str = ""
    format_about: str = ""
    layout: str = ""
    line_word: str = "line"
    columns: tuple[Column, ...] = ()
    read_as: JsonObject = field(default_factory=dict)
    encoding: str = ""
    undecodable: int = 0


@dataclass(frozen=True, slots=True)
class SampleTurn:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the first rows: the end of what is asked, and the answer wanted."""

    line: int
    messages: tuple[SampleTurn, ...] = ()
    target: str = ""


Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """A sentence about one line, or about the file where `line` is None. file: 0 the upload, 1 the own test file.

    field: the key or column it is about, where it is about one.
    """

    line: int | None = None
    field: str = ""
    text: str = ""
    level: Level = "error"
    file: int = 0


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """A step from uploaded to usable: rows left after it, rows that it took out, and their status."""

    step: str
    label: str
    count: int
    dropped: int = 0
    status: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A row that repeats another, word for word or nearly; similarity 0 to 1."""

    line: int
    of_line: int
    similarity: float = 1.0
    text: str = ""
    of_text: str = ""
    answer: str = ""
    of_answer: str = ""
    file: int = 0


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two rows that ask (nearly) the same and are answered differently.

    cluster: number of the group that both are in, None in reports without groups; same: both ask the same
    to the letter.
    """

    line: int
    of_line: int
    cluster: int | None = None
    same: bool = False
    text: str = ""
    of_text: str = ""
    answer: str = ""
    of_answer: str = ""
    similarity: float = 1.0
    file: int = 0


@dataclass(frozen=True, slots=True)
class Leak:
    """A row of the test file (`line`) that stands in the upload (`of_line`) too, or nearly."""

    line: int
    of_line: int
    similarity: float = 1.0
    text: str = ""
    of_text: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Readable rows of both files by status. contradictions, leaks: pairs, of the leaks `exact_leaks` word for word.

    repeated_groups: questions that stand there more than once; groups: those of them that are answered differently.
    """

    fault: int = 0
    empty: int = 0
    private: int = 0
    too_long: int = 0
    duplicate: int = 0
    near_duplicate: int = 0
    contradiction: int = 0
    leak: int = 0
    test_group: int = 0
    usable: int = 0
    contradictions: int = 0
    leaks: int = 0
    exact_leaks: int = 0
    groups: int = 0
    repeated_groups: int = 0

    def of_status(self, status: str) -> int:
        return int(getattr(self, status)) if status in set(RowStatus) else 0

    @property
    def near_leaks(self) -> int:
        return self.leaks - self.exact_leaks


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """How often two rows of one repeated question have the same label, 0 to 1; None without repeated questions."""

    questions: int = 0
    agree: float | None = None


@dataclass(frozen=True, slots=True)
class LabelCount:
    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """share: of the rows that are long enough to tell, 0 to 1."""

    code: str = ""
    language: str = ""
    rows: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Remark:
    """What is odd about the content of rows, see `suspicious`. rows: how many; lines: the first of them."""

    kind: str
    rows: int
    lines: tuple[int, ...] = ()
    text: str = ""
    level: Level = "warning"


@dataclass(frozen=True, slots=True)
class ClusterSize:
    """So many clusters have `size` rows each."""

    size: int
    clusters: int
    rows: int


@dataclass(frozen=True, slots=True)
class Clusters:
    """Groups of two rows or more that ask (nearly) the same. kept: how many a person undid, so that all are used."""

    count: int = 0
    rows: int = 0
    sizes: tuple[ClusterSize, ...] = ()
    kept: int = 0


@dataclass(frozen=True, slots=True)
class LabelGap:
    """Labels that one part of the split lacks, with their rows; names: the commonest of them."""

    labels: int = 0
    rows: int = 0
    names: tuple[str, ...] = ()

    @property
    def unnamed(self) -> int:
        return self.labels - len(self.names)


@dataclass(frozen=True, slots=True)
class SharedGroups:
    """Rows of the upload whose group stands in the own test file. default: nobody said what is done with them."""

    rows: int = 0
    left_out: bool = False
    default: bool = True


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Rows of each part, and how they came there: from `by` on see `draw.Drawn`.

    untested: labels without a test row; untaught: those of test rows that no row teaches; both only for labels.
    why_not: why the rows can't be split, empty where they can.
    """

    train: int = 0
    dev: int = 0
    test: int = 0
    usable: int = 0
    own_test: bool = False
    untested: LabelGap | None = field(default=None, metadata=LEFT_OUT)
    untaught: LabelGap | None = field(default=None, metadata=LEFT_OUT)
    by: str = ""
    groups: int = 0
    group_overlap: int = 0
    times: int = 0
    column: bool = False
    parts: int = 0
    newer: int = 0
    released: int = 0
    units: int = 0
    shared: SharedGroups = field(default_factory=SharedGroups)
    why_not: str = ""

    @property
    def every(self) -> int:
        return self.usable + self.test


@dataclass(frozen=True, slots=True)
class LengthBar:
    """A bar of the histogram: rows of `least` to `most` units, both included."""

    least: Annotated[int, Field(alias="from")]
    most: Annotated[int, Field(alias="to")]
    rows: int

    def to_json(self) -> JsonDict:
        return {"from": self.least, "to": self.most, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class LengthReport:
    """How long rows are, in `unit` (tokens or characters). over: rows longer than `limit`.

    of: usable or all, which rows these are, and that each row of the table carries its size; empty where it does not.
    """

    unit: str = "characters"
    tokenizer: str = ""
    limit: int | None = None
    median: int = 0
    p95: int = 0
    longest: int = 0
    over: int = 0
    histogram: tuple[LengthBar, ...] = ()
    of: str = ""
    rows: int = 0

    @property
    def open_bar(self) -> LengthBar | None:
        """The last bar, where it is wider than the others and holds everything from its start up."""
        if len(self.histogram) < 2:
            return None
        before, last = self.histogram[-2:]
        return last if last.most - last.least > before.most - before.least else None


@dataclass(frozen=True, slots=True)
class GapRows:
    """Test rows that it takes to see a gap of 0 to 1 between two systems."""

    gap: float
    rows: int


@dataclass(frozen=True, slots=True)
class NeedsRows:
    """gap: the smallest that `rows` test rows can show, 0 to 1, None without any. See `shares.needs_rows`."""

    rows: int = 0
    gap: float | None = None
    table: tuple[GapRows, ...] = ()


@dataclass(frozen=True, slots=True)
class FileOfVersion:
    """A file of an earlier version."""

    file: str
    version: int


@dataclass(frozen=True, slots=True)
class Carried:
    """What a new version took over. test: the own test file; test_dropped: one that was given up.

    decisions, dropped: kinds of personal data whose word that they may stay was kept or dropped.
    """

    test: FileOfVersion | None = None
    test_dropped: FileOfVersion | None = None
    decisions: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that changed since version `since`, see `versions.Difference`."""

    since: int
    changed: int = 0
    unused: int = 0
    used_again: int = 0
    added: int = 0
    removed: int = 0
    moved: int = 0
    same: int = 0
