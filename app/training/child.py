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
                              and says `started`. A config with several learning rates, seeds or parts of the rows does
                              9 to 13 once for each (`Several`), in a folder below RUN_DIR/legs, says `leg` after
                              each, and hands out the adapter that is best on the dev rows.
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

With several processes (`launchers.TorchRun`, `ray_launcher`) each of them goes this way: each has the token in a spec
of its own (RUN_DIR/spec.json.1), a lock of its own, and hashes rows and model for itself before it meets the others
(`ranks.join`, between 7 and 8). From there on they take each step together, and rank 0 alone speaks and writes. When
one is lost, the others end too, and the next attempt starts all of them from the last checkpoint.
"""

import errno
import gc
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.inference import folders
from app.processes import parent
from app.settings import Settings
from app.training import legs, ranks
from app.training.admission import Ended, Refuse, admit, check_model, lock, read_rows
from app.training.checkpoints import Checkpoint, CheckpointStore, Corrupt
from app.training.facts import OutcomeJson
from app.training.legs import Leg, Outcome
from app.training.loop import Progress, Stop, TrainingLoop, say
from app.training.protocol import ADAPTER, TOGETHER, Exit, Start
from app.training.ranks import Team
from app.training.spec import SourceRow, TrainingSpec

if TYPE_CHECKING:
    from app.training import lora


def finished(checkpoints: CheckpointStore) -> Checkpoint | None:
    """The adapter, if an attempt before us was killed after it was stored."""
    try:
        return checkpoints.read(checkpoints.root / ADAPTER)
    except Corrupt:  # or not there; it is made, again or for the first time
        return None


def work(run: Path, key: bytes, stop: Stop, now: Callable[[], float] = time.time) -> None:
    """Everything from the token to the adapter."""
    where = ranks.place()
    start, spec = admit(run, key, now(), where)
    with lock(run, start.attempt, where.rank):
        checkpoints = CheckpointStore(run, key, start.digest, start.attempt)
        if where.first:
            checkpoints.sweep()
        rows = read_rows(Path(start.rows), spec.rows_sha256)
        check_model(Path(start.model), spec)
        team = _meet(where, start)
        adapter = finished(checkpoints) if team.first else None
        if not team.agree(adapter is not None):
            if legs.alone(spec.recipe):
                adapter = _train(rows, start, spec, checkpoints, stop, team)
            else:
                adapter = Several(list(rows), start, spec, checkpoints, stop, team).train()
        if adapter is not None:
            say("done", best_step=adapter.step, manifest_sha256=adapter.manifest_sha256, facts=dict(adapter.facts))
        team.close()


def _meet(where: ranks.Place, start: Start) -> Team:
    if where.size == 1:
        return Team()
    from app.inference import devices

    try:
        return ranks.join(where, start.meeting, start.device)
    except devices.NotThere as error:
        raise Ended(Exit.DEVICE, str(error)) from error


def _newest(checkpoints: CheckpointStore, team: Team) -> tuple[Checkpoint | None, bool]:
    """The newest whole checkpoint, which rank 0 finds and every rank reads and verifies for itself, and whether the
    best one so far is whole, too."""
    newest = checkpoints.newest(lambda line: say("log", line=line)) if team.first else None
    found = team.agree([newest.folder.name, newest.manifest_sha256] if newest else None)
    if found is None:
        return None, False
    if newest is None:
        newest = checkpoints.read(checkpoints.folder / found[0])
        if newest.manifest_sha256 != found[1]:
            raise Refuse("This process sees another checkpoint than the first one: the data folder is not shared.")
    best = checkpoints.of_step(Progress.of(newest).best_step) if team.first else None
    return newest, bool(team.agree(best is not None))


class LegDiverged(Ended):
    """A training among several came to a number that is none."""


class Several:
    """The trainings of one run, one after the other; each that is over is kept, so an attempt that was killed goes on
    with the next. Rank 0 looks and decides, and the others follow."""

    def __init__(
        self,
        source: Sequence[SourceRow],
        start: Start,
        spec: TrainingSpec,
        run: CheckpointStore,
        stop: Stop,
        team: Team,
    ) -> None:
        self.source, self.start, self.spec, self.run, self.stop, self.team = source, start, spec, run, stop, team
        self.adapters: dict[str, Checkpoint] = {}
        self.outcomes: list[Outcome] = []

    def train(self) -> Checkpoint | None:
        """The adapter of the chosen leg, on rank 0. Raises: Ended: as `_train`, or every learning rate diverged."""
        first = legs.first(self.spec.recipe)
        for leg in first:
            self._through(leg)
        best = legs.chosen(self.outcomes, self.spec.recipe.stop_by)
        if best is None:
            why = self.outcomes[0].diverged
            raise Ended(Exit.DIVERGED, f"Every learning rate ended at a number that is none. {why}")
        for leg in legs.after(self.spec.recipe, next(leg for leg in first if leg.name == best.name)):
            self._through(leg)
        return _hand_out(self.run, self.adapters[best.name], best, self.outcomes) if self.team.first else None

    def _through(self, leg: Leg) -> None:
        store = legs.store(self.run, leg.name)
        before: Outcome | None = None
        if self.team.first:
            store.root.mkdir(parents=True, exist_ok=True)
            store.sweep()
            before = _ended(store, leg)
        told = self.team.agree(before.to_json() if before else None) or self._one(leg, store)
        if self.team.first:
            if not told["diverged"]:
                self.adapters[leg.name] = store.read(store.root / ADAPTER)
            folders.discard(store.folder)
        self.outcomes.append(Outcome.from_json(told))
        say("leg", **told)

    def _one(self, leg: Leg, store: CheckpointStore) -> OutcomeJson:
        """Train a leg; what it came to, told to all ranks."""
        say("log", line=f"Training {leg.number} of {leg.of}: {leg.words}.")
        dtype = self.team.agree(next((str(done.facts["dtype"]) for done in self.adapters.values()), ""))
        spent = sum(each.seconds for each in self.outcomes)
        try:
            adapter = _train(
                self.source, self.start, self.spec, store, self.stop, self.team, leg=leg, before=spent, dtype=dtype
            )
            outcome = legs.outcome(leg, adapter.facts) if adapter else None
        except LegDiverged as end:  # all ranks add up the same numbers, so all of them find out
            if leg.kind == "main":
                raise
            outcome = _mark_diverged(store, leg, str(end)) if self.team.first else None
        gc.collect()  # a model and its adapter refer to each other
        told = self.team.agree(outcome.to_json() if outcome else None)
        assert told is not None  # noqa: S101 - the first rank has an adapter now, or has marked why not
        return told


def _ended(store: CheckpointStore, leg: Leg) -> Outcome | None:
    """What a leg came to that is over already; None for one that has to go on."""
    if (done := finished(store)) is not None:
        return legs.outcome(leg, done.facts)
    try:
        return Outcome.from_json(store.read(store.root / legs.DIVERGED).facts)
    except Corrupt:
        return None


def _mark_diverged(store: CheckpointStore, leg: Leg, why: str) -> Outcome:
    """Write down that a leg has no adapter, so that nobody trains it again."""
    newest = store.newest(lambda _line: None)
    outcome = legs.diverged(leg, why, Progress.of(newest).seconds if newest else 0.0)
    store.publish(legs.DIVERGED, 0, lambda folder: _write(folder / "why.txt", why), outcome.to_json())
    say("log", line=f"{leg.words}: {why} The run goes on without it.")
    return outcome


def _write(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8")


def _hand_out(run: CheckpointStore, adapter: Checkpoint, best: Outcome, outcomes: list[Outcome]) -> Checkpoint:
    """Seal the adapter of the chosen leg as that of the run, with what every leg came to."""
    facts = dict(adapter.facts) | {
        "seconds": sum(one.seconds for one in outcomes),
        "chosen_leg": best.name,
        "legs": [one.to_json() for one in outcomes],
    }

    def write(folder: Path) -> None:
        for path in adapter.folder.iterdir():
            if path.name != folders.MANIFEST:
                shutil.copyfile(path, folder / path.name)

    return run.publish(ADAPTER, adapter.step, write, facts)


@contextmanager
def _building() -> Iterator[None]:
    """Give what can be wrong with model, device and ranks its exit code."""
    from app.inference import devices
    from app.training import sharding

    try:
        yield
    except (folders.Damaged, folders.NotAModel) as error:  # swapped since it was hashed a moment ago
        raise Refuse(f"The base model is not the approved one: {error}") from error
    except devices.NotThere as error:
        raise Ended(Exit.DEVICE, str(error)) from error
    except sharding.CannotShard as error:
        raise Refuse(str(error)) from error


def _fit(learner: "lora.Learner", progress: Progress, memory: int) -> None:
    """Make the learner's passes fit the memory there is, and keep with the progress how they are made: a resumed run
    takes the same passes. memory: see `Start`."""
    from app.training import fits

    if progress.pass_tokens:  # as the attempt before us left it
        learner.budget, learner.recompute.on = progress.pass_tokens, progress.recompute

    def told(line: str) -> None:
        progress.pass_tokens, progress.recompute = learner.budget, learner.recompute.on
        say("log", line=line)

    learner.tell = told
    learner.team.any(False)  # once all have loaded their model: what is free is measured for all of them
    if not learner.sharded:  # else every rank has to go through the layers equally often
        device = learner.loaded.device
        fits.settle(learner, fits.limit(device, memory, fits.beside(learner.recipe, device)))
    learner.make_room()
    progress.pass_tokens, progress.recompute = learner.budget, learner.recompute.on


def _train(
    rows: Iterable[SourceRow],
    start: Start,
    spec: TrainingSpec,
    checkpoints: CheckpointStore,
    stop: Stop,
    team: Team,
    *,
    leg: Leg | None = None,
    before: float = 0.0,
    dtype: str = "",
) -> Checkpoint | None:
    """One training; None on every rank but the first. before: seconds that those before it took. dtype: their
    precision, empty to choose."""
    from app.inference import devices, loading
    from app.training import dev_answers, lora, smoke
    from app.training import learner as learners

    loading.compute_with(start.threads)
    newest, best = _newest(checkpoints, team)
    progress = Progress.of(newest) if newest else Progress()
    if newest and not best:
        say(
            "log",
            line=f"The best checkpoint so far (step {progress.best_step}) is damaged; dev loss is measured again.",
        )
        progress.best_step, progress.best_loss, progress.evaluated = -1, None, progress.step - 1
        progress.best_score = None
    kind = progress.dtype or dtype
    if spec.scored is not None:
        rows = list(rows)
    answers = dev_answers.DevAnswers.of(spec, rows)
    with _building():
        learner, left_out = learners.build(Path(start.model), rows, spec, kind, start.device, leg=leg, team=team)
    progress.dtype = learner.loaded.dtype
    _fit(learner, progress, start.memory)
    try:
        if newest:
            learner.restore(newest.folder)
        elif leg is None or leg.number == 1:
            say("log", line=smoke.leg(learner, checkpoints.root / "staging" / f"smoke-{team.place.rank}").words)
    except lora.Diverged as error:
        raise Ended(Exit.DIVERGED, f"In the smoke leg before the run: {error}") from error
    except smoke.Broken as error:
        raise Ended(Exit.SMOKE, f"The smoke leg before the run failed, and nothing was trained. {error}") from error
    name = leg.name if leg else ""
    of_run = {"leg": leg.name, "leg_words": leg.words, "leg_number": leg.number, "leg_of": leg.of} if leg else {}
    begun = {"step": progress.step, "of": learner.total, "attempt": start.attempt}
    say("started", **begun, **learners.facts(learner, left_out), **of_run)
    score = partial(answers.score, learner) if answers else None
    memory = partial(devices.memory, learner.loaded.device)
    loop = TrainingLoop(
        learner, checkpoints, spec, stop, progress, team, score=score, leg=name, before=before, memory=memory
    )
    try:
        return loop.train()
    except lora.Diverged as error:
        raise LegDiverged(Exit.DIVERGED, str(error)) from error


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
    if code in TOGETHER and not ranks.place().first:
        # The first one has a checkpoint to write; whoever started us would end it for a code that is no success.
        return Exit.DONE
    say("ended", code=int(code), name=code.name.lower(), text=text)
    return code


def main(argv: list[str]) -> int:
    """Train in the folder `argv[0]`; the exit code for the shell."""
    if len(argv) != 1:
        return _end(
            Exit.NO_TOKEN, "Usage: python -m app.training.child RUN_DIR. A worker starts this, with a launch token."
        )
    parent.give_way()
    ranks.end_with_agent()
    return attempt(Path(argv[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
