"""The check of an upload, as a job: bytes in the content store become rows, a report and a split.

It can be killed at any point and goes on where it was: what each stage worked out lies in the attempt's folder beside
the database, and the rows that reached the table are not written twice. On another machine, or when anything that goes
into the check has changed, it begins anew. The version is `ready` only in the transaction that also names the hashes.
"""

import random
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from app.chat import Record, messages_from_json
from app.datasets import store
from app.datasets.check_job.carried import previous_places, say_what_was_carried
from app.datasets.check_job.folder import attempt_folder, disk_room, sweep
from app.datasets.check_job.progress import Progress
from app.datasets.check_job.request import CheckRequest, request_for
from app.datasets.check_job.writing import WRITING, write_outcome, write_sizes
from app.datasets.checks import learnability, lengths, pipeline
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.report_json import plain
from app.datasets.checks.report_trials import Learnability
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.reading.reader import Upload
from app.datasets.splits.places import PreviousAssignment
from app.datasets.tables import ExampleRow
from app.inference import service as inference
from app.inference import store as model_store
from app.jobs.claims import Claim, Failed
from app.privacy.decisions import MASK
from app.wording import percent

TRYING = "Training a baseline without an LLM"  # a stage
MAX_MESSAGES = 50  # of each kind in the stored report, which many pages load; the rows themselves are all in the table


def check(claim: Claim) -> None:
    """Check the dataset that the claim is about; the body of the job kind `check`."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        if row.state != "checking":
            return
        request = request_for(session, row)
    sweep(claim)
    with attempt_folder(claim) as folder, disk_room(claim, folder):
        checkpoint = Checkpoint(folder, request.to_json())
        _check(claim, request, checkpoint)
        checkpoint.clear()


def _check(claim: Claim, request: CheckRequest, checkpoint: Checkpoint) -> None:
    masked = frozenset(kind for kind, action in request.decided.items() if action == MASK)
    previous_assignment = PreviousAssignment(previous_places(claim, request, masked))
    progress = Progress(claim)
    state = checkpoint.load_json("reading")
    with ExitStack() as stack:
        upload = Upload(stack.enter_context(claim.blobs.open(request.file)), request.name, request.how)
        own_test = None
        if request.test:
            own_test = Upload(stack.enter_context(claim.blobs.open(request.test)), request.test_name, request.test_how)
        rows = stack.enter_context(WorkingRows(checkpoint.path("rows"), state["rows"] if state else None))
        inputs = CheckInput(
            upload,
            own_test,
            seed=request.seed,
            previous_assignment=previous_assignment,
            kept_keys=request.keep,
            decisions=request.decided,
            plan=request.plan,
            shared=request.shared,
            masked_before=frozenset(request.masked_before) - masked,
            max_messages=MAX_MESSAGES,
            tokens=_tokens(claim, request.model_id),
            needed=request.needed,
        )
        progress.stages = [*pipeline.stages(inputs), TRYING, WRITING]
        outcome = pipeline.check(inputs, rows, tick=progress.tick, came=progress.came, checkpoint=checkpoint)
        tried = _learnability(outcome, request.seed, progress)
        if tried.baseline:
            progress.came({"No-LLM baseline": percent(tried.baseline.score)})
        outcome.report = replace(outcome.report, learnability=tried)
        say_what_was_carried(claim, request, outcome, progress)
        _judge_again(outcome)
        write_outcome(claim, outcome, checkpoint, progress, request.seed)


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
    progress = Progress(claim)
    ids, sizes, used = array("q"), array("q"), array("b")
    for batch in _readable(claim):
        sizes.extend(counter.count([Record(row.line, messages_from_json(row.messages), row.target) for row in batch]))
        ids.extend(row.id for row in batch)
        used.extend(row.status == RowStatus.USABLE for row in batch)
        progress.tick("Counting tokens", len(sizes), 0)
    counted = lengths.of_rows(sizes, np.flatnonzero(used), unit="tokens", limit=counter.limit, tokenizer=counter.name)
    write_sizes(claim, ids, sizes, progress)
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.report_json = {**row.report_json, "lengths": plain(counted)}


def _readable(claim: Claim) -> Iterator[Sequence[ExampleRow]]:
    """The rows that could be read, in batches; no transaction is open while a batch is counted."""
    after = 0
    while True:
        with claim.read() as session:
            batch = store.listed(session, claim.subject_id, store.RowFilter(), after=after, limit=lengths.BATCH)
        if not batch:
            return
        after = batch[-1].id
        yield [row for row in batch if row.messages]


def _learnability(outcome: Check, seed: int, progress: Progress) -> Learnability:
    """Tried on the rows that may be learnt from; test rows are not looked at."""
    progress.tick(TRYING, 0, 0)
    tried = outcome.split.where("train", "dev").tolist()
    if len(tried) > learnability.ROWS:
        tried = random.Random(seed).sample(tried, learnability.ROWS)
    return learnability.measure(
        [outcome.rows.pair(index) for index in tried],
        labels=outcome.report.task == "labels",
        seed=seed,
        agreement=outcome.report.label_agreement,
        tick=lambda done, total: progress.tick(TRYING, done, total),
    )


def _judge_again(outcome: Check) -> None:
    """Let the verdict hear what was found out after the check itself."""
    report = outcome.report
    if report.verdict == "accept" and report.warnings:
        report = replace(report, verdict="warn")
    if report.can_be_used and report.unlearnable:
        text = "No link was found between what is asked and what is answered."
        report = replace(report, verdict="warn", why=(text, *report.why))
    outcome.report = report
