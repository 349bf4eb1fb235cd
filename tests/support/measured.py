"""A small use case with a model server: what a measurement needs, and a way to run its job right here."""

import hashlib
import random
import threading
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.baselines import runs
from app.baselines.order import BaselineRequest
from app.baselines.tables import BaselineRow
from app.blobs import Blobs
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.model_server import ModelServer, last_user

WORDS = [
    "parcel",
    "invoice",
    "lamp",
    "street",
    "plan",
    "refund",
    "router",
    "screen",
    "battery",
    "garden",
    "ticket",
    "window",
    "coffee",
    "bridge",
]


def question(number: int) -> str:
    """Texts that are not near-duplicates of each other, and the same in every process."""
    draw = random.Random(number)
    return f"case {number}: " + " ".join(draw.choices(WORDS, k=8))


def target(number: int) -> str:
    return f"label-{number}"


def number_of(text: str) -> int:
    return int(text.removeprefix("case ").split(":")[0])


def clever(body: dict[str, Any]) -> str:
    """Right for some rows, the same ones every time: 40 % with instructions only, 70 % with examples."""
    number = number_of(last_user(body))
    examples = sum(turn["role"] == "assistant" for turn in body["messages"])
    luck = hashlib.sha256(str(number).encode()).digest()[0] / 256
    return target(number) if luck < (0.7 if examples else 0.4) else f"wrong-{number}"


@dataclass
class Case:
    """An assessment with frozen rows and a model."""

    assessment: AssessmentRow
    dataset: DatasetRow
    model: ModelRow
    author: UserRow

    def order(self, **different: Any) -> BaselineRequest:
        usual: dict[str, Any] = {"model_id": self.model.id, "instructions": "Give the label.", "consent": True}
        usual["fresh"] = True  # each test has answers of its own
        return BaselineRequest(**{**usual, **different})


def a_case(make: Make, engine: Engine, server: ModelServer | None, name: str = "Loopback", **rows: int) -> Case:
    author = make.author()
    assessment = make.assessment(author, answers={"metric": "exact_match", "target": 0.9})
    counts = {"train": 40, "dev": 30, "test": 40, **rows}
    dataset = make.dataset(assessment, author, **counts)
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            example.messages = [{"role": "user", "content": question(example.line)}]
            example.target = target(example.line)
    if server is None:
        model = make.model(name="Folder")
    else:
        model = make.model(name=name, kind="endpoint", base_url=server.url, reference="loopback-1", files={})
    return Case(assessment, dataset, model, author)


def started(engine: Engine, queue: job_engine.Client, case: Case, **different: Any) -> BaselineRow:
    with writing(engine) as session:
        jobs.bind(session, queue)
        return runs.start(session, case.assessment.id, case.order(**different), by=case.author)


def claim_of(
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    baseline_id: int,
    stopping: threading.Event | None = None,
    kind: str = "measure",
) -> Claim:
    """Take the measurement's job as a worker would; kind: that of another subject's."""
    with writing(engine) as session:
        job = job_store.latest(session, kind, baseline_id)
        assert job is not None
        attempt = job_store.claim(session, job.id, "test", job.created_at)
        assert attempt is not None
        return Claim(
            job_id=job.id,
            subject_id=baseline_id,
            attempt=attempt,
            engine=engine,
            settings=settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",)}),
            blobs=Blobs(settings.blobs_dir),
            queue=queue,
            stopping=stopping or threading.Event(),
            by=job.created_by,
            assessment_id=job.assessment_id,
        )


def finish_job(engine: Engine, claim: Claim) -> None:
    """Write down that the job is over, as the worker does after the body."""
    with writing(engine) as session:
        job_store.get(session, claim.job_id).status = Status.DONE


def baseline_of(engine: Engine, baseline_id: int) -> BaselineRow:
    from app.baselines import store

    with reading(engine) as session:
        return store.get(session, baseline_id)
