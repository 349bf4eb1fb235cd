"""`check-data` on the command line: the check that an upload gets, on a file that stays where it is.

The JSON has the keys of the quality report (see `report`) that speak about the file, and nothing of its texts: it may
be sent to people who must not see the rows. Without `--json` the same is said in words.
"""

import errno
import itertools
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, TypedDict

import numpy as np

from app.advice.policy_file import POLICY
from app.datasets.checks import pipeline, remark_words, suspicious
from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.report import Report
from app.datasets.checks.report_json import fields_of
from app.datasets.checks.report_parts import Contradiction, Leak, Pair, ReportMessage
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload
from app.json_types import JsonDict
from app.privacy import records

log = logging.getLogger(__name__)

NEEDED = POLICY.count("usable_examples")  # of the rules that come with the program
SEED = 7  # of the split; the same as an upload gets, so that the counts agree
EVERYTHING = 100_000  # messages, lines and pairs of each kind: a program wants all, but a million faults take 700 MiB
_MESSAGES_SHOWN = 20
_LINES_SHOWN = 5
STDIN = Path("-")


class MessageJson(TypedDict):
    """One message. line: None where it is about a file; file: 0 the examples, 1 the test file."""

    line: int | None
    field: str
    text: str
    level: str
    file: int


class Place(TypedDict):
    """Where the rows of a pair stand."""

    line: int
    of_line: int
    similarity: float


class Held(TypedDict):
    """Where a kind of personal data stands."""

    line: int
    kind: str


class Outcome(TypedDict):
    """What is printed as JSON; `examine` says what each is."""

    verdict: str
    can_be_used: bool
    why: list[str]
    format: str
    layout: str
    encoding: str
    line_word: str
    records: int
    test_records: int
    bad_lines: list[int]
    test_bad_lines: list[int]
    messages: list[MessageJson]
    message_counts: dict[str, int]
    waterfall: list[JsonDict]
    duplicates: list[Place]
    near_duplicates: list[Place]
    contradictions: list[Place]
    leaks: list[Place]
    identifiers: list[Held]
    test_identifiers: list[Held]
    signals: JsonDict | None
    split: JsonDict


def examine(file: Path, test: Path | None = None, encoding: str = "") -> Outcome:
    """The outcome of the check, as JSON.

    bad_lines, duplicates, near_duplicates, contradictions, identifiers: 1-based lines of `file`. leaks: `line` of the
    test file, `of_line` of `file`. test_bad_lines, test_identifiers, and messages with `file` 1, are about the test
    file. Each list holds at most EVERYTHING; `message_counts` has how many messages there were.

    file: `-` is the standard input. encoding: of both files, see `formats.ReadAs`. A file that can't be read is a
    rejected one, and so is one on which the check itself fails, so that a program always gets the same keys.
    """
    try:
        return _examined(file, test, ReadAs(encoding=encoding))
    except OSError as error:
        what = "The working space can't be used" if error.filename is None else f"{error.filename} can't be read"
        return _outcome(None, f"{what}: {error.strerror or error}.")
    except MemoryError:
        return _outcome(None, "The check needs more memory than this process may take.")
    except Exception as error:
        log.exception("The check failed.")
        return _outcome(None, f"The check itself failed ({type(error).__name__}), which is no fault of the file.")


def _examined(file: Path, test: Path | None, how: ReadAs) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="check-data-")))
        stream = _standard_input() if file == STDIN else stack.enter_context(file.open("rb"))
        upload = Upload(stream, file.name, how)
        own_test = Upload(stack.enter_context(test.open("rb")), test.name, how) if test else None
        rows = stack.enter_context(WorkingRows(folder / "rows"))
        inputs = CheckInput(upload, own_test, seed=SEED, max_messages=EVERYTHING, needed=NEEDED)
        return _outcome(pipeline.check(inputs, rows))


def _standard_input() -> BinaryIO:
    if sys.stdin is None:  # whoever started this process closed it
        raise OSError(errno.EBADF, "nothing is connected to it", "The standard input")
    return sys.stdin.buffer


def _outcome(check: Check | None, refused: str = "") -> Outcome:
    """refused: why there is no check; then every list is empty."""
    report = check.report if check else Report()
    messages: list[MessageJson] = []
    if refused:
        messages.append({"line": None, "field": "", "text": refused, "level": "error", "file": 0})
    counts = Counter(message["level"] for message in messages)
    if check:
        messages = _by_line([*map(_told, report.messages), *itertools.islice(_remarks(check), EVERYTHING)])
        counts.update(report.message_counts)
        for remark in report.remarks:
            counts[remark.level] += remark.rows
    identifiers = list(_identifiers(check.rows)) if check else []
    return {
        "verdict": report.verdict,
        "can_be_used": report.can_be_used,
        "why": list(report.why),
        "format": report.format,
        "layout": report.layout,
        "encoding": report.encoding,
        "line_word": report.line_word,
        "records": report.records,
        "test_records": report.test_records,
        "bad_lines": list(report.bad_lines),
        "test_bad_lines": list(report.test_bad_lines),
        "messages": messages,
        "message_counts": dict(counts),
        "waterfall": [fields_of(step) for step in report.waterfall],
        "duplicates": _pairs(report.duplicates),
        "near_duplicates": _pairs(report.near_duplicates),
        "contradictions": _pairs(report.contradictions),
        "leaks": _by_place(report.leaks),
        "identifiers": [{"line": line, "kind": kind} for line, kind, file in identifiers if not file],
        "test_identifiers": [{"line": line, "kind": kind} for line, kind, file in identifiers if file],
        "signals": (fields_of(report.signals) if report.signals else None) if check else {},
        "split": fields_of(report.split) if check else {},
    }


