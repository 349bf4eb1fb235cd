"""Work that takes more than a second, the workers that do it, and what they said while doing it.

DBOS keeps its own orchestration tables; everything a person sees is here.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.jobs.progress import Progress
from app.json_types import JsonObject


class Status(StrEnum):
    """Where a job stands. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REFUSED = "refused"
    DONE = "done"

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.CANCELLED, Status.FAILED, Status.REFUSED, Status.DONE})
OPEN = frozenset(Status) - FINAL
# Word for word what a query has to say to be given the indexes.
IS_OPEN = text("status in ('queued', 'running', 'cancelling')")
IS_NEWS = text("status in ('failed', 'refused') and seen_at is null")

IN_LINE = text("status = 'queued' and called_at is null")


class JobRow(Base):
    """One piece of background work.

    kind: which body a worker runs; subject_id: the row it works on (a dataset, a baseline run, a training run).
    attempt: raised by each claim; a write that carries an older number is refused (the fence).
    progress: what the page shows while it runs; failure: one sentence with the cause and the next step.
    called_at: when its turn came and it was handed to the workers; None while it waits in line (`jobs.line`).
    moved_up: set by an administrator; higher goes before lower, and before all that were not moved.
    seen_at: when whoever started it looked at its failure, or dismissed it; it is no news after that.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_open_by", "created_by", "id", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        Index("ix_jobs_failed_by", "created_by", "id", sqlite_where=IS_NEWS, postgresql_where=IS_NEWS),
        Index("ix_jobs_line", "queue", "id", sqlite_where=IN_LINE, postgresql_where=IN_LINE),
        Index("ix_jobs_called", "created_by", "queue", "called_at"),
        CheckConstraint(
            "status in ('queued', 'running', 'cancelling', 'cancelled', 'failed', 'refused', 'done')",
            name="status",
        ),
        Index("ix_jobs_kind_subject", "kind", "subject_id"),
        # At most one open job for one subject and kind: a double click starts nothing twice.
        Index(
            "uq_jobs_open",
            "kind",
            "subject_id",
            unique=True,
            sqlite_where=text("status in ('queued', 'running', 'cancelling')"),
            postgresql_where=text("status in ('queued', 'running', 'cancelling')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(200))
    subject_id: Mapped[int]
    assessment_id: Mapped[int | None] = mapped_column(index=True)
    queue: Mapped[str] = mapped_column(String(20))
    status: Mapped[Status] = mapped_column(String(16), index=True)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))
    progress: Mapped[Progress] = mapped_column(Json, default=dict)
    failure: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    called_at: Mapped[datetime | None]
    moved_up: Mapped[int | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    @property
    def final(self) -> bool:
        return self.status in FINAL


class JobEventRow(Base):
    """Something a job said: `kind` is progress, log, status or done. The live pages replay these by id."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    body: Mapped[JsonObject] = mapped_column(Json)


class WorkerRow(Base):
    """A worker process, alive while `seen_at` moves. `taken_over_by` is who inherited its jobs.

    load: processes of its machine that ran or wanted to, averaged over the last minute before `seen_at` (getloadavg);
    cores: of that machine. None where the machine does not say.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    queues: Mapped[str] = mapped_column(String(100))
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    taken_over_by: Mapped[str | None] = mapped_column(String(100))
    load: Mapped[float | None]
    cores: Mapped[int | None]
