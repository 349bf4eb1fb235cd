"""The check of an upload, as a job: bytes in the content store become rows, a report and a split.

It can be killed at any point. The working file is made anew by the next attempt, the rows of the dead attempt are
removed first, and the version is `ready` only in the transaction that also names the hashes.
"""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from app.datasets import duplicates, learnability, personal_data, quality, splitting, store, versions
from app.datasets.formats import read_as
from app.datasets.quality import Check, Status
from app.datasets.reading import Upload, from_canonical
from app.datasets.rows import Rows, question
from app.datasets.splitting import Entry, Split
from app.jobs.claims import Claim

BATCH = 1000
SHOWN = 50  # of each kind in the stored report, which many pages load; the rows themselves are all in the table
CHUNK = 1 << 20


def check(claim: Claim) -> None:
    """Check the dataset that the claim is about; the body of the job kind `check`."""
    folder = claim.settings.data / "checks" / str(claim.subject_id)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _check(claim, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(claim: Claim, folder: Path) -> None:
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        if row.state != "checking":
            return
        plan, fresh = row.split_plan.get("by", ""), row.split_plan.get("fresh", False)
        earlier = store.before(session, row, frozen=fresh)
        seed, file, test = row.seed, row.blob_sha256, row.test_blob_sha256
        how, name, test_name = read_as(row.read_as), row.filename, row.test_filename
        kept_in = earlier.rows_sha256 if earlier else None
        decided = {kind: decision["action"] for kind, decision in row.decisions.items()}
    kept = _splits(claim, kept_in, decided) if kept_in else {}
    if fresh:  # somebody chose another way to split: only rows that may have judged already keep their place
        kept = {key: split for key, split in kept.items() if split == "test"}
    progress = _Progress(claim)
    with ExitStack() as stack:
        upload = Upload(stack.enter_context(claim.blobs.open(file)), name, how)
        own_test = Upload(stack.enter_context(claim.blobs.open(test)), test_name, how) if test else None
        rows = stack.enter_context(Rows(folder / "rows"))
        found = quality.check(
            upload,
            rows,
            seed=seed,
            own_test=own_test,
            kept=kept,
            decided=decided,
            plan=plan,
            tick=progress.tick,
            shown=SHOWN,
        )
        progress.tick("Trying what can be learnt without a language model", 0, 0)
        found.report["learnability"] = _learnability(found, seed)
        _keep(claim, found, folder, progress, seed)


def _learnability(found: Check, seed: int) -> dict[str, Any]:
    """Tried on the rows that may be learnt from; test rows are not looked at."""
    mine = [index for index, split in found.split.items() if split != "test"]
    if len(mine) > learnability.ROWS:
        mine = random.Random(seed).sample(mine, learnability.ROWS)
    counts = found.report["counts"]
    return learnability.measure(
        [found.rows.pair(index) for index in mine],
        labels=found.report["task"] == "labels",
        seed=seed,
        repeats=(counts["repeated_groups"], counts["groups"]),
    )


def _splits(claim: Claim, rows_sha256: str, decided: dict[str, str]) -> dict[int, Split]:
    """Where the rows of an earlier version were, by the key of what they ask, as it was and as it is masked now."""
    masked = frozenset(kind for kind, action in decided.items() if action == "mask")
    found: dict[int, Split] = {}
    with claim.blobs.open(rows_sha256) as lines:
        for line in lines:
            record, split = from_canonical(line), orjson.loads(line)["split"]
            found[duplicates.key(question(record))] = split
            if masked:
                found[duplicates.key(question(personal_data.masked(record, masked)))] = split
    return found


class _Progress:
    """Says how far the check is, with a rate and the time left of the stage."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.stage = ""
        self.since = 0.0

    def tick(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.since = stage, now
        progress: dict[str, Any] = {"stage": stage, "done": done, "total": total, "unit": "rows"}
        took = now - self.since
        if not total and done:
            progress["stage"] = f"{stage}: {done:,} rows so far"
        elif took > 1 and done:
            progress["seconds_left"] = round((total - done) * took / done)
        self.claim.report(progress)


# ---------------------------------------------------------------------- writing it down
def _keep(claim: Claim, found: Check, folder: Path, progress: _Progress, seed: int) -> None:
    """Write the rows in batches, then everything that makes the version ready in one transaction."""
    with claim.write() as session:
        store.forget_rows(session, claim.subject_id)
    total = len(found.rows) + len(found.refused)
    with (folder / "used").open("wb") as used, (folder / "manifest").open("wb") as manifest:
        manifest.writelines(splitting.manifest_lines(seed, ()))
        done = 0
        for batch in _batches(_values(found, claim.subject_id)):
            with claim.write() as session:
                ids = store.add_rows(session, [_stored(value) for value in batch])
            for row_id, value in zip(ids, batch, strict=True):
                if value["split"]:
                    content = splitting.content_hash(value["messages"], value["target"])
                    used.write(_used_line(row_id, value, content))
                    manifest.write(splitting.manifest_line(Entry(value["line"], value["split"], content)))
            done += len(batch)
            progress.tick("Writing the rows", done, total)
    rows_blob = claim.blobs.put(_chunks(folder / "used"))
    split_blob = claim.blobs.put(_chunks(folder / "manifest"))
    found.report["changes"] = _changes(claim, folder / "used", progress)
    split = found.report["split"]
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report = found.report
        row.format = found.report["format"]
        row.rows_sha256, row.split_sha256 = rows_blob.sha256, split_blob.sha256
        row.train_rows, row.dev_rows, row.test_rows = split["train"], split["dev"], split["test"]
        row.usable_rows = split["usable"]
        row.state = "ready" if found.report["can_be_used"] else "rejected"


def _changes(claim: Claim, used: Path, progress: _Progress) -> dict[str, Any] | None:
    """What changed since the last version that could be used; None where this is the first."""
    with claim.read() as session:
        earlier = store.before(session, store.get(session, claim.subject_id))
        since, before = (earlier.version, earlier.rows_sha256) if earlier else (0, None)
    if before is None:
        return None
    progress.tick("Comparing with the version before", 0, 0)
    with claim.blobs.open(before) as old, used.open("rb") as new:
        return versions.compare(old, new, since)


def _values(found: Check, dataset_id: int) -> Iterator[dict[str, Any]]:
    """The rows of the table, in the order of the upload within each kind."""
    for index, status in enumerate(found.status):
        record = found.rows[index]
        other, similarity = found.twin.get(index, (None, None))
        yield {
            "dataset_id": dataset_id,
            "file": found.rows.files[index],
            "line": record.line,
            "status": status.value,
            "reason": found.reason(index),
            "of_line": None if other is None else found.rows.lines[other],
            "similarity": similarity,
            "split": found.split.get(index, "") if status is Status.USABLE else "",
            "cluster": found.group[index],
            "messages": [{"role": turn.role, "content": turn.content} for turn in record.messages],
            "target": record.target,
            "group": record.group,
            "source": record.source,
        }
    for refused in found.refused:
        yield {
            "dataset_id": dataset_id,
            "file": refused.file,
            "line": refused.line,
            "status": refused.status.value,
            "reason": refused.text,
            "of_line": None,
            "similarity": None,
            "split": "",
            "cluster": None,
            "messages": [],
            "target": "",
        }


# What only the file of canonical rows carries: nobody looks for it in the table.
_BESIDE = ("group", "source")


def _stored(value: dict[str, Any]) -> dict[str, Any]:
    return {name: held for name, held in value.items() if name not in _BESIDE}


def _used_line(row_id: int, value: dict[str, Any], sha256: str) -> bytes:
    """A canonical row. `line` is the upload's; sha256 is of question and answer; group and source only where given."""
    names = ("line", "split", "messages", "target")
    beside = {name: value[name] for name in _BESIDE if value.get(name)}
    return orjson.dumps({"id": row_id, **{name: value[name] for name in names}, **beside, "sha256": sha256}) + b"\n"


def _batches(values: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Batches bounded by rows and by characters, so that a million short rows and a few huge ones both fit."""
    batch: list[dict[str, Any]] = []
    size = 0
    for value in values:
        batch.append(value)
        size += len(value["target"]) + sum(len(turn["content"]) for turn in value["messages"])
        if len(batch) >= BATCH or size > 4 * CHUNK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
