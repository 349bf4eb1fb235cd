"""The trainer: `python -m app.training.child RUN_DIR`. Only a worker with a launch token gets anything out of it.

RUN_DIR/spec.json names the approved subject (its canonical text), its digest, a launch token, and where rows and model
lie. In this order: the token is checked and the spec removed, the digest is computed from the subject, the start is
written into the lock of the run (a token is for one start, and no start happens twice), the rows (which carry the
split) are read and hashed, every file of the model is hashed. What is trained are the very bytes that were hashed: rows
are never opened again, and the model is hashed once more as it is loaded.

Says what it does as JSON lines on standard output. The end of standard input means that the worker is gone: commit a
checkpoint after the step that is being taken, and end. So do SIGTERM and the line `{"do": "cancel"}`.
"""

import errno
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from app.gate import permission
from app.gate import subject as subjects
from app.inference import children, folders
from app.settings import Settings
from app.training import order as orders
from app.training.checkpoints import Checkpoint, Corrupt, Shelf
from app.training.order import Order, SourceRow
from app.training.protocol import ADAPTER, JOURNAL, SEALED, SPEC, Exit, plain

PATIENCE = 30.0  # seconds to wait for an attempt before us that is still writing its last checkpoint
EVERY = 60.0  # seconds between checkpoints, besides those at dev checks: what a crash can cost
RESERVE = 256 * 1024 * 1024  # bytes of disk that stay free
LIBRARIES = ("torch", "transformers", "peft", "safetensors")  # their versions go with the adapter


class Refuse(Exception):
    """What we found is not what was approved."""


class Ended(Exception):
    """The run ends here with this code; the text is for the job's log."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Spec:
    """The file that the launcher wrote."""

    job_id: int
    attempt: int
    token: str
    digest: str
    subject: str
    rows: str
    model: str
    threads: int


@dataclass(slots=True)
class Progress:
    """Where a run stands, besides the tensors. evaluated: the last step whose dev loss was measured. peak_bytes: the
    most memory that any attempt so far has taken."""

    step: int = 0
    dtype: str = ""
    evaluated: int = -1
    best_step: int = -1
    best_loss: float | None = None
    without_gain: int = 0
    base_loss: float | None = None
    seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(slots=True)
class Stop:
    """Why to stop, once there is a reason. A second signal ends the process at once; the last checkpoint stays."""

    why: str = ""
    asked: threading.Event = field(default_factory=threading.Event)

    def ask(self, why: str) -> None:
        self.why = self.why or why
        self.asked.set()

    def listen(self) -> None:
        """Hear signals and the lifeline."""

        def on_signal(number: int, _frame: object) -> None:
            if self.asked.is_set():
                os._exit(Exit.STOPPED)
            self.ask(signal.Signals(number).name)

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            if json.loads(line).get("do") == "cancel":
                self.ask("cancelled")
        self.ask("the worker is gone")


def say(event: str, **body: object) -> None:
    """One JSON line. Nobody listening is no reason to die: the lifeline tells us soon."""
    try:
        sys.stdout.write(json.dumps({"event": event, **body}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  until the process ends


def admit(run: Path, key: bytes, now: float) -> tuple[Spec, Order]:
    """Check the token, then the digest; what follows uses the approved subject only.

    Raises:
        Ended: no valid token. Refuse: the subject is not the one that the token is for.
    """
    try:
        text = (run / SPEC).read_text(encoding="utf-8")
        (run / SPEC).unlink()  # it is ours now; nobody starts with it again
        spec = Spec(**json.loads(text))
        permission.verify_token(key, spec.token, job_id=spec.job_id, attempt=spec.attempt, digest=spec.digest, now=now)
    except (OSError, ValueError, TypeError) as error:
        raise Ended(Exit.NO_TOKEN, f"No valid launch token: {error}.") from error
    if subjects.digest_of_text(spec.subject.encode()) != spec.digest:
        raise Refuse("The subject is not the one that was approved.")
    try:
        return spec, orders.from_subject(json.loads(spec.subject))
    except ValueError as error:
        raise Refuse(f"The approved subject cannot be trained: {error}.") from error


def read_rows(source: Path, sha256: str) -> Iterator[SourceRow]:
    """The approved rows, read once: what is handed on are the bytes that were hashed, whatever becomes of the file.

    Raises: Refuse: it is not the approved content, or not a plain file.
    """
    digest, lines = hashlib.sha256(), deque[bytes]()
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Refuse(f"The rows cannot be read: {os.strerror(error.errno or 0)}.") from error
    with os.fdopen(handle, "rb") as file:
        for line in file:
            digest.update(line)
            lines.append(line)
    if digest.hexdigest() != sha256:
        raise Refuse("The rows changed after they were approved.")
    return orders.rows(_taken(lines))


def _taken(lines: deque[bytes]) -> Iterator[bytes]:
    """Each line once, and gone: a large set is not held twice while it is cut into tokens."""
    while lines:
        yield lines.popleft()


def check_model(folder: Path, order: Order) -> None:
    """Raises: Refuse: the base model's files are not the approved ones."""
    try:
        folders.verify(folder, order.files)
    except (folders.Damaged, folders.NotAModel) as error:
        raise Refuse(f"The base model is not the approved one: {error}") from error


