"""Several processes that train one adapter: it is that of one process, whoever of them is lost on the way."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.training import batches
from app.training.launchers import LOST
from app.training.protocol import SPEC, Exit, of_rank
from tests.support.trainer import Child, Run

CLOSE = 1e-4  # what losses in nats may differ by: sums of 32-bit numbers in another order, over a dozen steps


def together(run: Run, attempt: int = 1) -> list[Child]:
    """All ranks from start to end."""
    run.order(attempt)
    children = run.start_all()
    for child in children:
        child.wait()
    return children


def losses(child: Child) -> dict[tuple[str, int], float]:
    return {(kind, event["step"]): event["loss"] for kind in ("step", "dev") for event in child.events(kind)}


def adapter(run: Run) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return dict(load_file(run.folder / "adapter" / "adapter_model.safetensors"))


def alike(run: Run, other: Run) -> None:
    import numpy as np

    mine, theirs = adapter(run), adapter(other)
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        np.testing.assert_allclose(tensor, theirs[name], rtol=1e-2, atol=1e-3)


def test_every_row_of_a_step_is_dealt_once_and_in_equal_shares() -> None:
    lengths = [90, 12, 400, 33, 33, 250, 7, 61]
    for ranks in (1, 2, 3, 8, 20):
        shares = [batches.dealt([7, 0, 1, 2, 3, 4, 5, 6], lengths, rank, ranks) for rank in range(ranks)]
        assert sorted(row for share in shares for row in share) == list(range(8))
        heaviest = max(sum(lengths[row] for row in share) for share in shares)
        assert heaviest <= sum(lengths) / ranks + max(lengths)


@pytest.mark.torch
def test_two_processes_end_like_one(run: Run, another: Callable[..., Run]) -> None:
    """Also where the last step of an epoch has fewer rows than there are processes."""
    pair = another(processes=2, launcher="torchrun")
    alone = run.train()
    first, second = together(pair)

    assert (first.code, second.code) == (Exit.DONE, Exit.DONE), first.output + second.output
    assert losses(first) == pytest.approx(losses(alone), abs=CLOSE)
    assert first.events("done")[0]["best_step"] == alone.events("done")[0]["best_step"]
    assert second.output == b"", "the first one speaks for all"
    alike(pair, run)
