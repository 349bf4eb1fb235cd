"""What an upload is worth: which rows can be used, and why the others can't.

`check` takes the bytes through reading, duplicates, contradictions, leaks and the split, and gives back one status a
row and one report. The report (stored as JSON, shown on the page, written by `check-data`) has these keys:

verdict: accept, warn, reject. format, layout, encoding: what was detected; samples: the first three rows.
line_word: what a number counts: line, row (CSV, Parquet) or record (JSON array).
columns: [{name, samples}] that the file has; read_as: what a person chose about reading it, empty where it was guessed.
records: rows that could be read. bad_lines: lines of the upload that something is said about, 1-based, rising.
messages: {line, field, text, level, file} with level error, warning, note; file 0 the upload, 1 the own test file.
message_counts: how many of each level there were; `messages` holds the first of them.
waterfall: [{step, label, count, dropped, status}] from uploaded to usable, each row of the upload in one place.
duplicates, near_duplicates: [{line, of_line, similarity}]; contradictions: [{line, of_line, answer, of_answer}];
leaks: [{line, of_line, similarity}], line in the test file, of_line in the upload. `counts` has the full numbers.
task: labels, json or text; labels: [{label, rows}], the commonest 500; rare_labels: those with fewer than 20 rows.
lengths: see `lengths.summary`; languages: [{code, language, rows, share}], of what is asked, commonest first.
remarks: [{kind, rows, lines, text}] with kinds refusal, placeholder, repeat, echo, other_language: see `content`.
clusters: {count, rows, sizes: [{size, clusters, rows}], kept}: groups of rows that ask (nearly) the same, of two or
more; kept: how many a person undid, whose rows are used all the same.
split: {train, dev, test, usable, own_test, by, groups, group_overlap, times, column}; see `splitting.Drawn`.
needs_rows: see `splitting.needs_rows`. contradiction_rate: see `contradiction_rate`.
uploaded: lines of the upload. test_overlap_rows: test rows that are nearly a row of train or dev.
identifiers: {rows, left_out, kinds: [{kind, rows, lines, test_lines, action}], decided}; see `personal_data.Scan`.
learnability, changes: added by the job; see `learnability.measure` and `versions.compare`.
signals: what the examples say about the job; see `signals.measure`.
can_be_used: whether each split has a row; an upload that can't is rejected and replaces nothing.
"""

import itertools
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np
import orjson

from app.datasets import answers, content, duplicates, languages, lengths, personal_data, remarks, signals, splitting
from app.datasets.desk import Desk
from app.datasets.duplicates import Groups, Twin
from app.datasets.formats import Fault, Record
from app.datasets.reading import Reading, Upload, read
from app.datasets.rows import Rows
from app.datasets.splitting import Drawn, Split

SHOWN = 500  # messages, pairs and lines kept in a report, unless the caller says otherwise
SAMPLES = 3
LABELS = 500  # labels listed in a report

LABEL_LENGTH = 60  # characters; a label is a name, not a sentence
LABEL_REPEATS = 4  # rows for each different answer, from which on answers count as labels
CONSTANT_ROWS = 10
LOPSIDED = 0.95  # share of the commonest label from which on a model can score by always saying it
RARE_LABEL = 20  # rows of a label below which it is named as not covered (decision-rules G1)
FEW_GROUPS = 20


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
)


@dataclass(slots=True)
class Refused:
    """A line that gave no record."""

    file: int
    line: int
    status: Status
    text: str


