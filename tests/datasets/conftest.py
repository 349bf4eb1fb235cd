"""Uploads that are really checked, without a worker process: the job's body is called here and now."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import job, store, uploads_service
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import Uploaded
from app.db import utcnow, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.bad_files import whole
from tests.support.examples import Upload
from tests.support.factories import Make


@pytest.fixture(scope="session")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all 83 malformed files."""
    return whole(tmp_path_factory.mktemp("bad_files"))


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author()


@pytest.fixture
def assessment(make: Make, me: UserRow) -> AssessmentRow:
    return make.assessment(me)


@pytest.fixture
def upload(engine: Engine, queue: job_engine.Client, blobs: Blobs, assessment: AssessmentRow, me: UserRow) -> Upload:
    """`upload(data, test=...)` stores and enqueues; nothing is checked yet."""

    def put(data: bytes, test: bytes | None = None, *, checked: bool | None = None) -> DatasetRow:
        with writing(engine) as session:
            jobs.bind(session, queue)
            own = None if test is None else blobs.put_bytes(test)
            uploaded = Uploaded(blobs.put_bytes(data), "x.jsonl", test=own, human_checked=checked)
            return uploads_service.upload(session, assessment.id, me, uploaded)

    return put


@pytest.fixture
def claimed(
    engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs
) -> Callable[[DatasetRow], Claim]:
    """A worker's claim on the check of this version, each time with the next attempt."""

    def claim(row: DatasetRow) -> Claim:
        with writing(engine) as session:
            check_job = job_store.latest(session, "check", row.id)
            assert check_job is not None
            attempt = job_store.claim(session, check_job.id, "test", utcnow())
            assert attempt is not None
            return Claim(check_job.id, row.id, attempt, engine, settings, blobs, queue, threading.Event())

    return claim


@pytest.fixture
def checked(engine: Engine, upload: Upload, claimed: Callable[[DatasetRow], Claim]) -> Upload:
    """`checked(data)` uploads and runs the check here and now."""

    def run(data: bytes, test: bytes | None = None, *, checked: bool | None = None) -> DatasetRow:
        row = upload(data, test, checked=checked)
        claim = claimed(row)
        job.check(claim)
        with writing(engine) as session:
            job_store.get(session, claim.job_id).status = Status.DONE
            return store.get(session, row.id)

    return run
