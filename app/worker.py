"""The worker process: takes jobs, says that it is alive, and inherits the jobs of workers that went silent.

A worker dies with whoever started it: the supervisor holds the other end of its standard input, and end-of-file means
stop. It is stopped by SIGTERM or SIGINT too. A stopped job goes back to its line without having failed.
"""

import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from types import FrameType

from sqlalchemy import Engine

from app import schema
from app.blobs import Blobs, Damaged, NoSpace
from app.db import engine_for, reading, utcnow, writing
from app.errors import Refusal
from app.jobs import claims, engine, service, store
from app.jobs.claims import Claim
from app.jobs.tables import FINAL, Status, WorkerRow
from app.serving import store as serving_store
from app.settings import Settings
from app.standing import keeping

log = logging.getLogger("tunegate.worker")

Body = Callable[[Claim], None]
VERSION = "0.1"
CLEANED_EVERY = 3600.0  # seconds between two looks for records that are old enough to be dropped
# Seconds that a thread may keep Python to itself when others could go on. Many of them wait for answers of a model
# server, and each has to get its turn as soon as one is there: with Python's 5 ms they lost a tenth of their time.
TURN = 0.0005
SEARCHED_AFTER = 10_000  # new objects before a search for garbage; Python's 700 meant one every third answer
# Kind of job -> where its body is. Named as text and imported at the first job, so that the worker is up in a moment.
BODIES = {
    "check": "app.datasets.job:check",
    "lengths": "app.datasets.job:count_lengths",
    "read": "app.documents.job:read",
    "index": "app.retrieval.job:build",
    "check_retrieval": "app.relevance.job:check",
    "convert": "app.inference.job:convert",
    "meet": "app.inference.job:meet",
    "measure": "app.baselines.job:measure",
    "watch": "app.baselines.watching:score_stored",
    "optimise": "app.instructions.job:optimise",
    "rerun": "app.baselines.reruns_job:rerun",
    "judge": "app.judging.job:judge",
    "preflight": "app.training.preflight_job:preflight",
    "train": "app.results.job:train",
    "check_served": "app.deployed.job:check",
    "merge": "app.merged.job:merge",
    "demo": "app.demo.job:demo",
}


def machine_load() -> tuple[float | None, int | None]:
    """Processes that ran or wanted to, averaged over the last minute, and the cores there are for them."""
    try:
        return round(os.getloadavg()[0], 2), os.cpu_count()
    except OSError:
        return None, os.cpu_count()


