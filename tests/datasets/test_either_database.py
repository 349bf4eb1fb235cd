"""Deciding, splitting again and comparing versions, on SQLite and on PostgreSQL."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.blobs import Blobs
from app.datasets import decisions_service, facts, job, store, uploads_service, version_changes
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import Uploaded
from app.db import make_engine, reading, utcnow, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.databases import on_both
from tests.support.examples import pairs
from tests.support.factories import Make


@on_both
def test_versions_follow_from_decisions_on_either_database(either: Settings) -> None:
    engine = make_engine(either.url)
    queue = job_engine.Client(either.url)
    blobs = Blobs(either.blobs_dir)
    maker = Make(engine, either)
    me = maker.author()
    assessment = maker.assessment(me)
    held = json.dumps({"prompt": "Write to Ada", "completion": "Sent to ada@firma.example."}).encode() + b"\n"

    def checked(make: Callable[..., DatasetRow], *args: object, **options: object) -> DatasetRow:
        with writing(engine) as session:
            jobs.bind(session, queue)
            row = make(session, *args, **options)
            found = job_store.latest(session, "check", row.id)
            assert found is not None
            attempt = job_store.claim(session, found.id, "test", utcnow())
            assert attempt is not None
            claim = Claim(found.id, row.id, attempt, engine, either, blobs, queue, threading.Event())
        job.check(claim)
        with reading(engine) as session:
            return store.get(session, row.id)

    uploaded = Uploaded(blobs.put_bytes(pairs(40) + held), "x.jsonl")
    first = checked(uploads_service.upload, assessment.id, me, uploaded)
    masked = checked(decisions_service.decide, first.id, me, {"e-mail address": "mask"})
    newest = checked(decisions_service.split_by, masked.id, me, "time")

    with reading(engine) as session:
        changed, moved = (
            version_changes.changes_since(session, blobs, store.get(session, row.id)) for row in (masked, newest)
        )
        measured = facts.measured(session, assessment.id).to_json()
    assert changed is not None
    assert [(new.target, old.target) for new, old in changed.rows["changed"] if new and old] == [
        ("Sent to [e-mail address].", "Sent to ada@firma.example.")
    ]
    assert moved is not None
    assert (moved.counts["same"], moved.counts["changed"]) == (41, 0)
    assert moved.counts["moved"] > 0
    assert newest.report.split.by == "time"
    assert measured["identifiers_decided"] is True
    queue.close()
    engine.dispose()


def test_two_who_press_at_once_come_one_after_the_other(either: Settings) -> None:
    engine = make_engine(either.url)
    queue = job_engine.Client(either.url)
    blobs = Blobs(either.blobs_dir)
    maker = Make(engine, either)
    people = [maker.author() for _ in range(4)]
    assessment = maker.assessment(people[0])
    file = blobs.put_bytes(pairs(40))
    together = threading.Barrier(len(people))

    def press(me: UserRow) -> int:
        with writing(engine) as session:
            jobs.bind(session, queue)
            if engine.dialect.name == "postgresql":  # SQLite lets in one writer at a time
                together.wait(10)
            return uploads_service.upload(session, assessment.id, me, Uploaded(file, "x.jsonl")).version

    with ThreadPoolExecutor(len(people)) as hands:
        versions = list(hands.map(press, people))

    assert sorted(versions) == [1, 2, 3, 4]
    queue.close()
    engine.dispose()
