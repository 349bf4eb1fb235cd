"""DBOS, behind a few verbs: migrate, enqueue, hand over, work, take over. Nothing else in the product imports it.

DBOS remembers which jobs are waiting, running on which worker, or finished; our `jobs` table holds what people see.
A job is one workflow with one step, and its only argument is a job id. Bodies go on from our own tables when they are
called again, so one coarse step is enough and DBOS keeps no copy of anybody's texts.

A job is put aside first, in a line of DBOS's that nobody serves (`ASIDE`), in the transaction of whoever asked for it.
Its turn is decided by us (`jobs.line`): then it is handed over to the queue that workers take from, where it waits no
longer than a worker takes to notice. So the order can change while jobs wait, and DBOS starts nothing out of turn.

A worker with nothing to do costs next to nothing: DBOS's own thread takes jobs out of a line, but it is woken by a look
at an index instead of by the clock, and its loops for what we do not use are ended (`work`).
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from itertools import takewhile

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from dbos._queue import Queue, queue_worker_thread
from dbos._serialization import DefaultSerializer
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import STUCK
from app.jobs.line import SLOTS

log = logging.getLogger("tunegate.engine")

Turn = Callable[[str], bool]

APPLICATION = "tunegate"
VERSION = "1"  # of the workflow below; raise it only if old waiting jobs could not be run by new code
WORKFLOW = "run_job"
# Where jobs are until it is their turn: no worker serves it.
ASIDE = "aside"
# Seconds after which DBOS looks into a line by itself, should our look ever fail to see what it would take.
BY_ITSELF = 30.0


def _no_pickles(_self: object, _serialized: str) -> object:
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
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
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

    def enqueue(self, session: Session, job_id: int) -> None:
        """Put a job aside, in the caller's transaction: the decision and its job commit together or not at all."""
        self._client.enqueue_in_transaction(
            session,
            {
                "workflow_name": WORKFLOW,
                "queue_name": ASIDE,
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


def hand_over(session: Session, job_id: int, queue: str) -> None:
    """It is this job's turn: move it to the queue that workers take from, in the caller's transaction.

    DBOS has no verb for it that joins a transaction of ours; written is the one column that says where it waits.
    """
    session.execute(
        text(
            f"update {_schema(session.get_bind().dialect.name)}workflow_status set queue_name = :queue"  # noqa: S608 - ours
            " where workflow_uuid = :id and queue_name = :aside and status = 'ENQUEUED'"
        ),
        {"queue": queue, "id": workflow_id(job_id), "aside": ASIDE},
    )


def _schema(dialect: str) -> str:
    """Where DBOS keeps its tables."""
    return "" if dialect == "sqlite" else "dbos."


class Call(threading.Event):
    """What tells a line's thread to stop, and wakes it early when a job stands in the line.

    The thread sleeps in `wait` between two dequeues. A dequeue is three transactions through SQLAlchemy's expressions;
    the look here is two reads of an index, by a connection that stays open. Where jobs wait for their turn and this
    worker has a slot that nothing is in, `turn` is asked to hand one over.
    """

    def __init__(self, looks: Engine, queue: str, every: float, worker: str = "", turn: Turn | None = None) -> None:
        super().__init__()
        self._looks = looks
        self._queue = queue
        self._every = every
        self._turn = turn
        self._values = {"queue": queue, "version": VERSION, "worker": worker}
        table = f"{_schema(looks.dialect.name)}workflow_status"
        # The second condition is the predicate of DBOS's partial index, without which SQLite would not use it.
        flying = f"from {table} where queue_name = :queue and status in ('ENQUEUED', 'PENDING')"
        self.question = text(f"select 1 {flying} and status = 'ENQUEUED' and application_version = :version limit 1")
        self.in_line = text(
            "select 1 from jobs where queue = :queue and status = 'queued' and called_at is null limit 1"
        )
        self._at_work = text(f"select count(*) {flying} and status = 'PENDING' and executor_id = :worker")

    def wait(self, timeout: float | None = None) -> bool:
        """Whether to stop; False also when a job waits, before the timeout."""
        until = time.monotonic() + (BY_ITSELF if timeout is None else timeout)
        while not super().wait(max(0.0, min(self._every, until - time.monotonic()))):
            if self._waiting() or time.monotonic() >= until:
                return False
        return True

    def _waiting(self) -> bool:
        """Whether there is a job to take, one that was handed over just now included."""
        try:
            with self._looks.connect() as connection:
                if connection.scalar(self.question, self._values) is not None:
                    return True
                if self._turn is None or connection.scalar(self.in_line, self._values) is None:
                    return False
                free = SLOTS[self._queue] - int(connection.scalar(self._at_work, self._values) or 0)
            return sum(1 for _ in takewhile(bool, (self._turn(self._queue) for _ in range(free)))) > 0
        except DBAPIError:
            return True  # DBOS will meet the same trouble, say so, and try again


def work(
    url: str,
    worker: str,
    queues: Sequence[str],
    poll: float,
    body: Callable[[int], None],
    turn: Turn,
    by_itself: float = BY_ITSELF,
) -> None:
    """Start taking jobs from `queues`; returns at once, the work happens in DBOS's threads.

    turn: hands over the next job that waits for a queue, and says whether there was one.

    `worker` must be unique among living workers and stay the same over restarts: a worker that starts again under
    its old name takes up the jobs it was killed in. `poll` is the time between two looks into a line.
    """
    logging.getLogger("dbos").addFilter(_noise)
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_engine": _own_engine(url),
        "executor_id": worker,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "console_log_level": "WARNING",
        "log_level": "WARNING",
        "run_migrations": False,
        "use_listen_notify": False,  # for messages between workflows, which we have none of; wakes 100 times a second
    }
    if url.startswith("postgresql"):
        config["system_database_url"] = url
    dbos = DBOS(config=config)

    @DBOS.step(name="do")
    def do(job_id: int) -> None:
        body(job_id)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=20)
    def run_job(job_id: int) -> None:
        do(job_id)

    DBOS.listen_queues([])  # ours get their threads below
    dbos._background_jobs_stop_event.set()  # noqa: SLF001 - delays and deadlines of workflows: there are none
    DBOS.launch()
    if _recovered(worker):
        # The manager of queues, its internal queue and the scheduler. Only now: the recovery is stopped by these too.
        for loop in tuple(dbos.background_thread_stop_events):
            loop.set()
    looks = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=len(queues))
    for name in queues:
        queue = DBOS.register_queue(name, worker_concurrency=SLOTS[name], polling_interval_sec=by_itself)
        call = Call(looks, name, poll, worker, turn)
        thread = threading.Thread(target=_serve, args=(call, dbos, queue), name=f"look-{name}", daemon=True)
        dbos.background_thread_stop_events.append(call)  # so that `stop` ends it
        dbos._background_threads.append(thread)  # noqa: SLF001 - and waits for it, before the connections close
        thread.start()


def _recovered(worker: str, within: float = 5.0) -> bool:
    """Wait for DBOS to have put the jobs in which this worker was killed back into their lines."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not DBOS.list_workflows(
            status="PENDING", executor_id=worker, app_version=VERSION, limit=1, load_input=False, load_output=False
        ):
            return True
        time.sleep(0.02)
    return False


def _serve(call: Call, dbos: DBOS, queue: Queue) -> None:
    """Take jobs until told to stop, whatever happens: DBOS's manager would start a thread that ended again, too."""
    while not call.is_set():
        try:
            queue_worker_thread(call, dbos, queue)
        except Exception:
            log.exception("the line %s broke off; it is taken up again", queue.name)
        threading.Event.wait(call, 1.0)


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
