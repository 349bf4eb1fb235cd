"""The check of an upload, as a job: bytes in the content store become rows, a report and a split.

It can be killed at any point and goes on where it was: what each stage worked out lies in the attempt's checkpoint (a
folder beside the database), and the rows that reached the table are not written twice. On another machine, or when
anything that goes into the check has changed, it begins anew. The version is `ready` only in the transaction that also
names the hashes.
"""

import errno
import fcntl
import random
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from sqlalchemy.exc import OperationalError

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.blobs import NoSpace
from app.chat import Message, Record
from app.datasets import service, store, versions
from app.datasets.checks import compared_text, learnability, lengths, pipeline
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.report_json import plain
from app.datasets.checks.report_parts import Carried, Changes, FileOfVersion, Level, ReportMessage
from app.datasets.checks.report_trials import Learnability
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows, question
from app.datasets.reading.formats import ReadAs, read_as
from app.datasets.reading.reader import Upload, from_canonical
from app.datasets.splits import draw
from app.datasets.splits.draw import Entry, Kept, Split
from app.datasets.tables import DatasetRow, ExampleRow
from app.inference import service as inference
from app.inference import store as model_store
from app.jobs.claims import Claim, Failed, Fenced
from app.privacy import personal_data

BATCH = 1000
SIZES = 10_000  # rows that are changed or removed in one transaction
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ROOM = "The disk is full, so the check stopped; the upload is kept. Make room on the server, then check again."
_FULL_WORDS = ("disk is full", "disk I/O error", "No space left")  # of SQLite (two) and PostgreSQL
SHOWN = 50  # of each kind in the stored report, which many pages load; the rows themselves are all in the table
CHUNK = 1 << 20
CHECKPOINT = 2  # raise it when what lies in a checkpoint changes its meaning: an older one is not gone on with


@dataclass(frozen=True, slots=True)
class Order:
    """What goes into a check.

    file, test: hashes of the uploaded bytes, read as `how` says. kept_in: hash of the rows of the version before;
    judged_in: of all versions before that were frozen, whose test rows may have judged. masked_before: kinds of
    personal data that were masked in any of them. keep:
    keys of the clusters whose repeats are used. model_id: whose tokens are counted. decided: what is done with each
    kind of personal data. plan, fresh, shared: see `DatasetRow.split_plan`. test_how: how the own test file is read.
    needed: examples that training asks for. attested: kinds whose values somebody wanted kept in the version before,
    which holds for the same values only.
    """

    file: str
    name: str
    test: str | None
    test_name: str
    how: ReadAs
    seed: int
    kept_in: str | None
    judged_in: tuple[str, ...]
    masked_before: tuple[str, ...]
    keep: tuple[int, ...]
    model_id: int | None
    decided: Mapping[str, str]
    plan: str
    fresh: bool
    shared: str
    test_how: ReadAs
    needed: int
    attested: tuple[str, ...]

    def about(self) -> list[Any]:
        """All of it as JSON: a checkpoint holds only for the same."""
        return [CHECKPOINT, asdict(self) | {"how": self.how.to_json(), "test_how": self.test_how.to_json()}]


