"""What an upload is worth: which rows can be used, and why the others can't.

`check` takes the bytes through reading, duplicates, contradictions, leaks and the split, and gives back one status a
row and one report. The report (stored as JSON, shown on the page, written by `check-data`) has these keys:

verdict: accept, warn, or reject, which means one thing: no row can be learnt from and judged by, `can_be_used` is
false, and the upload replaces nothing. why: the sentences behind it, the gravest first. format, layout, encoding: what
was detected; samples: the first three rows.
line_word: what a number counts: line, row (CSV, Parquet) or record (JSON array).
undecodable: lines that are no text in their encoding, of both files; a person can choose another one.
columns: [{name, samples}] that the file has; read_as: what a person chose about reading it, empty where it was guessed.
records: rows that could be read. bad_lines: lines of the upload that something is said about, 1-based, rising.
messages: {line, field, text, level, file} with level error, warning, note; file 0 the upload, 1 the own test file.
message_counts: how many of each level there were; `messages` holds the first of them.
waterfall: [{step, label, count, dropped, status}] from uploaded to usable, each row of the upload in one place.
duplicates, near_duplicates: [{line, of_line, similarity}]; contradictions: [{line, of_line, text, of_text, answer,
of_answer, cluster, same}], with the number of the group both are in, and whether both ask the same to the letter;
leaks: [{line, of_line, similarity}], line in the test file, of_line in the upload. `counts` has the full numbers.
task: labels, json or text; labels: [{label, rows}], the commonest 500; different_labels: how many there are in all;
labelled_rows: rows of all labels; rare_labels: labels with fewer than 20 rows.
lengths: see `lengths.of_rows`; languages: [{code, language, rows, share}], of what is asked, commonest first.
remarks: [{kind, rows, lines, text, level}] with kinds refusal, placeholder, repeat, echo, cut, dated, other_language:
see `content`.
clusters: {count, rows, sizes: [{size, clusters, rows}], kept}: groups of rows that ask (nearly) the same, of two or
more; kept: how many a person undid, whose rows are used all the same.
split: {train, dev, test, usable, own_test} and what `splitting.Drawn` holds; shared: {rows, left_out, default}, rows
whose group stands in the own test file, and whether they are left out, as nobody said otherwise; untested, untaught:
{labels, rows, names} of labels without a test row, and of those with one but without a row to learn from; why_not: why
the rows can't be split, empty where they can.
label_agreement: {questions, agree}, for labels: how often two rows of one repeated question have the same one, 0 to 1.
needs_rows: see `splitting.needs_rows`. contradiction_rate: see `contradiction_rate`; similar_questions: of how many
questions it is the share (absent in older reports, where of fewer than 20 it was the share of 20).
uploaded: lines of the upload. test_overlap_rows: test rows that are nearly a row of train or dev.
identifiers: {rows, left_out, kinds: [{kind, rows, lines, test_lines, action}], decided}; see `privacy.scan`.
carried: what a new version took over, added by the job: {test: {file, version}, test_dropped: {file, version},
decisions, dropped}, the last two kinds of personal data whose word that they may stay was kept or dropped.
learnability, changes: added by the job; see `learnability.measure` and `versions.compare`.
signals: what the examples say about the job; see `signals.measure`.
can_be_used: whether each split has a row; an upload that can't is rejected and replaces nothing.
"""

import itertools
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from app.chat import Record
from app.datasets.checks import (
    contradictions,
    duplicates,
    explained_differences,
    file_warnings,
    languages,
    leaks,
    lengths,
    paraphrases,
    row_warnings,
    suspicious,
    task_signals,
)
from app.datasets.checks.checkpoint import Desk
from app.datasets.checks.duplicates import Groups, Twin
from app.datasets.checks.paraphrases import Change
from app.datasets.checks.working_rows import Rows, question
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import Reading, Upload, read
from app.datasets.splits import draw, shares
from app.datasets.splits.declared import DeclaredColumns, declared_by
from app.datasets.splits.draw import DrawInput, Drawn
from app.datasets.splits.places import Places, Split
from app.datasets.thresholds import LABEL_LENGTH, LABEL_REPEATS, RARE_LABEL
from app.privacy import masking
from app.privacy.scan import Scan
from app.text import json_value

EVERY = 0.5  # seconds between two looks whether somebody cancelled, however long rows are
SHOWN = 500  # messages, pairs and lines kept in a report, unless the caller says otherwise
SAMPLES = 3
LABELS = 500  # labels listed in a report
LABELS_NAMED = 8  # in a sentence
_LINES_NAMED = 8  # in a sentence

CONSTANT_ROWS = 10
LOPSIDED = 0.95  # share of the commonest label from which on a model can score by always saying it
SLIP_LENGTH = 5  # characters of a label, from which on one letter is more likely a slip than another name
SLIP_TIMES = 5  # so many times as many rows has the label that a slip was meant for


class Status(StrEnum):
    """Where a row ends. The order is the order of the waterfall."""

    FAULT = "fault"
    EMPTY = "empty"
    PRIVATE = "private"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CONTRADICTION = "contradiction"
    LEAK = "leak"
    TEST_GROUP = "test_group"
    USABLE = "usable"


# (name of the step, words on the page, status of the rows that end here)
STEPS = (
    ("valid", "could be read", Status.FAULT),
    ("not_empty", "with question and answer", Status.EMPTY),
    ("not_private", "without personal data that you left out", Status.PRIVATE),
    ("within_length", "within the length", Status.TOO_LONG),
    ("unique", "ask something different", Status.DUPLICATE),
    ("near_unique", "and not nearly the same", Status.NEAR_DUPLICATE),
    ("consistent", "without contradictions", Status.CONTRADICTION),
    ("not_in_test", "not in the test file", Status.LEAK),
    ("of_other_groups", "of groups that the test file does not hold", Status.TEST_GROUP),
)


@dataclass(slots=True)
class Refused:
    """A line that gave no record."""

    file: int
    line: int
    status: Status
    text: str


class Twins:
    """For each row the row that its status speaks of, and how alike the two are; in 16 bytes a row."""

    def __init__(self, rows: int) -> None:
        self._other = array("q", [-1]) * rows
        self._alike = array("d", [0.0]) * rows

    def __setitem__(self, index: int, twin: tuple[int, float]) -> None:
        self._other[index], self._alike[index] = twin

    def get(self, index: int) -> tuple[int, float] | None:
        """None where the status speaks of no other row."""
        return (self._other[index], self._alike[index]) if self._other[index] >= 0 else None