@dataclass(slots=True)
class Check:
    """The outcome, by position in `rows`.

    status; twin: the row that a status speaks of and how alike it is; group: oldest row of the near-duplicates;
    split: of the usable rows. refused: lines without a record, the first of them. report: see the module. marks: what
    is doubtful about each row's content.
    """

    rows: Rows
    status: list[Status]
    twin: dict[int, tuple[int, float]]
    group: Sequence[int]
    split: dict[int, Split]
    refused: list[Refused]
    report: dict[str, Any]
    marks: Sequence[content.Mark] = ()

    def reason(self, index: int) -> str:
        """The sentence beside a row that is not used."""
        status = self.status[index]
        if status is Status.TOO_LONG:
            return f"{self.rows.lengths[index]:,} characters; rows over {remarks.LONGEST_RECORD:,} would be cut."
        if index not in self.twin:
            return ""
        other, similarity = self.twin[index]
        where = f"line {self.rows.lines[other]}"
        if self.rows.files[other] != self.rows.files[index]:
            where += " of the test file" if self.rows.files[other] else " of the upload"
        return {
            Status.DUPLICATE: f"Asks the same as {where}.",
            Status.NEAR_DUPLICATE: f"Nearly the same as {where} ({100 * similarity:.0f} % alike).",
            Status.CONTRADICTION: f"Asks the same as {where} but is answered differently.",
            Status.LEAK: f"Stands in the test set too: {where}.",
        }.get(status, "")


@dataclass(slots=True)
class Notes:
    """Messages as they come, with a bound on how many are kept."""

    shown: int
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
            entry = {"line": fault.line, "field": fault.field, "text": fault.text, "level": fault.level, "file": file}
            self.kept.append(entry)

    def refuse(self, fault: Fault, file: int) -> None:
        self.leave_out(fault.line, file, Status.EMPTY if fault.kind == "empty" else Status.FAULT, fault.text)

    def leave_out(self, line: int | None, file: int, status: Status, text: str) -> None:
        """Count a line that gave no row; nothing of what it says is kept."""
        self.refused_counts[file, status] += 1
        if line is not None and len(self.refused) < 100 * SHOWN:
            self.refused.append(Refused(file, line, status, text))

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
        "columns": [{"name": name, "samples": held} for name, held in reading.columns.items()],
        "read_as": reading.how.to_json(),
        "encoding": reading.encoding,
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
    keep: Collection[int] = (),
    tick: Tick = silent,
    shown: int = SHOWN,
    desk: Desk | None = None,
    tokens: lengths.Counter | None = None,
) -> Check:
    """Go through an upload (and the uploader's own test file) from bytes to report.

    rows: an empty working file, or the one that an attempt with the same `desk` left. kept: the split of the version
    before, by key of input. decided: what is done with each kind of personal data (mask, exclude, attest). plan: how to
    split (`splitting.PLANS`). keep: keys of the clusters whose repeats a person wants to use all the same. tick: told
    the stage in words, with rows done and in all (0 where that is not known yet); may raise to stop. shown: how many
    messages and pairs of each kind the report holds. tokens: counts what a model reads; None counts characters.
    """
    notes = Notes(shown)
    files = [upload] if own_test is None else [upload, own_test]
    scan = personal_data.Scan(decided or {})
    readings = _Gathering(rows, notes, scan, tick, desk).run(files)
    task = _task(rows)
    tick("Comparing rows", 0, 0)
    groups = duplicates.find(
        rows,
        rows.keys,
        labels=task == "labels",
        conflict=_other_value if task == "json" else answers.different,
        tick=lambda done, total: tick("Comparing rows", done, total),
        desk=desk,
    )
    found = _Judge(rows, groups, task, keep).judge()
    tick("Drawing the split", 0, 0)
    drawn = _split(rows, groups, found.status, seed, plan, kept or {}, own_test=own_test is not None)
    outcome = Check(rows, found.status, found.twin, groups.oldest, drawn.split, notes.refused, {})
    # Measurements that read the texts once more stand here, each under its own stage.
    sizes = _sizes(rows, found.status, tokens, tick, desk)
    outcome.report = _report(outcome, readings, notes, found, task, own_test=own_test is not None)
    outcome.report["lengths"] = sizes
    tick("Reading the answers", 0, 0)
    outcome.report["split"].update(drawn.report())
    outcome.report["needs_rows"] = splitting.needs_rows(outcome.report["split"]["test"])
    if scan.any:
        outcome.report = personal_data.shielded(outcome.report, scan.decided)
    outcome.report["identifiers"] = scan.report()
    outcome.report["signals"] = signals.measure(rows, rows.lines, rows.answers)
    return outcome


