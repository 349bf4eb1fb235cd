"""What a running job holds: its attempt, and the only doors through which it may write.

Every write goes through `Claim.write`, which first checks that this attempt is still the current one. A worker that was
asleep while another took its job over finds the door closed, whatever it had in its hands.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.db import Queue, reading, utcnow, writing
from app.jobs import service, store
from app.jobs.progress import Progress
from app.jobs.tables import FINAL, JobEventRow, Status
from app.json_types import JsonObject
from app.settings import Settings

EVERY = 1.0  # seconds between two progress events of one job: what a page can usefully show


class Cancelled(Exception):
    """Somebody pressed cancel. Let it pass through; the worker writes it down."""


class Fenced(Exception):
    """A newer attempt owns this job. Stop without writing."""


class Stopping(Exception):
    """This worker is being stopped. Let it pass through; the job goes on elsewhere or later."""


class Ended(Exception):
    """The job ends early because somebody wanted it so; the text is one sentence why, for the page. Nothing failed."""


class Failed(Exception):
    """The job cannot be finished; the text is one sentence with the cause and the next step, for the page."""


class Refused(Exception):
    """The gate said no at the last check. Nothing was done."""


@dataclass(eq=False)
class Claim:
    """One attempt at one job. Safe to use from several threads."""

    job_id: int
    subject_id: int
    attempt: int
    engine: Engine
    settings: Settings
    blobs: Blobs
    queue: Queue
    stopping: threading.Event
    by: int | None = None
    assessment_id: int | None = None
    _last: float = field(default=0.0, init=False)
    _looked: float = field(default=0.0, init=False)
    _cancelled: bool = field(default=False, init=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits only while this attempt owns the job.

        Raises:
            Fenced: it no longer does.
            Cancelled: somebody asked for the job to be cancelled (nothing of the transaction is kept).
        """
        with writing(self.engine) as session:
            service.bind(session, self.queue)
            self._check(session, lock=True)
            yield session

    @contextmanager
    def keep(self) -> Iterator[Session]:
        """A transaction for what has come and would be lost: also while the job is being cancelled or stopped.

        Raises:
            Fenced: this attempt no longer owns the job.
        """
        with writing(self.engine) as session:
            attempt, status = store.stands(session, self.job_id)
            if attempt != self.attempt or status in FINAL:
                raise Fenced
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        with reading(self.engine) as session:
            yield session

    def _check(self, session: Session, *, lock: bool = False) -> None:
        job = (store.held if lock else store.get)(session, self.job_id)
        if job.attempt != self.attempt or job.final:
            raise Fenced
        if job.status == Status.CANCELLING:
            self._cancelled = True
            raise Cancelled
        if self.stopping.is_set():
            raise Stopping

    def cancelled(self) -> bool:
        """Whether to stop soon: cancelled, taken over, or the worker is stopping. Cheap enough to ask in a loop."""
        if self._cancelled or self.stopping.is_set():
            return True
        if time.monotonic() - self._looked >= 0.3:
            self._looked = time.monotonic()
            with reading(self.engine) as session:
                attempt, status = store.stands(session, self.job_id)
                self._cancelled = attempt != self.attempt or status != Status.RUNNING
        return self._cancelled

    def check(self) -> None:
        """Raise what `cancelled` would be True for."""
        if self.cancelled():
            if self.stopping.is_set():
                raise Stopping
            with reading(self.engine) as session:
                self._check(session)

    def report(self, progress: Progress, *, now: bool = False) -> None:
        """Store how far the job is; at most one event a second unless `now`."""
        moment = time.monotonic()
        if not now and moment - self._last < EVERY:
            self.check()
            return
        self._last = moment
        with self.write() as session:
            store.fenced_update(session, self.job_id, self.attempt, progress=progress)
            session.add(self._event("progress", progress))

    @property
    def due(self) -> bool:
        """Whether a progress that is told now would be stored; until then nobody need put one together."""
        return time.monotonic() - self._last >= EVERY

    def tell(self, progress: Progress, *, now: bool = False) -> None:
        """The same in a loop that ends by `cancelled`: what has come by then is still to be kept, so nothing is raised
        of it here.

        Raises:
            Fenced: this attempt no longer owns the job.
        """
        if not self.cancelled():
            with suppress(Cancelled, Stopping):
                self.report(progress, now=now)

    def log(self, line: str) -> None:
        with self.write() as session:
            session.add(self._event("log", {"line": line[:2000]}))

    def event(self, kind: str, body: JsonObject) -> None:
        with self.write() as session:
            session.add(self._event(kind, body))

    def _event(self, kind: str, body: JsonObject) -> JobEventRow:
        return JobEventRow(job_id=self.job_id, attempt=self.attempt, at=utcnow(), kind=kind, body=body)