@dataclass(slots=True)
class Check:
    """The outcome, by position in `rows`.

    status; twin: see `Twins`; group: oldest row of the near-duplicates; split: of the usable rows. refused: lines
    without a record, the first of them. report: see the module. marks: what is doubtful about each row's content, a
    `content.Mark` each. sizes: how long each row is, in the unit that the report's lengths name.
    """

    rows: Rows
    status: list[Status]
    twin: Twins
    group: Sequence[int]
    split: Places
    refused: list[Refused]
    report: dict[str, Any]
    marks: Sequence[int] = ()
    sizes: Sequence[int] = ()

    def reason(self, index: int) -> str:
        """The sentence beside a row that is not used."""
        status = self.status[index]
        if status is Status.TOO_LONG:
            return f"{self.rows.lengths[index]:,} characters; rows over {row_warnings.LONGEST_RECORD:,} would be cut."
        if status is Status.TEST_GROUP:
            return "Its group stands in the test file too."
        if (twin := self.twin.get(index)) is None:
            return ""
        other, similarity = twin
        where = f"line {self.rows.lines[other]}"
        if self.rows.files[other] != self.rows.files[index]:
            where += " of the test file" if self.rows.files[other] else " of the upload"
        return {
            Status.DUPLICATE: f"Asks the same as {where}.",
            Status.NEAR_DUPLICATE: f"Nearly the same as {where} ({100 * similarity:.0f}% alike).",
            Status.CONTRADICTION: f"Asks the same as {where} but is answered differently.",
            Status.LEAK: self._leak(index, other, similarity, where),
        }.get(status, "")

    def _leak(self, index: int, other: int, similarity: float, where: str) -> str:
        if self.rows.keys[index] == self.rows.keys[other]:
            return f"Stands in the test set too: {where}."
        if similarity < 1:
            return f"Nearly the same as {where} ({100 * similarity:.0f}% alike), which judges."
        return f"Asks what {where} asks, but for courtesies, or holds it word for word."


@dataclass(slots=True)
class Notes:
    """Messages as they come, with a bound on how many are kept."""

    shown: int
    veil: masking.Masker
    kept: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lines: set[int] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    refused_counts: Counter[tuple[int, Status]] = field(default_factory=Counter)

    def add(self, fault: Fault, file: int) -> None:
        self.counts[fault.level] += 1
        if fault.line is not None and fault.level != "note" and len(self.lines) < 100_000 and file == 0:
            self.lines.add(fault.line)
        # Words about the file as a whole are never crowded out by words about lines.
        if fault.line is None or len(self.kept) < self.shown:
            text, at = self.veil.text(fault.text), self.veil.text(fault.field)  # a fault may quote what it is about
            self.kept.append({"line": fault.line, "field": at, "text": text, "level": fault.level, "file": file})

    def refuse(self, fault: Fault, file: int) -> None:
        """Count the line that a fault is about; a fault of the whole file, such as a list never closed, is no line."""
        if fault.line is not None:
            self.leave_out(fault.line, file, Status.EMPTY if fault.kind == "empty" else Status.FAULT, fault.text)

    def leave_out(self, line: int, file: int, status: Status, text: str) -> None:
        """Count a line that gave no row; nothing of what it says is kept."""
        self.refused_counts[file, status] += 1
        if len(self.refused) < 100 * SHOWN:
            self.refused.append(Refused(file, line, status, self.veil.text(text)))

    def laid_down(self) -> dict[str, Any]:
        """Everything as a JSON value, for an attempt that goes on later."""
        return {
            "kept": self.kept,
            "counts": self.counts,
            "lines": sorted(self.lines),
            "refused": [(one.file, one.line, one.status, one.text) for one in self.refused],
            "refused_counts": [(file, status, count) for (file, status), count in self.refused_counts.items()],
        }

    def take_up(self, value: Mapping[str, Any]) -> None:
        self.kept, self.counts, self.lines = value["kept"], Counter(value["counts"]), set(value["lines"])
        self.refused = [Refused(file, line, Status(status), text) for file, line, status, text in value["refused"]]
        self.refused_counts = Counter({(file, Status(one)): count for file, one, count in value["refused_counts"]})


Tick = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


Facts = dict[str, Any]


def facts_of(reading: Reading) -> Facts:
    """What reading a file told about it: the part of the report that a later attempt can't make without reading."""
    shape = reading.shape
    return {
        "format": shape.name if shape else "unknown",
        "format_title": shape.title if shape else "Unknown",
        "format_about": shape.about if shape else "",
        "layout": reading.layout,
        "line_word": reading.line_word,
        # Where a table names no columns, its first row is taken for their names: values of a person, perhaps.
        "columns": [{"name": masking.mask(name), "samples": held} for name, held in reading.columns.items()],
        "read_as": reading.how.to_json(),
        "encoding": reading.encoding,
        "undecodable": reading.undecodable,
    }


