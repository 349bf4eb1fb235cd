"""Documents that are really read and really indexed, without a worker process; and a server that embeds by words."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.db import reading, utcnow, writing
from app.documents import job as reading_job
from app.documents import service as documents
from app.documents.tables import DocumentFileRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.retrieval import job, lexical, service, store
from app.retrieval.settings import IndexSettings
from app.retrieval.tables import IndexRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.model_server import Body, Raw

DIMENSIONS = 128


def by_words(body: Body) -> Raw:
    """Vectors of texts for a model server: each word counts in one direction, so that texts with the same are near."""
    data = []
    for place, text in enumerate(body["input"]):
        vector = [0.001] * DIMENSIONS
        for word in lexical.terms(text):
            vector[crc32(word.encode()) % DIMENSIONS] += 1.0
        data.append({"index": place, "embedding": vector})
    return Raw(json.dumps({"data": data, "model": "by-words"}).encode())


@dataclass(frozen=True)
class Indexing:
    """What a worker would do, here and now."""

    engine: Engine
    settings: Settings
    queue: job_engine.Client
    blobs: Blobs
    assessment: AssessmentRow
    me: UserRow

    def claim(self, kind: str, subject_id: int) -> Claim:
        """A claim on the latest job of a kind, each time with the next attempt."""
        with writing(self.engine) as session:
            row = job_store.latest(session, kind, subject_id)
            assert row is not None
            attempt = job_store.claim(session, row.id, "test", utcnow())
            assert attempt is not None
            return Claim(
                row.id, subject_id, attempt, self.engine, self.settings, self.blobs, self.queue, threading.Event()
            )

    def do(self, claim: Claim, body: Callable[[Claim], None]) -> None:
        body(claim)
        with writing(self.engine) as session:
            job_store.get(session, claim.job_id).status = Status.DONE

    def add(self, *files: tuple[str, bytes]) -> list[DocumentFileRow]:
        """Add files and read them."""
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            stored = [(self.blobs.put_bytes(data), name) for name, data in files]
            rows = documents.add(session, self.assessment.id, self.me, stored)
            ids = [row.id for row in rows]
        self.read(ids[0])
        with reading(self.engine) as session:
            return [session.get_one(DocumentFileRow, file_id) for file_id in ids]

    def read(self, batch: int) -> None:
        self.do(self.claim("read", batch), reading_job.read)

    def order(self, wanted: IndexSettings | None = None, *, consent: bool = True) -> IndexRow:
        """Order an index; its job waits."""
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            return service.order(
                session, self.settings, self.assessment.id, self.me, wanted or IndexSettings(), consent=consent
            )

    def build(self, wanted: IndexSettings | None = None) -> IndexRow:
        """Order an index and build it."""
        row = self.order(wanted)
        self.do(self.claim("index", row.id), job.build)
        with reading(self.engine) as session:
            return store.get(session, row.id)