class Worker:
    """One worker of one installation. `slot` keeps several on one host apart; `bodies` finds a kind's work."""

    def __init__(
        self, settings: Settings, slot: str, queues: Sequence[str], bodies: Callable[[str], Body] | None = None
    ) -> None:
        schema.load_tables()
        self.settings = settings
        self.body = bodies or body
        self.name = f"{socket.gethostname()}:{slot}"
        self.queues = tuple(queues)
        self.engine: Engine = engine_for(settings)
        keeping.install()
        self.blobs = Blobs(settings.blobs_dir)
        self.queue = engine.Client(settings.url)
        self.stopping = threading.Event()
        self.running: set[int] = set()
        self._lock = threading.Lock()

    # ------------------------------------------------------------ life

    def run(self) -> int:
        """Work until told to stop; returns the exit status."""
        if sentence := self._register():
            print(sentence, file=sys.stderr)  # noqa: T201 - the operator's terminal is where this belongs
            return 2
        sys.setswitchinterval(TURN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        threading.Thread(target=self._watch_parent, name="lifeline", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._keep_statuses, name="statuses", daemon=True).start()
        engine.work(self.settings.url, self.name, self.queues, self.settings.worker_poll, self.do, self.turn)
        log.info("worker %s serves %s", self.name, ", ".join(self.queues))
        self.stopping.wait()
        deadline = time.monotonic() + 3.5
        while self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        self._say_goodbye()
        return 0

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopping.is_set():
            os._exit(1)  # asked twice: go at once; the jobs are safe in the database
        self.stopping.set()

    def _watch_parent(self) -> None:
        """End-of-file on standard input means that whoever started us is gone (only when that is a pipe)."""
        if os.environ.get("TUNEGATE_LIFELINE") != "stdin":
            return
        while sys.stdin.buffer.read(1):
            pass
        self.stopping.set()

    def _register(self) -> str | None:
        """Write the worker's row; a sentence when a living worker has this name already."""
        now = utcnow()
        with writing(self.engine) as session:
            row = session.get(WorkerRow, self.name)
            alive = (
                row is not None
                and row.gone_at is None
                and row.seen_at > now - timedelta(seconds=self.settings.worker_lost_after)
                and service.process_lives(row.pid)
                and row.pid != os.getpid()
            )
            if row is not None and alive:
                return (
                    f"A worker named {self.name} is running already (process {row.pid}). Give this one another --slot."
                )
            if row is None:
                row = WorkerRow(id=self.name)
                session.add(row)
            row.queues = ",".join(self.queues)
            row.pid = os.getpid()
            row.version = VERSION
            row.started_at = row.seen_at = now
            row.load, row.cores = machine_load()
            row.gone_at = row.taken_over_by = None
        return None

    def _beat(self) -> None:
        while not self.stopping.wait(self.settings.worker_beat):
            try:
                self._beat_once()
            except Exception:  # a busy or failing database must not end the heart; the next beat tries again
                log.exception("heartbeat failed")

    def _keep_statuses(self) -> None:
        """Work out the statuses that something marked stale for many at once, or that time has ended."""
        try:
            keeping.distrust_older_rules(self.engine)
        except Exception:
            log.exception("statuses of another version could not be marked")
        cleaned = -math.inf
        while not self.stopping.wait(self.settings.worker_beat):
            try:
                if time.monotonic() - cleaned >= CLEANED_EVERY:
                    cleaned = time.monotonic()
                    self.clean()
                failed: set[int] = set()  # they are tried again in the next round
                while keeping.catch_up(self.engine, 20, failed) and not self.stopping.is_set():
                    pass
            except Exception:  # as with the heart: the next round tries again
                log.exception("catching up on statuses failed")

    def clean(self) -> None:
        """Drop records that are older than the operator wants them kept."""
        if days := self.settings.served_days:
            with writing(self.engine) as session:
                serving_store.forget_calls(session, utcnow() - timedelta(days=days))

    def _beat_once(self) -> None:
        now = utcnow()
        limit = now - timedelta(seconds=self.settings.worker_lost_after)
        with writing(self.engine) as session:
            me = session.get_one(WorkerRow, self.name)
            me.seen_at = now
            me.load, me.cores = machine_load()
            me.taken_over_by = None
            inherited = [
                dead.id
                for dead in store.silent_workers(session, self.name, limit)
                if set(dead.queues.split(",")) & set(self.queues) and store.inherit(session, dead, self.name)
            ]
        for dead in inherited:
            log.warning("worker %s went silent; its jobs go back to their queues", dead)
            engine.take_over(dead)

    def _say_goodbye(self) -> None:
        """Mark this worker as gone, so that others take over at once, and end without waiting for threads."""
        with writing(self.engine) as session:
            session.get_one(WorkerRow, self.name).gone_at = utcnow()
        engine.stop()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)  # jobs that were interrupted are parked in threads that never end

    def turn(self, queue: str) -> bool:
        """Hand over the next job of a queue in which this worker has room; whether there was one."""
        with reading(self.engine) as session:  # a look that finds nobody whose turn it is holds no writer up
            if store.next_in_line(session, queue) is None:
                return False
        with writing(self.engine) as session:
            return service.call_next(session, queue, engine.hand_over) is not None

    # ------------------------------------------------------------ one job

    def do(self, job_id: int) -> None:
        """Claim the job, run its body, and write down how it ended. Called by the engine in a thread of its own."""
        with writing(self.engine) as session:
            attempt = store.claim(session, job_id, self.name, utcnow())
            job = store.get(session, job_id)
            if attempt is None:
                if job.status == Status.CANCELLING:
                    self._end(job_id, job.attempt, Status.CANCELLED, None)
                return
            service.say(session, job, "status", {"status": Status.RUNNING, "attempt": attempt})
            kind = job.kind
            claim = Claim(
                job_id=job_id,
                subject_id=job.subject_id,
                attempt=attempt,
                engine=self.engine,
                settings=self.settings,
                blobs=self.blobs,
                queue=self.queue,
                stopping=self.stopping,
                by=job.created_by,
                assessment_id=job.assessment_id,
            )
        with self._lock:
            self.running.add(job_id)
        try:
            self._run(kind, claim)
        finally:
            with self._lock:
                self.running.discard(job_id)
        if self.stopping.is_set():
            threading.Event().wait()  # the engine must not think that the job is finished; the process ends in a moment

    def _run(self, kind: str, claim: Claim) -> None:
        status, failure = Status.DONE, None
        try:
            self.body(kind)(claim)
        except claims.Fenced:
            log.warning("job %s attempt %s was taken over; its result is dropped", claim.job_id, claim.attempt)
            return
        except claims.Stopping:
            self._put_back(claim)
            return
        except claims.Cancelled:
            status = Status.CANCELLED
        except claims.Ended as end:
            status, failure = Status.CANCELLED, str(end)
        except claims.Failed as error:
            status, failure = Status.FAILED, str(error)
        except claims.Refused as error:
            status, failure = Status.REFUSED, str(error)
        except (Damaged, NoSpace, Refusal) as error:
            status, failure = Status.FAILED, str(error)
        except Exception as error:
            if self.stopping.is_set():
                self._put_back(claim)
                return
            log.exception("job %s (%s) failed", claim.job_id, kind)
            failure = f"Something unexpected happened ({type(error).__name__}). The worker's log has the details."
            status = Status.FAILED
        self._end(claim.job_id, claim.attempt, status, failure)

    def _end(self, job_id: int, attempt: int, status: Status, failure: str | None) -> None:
        with writing(self.engine) as session:
            job = store.get(session, job_id)
            if job.attempt != attempt or job.status in FINAL:
                return
            if job.status == Status.CANCELLING and status == Status.FAILED:
                status, failure = Status.CANCELLED, None  # what broke because it was being stopped did not fail
            job.status, job.failure, job.finished_at = status, failure, utcnow()
            service.say(session, job, "done", {"status": status, "failure": failure})

    def _put_back(self, claim: Claim) -> None:
        """The worker is stopping: the job waits again, and the attempt that was cut short is forgotten by nobody."""
        with writing(self.engine) as session:
            if store.fenced_update(session, claim.job_id, claim.attempt, status=Status.QUEUED):
                service.say(session, store.get(session, claim.job_id), "status", {"status": Status.QUEUED})


def body(kind: str) -> Body:
    module, _, name = BODIES[kind].partition(":")
    known = module in sys.modules
    function: Body = getattr(import_module(module), name)
    if not known:
        settle_in()
    return function


def settle_in() -> None:
    """Leave what is here now, mostly code, out of every later search for garbage: it stays. A search of everything
    stopped all threads for a fifth of a second, in the middle of calls to a model server."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(SEARCHED_AFTER, 10, 10)