class Run:
    """One attempt: takes steps, looks at dev, keeps checkpoints, and hands out the best adapter at the end."""

    def __init__(self, learner: Any, shelf: Shelf, order: Order, stop: Stop, started: Progress) -> None:
        self.learner, self.shelf, self.order, self.stop = learner, shelf, order, stop
        self.now = started
        self.saved = (started.step, started.evaluated)
        self.since = self.clock = time.monotonic()
        every = learner.steps_an_epoch / order.recipe.evals_per_epoch
        marks = {round(every * n) for n in range(1, order.recipe.evals_per_epoch * order.recipe.epochs + 1)}
        self.marks = {mark for mark in marks if 0 < mark < learner.total} | {learner.total, 0}

    def train(self) -> Checkpoint:
        """Go on until the end, an early stop, or a reason to stop.

        Raises:
            Ended: stopped or out of time, with everything committed.
            lora.Diverged: see there; the last checkpoint stays.
        """
        steps = self.learner.run(self.now.step)
        while True:
            self._look()
            if self.now.step >= self.learner.total or self._enough():
                break
            step = next(steps)
            self.now.step = step.step
            self._tell("step", **asdict(step))
            if time.monotonic() - self.since >= EVERY and step.step not in self.marks:
                self.commit()  # at a mark the dev check comes first, and one commit holds both
        return self._export()

    def _look(self) -> None:
        """Stop if asked to, and measure dev loss where it is due. Comes before a step, so a resumed run looks again."""
        spent = self.now.seconds + time.monotonic() - self.clock
        if self.stop.asked.is_set():
            self.commit()
            raise Ended(Exit.STOPPED, f"Stopped after step {self.now.step} ({self.stop.why}).")
        if spent > self.order.recipe.max_minutes * 60:
            self.commit()
            raise Ended(Exit.TIME, f"The time limit of {self.order.recipe.max_minutes} minutes is over.")
        if self.now.step in self.marks and self.now.evaluated < self.now.step:
            self._evaluate()
            self.commit()

    def _evaluate(self) -> None:
        total, count = 0.0, 0
        for loss, tokens in self.learner.dev_losses():
            total, count = total + loss, count + tokens
            if self.stop.asked.is_set():
                self._look()
        loss = total / max(count, 1)
        now = self.now
        now.evaluated = now.step
        if now.step == 0:
            now.base_loss = loss
        if now.best_loss is None or loss < now.best_loss - self.order.recipe.min_gain:
            now.best_loss, now.best_step, now.without_gain = loss, now.step, 0
        else:
            now.without_gain += 1
        found = {"loss": loss, "best_step": now.best_step, "best_loss": now.best_loss}
        self._tell("dev", step=now.step, of=self.learner.total, **found)

    def _tell(self, event: str, **body: object) -> None:
        """Say a measurement and keep it: a worker that was killed did not hear the steps before our last checkpoint."""
        say(event, **body)
        file = plain(self.shelf.root / JOURNAL, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(file, "a", encoding="utf-8") as journal:
            journal.write(json.dumps({"event": event, **body}) + "\n")

    def _enough(self) -> bool:
        patience = self.order.recipe.patience
        if patience and self.now.without_gain >= patience:
            say("log", line=f"Dev loss has not improved {patience} times in a row: stopping early.")
            return True
        return False

    def commit(self) -> None:
        """Store a checkpoint of the step just taken, unless it is stored already."""
        self.since = time.monotonic()
        if self.saved == (self.now.step, self.now.evaluated):
            return
        self.now.peak_bytes = max(self.now.peak_bytes, _peak())
        facts = asdict(self.now) | {"seconds": self.now.seconds + self.since - self.clock}
        if shutil.disk_usage(self.shelf.root).free < RESERVE:
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        kept = self.shelf.commit(self.now.step, self.learner.save, facts)
        self.saved = (self.now.step, self.now.evaluated)
        loss = self.now.best_loss if self.now.best_step == self.now.step else None
        say("checkpoint", step=kept.step, folder=kept.folder.name, manifest_sha256=kept.manifest_sha256, dev_loss=loss)
        self.shelf.prune(self.now.best_step)

    def _export(self) -> Checkpoint:
        best = self._best()
        facts = asdict(self.now) | {
            "of": self.learner.total,
            "shared_tokens": self.learner.shared,
            "adapter_parameters": self.learner.adapter_parameters,
            "train_rows": len(self.learner.train),
            "dev_rows": len(self.learner.dev),
            "seconds": self.now.seconds + time.monotonic() - self.clock,
            "peak_bytes": max(self.now.peak_bytes, _peak()),
            "libraries": {name: metadata.version(name) for name in LIBRARIES},
        }
        revision = self.order.revision if _commit(self.order.revision) else None

        def write(folder: Path) -> None:
            self.learner.export(folder, best.folder / "masters.safetensors", self.order.model, revision)

        return self.shelf.publish(ADAPTER, best.step, write, facts)

    def _best(self) -> Checkpoint:
        if best := self.shelf.of_step(self.now.best_step):
            return best
        say("log", line=f"The best checkpoint (step {self.now.best_step}) is damaged; the newest whole one is taken.")
        newest = self.shelf.newest(lambda line: say("log", line=line))
        if newest is None:
            raise Corrupt("no checkpoint of this run is whole")
        return newest


def _peak() -> int:
    """Bytes of memory that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _commit(revision: str) -> bool:
    """Whether a revision is one that a hub knows; ours for converted weights is not."""
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


@contextmanager
def lock(run: Path, number: int) -> Iterator[None]:
    """Be the only trainer in this folder; waits for the one before us to finish its last checkpoint.

    The lock's file keeps the number of the last start. The worker counts them up, so a token that is used a second time
    is for a start that was made already.

    Raises:
        Ended: the one before us does not finish, or this start was made already.
    """
    with os.fdopen(plain(run / SEALED, os.O_RDWR), "r+", encoding="ascii") as handle:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Ended(Exit.BUSY, "Another attempt still holds this run.") from None
                time.sleep(0.2)
        used = handle.read().strip()
        if used.isdigit() and number <= int(used):
            raise Ended(Exit.NO_TOKEN, "No valid launch token: it was used already.")
        handle.seek(0)
        handle.write(f"{number}\n")
        handle.truncate()
        handle.flush()
        os.fsync(handle.fileno())
        yield


def finished(shelf: Shelf) -> Checkpoint | None:
    """The adapter, if an attempt before us was killed after it was stored."""
    try:
        return shelf.read(shelf.root / ADAPTER)
    except Corrupt:  # or not there; it is made, again or for the first time
        return None


def work(run: Path, key: bytes, stop: Stop, now: Callable[[], float] = time.time) -> None:
    """Everything from the token to the adapter."""
    spec, order = admit(run, key, now())
    with lock(run, spec.attempt):
        shelf = Shelf(run, key, spec.digest, spec.attempt)
        shelf.sweep()
        rows = read_rows(Path(spec.rows), order.rows_sha256)
        check_model(Path(spec.model), order)
        done = finished(shelf)
        if done is None:
            done = _train(rows, spec, order, shelf, stop)
        say("done", best_step=done.step, manifest_sha256=done.manifest_sha256, facts=dict(done.facts))


def _train(rows: Iterator[SourceRow], spec: Spec, order: Order, shelf: Shelf, stop: Stop) -> Checkpoint:
    from app.inference import loading
    from app.training import bench, lora

    loading.compute_with(spec.threads)
    at = shelf.newest(lambda line: say("log", line=line))
    progress = Progress(**at.facts) if at else Progress()
    if at and shelf.of_step(progress.best_step) is None:
        say(
            "log", line=f"The best checkpoint so far (step {progress.best_step}) is damaged; dev loss is measured anew."
        )
        progress.best_step, progress.best_loss, progress.evaluated = -1, None, progress.step - 1
    try:
        learner, left_out = bench.learner(Path(spec.model), rows, order, progress.dtype)
    except (folders.Damaged, folders.NotAModel) as error:  # swapped since it was hashed a moment ago
        raise Refuse(f"The base model is not the approved one: {error}") from error
    progress.dtype = learner.loaded.dtype
    learner.make_room()
    if at:
        learner.restore(at.folder)
    say("started", step=progress.step, of=learner.total, attempt=spec.attempt, **bench.facts(learner, left_out))
    try:
        return Run(learner, shelf, order, stop, progress).train()
    except lora.Diverged as error:
        raise Ended(Exit.DIVERGED, str(error)) from error


def attempt(run: Path) -> Exit:
    """Run one attempt and put every expected end into an exit code and one sentence."""
    stop = Stop()
    stop.listen()
    try:
        key = Settings().key_file.read_bytes()
    except OSError:
        key = b""  # no key, no token: the check below says so
    try:
        work(run, key, stop)
    except Ended as end:
        return _end(end.code, str(end))
    except Refuse as error:
        return _end(Exit.REFUSED, str(error))
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return _end(Exit.DISK, "The disk is full. Make room and resume; nothing that was stored is lost.")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        return _end(
            Exit.MEMORY, "The machine has too little memory for this recipe. Use shorter rows or a smaller batch."
        )
    return Exit.DONE


def _end(code: Exit, text: str) -> Exit:
    say("ended", code=int(code), name=code.name.lower(), text=text)
    return code


def main(argv: list[str]) -> int:
    """Train in the folder `argv[0]`; the exit code for the shell."""
    if len(argv) != 1:
        return _end(
            Exit.NO_TOKEN, "Usage: python -m app.training.child RUN_DIR. A worker starts this, with a launch token."
        )
    children.give_way()
    return attempt(Path(argv[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
