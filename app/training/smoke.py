"""A short run before the long one: a few steps, saved, read back, scored again. What would fail after hours fails here.

Twenty checkpoints lost because the first could not be read back are the costly kind of surprise; so is an adapter whose
file nobody can load. The leg learns nothing that stays: weights, optimizer and random state are as they were before, so
the run that follows is the same to the bit.
"""

import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from app.inference import devices, folders
from app.training import batches, lora

import torch  # isort: skip  (after what makes it stay offline)

ROWS = 64
STEPS = 5
SCORED = 16  # dev rows
EXACT = 1e-6  # what two losses of the same weights may differ by: the order of sums on several threads


class Broken(Exception):
    """The long run would have failed in the same way; the text says how."""


@dataclass(frozen=True, slots=True)
class Leg:
    """What it saw. before, after: dev loss in nats a trained token, on a few rows."""

    steps: int
    before: float
    after: float
    seconds: float

    @property
    def words(self) -> str:
        return (
            f"Smoke leg passed: {self.steps} steps took dev loss from {self.before:.3f} to {self.after:.3f}; saved, "
            f"read back and scored the same, in {self.seconds:.0f} s."
        )


def leg(learner: "lora.Learner", folder: Path) -> Leg:
    """Take a few steps, save them into `folder` (emptied afterwards), read them back, and put everything back. Of
    several ranks each does so with a folder of its own, and the steps are taken together.

    Raises:
        Broken: what was saved is not what was learnt, or cannot be read by who will use it.
        lora.Diverged: at a loss that is no number.
        OSError: it cannot be written.
    """
    began = time.monotonic()
    masters = {name: tensor.clone() for name, tensor in learner.masters.items()}
    chance = devices.random_state(learner.loaded.device)
    dev = learner.dev
    learner.dev = dev[:SCORED]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        before = _loss(learner)
        rows = range(min(ROWS, len(learner.train)))
        size = max(1, min(learner.recipe.batch_rows, len(rows)))
        for number in range(STEPS):
            part = [rows[(number * size + at) % len(rows)] for at in range(size)]
            learner.step(number + 1, batches.passes(part, learner.lengths))
        after = _loss(learner)
        learner.save(folder)
        with torch.no_grad():
            for tensor in learner.masters.values():
                tensor.zero_()
        learner.restore(folder)
        again = _loss(learner)
        if not math.isclose(again, after, rel_tol=EXACT):
            raise Broken(f"A checkpoint that was read back scores {again:.6f} where it scored {after:.6f} when saved.")
        adapter = folder / "adapter"
        adapter.mkdir()
        learner.export(adapter, folder / "masters.safetensors", "smoke", None)
        if faults := list(folders.adapter_faults(adapter)):
            raise Broken(f"The adapter that was written cannot be used: {faults[0]}")
    finally:
        learner.dev = dev
        learner.reset(masters)
        devices.restore_random_state(chance)
        shutil.rmtree(folder, ignore_errors=True)
    return Leg(STEPS, before, after, time.monotonic() - began)


def _loss(learner: "lora.Learner") -> float:
    losses = list(learner.dev_losses())
    total, count = learner.team.sum(sum(loss for loss, _ in losses), sum(tokens for _, tokens in losses))
    return total / max(1, count)
