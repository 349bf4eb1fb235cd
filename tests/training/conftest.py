"""A run that is ready to start, and an assessment on its way to one."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.jobs import engine as job_engine
from tests.support.factories import Make
from tests.support.story import Story, begin
from tests.support.trainer import QUICK, Run, build


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path) -> Run:
    return build(tmp_path, tiny_model)


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Callable[..., Run]:
    """More runs, of other recipes."""

    def make(**changes: Any) -> Run:
        made = build(tmp_path_factory.mktemp("run"), tiny_model)
        made.recipe = dataclasses.replace(QUICK, **changes)
        return made

    return make


@pytest.fixture
def story(make: Make, engine: Engine, queue: job_engine.Client, tiny_model: Path, warm_children: None) -> Story:
    return begin(make, engine, queue, tiny_model)


@pytest.fixture
def approved(story: Story) -> Story:
    story.check()
    story.approve()
    return story