def check(
    upload: BinaryIO | Upload,
    rows: Rows,
    *,
    seed: int,
    own_test: BinaryIO | Upload | None = None,
    kept: Mapping[int, Split] | None = None,
    decided: Mapping[str, str] | None = None,
    plan: str = "",
    shared: str = "",
    once_masked: Collection[str] = (),
    keep: Collection[int] = (),
    tick: Tick = silent,
    shown: int = SHOWN,
    desk: Desk | None = None,
    tokens: lengths.Counter | None = None,
    needed: int = 0,
) -> Check:
    """Go through an upload (and the uploader's own test file) from bytes to report.

    rows: an empty working file, or the one that an attempt with the same `desk` left. kept: the split of the versions
    before, by key of input. decided: what is done with each kind of personal data (mask, exclude, attest). plan: how to
    split (`splitting.PLANS`). shared: what a person said about rows whose group stands in the own test file (out, in).
    once_masked: kinds of personal data that were masked in an earlier version and are not now. keep: keys of the
    clusters whose repeats a person wants to use all the same. tick: told the stage in words, with rows done and in all
    (0 where that is not known yet); may raise to stop. shown: how many messages and pairs of each kind the report
    holds. tokens: counts what a model reads; None counts characters. needed: examples that training asks for, 0 where
    nobody is to be told.
    """
    veil = masking.masker(decided or {})
    notes = Notes(shown, veil)
    files = [upload] if own_test is None else [upload, own_test]
    scan = Scan(decided or {})
    readings = _Gathering(rows, notes, scan, tick, desk).run(files)
    rows.veil = veil if scan.any else None
    task = _task(rows)
    tick("Comparing rows", 0, 0)
    groups = duplicates.find(
        rows,
        rows.keys,
        labels=task == "labels",
        conflict=lambda one, other: _conflict(task, one, other),
        tick=lambda done, total: tick("Comparing rows", len(rows) * done // max(total, 1), len(rows)),  # work, in rows
        desk=desk,
    )
    found = _Judge(rows, groups, task, keep).judge()
    if own_test is not None:
        stage = "Looking for test questions"
        found.add_leaks(leaks.find(rows, lambda done, total: tick(stage, done, total)))
    tick("Drawing the split", 0, 0)
    declared = declared_by(rows) if any(rows.told) else DeclaredColumns({}, {}, {})
    together = found.together()
    with_test = _leave_out(rows, together, found.status, declared, shared)
    drawn = draw.draw(
        DrawInput(
            usable=_usable(found.status),
            oldest=together,
            keys=rows.keys,
            files=rows.files,
            declared=declared,
            seed=seed,
            plan=plan,
            previous_assignment=kept or {},
            own_test=own_test is not None,
            labels=rows.answers if task == "labels" else None,
            earlier_keys=_once(rows, frozenset(once_masked)),
        )
    )
    outcome = Check(rows, found.status, found.twin, together, drawn.split, notes.refused, {})
    # Measurements that read the texts once more stand here, each under its own stage.
    outcome.sizes, sizes = _sizes(rows, found.status, tokens, tick, desk)
    outcome.report = _report(outcome, readings, notes, found, task, sizes, needed, own_test=own_test is not None)
    outcome.report["lengths"] = sizes
    tick("Reading the answers", 0, 0)
    outcome.report["split"].update(drawn.report(), shared=with_test, why_not=_why_not(outcome.report, drawn))
    _say_why_not(outcome.report)
    outcome.report["needs_rows"] = shares.needs_rows(outcome.report["split"]["test"])
    outcome.report["identifiers"] = scan.report()
    outcome.report["signals"] = task_signals.measure(rows, rows.lines, rows.answers)
    return outcome


# ---------------------------------------------------------------------- reading
class _Gathering:
    """Reads the files into `rows` and `notes`; every few seconds lays down how far it is.

    Going on after a kill parses the file again from its start, for lines can't be counted without it, but does not
    look again at what was looked at: of the time that takes most.
    """

    def __init__(self, rows: Rows, notes: Notes, scan: Scan, tick: Tick, desk: Desk | None) -> None:
        self.rows = rows
        self.notes = notes
        self.scan = scan
        self.tick = tick
        self.desk = desk
        self.done: list[Facts] = []
        self.items = 0  # of the present file
        self.hidden: list[int] = []
        self.markup: list[int] = []
        self.last: int | None = None
        self.told = time.monotonic()

    def run(self, files: Sequence[BinaryIO | Upload]) -> list[Facts]:
        before = self.desk.noted("reading") if self.desk else None
        if before:
            self.notes.take_up(before["notes"])
            self.scan.load(before["scan"])
            self.done = before["done"]
            self.items, self.hidden, self.last = before["items"], before["hidden"], before["last"]
            self.markup = before.get("markup", [])
        for number, stream in enumerate(files):
            if number >= len(self.done):
                self._read(stream, number)
        return self.done

    def _read(self, stream: BinaryIO | Upload, file: int) -> None:
        reading = read(stream)
        stage = "Reading the test file" if file else "Reading the file"
        for item in itertools.islice(reading, self.items, None):
            self._take(item, file, table=reading.layout == "CSV")
            self.items += 1
            if self.items % 1000 == 0 or time.monotonic() - self.told >= EVERY:
                self.told = time.monotonic()
                if self.desk and self.desk.due():
                    self._save()
                self.tick(stage, len(self.rows), 0)
        if self.hidden:
            text = f"Signs that a reader cannot see, or that turn the writing direction, stand in {_in(self.hidden)}."
            self.notes.add(Fault(None, "", text, "warning"), file)
        if self.markup:
            text = f"Answers hold HTML such as &amp; or <br>, which a model learns to write, in {_in(self.markup)}."
            self.notes.add(Fault(None, "", text, "note"), file)
        self.done.append(facts_of(reading))
        self.items, self.hidden, self.markup, self.last = 0, [], [], None
        self._save()

    def _take(self, item: Record | Fault, file: int, *, table: bool) -> None:
        if isinstance(item, Record):
            self.last = item.line
            kept, said = self.scan.see(item, file)
            for text in said:
                self.notes.add(Fault(item.line, "", text, "warning"), file)
            if kept is None:
                self.notes.leave_out(item.line, file, Status.PRIVATE, "Holds personal data or a secret; left out.")
                return
            self.rows.add(kept, file)
            for remark in row_warnings.remarks(kept, table=table):
                self.notes.add(remark, file)
            if len(self.hidden) <= _LINES_NAMED and row_warnings.hidden(kept):
                self.hidden.append(item.line)
            if len(self.markup) <= _LINES_NAMED and row_warnings.markup(kept):
                self.markup.append(item.line)
            return
        self.notes.add(item, file)
        if item.level == "error" and item.line != self.last:
            self.notes.refuse(item, file)

    def _save(self) -> None:
        """The rows first: a note that names rows which are not on the disk would be a lie."""
        if self.desk is None:
            return
        state = {
            "rows": self.rows.save(),
            "notes": self.notes.laid_down(),
            "scan": self.scan.dump(),
            "done": self.done,
            "items": self.items,
            "hidden": self.hidden,
            "markup": self.markup,
            "last": self.last,
        }
        self.desk.note("reading", state)


def _in(lines: Sequence[int]) -> str:
    """The first lines, in words."""
    return f"line {', '.join(map(str, lines[:_LINES_NAMED]))}" + (" and more" if len(lines) > _LINES_NAMED else "")


def _task(rows: Rows) -> str:
    """labels, json or text, by what the answers look like. Labels repeat and are short; that is no fault of theirs."""
    if not len(rows):
        return "text"
    different = _different(rows.answers)
    short = sum(count for size, count in rows.answer_lengths.items() if size <= LABEL_LENGTH)
    if different * LABEL_REPEATS <= len(rows) and short > len(rows) / 2:
        return "labels"
    sample = range(0, len(rows), max(1, len(rows) // 50))
    if all(isinstance(json_value(rows[index].target), dict | list) for index in sample):
        return "json"
    return "text"


def _different(values: Sequence[int] | npt.NDArray[np.uint64]) -> int:
    """How many different values there are; a set of a million Python numbers would take 100 MB."""
    return len(np.unique(np.asarray(values, dtype=np.uint64)))


def _conflict(task: str, one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two rows that ask (nearly) the same, as question and answer, have answers that can't both be right.

    What each answer copies from its own question is no difference: see `explained`.
    """
    (asked, first), (asked_other, second) = one, other
    a, b = json_value(first), json_value(second)
    if isinstance(a, dict | list) and isinstance(b, dict | list):
        return not explained_differences.same_json(a, b, asked, asked_other)
    if task == "json":
        return a is None or b is None or a != b
    apart = contradictions.other_label(first, second) if task == "labels" else contradictions.different(first, second)
    return apart and not explained_differences.same_text(first, second, asked, asked_other)


# ---------------------------------------------------------------------- judging
class _Judge:
    """Gives each row its status."""

    def __init__(self, rows: Rows, groups: Groups, task: str, keep: Collection[int] = ()) -> None:
        self.rows = rows
        self.groups = groups
        self.task = task
        self.keep = keep
        self.kept_groups: set[int] = set()
        self.status = [Status.USABLE] * len(rows)
        self.twin = Twins(len(rows))
        self.contradictions: list[Twin] = []
        self.leaks: list[Twin] = []
        self.all_used: dict[int, list[int]] = {}  # of clusters that a person undid: rows of one input, by the first
        self.joined: dict[int, int] = {}  # groups whose answers contradict each other, by the oldest row, with another
        self.repeated: set[int] = set()  # groups of like questions of two rows or more, each by its oldest row
        self.contradicted: set[int] = set()  # those of them whose answers contradict each other

    def judge(self) -> "_Judge":
        for index in np.flatnonzero(np.asarray(self.rows.lengths) > row_warnings.LONGEST_RECORD).tolist():
            self.status[index] = Status.TOO_LONG
        likeness = self._likeness()
        clashes = [clash for clash in self.groups.clashes if self._is_one(clash)]
        for oldest, members in clusters(self.groups.oldest):
            group = [index for index in members if self.status[index] is Status.USABLE]
            if len(group) > 1:
                self._group(oldest, group, likeness)
        for clash in clashes:
            self._clash(clash)
        self._count_questions()
        return self

    def together(self) -> "array[int]":
        """For each row the oldest of its group. Rows that contradict each other are one group here: a person looks at
        it as a whole, and may say that its rows are different.
        """
        oldest = array("q", self.groups.oldest)
        if self.joined:
            for index, root in enumerate(oldest):
                oldest[index] = self._root(root)
        return oldest

    def _root(self, group: int) -> int:
        while (above := self.joined.get(group, group)) != group:
            group = above
        return group

    def _is_one(self, clash: Twin) -> bool:
        """Whether near rows with other answers contradict each other; then they are one group from here on."""
        if any(self.status[end] is Status.TOO_LONG for end in (clash.earlier, clash.later)):
            return False
        if self.rows.files[clash.earlier] != self.rows.files[clash.later]:
            return True  # a leak, whatever the answers
        if not self._differ(clash.earlier, clash.later):
            return False
        one, other = (self._root(self.groups.oldest[end]) for end in (clash.earlier, clash.later))
        self.joined[max(one, other)] = min(one, other)
        return True

    def _called_different(self, oldest: int) -> bool:
        """Whether a person said so of the group, or of all those that contradict each other together."""
        return any(self.rows.keys[group] in self.keep for group in (oldest, self._root(oldest)))

    def _likeness(self) -> "array[float]":
        """For each joined row how alike it was to the one it was joined by, for others 1; enough for a page."""
        found = array("d", [0.0]) * len(self.rows)
        for twin in self.groups.near:
            for end in (twin.earlier, twin.later):
                found[end] = max(found[end], twin.similarity)
        values = np.asarray(found)  # the same memory
        values[values == 0] = 1.0
        return found

    def _group(self, oldest: int, group: list[int], likeness: Sequence[float]) -> None:
        """Judge rows that ask (nearly) the same: leaks first, then contradictions, then all but one are repeats."""
        tests = [index for index in group if self.rows.files[index]]
        mine = [index for index in group if not self.rows.files[index]]
        if tests and mine:
            for index in mine:
                same = next((test for test in tests if self.rows.keys[test] == self.rows.keys[index]), tests[0])
                alike = 1.0 if self.rows.keys[same] == self.rows.keys[index] else likeness[index]
                self._set(index, Status.LEAK, same, alike)
            for test in tests:
                same = next((index for index in mine if self.rows.keys[test] == self.rows.keys[index]), mine[0])
                alike = 1.0 if self.rows.keys[same] == self.rows.keys[test] else likeness[test]
                self.leaks.append(Twin(same, test, alike))
        for part in (tests, [] if tests else mine):
            if len(part) > 1:
                self.repeated.add(oldest)
                self._repeats(oldest, part, likeness)

    def _repeats(self, oldest: int, group: list[int], likeness: Sequence[float]) -> None:
        by_input: defaultdict[int, list[int]] = defaultdict(list)
        for index in group:
            by_input[self.groups.first[index]].append(index)
        against = [pair for same in by_input.values() for pair in self._against(same)]
        different = self._called_different(oldest)
        if different:  # of rows that are the same to the letter nobody can say so
            against = [(one, other) for one, other in against if self.rows.pair(one)[0] == self.rows.pair(other)[0]]
        if against:
            self.contradicted.add(oldest)
            self.contradictions += [Twin(one, other, 1.0) for one, other in against]
            one = against[0][0]
            for index in group:
                other = next((a for a, b in against if b == index), None)
                other = next((b for a, b in against if a == index), one) if other is None else other
                self._set(index, Status.CONTRADICTION, other, 1.0)
            return
        if different:
            self.kept_groups.add(self._root(oldest))
            self.all_used.update(by_input)
            return
        # The longest says the most; of equals the oldest stays.
        keep = max(group, key=lambda index: (self.rows.lengths[index], -index))
        for first, same in by_input.items():
            for index in same:
                if index == keep:
                    continue
                if self.groups.first[keep] == first:
                    self._set(index, Status.DUPLICATE, keep, 1.0)
                else:
                    # One row stands for its input; the others repeat it word for word.
                    exact = index != same[0]
                    status = Status.DUPLICATE if exact else Status.NEAR_DUPLICATE
                    self._set(index, status, same[0] if exact else keep, 1.0 if exact else likeness[first])

    def _against(self, same: list[int]) -> list[tuple[int, int]]:
        """Pairs of rows with one input whose answers can't both be right: each against the first of its kind."""
        seen: dict[int, int] = {}
        pairs = []
        for index in same:
            answer = self.rows.answers[index]
            if answer in seen:
                continue
            other = next((one for one in seen.values() if self._differ(one, index)), None)
            seen[answer] = index
            if other is not None:
                pairs.append((other, index))
            if len(seen) > 50:
                break
        return pairs

    def _differ(self, one: int, other: int) -> bool:
        return _conflict(self.task, self.rows.pair(one), self.rows.pair(other))

    def _clash(self, clash: Twin) -> None:
        """Two nearly equal questions with different answers, each the first of its input."""
        if self.rows.files[clash.earlier] != self.rows.files[clash.later]:
            mine, test = sorted((clash.earlier, clash.later), key=self.rows.files.__getitem__)
            self.add_leaks(Twin(index, test, clash.similarity) for index in self._speaking_for(mine))
            return
        if self.rows.keys[whole := self._root(self.groups.oldest[clash.earlier])] in self.keep:
            self.kept_groups.add(whole)
            return
        for end, other in ((clash.earlier, clash.later), (clash.later, clash.earlier)):
            for index in self._speaking_for(end):
                if self.status[index] is Status.USABLE:
                    self._set(index, Status.CONTRADICTION, other, clash.similarity)
        self.contradictions.append(clash)

    def _count_questions(self) -> None:
        """Let groups that are nearly the same, but for their labels, count as the one question that they are."""
        parent: dict[int, int] = {}

        def root(group: int) -> int:
            while (above := parent.setdefault(group, group)) != group:
                parent[group] = parent[above]
                group = above
            return group

        for twin in self.contradictions:
            one, other = root(self.groups.oldest[twin.earlier]), root(self.groups.oldest[twin.later])
            parent[max(one, other)] = min(one, other)
        self.contradicted = {root(group) for group in [*self.contradicted, *parent]}
        self.repeated = {root(group) for group in [*self.repeated, *parent]}

    def agreement(self) -> dict[str, Any]:
        """How often two rows that ask the same have one label: the mean over the repeated questions.

        Each question counts once, however often it stands there.
        """
        held: defaultdict[int, list[int]] = defaultdict(list)
        for index, root in enumerate(self.together()):
            if root in self.repeated:
                held[root].append(index)
        shares = [self._agree(rows) for rows in held.values() if len(rows) > 1]
        return {"questions": len(shares), "agree": sum(shares) / len(shares) if shares else None}

    def _agree(self, rows: Sequence[int]) -> float:
        """The share of the pairs of these rows that have one label."""
        if len({self.rows.answers[index] for index in rows}) == 1:
            return 1.0
        counts = Counter(contradictions.label(self.rows[index].target) for index in rows)
        return sum(count * (count - 1) for count in counts.values()) / (len(rows) * (len(rows) - 1))

    def _speaking_for(self, index: int) -> list[int]:
        """The rows that are used for what this one asks: itself, or where it is a repeat the row that it repeats."""
        if index in self.all_used:
            return self.all_used[index]
        while self.status[index] in (Status.DUPLICATE, Status.NEAR_DUPLICATE) and (twin := self.twin.get(index)):
            index = twin[0]
        return [index]

    def add_leaks(self, found: Iterable[Twin]) -> None:
        """Take rows out that a test row stands in; `earlier` is the row, `later` the test row."""
        known = {twin.later for twin in self.leaks}
        for twin in found:
            if self.status[twin.earlier] not in (Status.LEAK, Status.TOO_LONG):
                self._set(twin.earlier, Status.LEAK, twin.later, twin.similarity)
            if twin.later not in known:
                known.add(twin.later)
                self.leaks.append(twin)

    def _set(self, index: int, status: Status, other: int, similarity: float) -> None:
        self.status[index] = status
        self.twin[index] = (other, similarity)


def clusters(oldest: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """The groups of two rows or more: their oldest row, and all of them in the order of the file."""
    roots = np.asarray(oldest, dtype=np.int64)
    order = np.argsort(roots, kind="stable")
    edges = np.flatnonzero(np.diff(roots[order])) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(order))
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        members = order[start:end].tolist()
        yield int(roots[members[0]]), members


def contradiction_rate(contradicted: int, repeated: int) -> float:
    """The share of repeated questions whose answers contradict each other; 0 where no question is repeated."""
    return contradicted / max(repeated, 1)


# ---------------------------------------------------------------------- splitting
def _usable(status: Sequence[Status]) -> npt.NDArray[np.int64]:
    """The positions of the rows that can be used."""
    found: npt.NDArray[np.int64] = np.flatnonzero(np.fromiter((one is Status.USABLE for one in status), bool))
    return found


def _leave_out(
    rows: Rows, together: Sequence[int], status: list[Status], declared: DeclaredColumns, shared: str
) -> dict[str, Any]:
    """Take out the rows whose group the own test file holds, or leave them where that is the better guess or wanted."""
    usable = _usable(status)
    found = draw.shared_groups(usable, together, rows.files, declared).tolist()
    mine = int(np.count_nonzero(np.asarray(rows.files, dtype=np.uint8)[usable] == 0))
    out = shared == "out" if shared else len(found) <= draw.MOST_SHARED * mine
    if out:
        for index in found:
            status[index] = Status.TEST_GROUP
    return {"rows": len(found), "left_out": out and bool(found), "default": not shared}


def _once(rows: Rows, kinds: frozenset[str]) -> dict[int, int]:
    """The keys that rows had while these kinds of personal data were masked, where they were others."""
    if not kinds:
        return {}
    keys = ((index, duplicates.key(question(masking.masked_record(one, kinds)))) for index, one in enumerate(rows))
    return {index: key for index, key in keys if key != rows.keys[index]}


def _why_not(report: Mapping[str, Any], drawn: Drawn) -> str:
    """Why there are not rows for every part."""
    split = report["split"]
    usable = split["usable"] + (0 if split["own_test"] else split["test"])
    if report["can_be_used"] or not usable:
        return ""
    parts = "train and dev" if split["own_test"] else "train, dev and test"
    least = draw.LEAST_GROUPS - split["own_test"]
    if drawn.groups and drawn.units < least:
        return (
            f"The group column puts all {usable:,} usable rows into {drawn.units:,} group{'s' * (drawn.units > 1)}, and"
            f" rows of one group stay together: {parts} need at least {least}. Name another column, or none."
        )
    return (
        f"{usable:,} usable row{'s' * (usable > 1)} can't be shared out to {parts}; upload at least 4 different ones."
    )


def _say_why_not(report: dict[str, Any]) -> None:
    """Give a refusal its sentence, where no fault of the whole file has said it already."""
    if report["can_be_used"]:
        return
    told = [one["text"] for one in report["messages"] if one["line"] is None and one["level"] == "error"]
    text = report["split"]["why_not"] or "No row is left that can be used."
    if not told:
        report["messages"].insert(0, {"line": None, "field": "", "text": text, "level": "error", "file": 0})
        report["message_counts"]["error"] = report["message_counts"].get("error", 0) + 1
    report["why"] = told[:1] or [text]


def _coverage(outcome: Check) -> dict[str, Any]:
    """Labels that no test row has, and labels that only test rows have."""
    rows = outcome.rows
    answers = np.asarray(rows.answers, dtype=np.uint64)

    def seen(*parts: Split) -> Counter[int]:
        return Counter(answers[outcome.split.where(*parts)].tolist())

    test, learning, every = seen("test"), seen("train"), seen("train", "dev", "test")
    untested = {label: count for label, count in every.items() if label not in test}
    untaught = {label: count for label, count in test.items() if label not in learning}
    return {"untested": _named(rows, untested), "untaught": _named(rows, untaught)}


def _named(rows: Rows, labels: Mapping[int, int]) -> dict[str, Any]:
    commonest = sorted(labels, key=lambda label: (-labels[label], label))[:LABELS_NAMED]
    names = [rows.shown(rows.answers.index(label)).target[:60] for label in commonest]
    return {"labels": len(labels), "rows": sum(labels.values()), "names": names}


# ---------------------------------------------------------------------- the report
def _report(
    outcome: Check,
    readings: list[Facts],
    notes: Notes,
    found: _Judge,
    task: str,
    sizes: Mapping[str, Any],
    needed: int,
    *,
    own_test: bool,
) -> dict[str, Any]:
    rows = outcome.rows
    counts = outcome.split.counts()
    odd, outcome.marks = _doubts(rows, task)
    labels = _labels(rows) if task == "labels" else []
    answers = Counter(rows.answers) if task == "labels" else Counter()
    unreadable = any(entry["line"] is None and entry["level"] == "error" for entry in notes.kept)
    repeats = Counter(outcome.status)
    can_be_used = counts["train"] > 0 and counts["dev"] > 0 and counts["test"] > 0
    unread = sum(count for (file, _), count in notes.refused_counts.items() if not file)
    why = list(_why(outcome, task, sizes, needed, unread)) if can_be_used else []
    if not unreadable:
        for fault in _whole_file(outcome, found, labels, counts, own_test=own_test):
            notes.add(fault, 0)
        for text in why:
            if text.endswith(file_warnings.TOO_FEW):
                continue  # no fault of the file; the verdict says it
            notes.add(Fault(None, "", text, "warning"), 0)
        for doubt in odd:
            notes.add(Fault(None, "", doubt.text, doubt.level), 0)
    lines = set(notes.lines)
    lines.update(rows.lines[twin.later] for twin in found.contradictions if not rows.files[twin.later])
    test_lines = sorted({rows.lines[twin.later] for twin in found.leaks})
    notes.kept.sort(key=lambda entry: (entry["line"] is not None, entry["file"], entry["line"] or 0))
    steps = waterfall(rows, outcome.status, notes.refused_counts, counts, own_test=own_test)
    return {
        "verdict": "reject"
        if not can_be_used
        else "warn"
        if why or notes.counts["error"] or notes.counts["warning"]
        else "accept",
        "why": why,
        **readings[0],
        "undecodable": sum(one.get("undecodable", 0) for one in readings),
        "samples": _samples(rows),
        "uploaded": steps[0]["count"],
        "records": sum(1 for file in rows.files if not file),
        "test_records": sum(1 for file in rows.files if file),
        "bad_lines": sorted(lines)[: max(2 * SHOWN, notes.shown)],
        "test_bad_lines": test_lines[: max(2 * SHOWN, notes.shown)],
        "messages": notes.kept,
        "message_counts": dict(notes.counts),
        "waterfall": steps,
        "duplicates": _pairs(outcome, Status.DUPLICATE, notes.shown),
        "near_duplicates": _pairs(outcome, Status.NEAR_DUPLICATE, notes.shown),
        "contradictions": [_contradiction(outcome, twin) for twin in found.contradictions[: notes.shown]],
        "leaks": [
            {
                "line": rows.lines[t.later],
                "of_line": rows.lines[t.earlier],
                "similarity": t.similarity,
                "text": _excerpt(rows, t.later),
                "of_text": _excerpt(rows, t.earlier),
            }
            for t in sorted(found.leaks, key=lambda t: t.later)[: notes.shown]
        ],
        "counts": {
            **{status.value: repeats[status] for status in Status},
            "contradictions": len(found.contradictions),
            "leaks": len(found.leaks),
            "exact_leaks": sum(rows.keys[leak.earlier] == rows.keys[leak.later] for leak in found.leaks),
            "groups": len(found.contradicted),
            "repeated_groups": len(found.repeated),
        },
        "contradiction_rate": contradiction_rate(len(found.contradicted), len(found.repeated)),
        "similar_questions": len(found.repeated),
        **({"label_agreement": found.agreement()} if task == "labels" else {}),
        "task": task,
        "labels": [{"label": label, "rows": count} for label, count in labels[:LABELS]],
        "different_labels": len(answers),
        "labelled_rows": answers.total(),
        "rare_labels": sum(1 for count in answers.values() if count < RARE_LABEL),
        "languages": _languages(rows),
        "remarks": [
            {
                "kind": doubt.kind,
                "rows": doubt.rows,
                "lines": doubt.lines,
                "text": doubt.text,
                "level": doubt.level,
            }
            for doubt in odd
        ],
        "clusters": _cluster_sizes(outcome, found),
        "split": {
            "train": counts["train"],
            "dev": counts["dev"],
            "test": counts["test"],
            "usable": counts["train"] + counts["dev"],
            "own_test": own_test,
            **(_coverage(outcome) if task == "labels" else {}),
        },
        "test_overlap_rows": _overlap(outcome),
        "can_be_used": can_be_used,
    }


def _why(outcome: Check, task: str, sizes: Mapping[str, Any], needed: int, unread: int) -> Iterator[str]:
    """What the verdict says first of a file that can be used."""
    rows, split = outcome.rows, outcome.split.counts()
    mine = np.asarray(rows.files) == 0
    ends = Counter(one for one, file in zip(outcome.status, rows.files, strict=True) if not file)
    counts = file_warnings.Counts(
        rows=int(np.count_nonzero(mine)),
        unread=unread,
        usable=split["train"] + split["dev"],
        repeats=ends[Status.DUPLICATE] + ends[Status.NEAR_DUPLICATE],
        answers=_different(np.asarray(rows.answers)[mine]),
    )
    return file_warnings.found(rows, task, counts, sizes, needed)


def _overlap(outcome: Check) -> int:
    """Test rows of whose group another row is trained on or chosen by; counted from the outcome, not from the plan."""
    group = np.asarray(outcome.group, dtype=np.int64)
    learning, judging = group[outcome.split.where("train", "dev")], group[outcome.split.where("test")]
    return int(np.count_nonzero(np.isin(judging, learning)))


def waterfall(
    rows: Rows,
    status: list[Status],
    refused: Mapping[tuple[int, Status], int],
    split: Mapping[Split, int],
    *,
    own_test: bool,
) -> list[dict[str, Any]]:
    """From the lines of the upload down to the usable rows. A test file of its own is not counted in."""
    ends = Counter(one for one, file in zip(status, rows.files, strict=True) if not file)
    ends.update({one: count for (file, one), count in refused.items() if not file})
    left = ends.total()
    steps = [{"step": "uploaded", "label": "rows uploaded", "count": left, "dropped": 0, "status": ""}]
    for name, label, end in STEPS:
        if (end is Status.LEAK and not own_test) or (end in (Status.PRIVATE, Status.TEST_GROUP) and not ends[end]):
            continue
        left -= ends[end]
        steps.append({"step": name, "label": label, "count": left, "dropped": ends[end], "status": end.value})
    test = 0 if own_test else split.get("test", 0)
    label = "usable: to train on and to choose by" if own_test else "usable: besides the test rows"
    steps.append({"step": "usable", "label": label, "count": left - test, "dropped": test, "status": "usable"})
    return steps


def _whole_file(
    outcome: Check, found: _Judge, labels: list[tuple[str, int]], split: Mapping[Split, int], *, own_test: bool
) -> Iterable[Fault]:
    """What is to be said about the rows as a whole."""
    rows = outcome.rows
    mine = np.flatnonzero(np.asarray(rows.files) == 0)
    different = _different(np.asarray(rows.keys)[mine]) if len(mine) else 0
    if len(mine) == 1:
        yield Fault(None, "", "There is one record only; it cannot be split into rows to learn from and rows to test.")
    elif different == 1:
        yield Fault(None, "", f"All {len(mine):,} records ask the same.")
    if not len(mine):
        yield Fault(None, "", "No record could be read.")
    if own_test and not split.get("test"):
        yield Fault(None, "", "The test file has no usable row.")
    if found.leaks:
        yield Fault(None, "", _leaking(rows, found.leaks), "warning")
    if len(mine) >= CONSTANT_ROWS and different > 1:
        yield from _answers(np.asarray(rows.answers)[mine], labels)
        yield from _misspelt(rows, mine, labels)
    if found.contradictions:
        number = found.status.count(Status.CONTRADICTION)  # as the waterfall does, and the page of these rows
        text = f"{number:,} rows ask what another row asks but are answered differently; none is used."
        yield Fault(None, "", text, "warning")


def _leaking(rows: Rows, leaks: Sequence[Twin]) -> str:
    """How many test rows stand in the upload, those that stand there word for word apart from those that nearly do."""
    exact = sum(rows.keys[leak.earlier] == rows.keys[leak.later] for leak in leaks)
    near = len(leaks) - exact
    said = []
    if exact:
        said.append("1 row of the test file stands in the upload too" if exact == 1 else
                    f"{exact:,} rows of the test file stand in the upload too")  # fmt: skip
    if near:
        whose = "" if exact else " of the test file"
        said.append(
            f"{near:,} row{'s' * (near > 1)}{whose} {'are' if near > 1 else 'is'} nearly asked there, or in part"
        )
    return f"{', and '.join(said)}; what judges is not used for training."


def _answers(answers: npt.NDArray[np.uint64], labels: list[tuple[str, int]]) -> Iterable[Fault]:
    if _different(answers) == 1:
        yield Fault(None, "", "Every row has the same answer; there is nothing to learn.", "warning")
        return
    if not labels:
        return
    total = sum(count for _, count in labels)
    label, most = labels[0]
    if most >= LOPSIDED * total:
        text = f"{most:,} of {total:,} answers are {label[:60]!r}; always saying that would score {most / total:.0%}."
        yield Fault(None, "", text, "warning")
    rare = [name for name, count in labels if count < RARE_LABEL]
    if rare:
        names = ", ".join(repr(name[:40]) for name in rare[:5]) + (" and others" if len(rare) > 5 else "")
        some = "1 label has" if len(rare) == 1 else f"{len(rare):,} labels have"
        text = f"{some} fewer than {RARE_LABEL} rows, too few to be judged: {names}."
        yield Fault(None, "", text, "note")


def _misspelt(rows: Rows, mine: npt.NDArray[np.int64], labels: list[tuple[str, int]]) -> Iterable[Fault]:
    """Rows whose label is likely a slip of the pen for a common one, or the same in another spelling."""
    said = np.asarray(rows.answers)[mine]
    for label, count in labels:
        if count >= RARE_LABEL:
            continue
        meant = next((other for other in labels if other[1] >= SLIP_TIMES * count and _slip(label, other[0])), None)
        if meant is None:
            continue
        for index in mine[said == np.uint64(duplicates.key(label))].tolist():
            text = f"The answer {label[:60]!r} may be a slip: {meant[1]:,} rows have {meant[0][:60]!r}."
            yield Fault(rows.lines[index], "", text, "warning")


def _slip(label: str, meant: str) -> bool:
    one, other = contradictions.label(label), contradictions.label(meant)
    if one == other:
        return True
    if min(len(one), len(other)) < SLIP_LENGTH or abs(len(one) - len(other)) > 1 or one[0] != other[0]:
        return False
    if not duplicates.same_numbers(one, other) or paraphrases.slips(one, other) != 1:
        return False
    return paraphrases.change(paraphrases.of(one), paraphrases.of(other), asking=False) is not Change.OTHER


def _labels(rows: Rows) -> list[tuple[str, int]]:
    _, first, counts = np.unique(np.asarray(rows.answers), return_index=True, return_counts=True)
    commonest = np.lexsort((first, -counts))[:1000]  # of equals the one that came first
    return [(rows.shown(int(first[place])).target[:200], int(counts[place])) for place in commonest]


def _doubts(rows: Rows, task: str) -> tuple[list[suspicious.Finding], Sequence[int]]:
    """What is doubtful about the upload's own rows, and the marks of each row that count."""
    counts = Counter(rows.answers) if task == "labels" else Counter()
    mine = bytes(0 if file else mark for mark, file in zip(rows.marks, rows.files, strict=True))
    return suspicious.found(mine, task, rows.lines.__getitem__, lambda index: counts[rows.answers[index]])


def _languages(rows: Rows) -> list[dict[str, Any]]:
    """Languages of what is asked, commonest first; rows too short to tell are left out of the shares."""
    counts = Counter(code for code, file in zip(rows.languages, rows.files, strict=True) if not file)
    del counts[rows.codes.index("")]
    total = counts.total()
    return [
        {
            "code": rows.codes[code],
            "language": languages.name(rows.codes[code]),
            "rows": count,
            "share": round(count / total, 4),
        }
        for code, count in counts.most_common(20)
    ]


def _cluster_sizes(outcome: Check, found: _Judge) -> dict[str, Any]:
    """How large the clusters are: rows by size of their cluster."""
    members = np.bincount(np.asarray(outcome.group, dtype=np.int64))
    members = members[members > 1]
    sizes, counts = np.unique(members, return_counts=True)
    return {
        "count": len(members),
        "rows": int(members.sum()),
        "sizes": [
            {"size": size, "clusters": count, "rows": size * count}
            for size, count in zip(sizes.tolist(), counts.tolist(), strict=True)
        ],
        "kept": len(found.kept_groups),
    }


def _sizes(
    rows: Rows, status: Sequence[Status], tokens: lengths.Counter | None, tick: Tick, desk: Desk | None
) -> tuple[Sequence[int], dict[str, Any]]:
    """How long each row is, in tokens where there is a tokenizer; and the report's part about it."""
    usable = _usable(status)
    if tokens is None:
        return rows.lengths, lengths.of_rows(rows.lengths, usable, unit="characters", limit=row_warnings.LONGEST_RECORD)
    sizes = _token_sizes(rows, tokens, tick, desk)
    return sizes, lengths.of_rows(sizes, usable, unit="tokens", limit=tokens.limit, tokenizer=tokens.name)


def _token_sizes(rows: Rows, tokens: lengths.Counter, tick: Tick, desk: Desk | None) -> "array[int]":
    """What each row takes; stored before the check goes on, for counting reads every text once more."""
    if desk and (kept := desk.kept("sizes")):
        return array("Q", kept["sizes"].tobytes())
    sizes = array("Q")
    for start in range(0, len(rows), lengths.BATCH):
        tick("Counting tokens", start, len(rows))
        sizes.extend(tokens.count([rows[index] for index in range(start, min(start + lengths.BATCH, len(rows)))]))
    if desk:
        desk.keep("sizes", sizes=np.asarray(sizes))
    return sizes


def _samples(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "line": record.line,
            "messages": [{"role": turn.role, "content": turn.content[:600]} for turn in record.messages[-4:]],
            "target": record.target[:600],
        }
        for record in (rows.shown(index) for index in range(min(SAMPLES, len(rows))))
    ]


def _pairs(outcome: Check, status: Status, shown: int) -> list[dict[str, Any]]:
    rows = outcome.rows
    found: list[dict[str, Any]] = []
    for index, one in enumerate(outcome.status):
        if one is status and len(found) < shown:
            other, similarity = outcome.twin.get(index) or (index, 1.0)
            found.append(
                {
                    "line": rows.lines[index],
                    "of_line": rows.lines[other],
                    "similarity": similarity,
                    "text": _excerpt(rows, index),
                    "of_text": _excerpt(rows, other),
                    "answer": rows.shown(index).target[:200],
                    "of_answer": rows.shown(other).target[:200],
                    "file": rows.files[index],
                }
            )
    return found


def _contradiction(outcome: Check, twin: Twin) -> dict[str, Any]:
    rows = outcome.rows
    return {
        "line": rows.lines[twin.later],
        "of_line": rows.lines[twin.earlier],
        "cluster": outcome.group[twin.later],
        "same": rows.pair(twin.later)[0] == rows.pair(twin.earlier)[0],
        "text": _excerpt(rows, twin.later),
        "of_text": _excerpt(rows, twin.earlier),
        "answer": rows.shown(twin.later).target[:200],
        "of_answer": rows.shown(twin.earlier).target[:200],
        "similarity": twin.similarity,
        "file": rows.files[twin.later],
    }


def _excerpt(rows: Rows, index: int) -> str:
    asked = question(rows.shown(index))
    return asked if len(asked) <= 200 else asked[:199] + "\N{HORIZONTAL ELLIPSIS}"
