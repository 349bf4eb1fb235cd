"""The outcome of a check written down: rows in batches, then all that makes the version ready in one transaction."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import orjson

from app.chat import Message
from app.datasets import group_store, store, version_changes, versions
from app.datasets.check_job.folder import ROWS_A_TRANSACTION, forget_rows
from app.datasets.check_job.progress import Progress
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.outcome import Check
from app.datasets.checks.report_parts import Carried, Changes
from app.datasets.checks.statuses import RowStatus
from app.datasets.splits import manifest
from app.datasets.splits.manifest import Entry
from app.datasets.splits.places import Split
from app.jobs.claims import Claim
from app.json_types import JsonDict
from app.privacy import decisions

WRITING = "Writing the rows"  # a stage
BATCH = 1000
CHUNK = 1 << 20


def write_sizes(claim: Claim, ids: Sequence[int], sizes: Sequence[int], progress: Progress) -> None:
    """Write the sizes to the rows, in batches; meanwhile both units are there, and the report leads to no rows."""
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        lengths = row.report_json["lengths"]
        assert isinstance(lengths, dict)  # noqa: S101 - the check has just written it
        row.report_json = {**row.report_json, "lengths": {**lengths, "of": ""}}
    for start in range(0, len(ids), ROWS_A_TRANSACTION):
        progress.tick("Writing the lengths", start, len(ids))
        with claim.write() as session:
            store.set_sizes(
                session,
                zip(ids[start : start + ROWS_A_TRANSACTION], sizes[start : start + ROWS_A_TRANSACTION], strict=True),
            )


def write_outcome(claim: Claim, outcome: Check, checkpoint: Checkpoint, progress: Progress, seed: int) -> None:
    """Write the rows in batches, then everything that makes the version ready in one transaction."""
    written = _write_rows(claim, outcome, checkpoint, progress, seed)
    rows_blob = claim.blobs.put(_chunks(checkpoint.path("used")))
    split_blob = claim.blobs.put(_chunks(checkpoint.path("manifest")))
    index = claim.blobs.put_bytes(_index(outcome, written))
    changes = _changes(claim, index.sha256, progress)
    outcome.report = replace(outcome.report, index_sha256=index.sha256, changes=changes)
    split, carried = outcome.report.split, outcome.report.carried or Carried()
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report_json = outcome.report.to_json()
        row.decisions = {kind: made for kind, made in row.decisions.items() if kind not in carried.dropped}
        row.undecided = len(decisions.undecided(outcome.report.identifiers, row.decisions))
        row.format = outcome.report.format
        row.rows_sha256, row.split_sha256 = rows_blob.sha256, split_blob.sha256
        row.train_rows, row.dev_rows, row.test_rows = split.train, split.dev, split.test
        row.usable_rows = split.usable
        row.state = "ready" if outcome.report.can_be_used else "rejected"


def _write_rows(claim: Claim, outcome: Check, checkpoint: Checkpoint, progress: Progress, seed: int) -> Sequence[int]:
    """Write all rows to the table, and the used ones to the files of canonical rows and of the split; the rows' ids."""
    total = len(outcome.rows) + len(outcome.refused)
    ids_written = array("Q")
    with checkpoint.path("used").open("wb") as used, checkpoint.path("manifest").open("wb") as manifest_file:
        manifest_file.writelines(manifest.lines(seed, ()))
        for batch, ids in _written(claim, outcome, checkpoint):
            ids_written.extend(ids)
            for row_id, row in zip(ids, batch, strict=True):
                if row.split:
                    content = manifest.content_hash([message.to_json() for message in row.messages], row.target)
                    used.write(row.canonical(row_id, content))
                    manifest_file.write(manifest.line(Entry(row.line, row.split, content)))
            progress.tick(WRITING, len(ids_written), total)
    return ids_written


def _index(outcome: Check, ids: Sequence[int]) -> bytes:
    """What later versions are compared with; rows come first in the table, lines that gave none after them."""
    rows = outcome.rows
    places = array("B", (versions.PLACES[outcome.split.get(index, "")] for index in range(len(rows))))
    return versions.pack(rows.keys, rows.answers, ids[: len(rows)], places)


