"""What a version takes over from those before: places of rows, the own test file, words on personal data."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import orjson

from app.chat import Record, messages_from_json
from app.datasets import store
from app.datasets.check_job.folder import ROWS_A_TRANSACTION
from app.datasets.check_job.progress import Progress
from app.datasets.check_job.request import CheckRequest
from app.datasets.checks import compared_text
from app.datasets.checks.outcome import Check
from app.datasets.checks.report_parts import Carried, FileOfVersion, Level, ReportMessage
from app.datasets.checks.working_rows import question
from app.datasets.reading.canonical import from_line
from app.datasets.splits.places import Split
from app.jobs.claims import Claim
from app.privacy import masking
from app.privacy.records import values_in_record


def say_what_was_carried(claim: Claim, request: CheckRequest, outcome: Check, progress: Progress) -> None:
    """Say what was taken over from the version before and what was not: the own test file, words on personal data."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        plan = row.split_plan
        since = {kind: version.id for kind, version in store.kept_as_is_in(session, row).items()}
    now: dict[str, set[bytes]] = {}
    before: dict[str, set[bytes]] = {}
    if request.kept_in_other_files:
        progress.tick("Comparing personal data with the version before", 0, 0)
        now = _values_of(outcome.rows, request.kept_in_other_files)
        before = _values_before(claim, since, request.kept_in_other_files)
    dropped = plan.test_dropped
    kinds = request.kept_in_other_files
    carried = Carried(
        test=FileOfVersion(request.test_name, plan.test_kept) if plan.test_kept else None,
        test_dropped=FileOfVersion(dropped.file, dropped.version) if dropped else None,
        decisions=tuple(kind for kind in kinds if now[kind] and now[kind] <= before[kind]),
        dropped=tuple(kind for kind in kinds if not now[kind] <= before[kind]),
    )
    # At the head of what is said: whoever uploads should not have to look for it.
    messages = tuple(ReportMessage(None, "", text, level) for level, text in _carried_sentences(carried))
    counts = Counter(outcome.report.message_counts)
    counts.update(message.level for message in messages)
    outcome.report = replace(
        outcome.report, carried=carried, messages=messages + outcome.report.messages, message_counts=dict(counts)
    )


def _carried_sentences(carried: Carried) -> Iterator[tuple[Level, str]]:
    """Each word on what was taken over or dropped, with its level."""
    if test := carried.test:
        text = f"The test file {test.file!r} was kept from version {test.version}"
        yield "note", f"{text}: its rows are the test set of this version, too."
    if dropped := carried.test_dropped:
        text = f"The test file {dropped.file!r} of version {dropped.version} was given up; the upload says so"
        yield "warning", f"{text}: test rows are drawn from the examples."
    if carried.decisions:
        names = ", ".join(carried.decisions)
        yield "note", f"The word that these may stay as they are was kept, for no other values were found: {names}."
    if carried.dropped:
        names = ", ".join(carried.dropped)
        yield "warning", f"Other values were found than those that may stay as they are; decide again: {names}."


def _values_of(records: Iterable[Record], kinds: Sequence[str]) -> dict[str, set[bytes]]:
    """The values of each kind, as short hashes: there may be as many as rows."""
    values_of: dict[str, set[bytes]] = {kind: set() for kind in kinds}
    for record in records:
        for kind, value in values_in_record(record):
            if kind in values_of:
                values_of[kind].add(blake2b(value.encode("utf-8", "replace"), digest_size=12).digest())
    return values_of


def _values_before(claim: Claim, since: Mapping[str, int], kinds: Sequence[str]) -> dict[str, set[bytes]]:
    """What somebody saw of each kind when they wanted it kept. since: the dataset of each kind."""
    values_of: dict[str, set[bytes]] = {kind: set() for kind in kinds}
    for dataset in {*since.values()}:
        kinds_of_dataset = [kind for kind in kinds if since.get(kind) == dataset]
        after = 0
        while True:
            with claim.read() as session:
                batch = store.listed(session, dataset, store.RowFilter(), after=after, limit=ROWS_A_TRANSACTION)
            if not batch:
                break
            after = batch[-1].id
            rows = (Record(row.line, messages_from_json(row.messages), row.target) for row in batch if row.messages)
            for kind, values in _values_of(rows, kinds_of_dataset).items():
                values_of[kind] |= values
    return values_of


def previous_places(claim: Claim, request: CheckRequest, masked: frozenset[str]) -> Iterator[tuple[int, Split]]:
    """Where rows were in the version before, and which judged in any frozen one, by the key of what they ask.

    Each by what it asked then, and by what it asks when it is masked as it is now.
    """
    sources = [(sha256, True) for sha256 in request.frozen_before if sha256 != request.previous]
    if request.previous:
        sources.append((request.previous, False))
    for sha256, only_test in sources:
        with claim.blobs.open(sha256) as lines:
            for line in lines:
                split = orjson.loads(line)["split"]
                if only_test and split != "test":
                    continue
                record = from_line(line)
                yield compared_text.key(question(record)), split
                if masked:
                    yield compared_text.key(question(masking.masked_record(record, masked))), split
