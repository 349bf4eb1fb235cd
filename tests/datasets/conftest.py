"""The shared data sets lie beside the repository; without them the tests that need them skip and say so."""

import os
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI has to have the shared data sets beside the repository (../shared/data).")
        pytest.skip("SKIPPED: the shared data sets are not beside the repository (../shared/data)")
    return DATA
