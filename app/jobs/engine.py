"""DBOS, behind four verbs: migrate, enqueue, requeue, work. Nothing else in the product imports it.

DBOS remembers which jobs are waiting, running on which worker, or finished; our `jobs` table holds what people see.
A job is one workflow with one step, and its only argument is a job id. Bodies go on from our own tables when they are
called again, so one coarse step is enough and DBOS keeps no copy of anybody's texts.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from dbos._serialization import DefaultSerializer
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from app.db import STUCK

APPLICATION = "tunegate"
VERSION = "1"  # of the workflow below; raise it only if old waiting jobs could not be run by new code
WORKFLOW = "run_job"
# Jobs at once on one worker. `model` is everything that loads weights: two at once would fight for cores and memory.
QUEUES = {"cpu": 4, "model": 1}


def _no_pickles(_self: object, _serialized: str) -> Any:
    """Refuse a row that says it is a pickle.

    DBOS reads each row by the format that the *row* names, whatever serializer it was given, and a pickle runs what its
    writer wants. We never write one, so whoever can write into the database cannot run code in our processes.
    """
    raise TypeError("A pickled row is never read here.")


DefaultSerializer.deserialize = _no_pickles  # type: ignore[method-assign, assignment]  # both web and worker import this


def _own_engine(url: str) -> Engine:
    """DBOS expects the driver's own IMMEDIATE mode on SQLite; our engine begins transactions itself."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=5, max_overflow=10, pool_pre_ping=True, connect_args=STUCK)
    engine = create_engine(url, pool_size=5, max_overflow=10)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def migrate(url: str) -> None:
    """Create or upgrade DBOS's own tables. The client never does, so this comes before the web starts."""
    DBOS.migrate(url)


class Client:
    """What the web process may do with the engine. Connects at the first use."""

    def __init__(self, url: str) -> None:
        self._engine = _own_engine(url)
        self._client = DBOSClient(
            system_database_engine=self._engine,
            application_name=APPLICATION,
            serializer=DBOSPortableJSONSerializer(),
            lazy=True,
        )

    def enqueue(self, session: Session, job_id: int, queue: str) -> None:
        """Put a job in line, in the caller's transaction: the decision and its job commit together or not at all."""
        self._client.enqueue_in_transaction(
            session,
            {
                "workflow_name": WORKFLOW,
                "queue_name": queue,
                "workflow_id": workflow_id(job_id),
                "app_version": VERSION,
            },
            job_id,
        )

    def cancel(self, job_id: int) -> None:
        """Take a waiting job out of the line. A running one is stopped by its own body."""
        self._client.cancel_workflow(workflow_id(job_id))

    def close(self) -> None:
        self._client.destroy()
        self._engine.dispose()


def workflow_id(job_id: int) -> str:
    return f"job-{job_id}"


def work(url: str, worker: str, queues: Sequence[str], poll: float, body: Callable[[int], None]) -> None:
    """Start taking jobs from `queues`; returns at once, the work happens in DBOS's threads.

    `worker` must be unique among living workers and stay the same over restarts: a worker that starts again under
    its old name takes up the jobs it was killed in.
    """
    logging.getLogger("dbos").addFilter(_noise)
    config: Any = {
        "name": APPLICATION,
        "system_database_engine": _own_engine(url),
        "executor_id": worker,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "console_log_level": "WARNING",
        "log_level": "WARNING",
        "run_migrations": False,
    }
    if url.startswith("postgresql"):
        config["system_database_url"] = url
    DBOS(config=config)

    @DBOS.step(name="do")
    def do(job_id: int) -> None:
        body(job_id)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=20)
    def run_job(job_id: int) -> None:
        do(job_id)

    DBOS.listen_queues(list(queues))
    DBOS.launch()
    for queue in queues:
        DBOS.register_queue(queue, worker_concurrency=QUEUES[queue], polling_interval_sec=poll)


def take_over(worker: str) -> None:
    """Give the unfinished jobs of a worker that went silent back to their queues.

    DBOS marks this call as internal; it does nothing for jobs that somebody else owns by now (`tests/jobs`).
    """
    DBOS._recover_pending_workflows([worker])  # noqa: SLF001 - the public way would not check the owner


def stop() -> None:
    """Stop taking jobs. Unfinished ones stay assigned to this worker's name until it starts again or is taken over."""
    with contextlib.suppress(Exception):  # the process is about to end; a failed goodbye must not keep it
        DBOS.destroy()


def _noise(record: logging.LogRecord) -> bool:
    """Drop the traceback that DBOS prints when a worker is stopped in the middle of a job; that is our normal stop."""
    return "accessed before DBOS was launched" not in record.getMessage()