def check(claim: Claim) -> None:
    """Check the dataset that the claim is about; the body of the job kind `check`."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        if row.state != "checking":
            return
        fresh = bool(row.split_plan.get("fresh"))
        # Where somebody chose another way to split, only rows that may have judged already keep their place.
        earlier = None if fresh else store.before(session, row)
        judged = store.frozen_before(session, row)
        # A word on the values of other files counts only once it is known that these hold no others.
        words = {kind: one["action"] for kind, one in row.decisions.items() if one["action"] == "attest"}
        same = {kind for kind, one in store.attested_in(session, row).items() if _same_files(one, row)}
        open_words = tuple(sorted(words.keys() - same))
        order = Order(
            file=row.blob_sha256,
            name=row.filename,
            test=row.test_blob_sha256,
            test_name=row.test_filename,
            how=read_as(row.read_as),
            seed=row.seed,
            kept_in=earlier.rows_sha256 if earlier else None,
            judged_in=tuple(one.rows_sha256 for one in judged if one.rows_sha256),
            masked_before=tuple(
                sorted(
                    {
                        kind
                        for one in (*judged, *([earlier] if earlier else []))
                        for kind, decision in one.decisions.items()
                        if decision["action"] == "mask"
                    }
                )
            ),
            keep=tuple(int(key, 16) for key in row.kept_keys),
            model_id=row.lengths_model_id,
            decided={kind: one["action"] for kind, one in row.decisions.items() if kind not in open_words},
            plan=row.split_plan.get("by", ""),
            fresh=fresh,
            shared=row.split_plan.get("shared", ""),
            test_how=read_as(row.split_plan.get("test_read_as", row.read_as)),
            attested=open_words,
            needed=assessments.policy_of(session, assessment_store.get(session, row.assessment_id)).count(
                "usable_examples"
            ),
        )
    _sweep(claim)
    with _folder(claim) as folder, _room(claim, folder):
        checkpoint = Checkpoint(folder, order.about())
        _check(claim, order, checkpoint)
        checkpoint.clear()


@contextmanager
def _room(claim: Claim, folder: Path) -> Iterator[None]:
    """Say in words that the disk is full, and give back what the check took of it; the upload stays.

    Raises:
        NoSpace: instead of what the system or the database said.
    """
    try:
        yield
    except (OSError, OperationalError, NoSpace) as error:
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, NoSpace) or number in FULL or any(words in str(error) for words in _FULL_WORDS):
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OperationalError):  # with no room at all for that either, the next check does it
                _forget(claim)
            raise NoSpace(NO_ROOM) from error
        raise
    except Fenced:  # another attempt has a folder of its own, or none left to go on with
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _forget(claim: Claim) -> None:
    """Remove what an interrupted check wrote, in short transactions: others want to write too."""
    left = True
    while left:
        with claim.write() as session:
            left = store.forget_rows(session, claim.subject_id, most=SIZES)


@contextmanager
def _folder(claim: Claim) -> Iterator[Path]:
    """The folder of this dataset's check, for this attempt alone.

    An attempt that was taken over may still be asleep with its hands on the folder (its lock ends with its process);
    then this one works in a folder of its own, from the start.
    """
    place = claim.settings.data / "checks"
    place.mkdir(parents=True, exist_ok=True)
    lock = place / f"{claim.subject_id}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield place / f"{claim.subject_id}-{claim.attempt}"
            return
        try:
            yield place / str(claim.subject_id)
        finally:
            lock.unlink(missing_ok=True)


def _sweep(claim: Claim) -> None:
    """Remove what was left by checks that nobody will go on with."""
    place = claim.settings.data / "checks"
    if not place.is_dir():
        return
    with claim.read() as session:
        open_ids = {str(one) for one in store.being_checked(session)}
    for path in place.iterdir():
        if path.is_dir() and path.name.split("-")[0] not in open_ids:
            shutil.rmtree(path, ignore_errors=True)


def _check(claim: Claim, order: Order, checkpoint: Checkpoint) -> None:
    masked = frozenset(kind for kind, action in order.decided.items() if action == "mask")
    kept = Kept(_splits(claim, order, masked))
    progress = _Progress(claim)
    state = checkpoint.load_json("reading")
    with ExitStack() as stack:
        upload = Upload(stack.enter_context(claim.blobs.open(order.file)), order.name, order.how)
        own_test = None
        if order.test:
            own_test = Upload(stack.enter_context(claim.blobs.open(order.test)), order.test_name, order.test_how)
        rows = stack.enter_context(WorkingRows(checkpoint.path("rows"), state["rows"] if state else None))
        given = CheckInput(
            upload,
            own_test,
            seed=order.seed,
            previous_assignment=kept,
            kept_keys=order.keep,
            decisions=order.decided,
            plan=order.plan,
            shared=order.shared,
            masked_before=frozenset(order.masked_before) - masked,
            max_messages=SHOWN,
            tokens=_tokens(claim, order.model_id),
            needed=order.needed,
        )
        found = pipeline.check(given, rows, tick=progress.tick, checkpoint=checkpoint)
        progress.tick("Trying what can be learnt without a language model", 0, 0)
        found.report = replace(found.report, learnability=_learnability(found, order.seed))
        _carry(claim, order, found, progress)
        _listen(found)
        _keep(claim, found, checkpoint, progress, order.seed)


def _tokens(claim: Claim, model_id: int | None) -> lengths.Counter | None:
    """The tokenizer of the chosen model, else of the bundled one; None when its files are not here (yet)."""
    with claim.read() as session:
        model = model_store.get(session, model_id) if model_id else model_store.bundled(session)
        if model is None or model.kind == "endpoint":
            return None
        file = inference.folder(claim.settings, model) / "tokenizer.json"
        name, window = model.name, model.context_window
    return lengths.Counter(file, name, window) if file.is_file() else None


def count_lengths(claim: Claim) -> None:
    """Count the tokens of a checked dataset anew, with another model; the body of the job kind `lengths`."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        model_id, ready = row.lengths_model_id, row.state == "ready"
    counter = _tokens(claim, model_id)
    if counter is None or not ready:
        raise Failed("The model's tokenizer is not on this machine. Prepare the model first, then count again.")
    progress = _Progress(claim)
    ids, sizes, used = array("q"), array("q"), array("b")
    for batch in _readable(claim):
        sizes.extend(counter.count([Record(row.line, _turns(row.messages), row.target) for row in batch]))
        ids.extend(row.id for row in batch)
        used.extend(row.status == RowStatus.USABLE for row in batch)
        progress.tick("Counting tokens", len(sizes), 0)
    found = lengths.of_rows(sizes, np.flatnonzero(used), unit="tokens", limit=counter.limit, tokenizer=counter.name)
    _write_sizes(claim, ids, sizes, progress)
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report_json = {**row.report_json, "lengths": plain(found)}


