"""A small part of the crash drill (`tests/bench/bench_crash_drill.py`): each fault once, five kills in all."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import drill
from tests.support.drill import Fault
from tests.support.trainer import Run, build

pytestmark = [pytest.mark.torch, pytest.mark.deep]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> str:
    run = _run(tmp_path_factory.mktemp("quiet"), tiny_model)
    assert run.train().code == 0
    return run.adapter


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    with drill.small_disk(tmp_path / "disk", 600) as disk:
        yield disk


def _run(folder: Path, model: Path) -> Run:
    return replace(build(folder, model), recipe=drill.RECIPE)


@pytest.mark.parametrize(("fault", "seed"), [("step", 1), ("step", 2), ("save", 3), ("clock", 4), ("bit", 5)])
def test_a_killed_run_goes_on_by_itself_and_ends_as_if_nothing_had_been(
    tmp_path: Path, tiny_model: Path, undisturbed: str, fault: Fault, seed: int
) -> None:
    ending = drill.endure(_run(tmp_path, tiny_model), fault, random.Random(seed), undisturbed)

    assert ending.resumed is not None, ending.why
    assert ending.same


def test_a_full_disk_loses_nothing(small_disk: Path | None, tiny_model: Path, undisturbed: str) -> None:
    if small_disk is None:
        pytest.skip("a file system in memory cannot be mounted here")
    ending = drill.endure(_run(small_disk, tiny_model), "disk", random.Random(6), undisturbed, small_disk)

    assert ending.resumed is not None, ending.why
    assert ending.same
