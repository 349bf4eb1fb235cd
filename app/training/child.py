"""The trainer: `python -m app.training.child RUN_DIR`. Only a worker with a launch token gets anything out of it.

The whole run, in the order in which it happens. A worker (`results.job.train`, then `training.job`) writes
RUN_DIR/spec.json, starts this process through a launcher, and hears the events that it says on standard output
(`parent.say`).

 1. `main`                    takes the lowest priority and RUN_DIR; nothing else comes from outside.
 2. `attempt`                 listens for the end (`Stop`), reads the installation's key, and turns every expected end
                              into an exit code and one sentence, said as `ended`.
 3. `work`                    is the way from the token to the adapter:
 4.   `admission.admit`       reads and removes spec.json, checks the token, computes the digest of the approved subject
                              and reads from it, and from nothing else, what to train (`TrainingSpec`).
 5.   `admission.lock`        holds RUN_DIR/run.lock, with the number of this start written into it: no token is good
                              for a second start, and no two trainers write here.
 6.   `CheckpointStore.sweep` removes what a killed attempt left half written in RUN_DIR/staging.
 7.   `admission.read_rows`   reads the rows once and hashes them as it does; `admission.check_model` hashes the model.
 8.   `finished`              takes the adapter of an attempt that was killed after it had stored it; then 14 is next.
 9.   `_train`                loads torch, takes up the newest whole checkpoint, builds the learner (`learner.build`:
                              rows rendered with the winning prompt and cut into tokens, the adapter on the base model)
                              takes the smoke leg (`smoke.leg`: five steps, saved, read back, scored again, undone),
                              and says `started`.
10.   `TrainingLoop.train`    takes one optimizer step after the other (`lora.Learner.run`). Each is said as `step` and
                              written to RUN_DIR/metrics.jsonl.
11.   before each step        `_stop_or_check` ends the run if somebody asked or the time is up, and measures dev loss
                              where it is due (`dev`). So a resumed run checks again what it had not written down.
12.   `write_checkpoint`      after each dev check and at least once a minute: masters, optimizer, random state and
                              `Progress` go to RUN_DIR/checkpoints, whole or not at all, and `checkpoint` is said.
13.   `_export`               at the end or when dev loss stops falling: the best checkpoint becomes RUN_DIR/adapter in
                              PEFT's layout, sealed like a checkpoint.
14. `work`                    says `done` with the adapter's manifest and what the run took. The worker verifies the
                              adapter, keeps it, and has it answer the test rows (`job._judge`): not here.

The end of standard input means that the worker is gone: after the step that is being taken a checkpoint is written, and
the process ends. So do SIGTERM and the message `{"do": "cancel"}`. Killed at any moment, the next attempt goes on from
the last checkpoint (9).
"""

import errno
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.inference import folders
from app.processes import parent
from app.settings import Settings
from app.training.admission import Ended, Refuse, Start, admit, check_model, lock, read_rows
from app.training.checkpoints import Checkpoint, CheckpointStore, Corrupt
from app.training.loop import Progress, Stop, TrainingLoop, say
from app.training.protocol import ADAPTER, Exit
from app.training.spec import SourceRow, TrainingSpec


def finished(checkpoints: CheckpointStore) -> Checkpoint | None:
    """The adapter, if an attempt before us was killed after it was stored."""
    try:
        return checkpoints.read(checkpoints.root / ADAPTER)
    except Corrupt:  # or not there; it is made, again or for the first time
        return None


def work(run: Path, key: bytes, stop: Stop, now: Callable[[], float] = time.time) -> None:
    """Everything from the token to the adapter."""
    start, spec = admit(run, key, now())
    with lock(run, start.attempt):
        checkpoints = CheckpointStore(run, key, start.digest, start.attempt)
        checkpoints.sweep()
        rows = read_rows(Path(start.rows), spec.rows_sha256)
        check_model(Path(start.model), spec)
        adapter = finished(checkpoints)
        if adapter is None:
            adapter = _train(rows, start, spec, checkpoints, stop)
        say("done", best_step=adapter.step, manifest_sha256=adapter.manifest_sha256, facts=dict(adapter.facts))


def _train(
    rows: Iterator[SourceRow], start: Start, spec: TrainingSpec, checkpoints: CheckpointStore, stop: Stop
) -> Checkpoint:
    from app.inference import devices, loading
    from app.training import fits, lora, smoke
    from app.training import learner as learners

    loading.compute_with(start.threads)
    newest = checkpoints.newest(lambda line: say("log", line=line))
    progress = Progress(**newest.facts) if newest else Progress()
    if newest and checkpoints.of_step(progress.best_step) is None:
        say(
            "log",
            line=f"The best checkpoint so far (step {progress.best_step}) is damaged; dev loss is measured again.",
        )
        progress.best_step, progress.best_loss, progress.evaluated = -1, None, progress.step - 1
    try:
        learner, left_out = learners.build(Path(start.model), rows, spec, progress.dtype, start.device)
    except (folders.Damaged, folders.NotAModel) as error:  # swapped since it was hashed a moment ago
        raise Refuse(f"The base model is not the approved one: {error}") from error
    except devices.NotThere as error:
        raise Ended(Exit.DEVICE, str(error)) from error
    progress.dtype = learner.loaded.dtype
    if progress.pass_tokens:  # as the attempt before us left it: a resumed run takes the same passes
        learner.budget, learner.recompute.on = progress.pass_tokens, progress.recompute

    def told(line: str) -> None:
        progress.pass_tokens, progress.recompute = learner.budget, learner.recompute.on
        say("log", line=line)

    learner.tell = told
    fits.settle(learner, fits.limit(learner.loaded.device, start.memory))
    learner.make_room()
    progress.pass_tokens, progress.recompute = learner.budget, learner.recompute.on
    try:
        if newest:
            learner.restore(newest.folder)
        else:
            say("log", line=smoke.leg(learner, checkpoints.root / "staging" / "smoke").words)
    except lora.Diverged as error:
        raise Ended(Exit.DIVERGED, f"In the smoke leg before the run: {error}") from error
    except smoke.Broken as error:
        raise Ended(Exit.SMOKE, f"The smoke leg before the run failed, and nothing was trained. {error}") from error
    say("started", step=progress.step, of=learner.total, attempt=start.attempt, **learners.facts(learner, left_out))
    try:
        return TrainingLoop(learner, checkpoints, spec, stop, progress).train()
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
            Exit.MEMORY,
            "The machine has too little memory for this config, even one row at a time. "
            "Run the preflight again: it says what would fit.",
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
    parent.give_way()
    return attempt(Path(argv[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
