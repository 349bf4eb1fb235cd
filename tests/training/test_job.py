"""A run as a whole: recipe, preflight, review, launch, training by a real trainer, and the adapter as one more arm."""

import io
import json
import os
import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines import store as baseline_store
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import Conflict, GateClosed
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Failed, Refused, Stopping
from app.jobs.tables import Status
from app.recipes import store as recipes
from app.training import events, job, packing, service, store
from app.training.launchers import Local, Process
from app.training.protocol import Start
from tests.support import as_it_stands
from tests.support.depth import depth
from tests.support.processes import runs
from tests.support.story import Story

pytestmark = pytest.mark.torch


def test_from_the_recipe_to_a_scored_adapter(story: Story) -> None:
    with pytest.raises(GateClosed) as closed:
        story.launch()
    assert "Run the preflight for this config, data and prompt first." in closed.value.reasons
    assert "Nobody has approved this yet. Request review." in closed.value.reasons

    story.preflight()
    story.approve()
    row = story.launch()
    job.train(story.claim(story.train_job(row)))

    with reading(story.engine) as session:
        run = store.get(session, row.id)
        found = recipes.of_assessment(session, story.assessment.id)
        steps, dev = store.metrics(session, run.id, "step"), store.metrics(session, run.id, "dev")
        arm = baseline_store.arm(session, int(run.arm_id or 0))
        log = [str(event.body["line"]) for event in job_store.log_lines(session, int(run.job_id or 0))]
        checkpoints = store.checkpoints(session, run.id)
    assert found is not None
    assert found.preflight is not None
    assert found.preflight["train"]["rows"] == 1050
    assert found.preflight["blockers"] == []
    assert (run.state, run.training_facts["attempts"]) == ("done", 1)
    assert [one.step for one in steps] == [1, 2, 3, 4, 5, 6]
    assert {one.step for one in dev} == {0, 6}
    assert checkpoints[0].step == 6
    assert arm.family == "adapter"
    assert arm.test is not None
    assert arm.test.n == 220
    assert any("begins from the start" in line for line in log)
    with story.make.blobs.open(str(run.adapter_sha256)) as packed, zipfile.ZipFile(io.BytesIO(packed.read())) as files:
        assert files.namelist() == ["adapter_config.json", "adapter_model.safetensors", "training.json"]
        assert json.loads(files.read("training.json"))["digest"] == run.digest


def test_the_same_key_is_the_same_launch_and_the_approval_is_used_up(approved: Story) -> None:
    first = approved.launch("a")

    assert approved.launch("a").id == first.id
    with pytest.raises(GateClosed, match="used for a launch already"):
        approved.launch("b")


def test_changing_the_recipe_voids_the_approval(approved: Story) -> None:
    approved.recipe(epochs=9)

    with pytest.raises(GateClosed) as closed:
        approved.launch()
    assert any("changed after the approval" in reason for reason in closed.value.reasons)


def test_whoever_sets_the_recipe_may_not_approve_it(story: Story) -> None:
    story.author = story.reviewer
    story.recipe(epochs=2)

    with reading(story.engine) as session:
        assert story.reviewer.id in as_it_stands.contributors(session, story.assessment.id)


def test_an_edit_between_launch_and_start_is_refused(approved: Story) -> None:
    row = approved.launch()
    with approved.write() as session:
        assessment = assessment_store.get(session, approved.assessment.id)
        assessments.contribute(session, assessment, approved.author, "answers")

    with pytest.raises(Refused):
        job.train(approved.claim(approved.train_job(row)))
    assert approved.run(row).state == "refused"
    assert not (approved.make.settings.runs_dir / f"training-{row.id}").exists()


def test_rows_changed_on_the_disk_after_the_launch_are_refused(approved: Story) -> None:
    row = approved.launch()
    with reading(approved.engine) as session:
        dataset = dataset_store.current(session, approved.assessment.id)
    assert dataset is not None
    blob = approved.make.blobs.path(str(dataset.rows_sha256))
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes().replace(b"Does 1.", b"Does 9."))

    with pytest.raises(Refused, match="changed after they were approved"):
        job.train(approved.claim(approved.train_job(row)))
    assert approved.run(row).state == "refused"


