"""What a crash costs: `kill -9` of the worker in the middle of a measurement and in the middle of a training.

    python tests/bench/bench_crash.py

A real worker process on a fresh database; a model server on loopback that counts what it is asked, and a tiny model
with real torch for the training. Each story is run once in peace and once with a kill, and the two are compared. Prints
what was repeated and what was lost. Takes about two minutes.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sqlalchemy import Engine

from app import schema
from app.baselines import answer_store, runs
from app.baselines import store as baseline_store
from app.baselines.order import BaselineRequest
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import make_engine, reading, writing
from app.gate import reviews
from app.inference import folders
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.settings import Settings
from app.training import service as trainings
from app.training import store as training_store
from app.users.tables import UserRow
from tests.support import tiny
from tests.support.factories import Make
from tests.support.model_server import ModelServer, last_user, serving
from tests.support.places import ROOT
from tests.support.processes import cheap, environment, until

DEV, TEST = 100, 200
DELAY = 0.02  # seconds that the model server takes for an answer
STEPS = 120
WORDS = ("parcel", "invoice", "lamp", "street", "plan", "refund", "router", "screen", "battery", "garden", "ticket")


@dataclass
class Place:
    """A fresh installation and the hands to work on it."""

    settings: Settings
    engine: Engine
    queue: job_engine.Client
    make: Make

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            return function(session, *arguments, **named)

    def job(self, job_id: int) -> JobRow:
        with reading(self.engine) as session:
            return job_store.get(session, job_id)

    def work(self, job_id: int, kill: Callable[[], object] | None = None) -> JobRow:
        """Have a worker do a job to its end; `kill` says when the first worker gets its kill -9."""
        worker = self._worker()
        try:
            if kill is not None:
                until(kill, 300)
                worker.kill()
                worker.wait()
                worker = self._worker()
            until(lambda: self.job(job_id).final, 600)
        finally:
            worker.terminate()
            worker.wait(20)
        ended = self.job(job_id)
        if ended.status != "done":
            raise SystemExit(f"{ended.title} ended as {ended.status}: {ended.failure}")
        return ended

    def _worker(self) -> "subprocess.Popen[bytes]":
        """A worker whose log goes to a file: a pipe that nobody reads would stop it."""
        with (self.settings.data / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "app", "worker"],
                env=environment(self.settings),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    settings = cheap(folder, allowed_hosts=("127.0.0.0/8",))
    settings.data.mkdir(parents=True)
    schema.migrate(settings.url)
    engine = make_engine(settings.url)
    queue = job_engine.Client(settings.url)
    try:
        yield Place(settings, engine, queue, Make(engine, settings))
    finally:
        queue.close()
        engine.dispose()


# ---------------------------------------------------------------- a measurement


def question(number: int) -> str:
    return f"case {number}: " + " ".join(random.Random(number).choices(WORDS, k=8))


def measure(folder: Path, *, crash: bool) -> None:
    with serving(lambda body: f"answer to {last_user(body)}", DELAY) as server, a_place(folder) as place:
        author = place.make.author()
        assessment = place.make.assessment(author)
        dataset = place.make.dataset(assessment, author, train=300, dev=DEV, test=TEST)
        _different_questions(place.engine, dataset)
        model = place.make.model(
            name="Loopback", kind="endpoint", base_url=server.url, reference="loopback-1", files={}
        )
        order = BaselineRequest(model_id=model.id, instructions="Answer.", consent=True)
        baseline: BaselineRow = place.call(runs.start, assessment.id, order, by=author)
        seen: dict[tuple[int, str, int], Any] = {}

        def half_way() -> bool:
            now = _answers(place.engine, baseline.id)
            if len(now) < 340:
                return False
            seen.update(now)
            return True

        place.work(baseline.job_id or 0, half_way if crash else None)
        after = _answers(place.engine, baseline.id)
        _report_measurement(server, seen, after)


def _different_questions(engine: Engine, dataset: DatasetRow) -> None:
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            example.messages = [{"role": "user", "content": question(example.line)}]


def _answers(engine: Engine, baseline_id: int) -> dict[tuple[int, str, int], Any]:
    """Every stored answer of a model: which arm, split and row, and when it was written."""
    with reading(engine) as session:
        baseline = baseline_store.get(session, baseline_id)
        return {
            (arm.id, split, answer.example_id): (answer.id, answer.created_at)
            for arm in baseline.arms
            if arm.family != "trivial"
            for split in ("dev", "test")
            for answer in answer_store.answers(session, arm.id, split)
        }


def _report_measurement(server: ModelServer, seen: dict[Any, Any], after: dict[Any, Any]) -> None:
    needed = 5 * DEV + TEST
    asked = Counter(json.dumps(call.body["messages"], sort_keys=True) for call in server.calls)
    print(f"  answers needed {needed}, stored at the end {len(after)}, calls made {len(server.calls)}")
    print(f"  stored when the worker was killed: {len(seen)}")
    print(
        f"  lost (stored before, gone or changed after): {sum(after.get(key) != value for key, value in seen.items())}"
    )
    print(f"  repeated calls: {len(server.calls) - needed} ({max(asked.values())} times at most the same one)")


# ---------------------------------------------------------------- a training


def train(folder: Path, model_folder: Path, *, crash: bool) -> dict[int, float]:
    """Train once; returns the loss of every step."""
    with a_place(folder) as place:
        author, reviewer = place.make.author(), place.make.reviewer()
        assessment = place.make.assessment(author)
        dataset = place.make.dataset(assessment, author)
        _store_rows(place, dataset)
        files = folders.hashes(model_folder)
        model = place.make.model(name="Tiny", kind="folder", reference=str(model_folder), files=files)
        place.make.baseline(assessment, dataset, model, author, max_tokens=4)
        settings = {"max_steps": STEPS, "batch_rows": 8, "dev_rows": 8, "rank": 4, "alpha": 8, "patience": 0}
        place.call(trainings.save_recipe, assessment.id, author, model.id, settings | {"precision": "float32"})
        place.work(place.call(trainings.start_preflight, assessment.id, author).id)
        _approve(place, assessment.id, author, reviewer)
        row, _ = place.call(trainings.launch, assessment.id, author, "once")
        seen: list[int] = []

        def half_way() -> bool:
            steps = _steps(place.engine, row.id)
            if len(steps) < STEPS // 3:
                return False
            seen.extend(steps)
            return True

        place.work(row.job_id, half_way if crash else None)
        steps = _steps(place.engine, row.id)
        _report_training(place.engine, row.id, seen, steps)
        return steps


def _store_rows(place: Place, dataset: DatasetRow) -> None:
    """The canonical rows as the check writes them."""
    lines = []
    with writing(place.engine) as session:
        for split in ("train", "dev", "test"):
            for row in dataset_store.rows(session, dataset.id, split):
                messages = [{"role": turn.role, "content": turn.content} for turn in row.messages]
                value = {"id": row.id, "line": row.line, "split": split, "messages": messages, "target": row.target}
                lines.append(json.dumps(value))
        stored = dataset_store.get(session, dataset.id)
        stored.rows_sha256 = place.make.blobs.put_bytes("\n".join(lines).encode()).sha256


def _approve(place: Place, assessment_id: int, author: UserRow, reviewer: UserRow) -> None:
    review = place.call(reviews.request_review, assessment_id, author)
    place.call(reviews.decide, review.id, reviewer, "approve", review.digest)


def _steps(engine: Engine, training_id: int) -> dict[int, float]:
    with reading(engine) as session:
        return {row.step: row.loss or 0.0 for row in training_store.metrics(session, training_id, "step")}


def _report_training(engine: Engine, training_id: int, seen: list[int], after: dict[int, float]) -> None:
    with reading(engine) as session:
        rows = training_store.metrics(session, training_id, "step")
        adapter = training_store.get(session, training_id).best_step
    print(f"  steps planned {STEPS}, last step {max(after)}, recorded {len(rows)}, best step {adapter}")
    if seen:
        later = min(row.step for row in rows if row.attempt > 1)
        print(f"  last step recorded before the kill {max(seen)}; the second attempt began with step {later}")
        print(f"  recorded steps that are gone: {len({*seen} - {*after})}")
        print(f"  repeated steps: {max(0, max(seen) - later + 1)}")
        print(f"  steps that were done and whose loss nobody wrote down: {sorted({*range(1, STEPS + 1)} - {*after})}")


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as root:
        where = Path(root)
        for crash in (False, True):
            print(f"A measurement, {'kill -9 of the worker half way' if crash else 'in peace'}:", flush=True)
            measure(where / f"measure-{crash}", crash=crash)
        model = tiny.make(where / "model")
        losses = {}
        for crash in (False, True):
            print(f"A training, {'kill -9 of the worker a third of the way' if crash else 'in peace'}:", flush=True)
            losses[crash] = train(where / f"train-{crash}", model, crash=crash)
        both = losses[False].keys() & losses[True].keys()
        largest = max(abs(losses[False][step] - losses[True][step]) for step in both)
        print(f"  largest difference of a step's loss to the training in peace: {largest:.2e}")


if __name__ == "__main__":
    main()
