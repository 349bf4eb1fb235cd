"""A run that was trained and judged, in every test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.baselines.tables import BaselineRow
from app.blobs import Blobs
from app.db import writing
from app.inference import folders
from app.inference.tables import ModelRow
from app.settings import Settings
from app.training import packing
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import copied, laid_out
from tests.support.tiny_adapter import adapter_for, talking
from tests.support.trained import trained


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("judged"), template, trained)


@pytest.fixture
def settings(tmp_path: Path, judged: Path) -> Settings:
    """An installation in which the training run 1 of the assessment 1 is over."""
    return copied(judged, tmp_path)


@pytest.fixture(scope="session")
def real(torch_here: None, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny model that says something, and an adapter that was really trained on it."""
    folder = tmp_path_factory.mktemp("merged-model")
    model = talking(tiny_model, folder)
    return model, adapter_for(model, folder)


@pytest.fixture
def here(engine: Engine, blobs: Blobs, real: tuple[Path, Path], tmp_path: Path, warm_children: None) -> Path:
    """The run's base model and adapter are these; the folder of the model, which is this test's own."""
    model = Path(shutil.copytree(real[0], tmp_path / "model"))
    packed = tmp_path / "adapter.zip"
    packing.pack(real[1], packed, {})
    blob = blobs.put_bytes(packed.read_bytes())
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        run.adapter_sha256, run.adapter_bytes = blob.sha256, blob.size
        run.training_facts = {**run.training_facts, "dtype": "float32"}
        session.execute(
            update(ModelRow)
            .where(ModelRow.id == run.model_id)
            .values(kind="folder", reference=str(model), files=folders.hashes(model), base_url="")
        )
        session.execute(update(BaselineRow).values(max_tokens=8))
    return model


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))