@dataclass
class Watched:
    """A trainer beside whom something happens at every event, before the job hears of it. No time has to be guessed."""

    inner: Process
    watch: Callable[[Process, dict[str, Any]], None]

    def next(self) -> dict[str, Any] | None:
        event = self.inner.next()
        if event is not None:
            self.watch(self.inner, event)
        return event

    @property
    def code(self) -> int | None:
        return self.inner.code

    @property
    def how(self) -> str:
        return self.inner.how

    def cancel(self) -> None:
        self.inner.cancel()

    def close(self) -> None:
        self.inner.close()


@dataclass
class Watching:
    """Starts trainers as a worker does, and has them watched."""

    data: Path
    watch: Callable[[Process, dict[str, Any]], None]

    def start(self, run: Path, spec: Start) -> Watched:
        return Watched(Local(self.data).start(run, spec), self.watch)


def at(kind: str, act: Callable[[], object]) -> Callable[[Process, dict[str, Any]], None]:
    """Something that is done once, at the first event of this kind."""
    acts = [act]

    def watch(_process: Process, event: dict[str, Any]) -> None:
        if event["event"] == kind and acts:
            acts.pop()()

    return watch


@pytest.mark.deep
def test_a_trainer_that_keeps_dying_is_given_up_and_can_be_resumed(approved: Story) -> None:
    row = approved.launch()
    data = approved.make.settings.data

    def kill(process: Process, _event: dict[str, Any]) -> None:
        """As a machine short of memory would, as soon as it has said a word."""
        os.kill(process.child.pid, signal.SIGKILL)

    with pytest.raises(Failed, match="was killed, most likely because the machine ran out of memory"):
        job.work(approved.claim(approved.train_job(row)), Watching(data, kill))
    assert approved.run(row).state == "failed"
    with approved.write() as session:
        jobs.bind(session, approved.queue)
        stored = job_store.get(session, approved.train_job(row).id)
        stored.status = Status.FAILED
        service.resume(session, row.id, approved.author)
    job.train(approved.claim(approved.train_job(row)))

    assert approved.run(row).state == "done"
    assert approved.run(row).training_facts["attempts"] == 4


@pytest.fixture
def longer(story: Story) -> Story:
    """An approved run with more steps than it will get to take at one go."""
    story.recipe(max_steps=depth(60, 200))
    story.check()
    story.approve()
    return story


def test_cancelled_is_over_for_good(longer: Story) -> None:
    row = longer.launch()
    claim = longer.claim(longer.train_job(row))

    def cancel() -> None:
        with longer.write() as session:
            job_store.get(session, claim.job_id).status = Status.CANCELLING

    pids: list[int] = []

    def seen(process: Process, event: dict[str, Any]) -> None:
        pids.append(process.child.pid)
        at_first_step(process, event)

    at_first_step = at("step", cancel)
    with pytest.raises(Cancelled):
        job.work(claim, Watching(longer.make.settings.data, seen))

    run = longer.make.settings.runs_dir / f"training-{row.id}"
    assert longer.run(row).state == "cancelled"
    assert not runs(pids[0]), "the trainer is gone, and its memory with it"
    assert {path.name for path in run.iterdir()} & {"staging", "checkpoints", "spec.json"} == set()
    assert longer.run(row).training_facts["freed_bytes"] > 0
    with reading(longer.engine) as session:
        assert store.checkpoints(session, row.id) == []
        assert store.metrics(session, row.id, "step"), "what was measured stays"
        told: list[Any] = [
            event.body for event in job_store.events_after(session, claim.job_id, 0) if event.kind == "progress"
        ]
    assert all(body["memory_bytes"] <= body["peak_bytes"] for body in told if "memory_bytes" in body)
    with longer.write() as session, pytest.raises(Conflict, match="cannot go on"):
        service.resume(session, row.id, longer.author)


