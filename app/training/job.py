"""What a worker does for a training run; for a preflight, `preflight_job`. torch is only in the processes it starts."""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import secret
from app.assessments import store as assessment_store
from app.baselines import job as baseline_job
from app.db import writing
from app.errors import GateClosed
from app.gate import launching, permission, reviews
from app.gate import store as review_store
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Unusable
from app.inference.local_protocol import Dtype
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Claim, Failed, Fenced, Refused, Stopping
from app.processes import children
from app.settings import Settings
from app.training import events as trainer_events
from app.training import (
    freeing,
    legs,
    packing,
    preflight_job,
    seed_adapters,
    service,
    store,
)
from app.training import spec as specs
from app.training.checkpoints import CheckpointStore, Corrupt
from app.training.facts import RunFacts
from app.training.launchers import (
    GRACE,
    AsApproved,
    Launcher,
    NotOffered,
    Running,
    forget_orders,
    last_words,
)
from app.training.legs import Outcome
from app.training.protocol import ADAPTER, JOURNAL, Done, Exit, Start, TrainerEvent
from app.training.tables import TrainingRow

FLUSH = 1.0  # seconds between two writes of metrics
STALLED = 1800.0  # seconds without a word from the trainer
CRASHES = 3  # in a row without a new checkpoint between them
CAUSES: Mapping[int, str] = {
    Exit.DIVERGED: "diverged",
    Exit.MEMORY: "memory",
    Exit.DISK: "disk",
    Exit.TIME: "time",
    Exit.BUSY: "busy",
    Exit.SMOKE: "smoke",
    Exit.DEVICE: "device",
}


# ---------------------------------------------------------------- training


def train(claim: Claim) -> None:
    """Train, keep the best adapter, and have it answer the test rows that the arms answered."""
    work(claim, AsApproved(claim.settings))


def work(
    claim: Claim,
    launcher: Launcher,
    conclude: Callable[[Session, TrainingRow], None] = lambda _session, _row: None,
    beside: Callable[[Claim, Path], None] = lambda _claim, _adapter: None,
) -> None:
    """The whole run. beside: asks the adapter in this folder what else has to be known of it, once it was judged.
    conclude: comes last, in the transaction that closes the run. Both are made above us.

    Every way out of here gives the run a state of its own; the job's is written by the worker.
    """
    free_cancelled(claim.engine, claim.settings)
    try:
        _work(claim, launcher, conclude, beside)
    except Cancelled:
        _close(claim, "cancelled")
        _free(claim)
        raise
    except (Fenced, Stopping):
        raise  # somebody else goes on
    except Refused:
        _close(claim, "refused")
        raise
    except Exception:
        _close(claim, "failed")
        raise


def _work(
    claim: Claim,
    launcher: Launcher,
    conclude: Callable[[Session, TrainingRow], None],
    beside: Callable[[Claim, Path], None],
) -> None:
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        state, digest = row.state, row.digest
    if state == "done":
        return
    if state not in {"queued", "running", "evaluating"}:
        raise Refused("This run is over. Request review and launch again.")
    run = claim.settings.runs_dir / f"training-{claim.subject_id}"
    if state != "evaluating":
        _until_done(claim, launcher, run)
    seed_adapters.judge(claim, run, _judge(claim, run))
    beside(claim, _adapter(claim, run, digest))
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        conclude(session, row)
        store.close(session, row.id, "done")


def _until_done(claim: Claim, launcher: Launcher, run: Path) -> None:
    """Start the trainer until it is done. One that crashes starts again from its last checkpoint, a few times."""
    crashes, stored = 0, (0, -1)
    while True:
        start = _start(claim)
        try:
            running = launcher.start(run, start)
        except NotOffered as error:
            _note_cause(claim, "launcher")
            raise Failed(str(error)) from error
        try:
            heard = _supervise(claim, running, start.attempt, run)
        finally:
            running.close()
            forget_orders(run)  # one that ended before it read them
        code = running.code if running.code is not None else 1
        if code == Exit.DONE and heard.done:
            _keep(claim, run, start, heard.done)
            return
        claim.check()  # it was asked to stop: that is what is said, not how it ended
        if code in {Exit.NO_TOKEN, Exit.REFUSED}:
            raise Refused(heard.text)
        if cause := CAUSES.get(code):
            _note_cause(claim, cause)
            raise Failed(heard.text)
        crashes = 1 if heard.checkpoint > stored else crashes + 1
        stored = max(stored, heard.checkpoint)
        why = running.how
        claim.log(f"{why} {last_words(run)}".strip())
        if crashes >= CRASHES:
            _note_cause(claim, "crash")
            raise Failed(f"{why} It was started {CRASHES} times without getting further; its log has the details.")


