"""The small app, for real Chromium: one for a module, as with the whole app in `tests/support/browser.py`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.web.security import Web
from tests.support.browser import address, untouched, visit
from tests.support.processes import cheap
from tests.support.ready import ready
from tests.support.small_app import People, small_app

__all__ = ["address", "untouched", "visit"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("frame")
    shutil.copy(template, folder / "tunegate.db")
    made = ready(small_app, cheap(folder))
    yield made
    made.state.context.engine.dispose()


@pytest.fixture(scope="module")
def engine(app: Web) -> Engine:
    made: Engine = app.state.context.engine
    return made


@pytest.fixture(scope="module")
def people(app: Web) -> People:
    return People(app)
