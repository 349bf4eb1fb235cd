"""The memory of a run: which pass decides it, and that the peak is that of all attempts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.training import batches
from app.training.loop import Progress
from tests.support.places import ROOT

pytestmark = pytest.mark.torch


def test_the_steps_that_are_rehearsed_are_the_heaviest_of_all_epochs(run: Any, torch_here: None) -> None:
    from app.training import fits
    from app.training import learner as learners
    from app.training import spec as specs

    order = specs.from_subject(run.subject())
    with Path(run.rows).open("rb") as lines:
        learner, _ = learners.build(run.model, list(specs.rows(lines)), order)
    learner.lengths[3] = 400  # as if one row were long
    seed, size = order.recipe.seed, order.recipe.batch_rows
    epochs = -(-learner.total // learner.steps_an_epoch)
    of_the_run = {step for epoch in range(epochs) for step in batches.epoch(learner.lengths, size, seed, epoch)}

    found = fits.heaviest(learner, 2)

    assert set(found) <= of_the_run
    assert all(any(3 in part for part in step) for step in found[: min(2, epochs)])


def test_a_checkpoint_of_before_has_no_peak() -> None:
    stored: dict[str, Any] = {"step": 4, "dtype": "float32", "evaluated": 4, "best_step": 4, "seconds": 2.0}

    assert Progress(**stored).peak_bytes == 0


@pytest.mark.deep
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("attention", ["eager", "tunegate_blocks", "sdpa"])
def test_what_a_pass_takes_is_worked_out_near_what_it_takes(
    tiny_model: Path, torch_here: None, attention: str, precision: str
) -> None:
    """Of two layers, where what one takes while it is computed weighs most: the whole process within 15 % of its peak,
    the pass itself within the room that is asked for before anything is tried."""
    from app.training import room
    from app.training.launchers import FEW_KERNELS

    command = [
        sys.executable,
        "-m",
        "tests.support.pass_memory",
        str(tiny_model),
        attention,
        precision,
        "2x700",
        "4x350",
    ]
    said = subprocess.run(command, cwd=ROOT, env={**os.environ, **FEW_KERNELS}, check=True, capture_output=True).stdout

    for found in map(json.loads, said.splitlines()):
        assert found["took"] <= found["told"] * (1 + room.UNTRIED), found
        assert found["peak"] == pytest.approx(found["bytes"], rel=0.15), found
        assert found["low"] <= found["peak"] <= found["high"], found