def _told(message: ReportMessage) -> MessageJson:
    return {
        "line": message.line,
        "field": message.field,
        "text": message.text,
        "level": message.level,
        "file": message.file,
    }


def _by_line(messages: list[MessageJson]) -> list[MessageJson]:
    """Those about a whole file first; EVERYTHING of those about lines."""
    messages.sort(key=lambda message: (message["line"] is not None, message["file"], message["line"] or 0))
    return messages[:EVERYTHING]


def _remarks(check: Check) -> Iterator[MessageJson]:
    """What is odd about the content, a row at a time: the report counts it, a page shows the rows, a program has this.

    Not among `bad_lines`: these rows are used.
    """
    levels = {remark.kind: remark.level for remark in check.report.remarks}
    for index in np.flatnonzero(np.frombuffer(bytes(check.marks), dtype=np.uint8)).tolist():
        for mark, kind in suspicious.KINDS.items():
            if check.marks[index] & mark:
                text, line = remark_words.OF_A_ROW[kind], check.rows.lines[index]
                yield {"line": line, "field": "", "text": text, "level": levels[kind], "file": 0}


def _pairs(pairs: Sequence[Pair | Contradiction]) -> list[Place]:
    """Only where the rows stand: the texts beside them are for the page. Repeats inside the test file are left out."""
    return _by_place([pair for pair in pairs if not pair.file])


def _by_place(pairs: Sequence[Pair | Contradiction | Leak]) -> list[Place]:
    ordered = sorted(pairs, key=lambda pair: pair.line)
    return [{"line": pair.line, "of_line": pair.of_line, "similarity": pair.similarity} for pair in ordered]


def _identifiers(rows: WorkingRows) -> Iterator[tuple[int, str, int]]:
    """Each kind of personal data or secret once a row, never its value: its line, the kind, the file."""
    for index, record in enumerate(rows):
        for kind in sorted(records.kinds_in_record(record)):
            yield record.line, kind, rows.files[index]


VERDICTS = {
    "accept": "It can be used as it is.",
    "warn": "It can be used; read what was found first.",
    "reject": "It can't be used.",
}


def words(outcome: Outcome) -> Iterator[str]:
    """The outcome for a person, a line at a time."""
    taken = outcome["message_counts"].get("error", 0) if outcome["verdict"] == "warn" else 0
    without = "It can be used without what could not be read; read what was found first."
    yield f"{outcome['verdict']}: {without if taken else VERDICTS[outcome['verdict']]}"
    yield from outcome["why"]
    if outcome["layout"]:
        layout = ", ".join(part for part in (outcome["format"], outcome["layout"], outcome["encoding"]) if part)
        yield f"Read as {layout}; {outcome['records']:,} records."
    if outcome["records"]:
        yield ""
        for step in outcome["waterfall"]:
            dropped = f"  ({step['dropped']:,} taken out)" if step["dropped"] else ""
            yield f"{step['count']:>10,}  {step['label']}{dropped}"
    if outcome["messages"]:
        yield ""
        yield from _messages(outcome)
    numbers = {
        "duplicates": len(outcome["duplicates"]),
        "near-duplicates": len(outcome["near_duplicates"]),
        "contradictions": len(outcome["contradictions"]),
        "leaks": len(outcome["leaks"]),
        "identifiers": len(outcome["identifiers"]),
    }
    counted = [f"{number:,} {name}" for name, number in numbers.items() if number]
    if counted:
        yield ""
        yield f"Found: {', '.join(counted)}; --json names their lines."


def _messages(outcome: Outcome) -> Iterator[str]:
    """The messages; those that say the same but for their numbers are said once, with the lines they are about."""
    alike: dict[tuple[str, int, str], list[MessageJson]] = {}
    for message in outcome["messages"]:
        alike.setdefault((message["level"], message["file"], re.sub(r"\d[\d,.]*", "0", message["text"])), []).append(
            message
        )
    for (level, file, _), same in list(alike.items())[:_MESSAGES_SHOWN]:
        lines = [str(message["line"]) for message in same if message["line"] is not None]
        listed = ", ".join(lines[:_LINES_SHOWN])
        more = f" and {len(lines) - _LINES_SHOWN:,} more" if len(lines) > _LINES_SHOWN else ""
        where = f"{outcome['line_word']} {listed}{more}" if lines else "file"
        alike_only = " And the like." if len({message["text"] for message in same}) > 1 else ""
        yield f"{level:<8} {'test ' if file else ''}{where}: {same[0]['text']}{alike_only}"
    if (left := len(alike) - _MESSAGES_SHOWN) > 0:
        yield f"and {left:,} more kinds of message; --json writes them."
