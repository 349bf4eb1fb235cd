"""An assessment that was measured with the tiny model, for real, and the app that serves it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.baselines import job
from app.baselines import store as baseline_store
from app.db import writing
from app.inference import folders
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.settings import Settings
from tests.support import measured
from tests.support.factories import Make
from tests.support.served import Measured
from tests.support.tiny_adapter import talking


@pytest.fixture(scope="session")
def talking_model(torch_here: None, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that says words, and not the same ones to every question."""
    return talking(tiny_model, tmp_path_factory.mktemp("talking"))


@pytest.fixture
def tiny(
    make: Make,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    talking_model: Path,
    warm_children: None,
    web: TestClient,
) -> Measured:
    """Measured with eight answers a variant on dev; twelve training rows to choose examples from."""
    case = measured.a_case(make, engine, None, train=12, dev=8, test=8)
    here = {"kind": "folder", "reference": str(talking_model), "files": folders.hashes(talking_model)}
    with writing(engine) as session:
        session.execute(update(ModelRow).where(ModelRow.id == case.model.id).values(**here))
    baseline = measured.started(engine, queue, case, max_tokens=6, k_random=2, k_nearest=2)
    with writing(engine) as session:  # in 16 bits a row among others may come to another sum than alone
        for arm in baseline_store.get(session, baseline.id).arms:
            arm.settings = {**arm.settings, "dtype": "float32"}
    claim = measured.claim_of(engine, settings, queue, baseline.id)
    job.measure(claim)
    measured.finish_job(engine, claim)
    return Measured(measured.baseline_of(engine, baseline.id), case.author, make.admin(), engine, web)