# ---------------------------------------------------------------------- reading
class _Gathering:
    """Reads the files into `rows` and `notes`; every few seconds lays down how far it is.

    Going on after a kill parses the file again from its start, for lines can't be counted without it, but does not
    look again at what was looked at: of the time that takes most.
    """

    def __init__(self, rows: Rows, notes: Notes, scan: personal_data.Scan, tick: Tick, desk: Desk | None) -> None:
        self.rows = rows
        self.notes = notes
        self.scan = scan
        self.tick = tick
        self.desk = desk
        self.done: list[Facts] = []
        self.items = 0  # of the present file
        self.hidden: list[int] = []
        self.last: int | None = None

    def run(self, files: Sequence[BinaryIO | Upload]) -> list[Facts]:
        before = self.desk.noted("reading") if self.desk else None
        if before:
            self.notes.take_up(before["notes"])
            self.scan.take_up(before["scan"])
            self.done = before["done"]
            self.items, self.hidden, self.last = before["items"], before["hidden"], before["last"]
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
            if self.items % 1000 == 0:
                if self.desk and self.desk.due():
                    self._save()
                self.tick(stage, len(self.rows), 0)
        if self.hidden:
            lines = ", ".join(str(line) for line in self.hidden[:8]) + (" and more" if len(self.hidden) > 8 else "")
            text = f"Signs that a reader cannot see, or that turn the writing direction, stand in line {lines}."
            self.notes.add(Fault(None, "", text, "warning"), file)
        self.done.append(facts_of(reading))
        self.items, self.hidden, self.last = 0, [], None
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
            for remark in remarks.remarks(kept, table=table):
                self.notes.add(remark, file)
            if len(self.hidden) < 9 and remarks.hidden(kept):
                self.hidden.append(item.line)
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
            "scan": self.scan.laid_down(),
            "done": self.done,
            "items": self.items,
            "hidden": self.hidden,
            "last": self.last,
        }
        self.desk.note("reading", state)