def _start(claim: Claim) -> Start:
    """Look at the approval once more, count the attempt, and give what the trainer starts with, its token included.

    Raises: Refused: the approval no longer allows this.
    """
    with claim.write() as session:
        assessment_store.changing(session, store.assessment_of(session, claim.subject_id))
        row = store.get(session, claim.subject_id)
        started = bool(store.metrics(session, row.id, "step"))
        try:
            launching.recheck(session, row.review_id, row.decision_id, row.digest, started=started)
        except GateClosed as closed:
            raise Refused(str(closed)) from closed
        attempt = service.begin(session, row.id)
        review = review_store.get(session, row.review_id)
        text = review.subject
        model = model_store.get(session, row.model_id)
        digest = row.digest
    expires = int(time.time()) + permission.TOKEN_LIFE
    key = secret.key(claim.settings)
    return Start(
        job_id=claim.job_id,
        attempt=attempt,
        token=permission.launch_token(key, job_id=claim.job_id, attempt=attempt, digest=digest, expires=expires),
        digest=digest,
        subject=text,
        rows=preflight_job.stored(claim, specs.from_subject(reviews.text_of(review)).rows_sha256),
        model=str(inference.folder(claim.settings, model).resolve()),
        threads=children.threads_for(claim.settings.threads or None),
        device=claim.settings.device,
        memory=round(claim.settings.training_gb * 1e9),
    )


def _supervise(claim: Claim, running: Running, attempt: int, run: Path) -> trainer_events.Heard:
    """Pass on what the trainer says until it ends; ask it to stop when somebody asked us to."""
    heard = trainer_events.Heard()
    cancelling, insisted = False, 0.0
    flushed = last_word = time.monotonic()
    while running.code is None:
        event = running.next()
        now = time.monotonic()
        if event is not None:
            last_word = now
            heard.take(event, now)
        elif now - last_word > STALLED:
            _note_cause(claim, "crash")
            raise Failed(f"The trainer said nothing for {STALLED / 60:.0f} minutes and was ended. Resume the run.")
        if not cancelling and claim.cancelled():
            cancelling, insisted = True, now + GRACE
            running.cancel()
        if cancelling and now > insisted:
            break  # whoever closes it ends it by force; the last checkpoint stays
        if not cancelling and now - flushed >= FLUSH:
            _flush(claim, heard, attempt, run)
            flushed = now
    if not cancelling:
        _flush(claim, heard, attempt, run)
    return heard


def _flush(claim: Claim, heard: trainer_events.Heard, attempt: int, run: Path) -> None:
    """Write what was heard in one fenced transaction, then say how far it is."""
    events, heard.waiting = heard.waiting, []
    if not events:
        claim.check()
        return
    with claim.write() as session:
        for event in events:
            _store(session, claim.subject_id, attempt, event)
            if event["event"] == "started" and event["step"]:
                _catch_up(session, claim.subject_id, attempt, event["step"], run, event.get("leg", ""))
            if event["event"] == "leg":
                _catch_up(session, claim.subject_id, attempt, event["of"], run, event["name"])
    for event in events:
        if line := trainer_events.log_line(event):
            claim.log(line)
    steps = [event for event in events if event["event"] == "step"]
    if steps:
        claim.report(trainer_events.progress(heard, steps[-1]), now=True)
    elif events[-1]["event"] == "started":
        begun = events[-1]
        stage = begun.get("leg_words", "Measuring where the model starts")
        claim.report({"stage": stage, "done": begun["step"], "total": begun["of"], "unit": "steps"}, now=True)


def _store(session: Session, training_id: int, attempt: int, event: TrainerEvent) -> None:
    if event["event"] == "started":
        store.forget_after(session, training_id, event["step"], event.get("leg", ""))
        known = {key: value for key, value in event.items() if key not in {"event", "step", "of", "attempt"}}
        service.note(session, training_id, {**cast("RunFacts", known), "steps": event["of"]})
    elif event["event"] == "leg":
        store.forget_checkpoints(session, training_id, event["name"])
        service.note_leg(session, training_id, Outcome.from_json(event))
    elif event["event"] == "step" or event["event"] == "dev":
        store.put_metric(session, training_id, attempt, event)
    elif event["event"] == "checkpoint":
        store.put_checkpoint(session, training_id, attempt, event)


