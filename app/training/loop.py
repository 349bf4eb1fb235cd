"""One attempt at a run, from step to step: where it stops, where dev loss is measured, where a checkpoint is written.

The learner is anything with `run`, `dev_losses`, `save` and `export`; tests give one that only counts. No torch.

With several ranks this loop runs in each of them, and each comes to the same decisions: what one alone would find out
(a stop, the clock, its part of dev loss) is brought together first. Rank 0 speaks and writes.
"""

import errno
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sized
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.processes import parent
from app.strict import stored
from app.training import ranks
from app.training.admission import Ended
from app.training.checkpoints import Checkpoint, CheckpointStore, Corrupt
from app.training.protocol import ADAPTER, JOURNAL, Exit, plain
from app.training.ranks import Team
from app.training.spec import TrainingSpec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class Taken(DataclassInstance, Protocol):
        """A step that was taken, `lora.Step`; the events hold its fields."""

        @property
        def step(self) -> int: ...


EVERY = 60.0  # seconds between checkpoints, besides those at dev checks: what a crash can cost
RESERVE = 256 * 1024 * 1024  # bytes of disk that stay free
LIBRARIES = ("torch", "transformers", "peft", "safetensors")  # their versions go with the adapter


@dataclass(slots=True)
class Progress:
    """Where a run stands, besides the tensors. evaluated: the last step whose dev loss was measured. peak_bytes: the
    most memory that any attempt so far has taken. best_score, base_score: the deciding metric on the dev rows that are
    answered, 0 to 1, where it chooses the checkpoint. pass_tokens, recompute: how its passes are made (`fits`), so that
    a resumed run makes the same; 0 before the first."""

    step: int = 0
    dtype: str = ""
    evaluated: int = -1
    best_step: int = -1
    best_loss: float | None = None
    without_gain: int = 0
    base_loss: float | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    best_score: float | None = None
    base_score: float | None = None
    pass_tokens: int = 0
    recompute: bool = False

    @staticmethod
    def of(checkpoint: Checkpoint) -> "Progress":
        """As a checkpoint has it, of whichever version."""
        return stored(Progress, checkpoint.facts)


@dataclass(slots=True)
class Stop:
    """Why to stop, once there is a reason. A second signal ends the process at once; the last checkpoint stays."""

    why: str = ""
    requested: threading.Event = field(default_factory=threading.Event)

    def ask(self, why: str) -> None:
        self.why = self.why or why
        self.requested.set()

    def listen(self) -> None:
        """Hear signals and the lifeline."""

        def on_signal(number: int, _frame: object) -> None:
            if self.requested.is_set():
                os._exit(Exit.STOPPED)
            self.ask(signal.Signals(number).name)

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for message in parent.messages():
            if message.get("do") == "cancel":
                self.ask("cancelled")
        self.ask("the worker is gone")


def say(event: str, **body: object) -> None:
    """Tell the worker. Nobody listening is no reason to die: the lifeline tells us soon. Of several ranks the first
    speaks, and another one only to say why it ends."""
    if event != "ended" and not ranks.place().first:
        return
    try:
        parent.say(event, **body)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  until the process ends


class Learner(Protocol):
    """What is trained: `lora.Learner`, or one in a test that only counts.

    total: optimizer steps of the whole run. train, dev: rows. shared: tokens that all prompts begin with.
    replay: general rows among those that are trained.
    """

    total: int
    steps_an_epoch: int
    shared: int
    replay: int

    @property
    def adapter_parameters(self) -> int: ...

    @property
    def train(self) -> Sized: ...

    @property
    def dev(self) -> Sized: ...

    def run(self, done: int, /) -> Iterator["Taken"]: ...

    def dev_losses(self) -> Iterator[tuple[float, int]]: ...

    def check_ranks(self) -> None: ...

    def save(self, folder: Path, /) -> None: ...

    def export(self, folder: Path, masters: Path, model: str, revision: str | None, /) -> None: ...