def _changes(claim: Claim, index: str, progress: Progress) -> Changes | None:
    """How much changed since the last version that could be used; None where this is the first."""
    with claim.read() as session:
        earlier = store.before(session, store.get(session, claim.subject_id))
        if earlier is None:
            return None
        since, before = earlier.version, (earlier.report.index_sha256, earlier.rows_sha256)
    progress.tick("Comparing with the version before", 0, 0)
    old = version_changes.index_of(claim.blobs, *before)
    new = version_changes.index_of(claim.blobs, index, None)
    return Changes(since, **versions.compare(old, new).counts())


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row as it goes into the table; `source`, `reasoning` and the words of `group` stand in the file of canonical
    rows only."""

    file: int
    line: int
    status: str
    reason: str = ""
    of_line: int | None = None
    similarity: float | None = None
    split: Split | Literal[""] = ""
    cluster: int | None = None
    marks: int = 0
    size: int | None = None
    messages: tuple[Message, ...] = ()
    target: str = ""
    group: str = ""
    source: JsonDict | None = None
    reasoning: str = ""

    def columns(self, dataset_id: int) -> JsonDict:
        """The row's columns."""
        return {
            "dataset_id": dataset_id,
            "file": self.file,
            "line": self.line,
            "status": self.status,
            "reason": self.reason,
            "of_line": self.of_line,
            "similarity": self.similarity,
            "split": self.split,
            "cluster": self.cluster,
            "group_key": group_store.key_of(self.group) if self.group else None,
            "marks": self.marks,
            "size": self.size,
            "messages": [message.to_json() for message in self.messages],
            "target": self.target,
        }

    def canonical(self, row_id: int, content: str) -> bytes:
        """A canonical row. `line` is the upload's; content: hash of question and answer."""
        value: JsonDict = {
            "id": row_id,
            "line": self.line,
            "split": self.split,
            "messages": [message.to_json() for message in self.messages],
            "target": self.target,
        }
        if self.reasoning:
            value["reasoning"] = self.reasoning
        if self.group:
            value["group"] = self.group
        if self.source:
            value["source"] = self.source
        value["sha256"] = content
        return orjson.dumps(value) + b"\n"


def _written(claim: Claim, outcome: Check, checkpoint: Checkpoint) -> Iterator[tuple[list[NewRow], list[int]]]:
    """Batches of rows that are in the table, with their ids: first those that an earlier attempt wrote."""
    earlier_ids: list[int] = []
    if checkpoint.load_json("writing"):
        with claim.read() as session:
            earlier_ids = store.row_ids(session, claim.subject_id)
            last = store.example(session, claim.subject_id, earlier_ids[-1]) if earlier_ids else None
        # Written by an attempt without this checkpoint? What the table holds has to be what would be written.
        if last is not None and not _is_same_row(last.file, last.line, last.status, outcome, len(earlier_ids) - 1):
            earlier_ids = []
    if not earlier_ids:
        forget_rows(claim)
        checkpoint.save_json("writing", value=True)
    last_id = earlier_ids[-1] if earlier_ids else 0
    for batch in _batches(_new_rows(outcome)):
        ids, earlier_ids = earlier_ids[: len(batch)], earlier_ids[len(batch) :]
        if missing := [row.columns(claim.subject_id) for row in batch[len(ids) :]]:
            with claim.write() as session:
                ids = ids + store.add_rows(session, claim.subject_id, missing, last_id)
            last_id = ids[-1]
        yield batch, ids


def _is_same_row(file: int, line: int, status: str, outcome: Check, index: int) -> bool:
    rows = outcome.rows
    if index < len(rows):
        return (file, line, status) == (rows.files[index], rows.lines[index], outcome.status[index].value)
    refused = outcome.refused[index - len(rows)] if index - len(rows) < len(outcome.refused) else None
    return refused is not None and (file, line, status) == (refused.file, refused.line, refused.status.value)


def _new_rows(outcome: Check) -> Iterator[NewRow]:
    """The rows of the table, in the order of the upload within each kind."""
    sizes = np.bincount(np.asarray(outcome.group, dtype=np.int64)) if len(outcome.group) else np.zeros(0)
    for index, status in enumerate(outcome.status):
        record = outcome.rows[index]
        other, similarity = outcome.twin.get(index) or (None, None)
        yield NewRow(
            file=outcome.rows.files[index],
            line=record.line,
            status=status.value,
            reason=outcome.reason(index),
            of_line=None if other is None else outcome.rows.lines[other],
            similarity=similarity,
            split=outcome.split.get(index, "") if status is RowStatus.USABLE else "",
            cluster=outcome.group[index] if sizes[outcome.group[index]] > 1 else None,
            marks=outcome.marks[index],
            size=outcome.sizes[index],
            messages=record.messages,
            target=record.target,
            group=record.group,
            source=record.source,
            reasoning=record.reasoning,
        )
    for refused in outcome.refused:
        yield NewRow(file=refused.file, line=refused.line, status=refused.status.value, reason=refused.text)


def _batches(rows: Iterator[NewRow]) -> Iterator[list[NewRow]]:
    """Batches bounded by rows and by characters, so that a million short rows and a few huge ones both fit."""
    batch: list[NewRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.target) + sum(len(message.content) for message in row.messages)
        if len(batch) >= BATCH or size > 4 * CHUNK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
