"""`check-data` on the command line: the check that an upload gets, on a file that stays where it is.

The JSON has the keys of the quality report (see `quality`) that speak about the file, and nothing of its texts: it may
be sent to people who must not see the rows. Without `--json` the same is said in words.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.datasets import personal_data, quality
from app.datasets.quality import Check
from app.datasets.reading import Upload
from app.datasets.rows import Rows

SEED = 7  # of the split; the same as an upload gets, so that the counts agree
EVERYTHING = 1_000_000  # messages and pairs: a program that reads the JSON wants all of them
_PAIR = ("line", "of_line", "similarity")
_MESSAGES_SHOWN = 20


def examine(file: Path, test: Path | None = None) -> dict[str, Any]:
    """The outcome of the check, as JSON.

    bad_lines, duplicates, near_duplicates, contradictions, identifiers: 1-based lines of `file`. leaks: `line` of the
    test file, `of_line` of `file`. test_bad_lines, and messages with `file` 1, are about the test file.

    Raises:
        OSError: a file can't be read.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="check-data-")))
        upload = Upload(stack.enter_context(file.open("rb")), file.name)
        own_test = Upload(stack.enter_context(test.open("rb")), test.name) if test else None
        rows = stack.enter_context(Rows(folder / "rows"))
        found = quality.check(upload, rows, seed=SEED, own_test=own_test, shown=EVERYTHING)
        return _outcome(found)


def _outcome(found: Check) -> dict[str, Any]:
    report = found.report
    return {
        "verdict": report["verdict"],
        "format": report["format"],
        "layout": report["layout"],
        "encoding": report["encoding"],
        "records": report["records"],
        "test_records": report["test_records"],
        "bad_lines": report["bad_lines"],
        "test_bad_lines": report["test_bad_lines"],
        "messages": report["messages"],
        "waterfall": report["waterfall"],
        "duplicates": _pairs(report["duplicates"]),
        "near_duplicates": _pairs(report["near_duplicates"]),
        "contradictions": _pairs(report["contradictions"]),
        "leaks": _pairs(report["leaks"]),
        "identifiers": list(_identifiers(found.rows)),
        "signals": report.get("signals", {}),
        "split": report["split"],
    }


def _pairs(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only where the rows stand: the texts beside them are for the page."""
    return sorted(({name: pair[name] for name in _PAIR} for pair in found), key=lambda pair: pair["line"])


def _identifiers(rows: Rows) -> Iterator[dict[str, Any]]:
    """Each kind of personal data or secret once a row, never its value."""
    for index, record in enumerate(rows):
        texts = (*(turn.content for turn in record.messages), record.target)
        for kind in sorted({kind for text in texts for kind in personal_data.kinds(text)}):
            yield {"line": record.line, "kind": kind, "file": rows.files[index]}


VERDICTS = {
    "accept": "It can be used as it is.",
    "warn": "It can be used; read what was found first.",
    "reject": "It can't be used as it is.",
}


def words(outcome: dict[str, Any]) -> Iterator[str]:
    """The outcome for a person, a line at a time."""
    yield f"{outcome['verdict']}: {VERDICTS[outcome['verdict']]}"
    layout = ", ".join(part for part in (outcome["format"], outcome["layout"], outcome["encoding"]) if part)
    yield f"Read as {layout}; {outcome['records']:,} records."
    yield ""
    for step in outcome["waterfall"]:
        taken = f"  ({step['dropped']:,} taken out)" if step["dropped"] else ""
        yield f"{step['count']:>10,}  {step['label']}{taken}"
    if outcome["messages"]:
        yield ""
    for said in outcome["messages"][:_MESSAGES_SHOWN]:
        where = "file" if said["line"] is None else f"line {said['line']}"
        yield f"{said['level']:<8} {'test ' if said['file'] else ''}{where}: {said['text']}"
    if (more := len(outcome["messages"]) - _MESSAGES_SHOWN) > 0:
        yield f"and {more:,} more; --json writes all of them."
    counted = [
        f"{len(outcome[name]):,} {name.replace('_', '-')}"
        for name in ("duplicates", "near_duplicates", "contradictions", "leaks", "identifiers")
        if outcome[name]
    ]
    if counted:
        yield ""
        yield f"Found: {', '.join(counted)}; --json names their lines."
