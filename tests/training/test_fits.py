"""A run is made to fit: what was not kept is computed again with the same gradients, and passes get smaller."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.training import room
from tests.training.test_lora import RECIPE, gradients, learner

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("torch_here")]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_computing_again_changes_neither_loss_nor_gradients(tiny_model: Path, dropout: float, shared: bool) -> None:
    import torch

    made = learner(tiny_model, replace(RECIPE, dropout=dropout))
    list(made.run(0))  # B is no longer zero, so that A has gradients too
    assert made.shared >= 16
    made.shared = made.shared if shared else 0
    found = []
    for made.recompute.on in (False, True):
        torch.manual_seed(3)
        found.append(gradients(made, made.train[:6]))

    assert found[0][0] == found[1][0]
    assert all(torch.equal(kept, found[1][1][name]) for name, kept in found[0][1].items())
    assert any(float(kept.abs().sum()) > 0 for kept in found[0][1].values())


def test_computing_again_keeps_a_fraction_for_the_way_back(tiny_model: Path) -> None:
    import torch

    made = learner(tiny_model)
    held = []
    for made.recompute.on in (False, True):
        kept: dict[int, int] = {}

        def pack(tensor: Any, kept: dict[int, int] = kept) -> Any:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        made.model.train()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = made.loss_sum(made.train[:6])
        loss.backward()
        held.append(sum(kept.values()))

    assert held[1] < held[0] / 2


def test_a_run_is_made_to_fit_before_it_begins_and_ends_like_one_with_room(tiny_model: Path) -> None:
    from app.training import fits

    wide = replace(RECIPE, batch_rows=12)
    roomy, tight = learner(tiny_model, wide), learner(tiny_model, wide)
    heard: list[str] = []
    tight.tell = heard.append
    standing = fits.resident(tight.loaded.device) + fits.optimizer_bytes(tight)
    alone = max(fits.kept(tight, [row]) for row in range(len(tight.train)))

    assert fits.settle(roomy, 0)  # nobody knows how much there is
    assert (roomy.budget, roomy.recompute.on) == (roomy.widest, False)
    assert fits.settle(tight, round(standing + alone * (1.5 + room.UNTRIED)))
    assert tight.budget < tight.widest
    assert "GB of memory. Passes hold" in heard[0]
    losses = [[step.loss for step in each.run(0)] for each in (roomy, tight)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_last_resort_is_to_compute_again_where_the_recipe_leaves_that_open(tiny_model: Path) -> None:
    import torch

    from app.training import fits

    never = learner(tiny_model, replace(RECIPE, checkpointing="off"))
    assert not fits.settle(never, 1)
    assert not never.recompute.on

    auto = learner(tiny_model)
    heard: list[str] = []
    auto.tell = heard.append
    kept = auto.loss_sum

    def short_of_memory(part: Any, beginning: Any = None) -> Any:
        if not auto.recompute.on:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return kept(part, beginning)

    auto.loss_sum = short_of_memory
    losses = [step.loss for step in auto.run(0)]

    assert losses == pytest.approx([step.loss for step in learner(tiny_model).run(0)], rel=1e-4)
    assert "compute again" in heard[-1]


def test_a_container_says_what_it_leaves(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    assert room.free_bytes(tmp_path, meminfo) == 8_192_000_000
    (tmp_path / "memory.max").write_text("5000000000\n")
    (tmp_path / "memory.current").write_text("3000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000000\n")
    assert room.free_bytes(tmp_path, meminfo) == 2_500_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert room.free_bytes(tmp_path, meminfo) == 8_192_000_000
    assert room.free_bytes(tmp_path / "none", tmp_path / "none") == 0


def test_ligers_kernels_are_refused_where_they_cannot_run(tiny_model: Path) -> None:
    from app.inference import devices
    from app.training import kernels

    said = "run on CUDA and ROCm only" if kernels.has_liger() else "Liger is not installed"
    with pytest.raises(devices.NotThere, match=said):
        learner(tiny_model, replace(RECIPE, kernels="liger"))
