"""A run that was trained and judged, in every test."""

from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.installed import copied, laid_out
from tests.support.trained import trained


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("judged"), template, trained)


@pytest.fixture
def settings(tmp_path: Path, judged: Path) -> Settings:
    """An installation in which the training run 1 of the assessment 1 is over."""
    return copied(judged, tmp_path)