def _catch_up(session: Session, training_id: int, attempt: int, step: int, run: Path, leg: str = "") -> None:
    """Write down what an attempt before us measured and no worker was alive to hear, up to the step we go on from."""
    known = {
        (kind, metric.step) for kind in ("step", "dev") for metric in store.metrics(session, training_id, kind, leg)
    }
    for event in trainer_events.journal(legs.folder(run, leg) / JOURNAL):
        kind, number = event["event"], event["step"]
        if number <= step and (kind, number) not in known:
            store.put_metric(session, training_id, max(1, attempt - 1), event)


# ---------------------------------------------------------------- the adapter


def _keep(claim: Claim, run: Path, start: Start, done: Done) -> None:
    """Verify the adapter that the trainer stored, put it into the content store as a zip, and note what it is."""
    adapter = _adapter(claim, run, start.digest)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "adapter.zip"
        packing.pack(adapter, packed, {"digest": start.digest, "training": done["facts"]})
        with packed.open("rb") as file:
            blob = claim.blobs.put(iter(lambda: file.read(1 << 20), b""))
    with claim.write() as session:
        leg = done["facts"].get("chosen_leg", "")
        _catch_up(session, claim.subject_id, start.attempt, done["facts"]["step"], run, leg)
        kept = done["facts"].copy()
        kept.pop("step", None)
        row = service.note(session, claim.subject_id, kept)
        row.best_step = done["best_step"]
        row.adapter_sha256, row.adapter_bytes = blob.sha256, blob.size
        row.state = "evaluating"


def _adapter(claim: Claim, run: Path, digest: str) -> Path:
    """The run's adapter folder, every byte of it as the trainer sealed it."""
    try:
        return CheckpointStore(run, secret.key(claim.settings), digest, 0).read(run / ADAPTER).folder
    except Corrupt as damage:
        raise Failed(f"The stored adapter cannot be used: {damage}. Resume the run to make it again.") from damage


def _judge(claim: Claim, run: Path) -> Dtype:
    """Have the adapter answer the test rows as one more arm, on the base's own precision, which is returned."""
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        model = model_store.get(session, row.model_id)
        arm = service.adapter_arm(session, row)
        row.arm_id = arm_id = arm.id
        # The precision of the arms when they ran on this model too: a comparison is made in one of them.
        dtype: Dtype = arm.settings.get("dtype") or row.training_facts.get("dtype", "auto")
        digest = row.digest
    claim.log("The adapter answers the test rows.")
    claim.report({"stage": "Scoring the adapter on the test rows"}, now=True)
    try:
        generator = inference.generator(claim.settings, model, _adapter(claim, run, digest), dtype=dtype)
        try:
            baseline_job.answer_arm(claim, arm_id, "test", generator)
        finally:
            generator.close()
    except Unusable as error:
        _note_cause(claim, "scoring")
        raise Failed(f"The adapter is stored, but could not be scored: {error}") from error
    return dtype


# ---------------------------------------------------------------- state


def _note_cause(claim: Claim, cause: str) -> None:
    with claim.write() as session:
        service.note(session, claim.subject_id, {"cause": cause})


def _free(claim: Claim) -> None:
    """Take away what a stopped run left on the disk: of a paused one only what is half written, for it goes on."""
    run = claim.settings.runs_dir / f"training-{claim.subject_id}"
    with writing(claim.engine) as session:
        row = store.get(session, claim.subject_id)
        if job_store.get(session, claim.job_id).attempt != claim.attempt or row.state != "cancelled":
            return
        # The last second of it was still on its way to us when the door was shut.
        _catch_up(
            session,
            row.id,
            row.training_facts.get("attempts", 0) + 1,
            sys.maxsize,
            run,
            row.training_facts.get("leg") or "",
        )
        for_good = not service.paused(row, row.state)
        freed = freeing.free(run, for_good=for_good)
        if for_good:
            store.forget_checkpoints(session, row.id)
            service.note(session, row.id, {"freed_bytes": freed})


def free_cancelled(engine: Engine, settings: Settings) -> None:
    """Give runs that were cancelled while they waited, and so by no worker, their last state, and take away what
    attempts before that left on the disk. Paused ones go on, and keep it."""
    with writing(engine) as session:
        for row in store.unfinished(session):
            state, _ = service.standing(session, row)
            if state != "cancelled" or service.paused(row, state):
                continue
            store.forget_checkpoints(session, row.id)
            freed = freeing.free(settings.runs_dir / f"training-{row.id}", for_good=True)
            service.note(session, row.id, {"freed_bytes": freed})
            store.close(session, row.id, state)


def _close(claim: Claim, state: str) -> None:
    """Give the run its last state if this attempt still owns the job; the door of a cancelled claim is shut."""
    with writing(claim.engine) as session:
        if job_store.get(session, claim.job_id).attempt == claim.attempt:
            store.close(session, claim.subject_id, state)