@pytest.mark.deep
def test_a_paused_run_goes_on_from_its_checkpoint_under_the_same_approval(longer: Story) -> None:
    row = longer.launch()
    claim = longer.claim(longer.train_job(row))

    def pause() -> None:
        with longer.write() as session:
            jobs.bind(session, longer.queue)
            service.pause(session, row.id, longer.author)

    with pytest.raises(Cancelled):
        job.work(claim, Watching(longer.make.settings.data, at("step", pause)))
    with longer.write() as session:
        jobs.bind(session, longer.queue)
        job_store.get(session, claim.job_id).status = Status.CANCELLED  # what the worker does when a job ends so
        stopped = store.get(session, row.id)
        assert service.paused(stopped, stopped.state)
        service.resume(session, row.id, longer.author)
        assert not service.paused(stopped, stopped.state)
    job.train(longer.claim(longer.train_job(row)))

    assert longer.run(row).state == "done"
    assert longer.run(row).training_facts["attempts"] == 2


@pytest.mark.torch
@pytest.mark.parametrize("paused", [False, True])
def test_what_a_run_left_is_taken_away_when_it_is_cancelled_while_it_waits(approved: Story, paused: bool) -> None:
    """No worker is there to do it then; a paused one goes on, and keeps its checkpoints."""
    row = approved.launch()
    kept = approved.make.settings.runs_dir / f"training-{row.id}" / "legs" / "main" / "checkpoints" / "1"
    kept.mkdir(parents=True)
    with approved.write() as session:
        jobs.bind(session, approved.queue)
        if paused:
            service.pause(session, row.id, approved.author)
        else:
            jobs.cancel(session, int(row.job_id or 0), approved.author)

    job.free_cancelled(approved.engine, approved.make.settings)

    assert kept.exists() is paused
    assert (approved.run(row).state, approved.run(row).finished_at is None) == (
        ("queued", True) if paused else ("cancelled", False)
    )


@pytest.mark.deep
def test_a_run_of_several_trainings_that_was_paused_between_two_goes_on_with_the_next(story: Story) -> None:
    story.recipe(seeds=2, max_steps=4, evals_per_epoch=1)
    story.check()
    story.approve()
    row = story.launch()
    claim = story.claim(story.train_job(row))

    def pause() -> None:
        with story.write() as session:
            jobs.bind(session, story.queue)
            service.pause(session, row.id, story.author)

    with pytest.raises(Cancelled):
        job.work(claim, Watching(story.make.settings.data, at("leg", pause)))
    with story.write() as session:
        jobs.bind(session, story.queue)
        job_store.get(session, claim.job_id).status = Status.CANCELLED
        service.resume(session, row.id, story.author)
    job.train(story.claim(story.train_job(row)))

    run = story.run(row)
    assert run.state == "done"
    assert [leg["name"] for leg in run.training_facts["legs"]] == ["main", "seed-2"]


@pytest.mark.deep
def test_a_worker_that_stops_leaves_the_run_to_the_next(longer: Story) -> None:
    row = longer.launch()
    claim = longer.claim(longer.train_job(row))
    with pytest.raises(Stopping):
        job.work(claim, Watching(longer.make.settings.data, at("step", claim.stopping.set)))
    assert longer.run(row).state == "running"

    job.train(longer.claim(longer.train_job(row), attempt=2))

    assert longer.run(row).state == "done"
    with reading(longer.engine) as session:
        log = [str(event.body["line"]) for event in job_store.log_lines(session, longer.train_job(row).id)]
    assert any("Attempt 2 begins from the checkpoint of step" in line for line in log)


def test_a_zip_of_the_same_adapter_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"1")
    packing.pack(tmp_path, tmp_path / "a.zip", {"x": 1})
    packing.pack(tmp_path, tmp_path / "b.zip", {"x": 1})

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_line_that_a_kill_cut_off_is_left_out_of_the_journal(tmp_path: Path) -> None:
    lines = ['{"event": "step", "step": 1, "loss": 2}', '{"event": "step", "step": 1, "loss": 3}', '{"event": "st']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")

    assert events.journal(tmp_path / "metrics.jsonl") == [{"event": "step", "step": 1, "loss": 3}]
    assert events.journal(tmp_path / "none") == []