def _readable(claim: Claim) -> Iterator[Sequence[ExampleRow]]:
    """The rows that could be read, in batches; no transaction is open while a batch is counted."""
    after = 0
    while True:
        with claim.read() as session:
            batch = store.listed(session, claim.subject_id, store.Only(), after=after, limit=lengths.BATCH)
        if not batch:
            return
        after = batch[-1].id
        yield [row for row in batch if row.messages]


def _turns(messages: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(turn["role"], turn["content"]) for turn in messages)


def _learnability(found: Check, seed: int) -> Learnability:
    """Tried on the rows that may be learnt from; test rows are not looked at."""
    mine = found.split.where("train", "dev").tolist()
    if len(mine) > learnability.ROWS:
        mine = random.Random(seed).sample(mine, learnability.ROWS)
    return learnability.measure(
        [found.rows.pair(index) for index in mine],
        labels=found.report.task == "labels",
        seed=seed,
        agreement=found.report.label_agreement,
    )


def _same_files(one: DatasetRow, other: DatasetRow) -> bool:
    return (one.blob_sha256, one.test_blob_sha256, one.read_as) == (
        other.blob_sha256,
        other.test_blob_sha256,
        other.read_as,
    )


def _carry(claim: Claim, order: Order, found: Check, progress: "_Progress") -> None:
    """Say what was taken over from the version before and what was not: the own test file, words on personal data."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        plan, since = row.split_plan, {kind: one.id for kind, one in store.attested_in(session, row).items()}
    now: dict[str, set[bytes]] = {}
    before: dict[str, set[bytes]] = {}
    if order.attested:
        progress.tick("Comparing personal data with the version before", 0, 0)
        now = _values_of(found.rows, order.attested)
        before = _values_before(claim, since, order.attested)
    carried = Carried(
        test=FileOfVersion(order.test_name, plan["test_kept"]) if plan.get("test_kept") else None,
        test_dropped=FileOfVersion(**plan["test_dropped"]) if plan.get("test_dropped") else None,
        decisions=tuple(kind for kind in order.attested if now[kind] and now[kind] <= before[kind]),
        dropped=tuple(kind for kind in order.attested if not now[kind] <= before[kind]),
    )
    # At the head of what is said: whoever uploads should not have to look for it.
    messages = tuple(ReportMessage(None, "", text, level) for level, text in _carried_words(carried))
    counts = Counter(found.report.message_counts)
    counts.update(message.level for message in messages)
    found.report = replace(
        found.report, carried=carried, messages=messages + found.report.messages, message_counts=dict(counts)
    )


def _listen(found: Check) -> None:
    """Let the verdict hear what was found out after the check itself."""
    report = found.report
    if report.verdict == "accept" and report.warnings:
        report = replace(report, verdict="warn")
    if report.can_be_used and report.unlearnable:
        text = "No link was found between what is asked and what is answered."
        report = replace(report, verdict="warn", why=(text, *report.why))
    found.report = report


def _carried_words(carried: Carried) -> Iterator[tuple[Level, str]]:
    """Each word on what was taken over or dropped, with its level."""
    if test := carried.test:
        text = f"The test file {test.file!r} was kept from version {test.version}"
        yield "note", f"{text}: its rows judge this version, too."
    if gone := carried.test_dropped:
        text = f"The test file {gone.file!r} of version {gone.version} was given up, as you said"
        yield "warning", f"{text}: test rows are drawn from the examples."
    if carried.decisions:
        names = ", ".join(carried.decisions)
        yield "note", f"The word that these may stay as they are was kept, for no other values were found: {names}."
    if carried.dropped:
        names = ", ".join(carried.dropped)
        yield "warning", f"Other values were found than those that may stay as they are; decide again: {names}."


def _values_of(records: Iterable[Record], kinds: Sequence[str]) -> dict[str, set[bytes]]:
    """The values of each kind, as short hashes: there may be as many as rows."""
    found: dict[str, set[bytes]] = {kind: set() for kind in kinds}
    for record in records:
        for kind, value in personal_data.values(record):
            if kind in found:
                found[kind].add(blake2b(value.encode("utf-8", "replace"), digest_size=12).digest())
    return found


def _values_before(claim: Claim, since: Mapping[str, int], kinds: Sequence[str]) -> dict[str, set[bytes]]:
    """What somebody saw of each kind when they wanted it kept. since: the dataset of each kind."""
    found: dict[str, set[bytes]] = {kind: set() for kind in kinds}
    for dataset in {*since.values()}:
        mine = [kind for kind in kinds if since.get(kind) == dataset]
        after = 0
        while True:
            with claim.read() as session:
                batch = store.listed(session, dataset, store.Only(), after=after, limit=SIZES)
            if not batch:
                break
            after = batch[-1].id
            rows = (Record(row.line, _turns(row.messages), row.target) for row in batch if row.messages)
            for kind, values in _values_of(rows, mine).items():
                found[kind] |= values
    return found


def _splits(claim: Claim, order: Order, masked: frozenset[str]) -> Iterator[tuple[int, Split]]:
    """Where rows were in the version before, and which judged in any frozen one, by the key of what they ask.

    Each by what it asked then, and by what it asks when it is masked as it is now.
    """
    sources = [(sha256, True) for sha256 in order.judged_in if sha256 != order.kept_in]
    if order.kept_in:
        sources.append((order.kept_in, False))
    for sha256, only_test in sources:
        with claim.blobs.open(sha256) as lines:
            for line in lines:
                split = orjson.loads(line)["split"]
                if only_test and split != "test":
                    continue
                record = from_canonical(line)
                yield compared_text.key(question(record)), split
                if masked:
                    yield compared_text.key(question(personal_data.masked(record, masked))), split


class _Progress:
    """Says how far the check is, with a rate and the time left of the stage."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.stage = ""
        self.since = 0.0
        self.looked = 0.0

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
        if now - self.looked > 1:
            self.looked = now
            self.claim.blobs.need_space()


