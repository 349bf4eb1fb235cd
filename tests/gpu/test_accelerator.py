"""What has to hold on a GPU as on the CPU: the same losses, the same answers, and a run that goes on after a kill.

Only `make test-gpu` runs these; without an accelerator it lists them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.chat import Message
from app.inference.generator import Request
from app.inference.local import LocalModel
from app.training.recipe import Recipe
from tests.support import tiny

pytestmark = [pytest.mark.gpu, pytest.mark.torch]

RECIPE = Recipe(rank=4, alpha=8, learning_rate=1e-2, batch_rows=4, epochs=3, precision="float32")


def learner(model: Path, device: str, recipe: Recipe = RECIPE) -> Any:
    import torch

    from app.inference import loading, tokens
    from app.training import lora

    torch.set_default_device("cpu")
    loaded = loading.load(model, None, recipe.precision, trained=True, device=device)
    rows = []
    for row in tiny.rows(24, 0):
        asked: Any = row["messages"]
        turns = [Message("user", asked[0]["content"])]
        rows.append(tokens.training_row(loaded.tokenizer, turns, str(row["target"])))
    return lora.Learner(loaded, recipe, rows, rows[:6])


def test_losses_are_those_of_the_cpu(tiny_model: Path) -> None:
    here = [step.loss for step in learner(tiny_model, "cpu").run(0)]
    there = [step.loss for step in learner(tiny_model, "auto").run(0)]

    assert there == pytest.approx(here, rel=1e-3)


def test_16_bits_with_the_attention_that_is_chosen_there_learn_like_32_on_the_cpu(tiny_model: Path) -> None:
    """The flash kernel where its package is installed, else torch's own; the CPU's is ours."""
    there = learner(tiny_model, "auto", replace(RECIPE, precision="bfloat16"))
    chosen = there.loaded.model.config._attn_implementation

    assert chosen in {"sdpa", "flash_attention_2"}
    here = [step.loss for step in learner(tiny_model, "cpu").run(0)]
    assert [step.loss for step in there.run(0)] == pytest.approx(here, rel=0.05)


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(tiny_model: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, dropout=0.1)
    straight = learner(tiny_model, "auto", recipe)
    whole = [step.loss for step in straight.run(0)]
    begun = learner(tiny_model, "auto", recipe)
    steps = begun.run(0)
    for _ in range(5):
        next(steps)
    begun.save(tmp_path)
    resumed = learner(tiny_model, "auto", recipe)
    resumed.restore(tmp_path)

    assert [step.loss for step in resumed.run(5)] == pytest.approx(whole[5:], rel=1e-4)


def test_bfloat16_is_taken_where_the_device_has_it(tiny_model: Path) -> None:
    from app.inference import devices, loading

    chosen = devices.choose("auto")
    loaded = loading.load(tiny_model, None, "auto", device="auto")

    assert chosen.accelerator
    assert loaded.dtype == ("bfloat16" if chosen.bf16 else "float32")
    assert next(loaded.model.parameters()).device.type == chosen.name


def test_answers_are_those_of_the_cpu(tiny_model: Path) -> None:
    requests = [Request(str(number), (Message("user", tiny.text(number)),), 12) for number in range(20)]
    texts = []
    for device in ("cpu", "auto"):
        with LocalModel(tiny_model, threads=1, dtype="float32", device=device) as model:
            texts.append({answer.id: answer.text for answer in model.answer(requests, lambda: False)})

    assert texts[0] == texts[1]


def test_memory_is_that_of_the_device(tiny_model: Path) -> None:
    from app.inference import devices

    made = learner(tiny_model, "auto")
    made.make_room()

    assert 0 < devices.peak_bytes(made.loaded.device) <= made.loaded.device.memory or made.loaded.device.memory == 0


def test_ligers_kernels_give_the_losses_of_torchs_own(tiny_model: Path) -> None:
    """Not run on a device yet: it says what would have to hold."""
    pytest.importorskip("liger_kernel", reason="Liger is not installed")
    own = [step.loss for step in learner(tiny_model, "cuda").run(0)]
    ligers = [step.loss for step in learner(tiny_model, "cuda", replace(RECIPE, kernels="liger")).run(0)]

    assert ligers == pytest.approx(own, rel=1e-3)


def test_computing_again_takes_less_memory_and_gives_the_same_losses(tiny_model: Path) -> None:
    from app.training import fits

    losses, peaks = [], []
    for checkpointing in ("off", "on"):
        made = learner(tiny_model, "cuda", replace(RECIPE, checkpointing=checkpointing))
        meter = fits.Meter(made.loaded.device)
        losses.append([step.loss for step in made.run(0)])
        peaks.append(meter.more)

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert peaks[1] <= peaks[0]


def test_a_base_in_4_bits_learns_on_the_device(tiny_model: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    from app.inference import loading, tokens
    from app.training import lora

    loaded = loading.load(tiny_model, None, "bfloat16", device="cuda", bits=4)
    turns = [Message("user", tiny.text(1))]
    rows = [tokens.training_row(loaded.tokenizer, turns, "alpha alpha")] * 8
    steps = list(lora.Learner(loaded, replace(RECIPE, epochs=6), rows, rows[:2]).run(0))

    assert steps[-1].loss < steps[0].loss
