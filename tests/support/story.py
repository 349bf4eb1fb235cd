"""An assessment on its way to a trained adapter, taken step by step without a worker process."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.gate import reviews
from app.inference import folders
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import JobRow, Status
from app.training import preflight_job, service, store
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make

SETTINGS = {
    "max_steps": 6,
    "batch_rows": 4,
    "dev_rows": 4,
    "rank": 4,
    "alpha": 8,
    "precision": "float32",
    "patience": 0,
}


@dataclass
class Story:
    """An assessment that can be trained once it is approved: real rows in the content store, a tiny real model."""

    make: Make
    engine: Engine
    queue: job_engine.Client
    author: UserRow
    reviewer: UserRow
    assessment: AssessmentRow

    def write(self) -> Any:
        return writing(self.engine)

    def claim(self, job_row: JobRow, attempt: int = 1) -> Claim:
        """What a worker would hold."""
        with self.write() as session:
            stored = job_store.get(session, job_row.id)
            stored.status, stored.attempt = Status.RUNNING, attempt
        return Claim(
            job_id=job_row.id,
            subject_id=job_row.subject_id,
            attempt=attempt,
            engine=self.engine,
            settings=self.make.settings,
            blobs=self.make.blobs,
            queue=self.queue,
            stopping=threading.Event(),
        )

    def call(self, function: Any, *arguments: Any) -> Any:
        with self.write() as session:
            jobs.bind(session, self.queue)
            return function(session, self.assessment.id, *arguments)

    def preflight(self) -> None:
        preflight_job.preflight(self.claim(self.call(service.start_preflight, self.author)))

    def recipe(self, **settings: Any) -> None:
        """Change the recipe."""
        with reading(self.engine) as session:
            row, _ = service.recipe_of(session, self.assessment.id)
        assert row is not None
        self.call(service.save_recipe, self.author, row.model_id, settings, self.make.settings.launcher)

    def check(self) -> None:
        """Write a preflight's result down instead of measuring it: that takes seconds."""
        with self.write() as session:
            planned = service.plan(session, self.assessment.id)
            planned.row.preflight, planned.row.preflight_of = {"blockers": []}, planned.digest

    def approve(self) -> None:
        review = self.call(reviews.request_review, self.author)
        with self.write() as session:
            reviews.decide(session, review.id, self.reviewer, "approve", review.digest)

    def launch(self, key: str = "one") -> TrainingRow:
        row: TrainingRow = self.call(service.launch, self.author, key)[0]
        return row

    def train_job(self, row: TrainingRow) -> JobRow:
        with reading(self.engine) as session:
            return job_store.get(session, int(store.get(session, row.id).job_id or 0))

    def run(self, row: TrainingRow) -> TrainingRow:
        with reading(self.engine) as session:
            return store.get(session, row.id)


def begin(make: Make, engine: Engine, queue: job_engine.Client, model_folder: Path) -> Story:
    """A story whose next step is the preflight."""
    author, reviewer = make.author(), make.reviewer()
    assessment = make.assessment(author)
    dataset = make.dataset(assessment, author)
    store_rows(make, engine, dataset)
    model = make.model(kind="folder", reference=str(model_folder), files=folders.hashes(model_folder))
    make.baseline(assessment, dataset, model, author, max_tokens=4)
    made = Story(make, engine, queue, author, reviewer, assessment)
    made.call(service.save_recipe, author, model.id, SETTINGS)
    return made


def store_rows(make: Make, engine: Engine, dataset: DatasetRow) -> None:
    """The canonical rows as the check writes them."""
    lines = []
    with writing(engine) as session:
        for split in ("train", "dev", "test"):
            for row in dataset_store.rows(session, dataset.id, split):
                messages = [{"role": turn.role, "content": turn.content} for turn in row.messages]
                value = {"id": row.id, "line": row.line, "split": split, "messages": messages, "target": row.target}
                lines.append(json.dumps(value))
        stored = dataset_store.get(session, dataset.id)
        stored.rows_sha256 = make.blobs.put_bytes("\n".join(lines).encode()).sha256