# ---------------------------------------------------------------------- writing it down
def _write_sizes(claim: Claim, ids: Sequence[int], sizes: Sequence[int], progress: _Progress) -> None:
    """Write the sizes to the rows, in batches; meanwhile both units are there, and the report leads to no rows."""
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report_json = {**row.report_json, "lengths": {**row.report_json["lengths"], "of": ""}}
    for start in range(0, len(ids), SIZES):
        progress.tick("Writing the lengths", start, len(ids))
        with claim.write() as session:
            store.set_sizes(session, zip(ids[start : start + SIZES], sizes[start : start + SIZES], strict=True))


def _keep(claim: Claim, found: Check, checkpoint: Checkpoint, progress: _Progress, seed: int) -> None:
    """Write the rows in batches, then everything that makes the version ready in one transaction."""
    total = len(found.rows) + len(found.refused)
    with checkpoint.path("used").open("wb") as used, checkpoint.path("manifest").open("wb") as manifest:
        manifest.writelines(draw.manifest_lines(seed, ()))
        values = _values(found, claim.subject_id)
        done = 0
        written = array("Q")
        for batch, ids in _written(claim, found, checkpoint, values):
            written.extend(ids)
            for row_id, value in zip(ids, batch, strict=True):
                if value["split"]:
                    content = draw.content_hash(value["messages"], value["target"])
                    used.write(_used_line(row_id, value, content))
                    manifest.write(draw.manifest_line(Entry(value["line"], value["split"], content)))
            done += len(batch)
            progress.tick("Writing the rows", done, total)
    rows_blob = claim.blobs.put(_chunks(checkpoint.path("used")))
    split_blob = claim.blobs.put(_chunks(checkpoint.path("manifest")))
    index = claim.blobs.put_bytes(_index(found, written))
    changes = _changes(claim, index.sha256, progress)
    found.report = replace(found.report, index_sha256=index.sha256, changes=changes)
    split, carried = found.report.split, found.report.carried or Carried()
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report_json = found.report.to_json()
        row.decisions = {kind: one for kind, one in row.decisions.items() if kind not in carried.dropped}
        row.format = found.report.format
        row.rows_sha256, row.split_sha256 = rows_blob.sha256, split_blob.sha256
        row.train_rows, row.dev_rows, row.test_rows = split.train, split.dev, split.test
        row.usable_rows = split.usable
        row.state = "ready" if found.report.can_be_used else "rejected"