def _task(rows: Rows) -> str:
    """labels, json or text, by what the answers look like. Labels repeat and are short; that is no fault of theirs."""
    if not len(rows):
        return "text"
    different = len(set(rows.answers))
    short = sum(count for size, count in rows.answer_lengths.items() if size <= LABEL_LENGTH)
    if different * LABEL_REPEATS <= len(rows) and short > len(rows) / 2:
        return "labels"
    sample = range(0, len(rows), max(1, len(rows) // 50))
    if all(isinstance(_json(rows[index].target), dict | list) for index in sample):
        return "json"
    return "text"


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _other_value(one: str, other: str) -> bool:
    a, b = _json(one), _json(other)
    return a is None or b is None or a != b


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
        self.twin: dict[int, tuple[int, float]] = {}
        self.contradictions: list[Twin] = []
        self.leaks: list[Twin] = []
        self.repeats: list[Twin] = []
        self.contradicted_groups: set[int] = set()
        self.repeated_groups = 0

    def judge(self) -> "_Judge":
        for index, size in enumerate(self.rows.lengths):
            if size > remarks.LONGEST_RECORD:
                self.status[index] = Status.TOO_LONG
        likeness = self._likeness()
        for oldest, members in clusters(self.groups.oldest):
            group = [index for index in members if self.status[index] is Status.USABLE]
            if len(group) > 1:
                self._group(oldest, group, likeness)
        for clash in self.groups.clashes:
            self._clash(clash)
        return self

    def _likeness(self) -> dict[int, float]:
        """For each joined row how alike it was to the one it was joined by; enough for a page."""
        found: dict[int, float] = {}
        for twin in self.groups.near:
            for end in (twin.earlier, twin.later):
                found[end] = max(found.get(end, 0.0), twin.similarity)
        return found

    def _group(self, oldest: int, group: list[int], likeness: dict[int, float]) -> None:
        """Judge rows that ask (nearly) the same: leaks first, then contradictions, then all but one are repeats."""
        tests = [index for index in group if self.rows.files[index]]
        mine = [index for index in group if not self.rows.files[index]]
        if tests and mine:
            for index in mine:
                same = next((test for test in tests if self.rows.keys[test] == self.rows.keys[index]), tests[0])
                alike = 1.0 if self.rows.keys[same] == self.rows.keys[index] else likeness.get(index, 1.0)
                self._set(index, Status.LEAK, same, alike)
            for test in tests:
                same = next((index for index in mine if self.rows.keys[test] == self.rows.keys[index]), mine[0])
                alike = 1.0 if self.rows.keys[same] == self.rows.keys[test] else likeness.get(test, 1.0)
                self.leaks.append(Twin(same, test, alike))
        for part in (tests, [] if tests else mine):
            if len(part) > 1:
                self.repeated_groups += 1
                self._repeats(oldest, part, likeness)

    def _repeats(self, oldest: int, group: list[int], likeness: dict[int, float]) -> None:
        by_input: defaultdict[int, list[int]] = defaultdict(list)
        for index in group:
            by_input[self.groups.first[index]].append(index)
        against = [pair for same in by_input.values() for pair in self._against(same)]
        if against:
            self.contradicted_groups.add(oldest)
            self.contradictions += [Twin(one, other, 1.0) for one, other in against]
            one = against[0][0]
            for index in group:
                other = next((a for a, b in against if b == index), None)
                other = next((b for a, b in against if a == index), one) if other is None else other
                self._set(index, Status.CONTRADICTION, other, 1.0)
            return
        if self.rows.keys[oldest] in self.keep:
            self.kept_groups.add(oldest)
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
                    self._set(index, status, same[0] if exact else keep, 1.0 if exact else likeness.get(first, 1.0))

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
        first, second = self.rows[one].target, self.rows[other].target
        if self.task == "labels":
            return answers.other_label(first, second)
        return _other_value(first, second) if self.task == "json" else answers.different(first, second)

    def _clash(self, clash: Twin) -> None:
        """Two nearly equal questions with different labels, each the first of its input."""
        if any(self.status[end] is Status.TOO_LONG for end in (clash.earlier, clash.later)):
            return
        if self.rows.files[clash.earlier] != self.rows.files[clash.later]:
            return
        if not self._differ(clash.earlier, clash.later):
            return
        for end, other in ((clash.earlier, clash.later), (clash.later, clash.earlier)):
            if self.status[end] is Status.USABLE:
                self._set(end, Status.CONTRADICTION, other, clash.similarity)
        self.contradictions.append(clash)
        self.contradicted_groups.add(self.groups.oldest[clash.earlier])
        self.repeated_groups += 1

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
    """The share of repeated questions whose answers contradict each other.

    Where fewer than 20 questions are repeated the share is taken of 20: one slip among two says nothing about the rest,
    and the rows themselves are taken out anyway.
    """
    return contradicted / max(repeated, FEW_GROUPS)


# ---------------------------------------------------------------------- splitting
def _split(
    rows: Rows, groups: Groups, status: list[Status], seed: int, plan: str, kept: Mapping[int, Split], *, own_test: bool
) -> Drawn:
    usable = [index for index, one in enumerate(status) if one is Status.USABLE]
    return splitting.draw(
        usable,
        groups.oldest,
        rows.keys,
        rows.files,
        splitting.told(rows),
        seed=seed,
        plan=plan,
        kept=kept,
        own_test=own_test,
    )


# ---------------------------------------------------------------------- the report
def _report(
    outcome: Check, readings: list[Facts], notes: Notes, found: _Judge, task: str, *, own_test: bool
) -> dict[str, Any]:
    rows = outcome.rows
    counts = Counter(outcome.split.values())
    doubts, outcome.marks = _doubts(rows, task)
    labels = _labels(rows) if task == "labels" else []
    unreadable = any(entry["line"] is None and entry["level"] == "error" for entry in notes.kept)
    if not unreadable:
        for fault in _whole_file(outcome, found, labels, counts, own_test=own_test):
            notes.add(fault, 0)
        for doubt in doubts:
            notes.add(Fault(None, "", doubt.text, doubt.level), 0)
    lines = set(notes.lines)
    lines.update(rows.lines[twin.later] for twin in found.contradictions if not rows.files[twin.later])
    test_lines = sorted({rows.lines[twin.later] for twin in found.leaks})
    notes.kept.sort(key=lambda entry: (entry["line"] is not None, entry["file"], entry["line"] or 0))
    repeats = Counter(outcome.status)
    steps = waterfall(rows, outcome.status, notes.refused_counts, counts, own_test=own_test)
    return {
        "verdict": "reject"
        if notes.counts["error"] or found.leaks
        else "warn"
        if notes.counts["warning"]
        else "accept",
        **readings[0],
        "samples": _samples(rows),
        "uploaded": steps[0]["count"],
        "records": sum(1 for file in rows.files if not file),
        "test_records": sum(1 for file in rows.files if file),
        "bad_lines": sorted(lines)[: 2 * SHOWN],
        "test_bad_lines": test_lines[: 2 * SHOWN],
        "messages": notes.kept,
        "message_counts": dict(notes.counts),
        "waterfall": steps,
        "duplicates": _pairs(outcome, Status.DUPLICATE, notes.shown),
        "near_duplicates": _pairs(outcome, Status.NEAR_DUPLICATE, notes.shown),
        "contradictions": [_contradiction(rows, twin) for twin in found.contradictions[: notes.shown]],
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
            "groups": len(found.contradicted_groups),
            "repeated_groups": found.repeated_groups,
        },
        "contradiction_rate": contradiction_rate(len(found.contradicted_groups), found.repeated_groups),
        "task": task,
        "labels": [{"label": label, "rows": count} for label, count in labels[:LABELS]],
        "rare_labels": sum(1 for _, count in labels if count < RARE_LABEL),
        "languages": _languages(rows),
        "remarks": [
            {"kind": doubt.kind, "rows": doubt.rows, "lines": doubt.lines, "text": doubt.text} for doubt in doubts
        ],
        "clusters": _cluster_sizes(outcome, found),
        "split": {
            "train": counts["train"],
            "dev": counts["dev"],
            "test": counts["test"],
            "usable": counts["train"] + counts["dev"],
            "own_test": own_test,
        },
        "test_overlap_rows": _overlap(outcome),
        "can_be_used": counts["train"] > 0 and counts["dev"] > 0 and counts["test"] > 0,
    }


def _overlap(outcome: Check) -> int:
    """Test rows of whose group another row is trained on or chosen by; counted from the outcome, not from the plan."""
    learning = {outcome.group[index] for index, split in outcome.split.items() if split != "test"}
    return sum(1 for index, split in outcome.split.items() if split == "test" and outcome.group[index] in learning)


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
        if (end is Status.LEAK and not own_test) or (end is Status.PRIVATE and not ends[end]):
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
    mine = [index for index, file in enumerate(rows.files) if not file]
    different = len({rows.keys[index] for index in mine})
    if len(mine) == 1:
        yield Fault(None, "", "There is one record only; it cannot be split into rows to learn from and rows to test.")
    elif mine and different == 1:
        yield Fault(None, "", f"All {len(mine):,} records ask the same.")
    if not mine:
        yield Fault(None, "", "No record could be read.")
    if own_test and not split.get("test"):
        yield Fault(None, "", "The test file has no usable row.")
    if found.leaks:
        text = f"{len(found.leaks):,} rows of the test file stand in the upload too; they are not used for training."
        yield Fault(None, "", text)
    if len(mine) >= CONSTANT_ROWS and different > 1:
        yield from _answers(rows, mine, labels)
    if found.contradictions:
        text = (
            f"{len(found.contradictions):,} rows ask what another row asks but are answered differently; none is used."
        )
        yield Fault(None, "", text, "warning")


def _answers(rows: Rows, mine: list[int], labels: list[tuple[str, int]]) -> Iterable[Fault]:
    if len({rows.answers[index] for index in mine}) == 1:
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
        text = f"{len(rare)} labels have fewer than {RARE_LABEL} rows and are not covered: {names}."
        yield Fault(None, "", text, "note")


def _labels(rows: Rows) -> list[tuple[str, int]]:
    first: dict[int, int] = {}
    counts: Counter[int] = Counter()
    for index, answer in enumerate(rows.answers):
        first.setdefault(answer, index)
        counts[answer] += 1
    return [(rows[first[answer]].target[:200], count) for answer, count in counts.most_common(1000)]


def _doubts(rows: Rows, task: str) -> tuple[list[content.Finding], list[content.Mark]]:
    """What is doubtful about the upload's own rows, and the marks of each row that count."""
    counts = Counter(rows.answers) if task == "labels" else Counter()
    mine = (mark if not file else 0 for mark, file in zip(rows.marks, rows.files, strict=True))
    return content.found(mine, task, rows.lines.__getitem__, lambda index: counts[rows.answers[index]])


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
    sizes = Counter(len(members) for _, members in clusters(outcome.group))
    return {
        "count": sizes.total(),
        "rows": sum(size * count for size, count in sizes.items()),
        "sizes": [{"size": size, "clusters": count, "rows": size * count} for size, count in sorted(sizes.items())],
        "kept": len(found.kept_groups),
    }


def _sizes(
    rows: Rows, status: Sequence[Status], tokens: lengths.Counter | None, tick: Tick, desk: Desk | None
) -> dict[str, Any]:
    """Lengths of the rows that can be used, or of all where none can; in tokens where there is a tokenizer."""
    if tokens is None:
        usable = [size for size, one in zip(rows.lengths, status, strict=True) if one is Status.USABLE]
        return lengths.summary(usable or rows.lengths, unit="characters", limit=remarks.LONGEST_RECORD)
    wanted = [index for index, one in enumerate(status) if one is Status.USABLE] or list(range(len(rows)))

    def count() -> dict[str, Any]:
        sizes = array("q")
        for start in range(0, len(wanted), lengths.BATCH):
            tick("Counting tokens", start, len(wanted))
            sizes.extend(tokens.count([rows[index] for index in wanted[start : start + lengths.BATCH]]))
        return lengths.summary(sizes, unit="tokens", limit=tokens.limit, tokenizer=tokens.name)

    found: dict[str, Any] = desk.once("lengths", count) if desk else count()
    return found


def _samples(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "line": record.line,
            "messages": [{"role": turn.role, "content": turn.content[:600]} for turn in record.messages[-4:]],
            "target": record.target[:600],
        }
        for record in (rows[index] for index in range(min(SAMPLES, len(rows))))
    ]