class TrainingLoop:
    """One attempt: takes steps, looks at dev, keeps checkpoints, and hands out the best adapter at the end.

    score: answers dev rows and scores them, 0 to 1, ending early with any number once its event is set; None where dev
    loss alone chooses. leg: of which training of the run, empty where there is one. before: seconds that the legs
    before this one took, which count towards the time limit.
    """

    def __init__(
        self,
        learner: Learner,
        checkpoints: CheckpointStore,
        spec: TrainingSpec,
        stop: Stop,
        progress: Progress,
        team: Team | None = None,
        *,
        score: Callable[[threading.Event], float] | None = None,
        leg: str = "",
        before: float = 0.0,
        memory: Callable[[], tuple[int, int]] = parent.memory,
    ) -> None:
        """memory: bytes that the training takes now and took at most, where it counts: the process's own by default."""
        self.learner, self.checkpoints, self.spec, self.stop = learner, checkpoints, spec, stop
        self.progress, self.team = progress, team or Team()
        self.score, self.before, self.memory = score, before, memory
        self.of_leg = {"leg": leg} if leg else {}
        self.written = (progress.step, progress.evaluated)
        self.written_at = self.began_at = time.monotonic()
        every = learner.steps_an_epoch / spec.recipe.evals_per_epoch
        steps = {round(every * n) for n in range(1, spec.recipe.evals_per_epoch * spec.recipe.epochs + 1)}
        self.dev_checks = {step for step in steps if 0 < step < learner.total} | {learner.total, 0}

    def train(self) -> Checkpoint | None:
        """Go on until the end, an early stop, or a reason to stop; gives the adapter, which rank 0 hands out.

        Raises:
            Ended: stopped or out of time, with everything committed.
            lora.Diverged: see there; the last checkpoint stays.
        """
        steps = self.learner.run(self.progress.step)
        while True:
            self._stop_or_check()
            if self.progress.step >= self.learner.total or self._stops_early():
                break
            step = next(steps)
            self.progress.step = step.step
            taken = self._memory()
            self._measured("step", **asdict(step), memory_bytes=taken, peak_bytes=self.progress.peak_bytes)
            if time.monotonic() - self.written_at >= EVERY and step.step not in self.dev_checks:
                self.write_checkpoint()  # where dev is checked, that comes first, and one commit holds both
        return self._export() if self.team.first else None

    def _stop_or_check(self) -> None:
        """Stop if asked to, and measure dev loss where it is due. Comes before a step, so a resumed run looks again."""
        spent = self.before + self.progress.seconds + time.monotonic() - self.began_at
        asked, late = self.team.any(self.stop.requested.is_set(), spent > self.spec.recipe.max_minutes * 60)
        if asked:
            self.write_checkpoint()
            why = self.stop.why or "as another process was asked to"
            raise Ended(Exit.STOPPED, f"Stopped after step {self.progress.step} ({why}).")
        if late:
            self.write_checkpoint()
            raise Ended(Exit.TIME, f"The time limit of {self.spec.recipe.max_minutes} minutes is over.")
        if self.progress.step in self.dev_checks and self.progress.evaluated < self.progress.step:
            self._evaluate()
            self.write_checkpoint()

    def _evaluate(self) -> None:
        total, count = 0.0, 0
        for loss, tokens in self.learner.dev_losses():
            total, count = total + loss, count + tokens
            if self.team.alone and self.stop.requested.is_set():
                self._stop_or_check()
        total, counted = self.team.sum(total, count)
        loss = total / max(counted, 1)
        self.learner.check_ranks()
        score = self._score()
        progress = self.progress
        self._memory()
        progress.peak_bytes = self.team.most(progress.peak_bytes)
        progress.evaluated = progress.step
        if progress.step == 0:
            progress.base_loss, progress.base_score = loss, score
        if self._better(loss, score):
            progress.best_loss, progress.best_step, progress.without_gain = loss, progress.step, 0
            progress.best_score = score
        else:
            progress.without_gain += 1
        measured = {"loss": loss, "best_step": progress.best_step, "best_loss": progress.best_loss}
        if score is not None:
            measured |= {"score": score, "best_score": progress.best_score}
        self._measured("dev", step=progress.step, of=self.learner.total, **measured)

    def _score(self) -> float | None:
        """The deciding metric on the dev rows that are answered, 0 to 1; None where dev loss alone chooses."""
        if self.score is None:
            return None
        score: float = self.team.agree(self.score(self.stop.requested) if self.team.first else 0.0)
        (asked,) = self.team.any(self.stop.requested.is_set())
        if asked:  # it may have ended early
            self._stop_or_check()
        return score

    def _better(self, loss: float, score: float | None) -> bool:
        """Whether this is the best checkpoint so far: by the score where there is one, of equal ones by dev loss."""
        progress = self.progress
        if progress.best_loss is None:
            return True
        if score is not None and progress.best_score is not None and score != progress.best_score:
            return score > progress.best_score
        return loss < progress.best_loss - self.spec.recipe.min_gain

    def _memory(self) -> int:
        """Bytes taken now; the most that was taken goes into the progress."""
        now, most = self.memory()
        self.progress.peak_bytes = max(self.progress.peak_bytes, most, now)
        return now

    def _measured(self, event: str, **body: object) -> None:
        """Say a measurement and keep it: a worker that was killed did not hear the steps before our last checkpoint."""
        if not self.team.first:
            return
        body |= self.of_leg
        say(event, **body)
        file = plain(self.checkpoints.root / JOURNAL, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(file, "a", encoding="utf-8") as journal:
            journal.write(json.dumps({"event": event, **body}) + "\n")

    def _stops_early(self) -> bool:
        patience = self.spec.recipe.patience
        if patience and self.progress.without_gain >= patience:
            what = "Dev loss" if self.score is None else "The dev score"
            say("log", line=f"{what} has not improved {patience} times in a row: stopping early.")
            return True
        return False

    def write_checkpoint(self) -> None:
        """Store a checkpoint of the step just taken, unless it is stored already."""
        self.written_at = time.monotonic()
        if not self.team.first or self.written == (self.progress.step, self.progress.evaluated):
            return
        self._memory()
        facts = asdict(self.progress) | {"seconds": self.progress.seconds + self.written_at - self.began_at}
        if shutil.disk_usage(self.checkpoints.root).free < RESERVE:
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        kept = self.checkpoints.commit(self.progress.step, self.learner.save, facts)
        self.written = (self.progress.step, self.progress.evaluated)
        loss = self.progress.best_loss if self.progress.best_step == self.progress.step else None
        stored = {"folder": kept.folder.name, "manifest_sha256": kept.manifest_sha256, "dev_loss": loss}
        say("checkpoint", step=kept.step, **stored, **self.of_leg)
        self.checkpoints.prune(self.progress.best_step)

    def _export(self) -> Checkpoint:
        best = self._best()
        self._memory()
        facts = asdict(self.progress) | {
            "of": self.learner.total,
            "shared_tokens": self.learner.shared,
            "adapter_parameters": self.learner.adapter_parameters,
            "train_rows": len(self.learner.train),
            "replay_rows": self.learner.replay,
            "dev_rows": len(self.learner.dev),
            "seconds": self.progress.seconds + time.monotonic() - self.began_at,
            "libraries": {name: metadata.version(name) for name in LIBRARIES},
        }
        revision = self.spec.revision if _hub_revision(self.spec.revision) else None

        def write(folder: Path) -> None:
            self.learner.export(folder, best.folder / "masters.safetensors", self.spec.model, revision)

        return self.checkpoints.publish(ADAPTER, best.step, write, facts)

    def _best(self) -> Checkpoint:
        if best := self.checkpoints.of_step(self.progress.best_step):
            return best
        say(
            "log",
            line=f"The best checkpoint (step {self.progress.best_step}) is damaged; the newest whole one is taken.",
        )
        newest = self.checkpoints.newest(lambda line: say("log", line=line))
        if newest is None:
            raise Corrupt("no checkpoint of this run is whole")
        return newest


def _hub_revision(revision: str) -> bool:
    """Whether a revision is one that a hub knows; ours for converted weights is not."""
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")
