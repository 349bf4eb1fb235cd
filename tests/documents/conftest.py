"""Documents that are really read, without a worker process: the job's body is called here and now."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.db import reading, utcnow, writing
from app.documents import job, service, store
from app.documents.tables import DocumentFileRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.samples import Add


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author()


@pytest.fixture
def assessment(make: Make, me: UserRow) -> AssessmentRow:
    return make.assessment(me)


@pytest.fixture
def claimed(engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs) -> Callable[[int], Claim]:
    """A worker's claim on the reading of a batch, each time with the next attempt."""

    def claim(batch: int) -> Claim:
        with writing(engine) as session:
            read_job = job_store.latest(session, "read", batch)
            assert read_job is not None
            attempt = job_store.claim(session, read_job.id, "test", utcnow())
            assert attempt is not None
            return Claim(read_job.id, batch, attempt, engine, settings, blobs, queue, threading.Event())

    return claim


@pytest.fixture
def read(
    engine: Engine,
    queue: job_engine.Client,
    blobs: Blobs,
    assessment: AssessmentRow,
    me: UserRow,
    claimed: Callable[[int], Claim],
) -> Add:
    """`read(("a.md", b"..."), ...)` adds files and reads them; gives their rows."""

    def run(*files: tuple[str, bytes]) -> list[DocumentFileRow]:
        with writing(engine) as session:
            jobs.bind(session, queue)
            rows = service.add(session, assessment.id, me, [(blobs.put_bytes(data), name) for name, data in files])
            ids = [row.id for row in rows]
        claim = claimed(ids[0])
        job.read(claim)
        with writing(engine) as session:
            job_store.get(session, claim.job_id).status = Status.DONE
        with reading(engine) as session:
            return [store.file(session, file_id) for file_id in ids]

    return run