def _index(found: Check, ids: Sequence[int]) -> bytes:
    """What later versions are compared with; rows come first in the table, lines that gave none after them."""
    rows = found.rows
    places = array("B", (versions.PLACES[found.split.get(index, "")] for index in range(len(rows))))
    return versions.pack(rows.keys, rows.answers, ids[: len(rows)], places)


def _changes(claim: Claim, index: str, progress: _Progress) -> Changes | None:
    """How much changed since the last version that could be used; None where this is the first."""
    with claim.read() as session:
        earlier = store.before(session, store.get(session, claim.subject_id))
        if earlier is None:
            return None
        since, before = earlier.version, (earlier.report.index_sha256, earlier.rows_sha256)
    progress.tick("Comparing with the version before", 0, 0)
    old = service.index_of(claim.blobs, *before)
    new = service.index_of(claim.blobs, index, None)
    return Changes(since, **versions.compare(old, new).counts())


Values = list[dict[str, Any]]


def _written(
    claim: Claim, found: Check, checkpoint: Checkpoint, values: Iterator[dict[str, Any]]
) -> Iterator[tuple[Values, list[int]]]:
    """Batches of rows that are in the table, with their ids: first those that an earlier attempt wrote."""
    before: list[int] = []
    if checkpoint.load_json("writing"):
        with claim.read() as session:
            before = store.row_ids(session, claim.subject_id)
            last = store.example(session, claim.subject_id, before[-1]) if before else None
        # Written by an attempt without this checkpoint in the meantime? The table has to hold what would be written.
        if last is not None and not _same(last.file, last.line, last.status, found, len(before) - 1):
            before = []
    if not before:
        _forget(claim)
        checkpoint.save_json("writing", value=True)
    last_id = before[-1] if before else 0
    for batch in _batches(values):
        ids, before = before[: len(batch)], before[len(batch) :]
        if missing := [_stored(value) for value in batch[len(ids) :]]:
            with claim.write() as session:
                ids = ids + store.add_rows(session, claim.subject_id, missing, last_id)
            last_id = ids[-1]
        yield batch, ids


def _same(file: int, line: int, status: str, found: Check, index: int) -> bool:
    rows = found.rows
    if index < len(rows):
        return (file, line, status) == (rows.files[index], rows.lines[index], found.status[index].value)
    refused = found.refused[index - len(rows)] if index - len(rows) < len(found.refused) else None
    return refused is not None and (file, line, status) == (refused.file, refused.line, refused.status.value)


def _values(found: Check, dataset_id: int) -> Iterator[dict[str, Any]]:
    """The rows of the table, in the order of the upload within each kind."""
    sizes = np.bincount(np.asarray(found.group, dtype=np.int64)) if len(found.group) else np.zeros(0)
    for index, status in enumerate(found.status):
        record = found.rows[index]
        other, similarity = found.twin.get(index) or (None, None)
        yield {
            "dataset_id": dataset_id,
            "file": found.rows.files[index],
            "line": record.line,
            "status": status.value,
            "reason": found.reason(index),
            "of_line": None if other is None else found.rows.lines[other],
            "similarity": similarity,
            "split": found.split.get(index, "") if status is RowStatus.USABLE else "",
            "cluster": found.group[index] if sizes[found.group[index]] > 1 else None,
            "marks": found.marks[index],
            "size": found.sizes[index],
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
            "marks": 0,
            "size": None,
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