def _pairs(outcome: Check, status: Status, shown: int) -> list[dict[str, Any]]:
    rows = outcome.rows
    found: list[dict[str, Any]] = []
    for index, one in enumerate(outcome.status):
        if one is status and len(found) < shown:
            other, similarity = outcome.twin[index]
            found.append(
                {
                    "line": rows.lines[index],
                    "of_line": rows.lines[other],
                    "similarity": similarity,
                    "text": _excerpt(rows, index),
                    "of_text": _excerpt(rows, other),
                    "answer": rows[index].target[:200],
                    "of_answer": rows[other].target[:200],
                    "file": rows.files[index],
                }
            )
    return found


def _contradiction(rows: Rows, twin: Twin) -> dict[str, Any]:
    return {
        "line": rows.lines[twin.later],
        "of_line": rows.lines[twin.earlier],
        "text": _excerpt(rows, twin.later),
        "answer": rows[twin.later].target[:200],
        "of_answer": rows[twin.earlier].target[:200],
        "similarity": twin.similarity,
        "file": rows.files[twin.later],
    }


def _excerpt(rows: Rows, index: int) -> str:
    asked, _ = rows.pair(index)
    return asked if len(asked) <= 200 else asked[:199] + "\N{HORIZONTAL ELLIPSIS}"
