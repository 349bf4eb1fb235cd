"""What the training loop claims: the shortcuts change nothing, and only the answer is learned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.inference.tokens import TokenRow
from tests.support.learners import RECIPE, gradients, learner, rows

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("torch_here")]


def test_shortcuts_give_the_losses_and_gradients_of_a_plain_loop(tiny_model: Path) -> None:
    """Layers, attention, head and the shared beginning of our own beside transformers and peft as they come."""
    import torch
    from peft import LoraConfig, get_peft_model

    from app.inference import attention, loading

    made = learner(tiny_model)
    assert made.loaded.model.config._attn_implementation == attention.BLOCKS
    list(made.run(0))[:2]
    batch = made.train[:6]
    plain = loading.load(tiny_model, None, "float32", attention="eager")
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    with loading.quiet():
        peer = get_peft_model(plain.model, config).train()
    peer.load_state_dict({name: p.detach() for name, p in made.masters.items()}, strict=False)
    losses = []
    for row in batch:
        ids = torch.tensor([row.prompt + row.completion])
        labels = ids.clone()
        labels[0, : len(row.prompt)] = -100
        losses.append(peer(input_ids=ids, labels=labels).loss * len(row.completion))
    torch.stack(losses).sum().backward()

    beginning = made._beginning(((0, 1, 2, 3), (4, 5)))
    found = [made.loss_sum(part, beginning) for part in (batch[:4], batch[4:])]
    torch.stack(found).sum().backward()
    beginning.backward()

    assert beginning.cache(1).get_seq_length() >= 16
    assert float(sum(found).detach()) == pytest.approx(float(sum(losses).detach()), rel=1e-5)
    wanted = dict(peer.named_parameters())
    for name, p in made.learned.items():
        torch.testing.assert_close(p.grad, wanted[name].grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("rows", "before", "tokens"), [(3, 0, 90), (2, 40, 300), (1, 0, 1100)])
def test_attention_by_blocks_is_attention(rows: int, before: int, tokens: int) -> None:
    import torch

    from app.inference.attention import Blocks

    torch.manual_seed(2)
    query = torch.randn(rows, 4, tokens, 8, requires_grad=True)
    key, value = (torch.randn(rows, 2, before + tokens, 8, requires_grad=True) for _ in range(2))
    seen = torch.ones(tokens, before + tokens, dtype=torch.bool).tril(before)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=True)
    at = torch.randn(rows, tokens, 4, 8)
    wanted = torch.autograd.grad(expected.transpose(1, 2), (query, key, value), at)

    found = Blocks.apply(query, key, value, 8**-0.5)

    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-4, atol=1e-5)
    for mine, gradient in zip(torch.autograd.grad(found, (query, key, value), at), wanted, strict=True):
        torch.testing.assert_close(mine, gradient, rtol=1e-3, atol=1e-5)


def test_every_layer_of_a_model_has_its_quick_form(tiny_model: Path) -> None:
    from app.training import fused

    made = learner(tiny_model)
    layers = made.inner.config.num_hidden_layers

    assert fused.fit(made.model) == layers * (7 + 2 + 1) + 1


def test_attention_is_chosen_by_model_and_length() -> None:
    from transformers import Gemma2Config, LlamaConfig

    from app.inference import attention, devices

    def chosen(config: Any, longest: int, *, trained: bool = True) -> str:
        return attention.choose(config, devices.CPU, "float32", longest, trained=trained)

    assert chosen(LlamaConfig(), 90) == chosen(LlamaConfig(), 1500) == attention.BLOCKS
    assert chosen(LlamaConfig(), 90, trained=False) == "sdpa"
    assert (chosen(Gemma2Config(), 90), chosen(Gemma2Config(), 1500)) == ("eager", "sdpa")


def test_sharing_the_beginning_changes_neither_loss_nor_gradients(tiny_model: Path) -> None:
    import torch

    made = learner(tiny_model)
    list(made.run(0))[:2]  # B is no longer zero, so that A has gradients too
    shared = made.shared
    assert shared >= 16
    with_it = gradients(made, made.train[:6])
    made.shared = 0
    without = gradients(made, made.train[:6])

    assert with_it[0] == pytest.approx(without[0], rel=1e-5)
    for name, gradient in with_it[1].items():
        torch.testing.assert_close(gradient, without[1][name], rtol=1e-3, atol=1e-5)


def test_how_a_step_is_cut_into_passes_changes_neither_loss_nor_gradients(tiny_model: Path) -> None:
    """So that passes may be as small as memory wants them."""
    import torch

    made = learner(tiny_model)
    list(made.run(0))[:2]
    whole = gradients(made, made.train[:6])
    parts = [gradients(made, made.train[at : at + 2]) for at in (0, 2, 4)]

    assert sum(loss for loss, _ in parts) == pytest.approx(whole[0], rel=1e-5)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(sum(part[name] for _, part in parts), gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("positions", [1, 128, 300])
def test_the_loss_at_the_head_is_cross_entropy_with_its_gradient(positions: int) -> None:
    import torch

    from app.training.fused import HeadLoss

    torch.manual_seed(3)
    hidden = torch.randn(positions, 24, requires_grad=True)
    weight, bias, labels = torch.randn(90, 24), torch.randn(90), torch.randint(90, (positions,))
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T + bias, labels, reduction="sum")
    (wanted,) = torch.autograd.grad(expected / 7, hidden)

    found = HeadLoss.apply(hidden, weight, bias, labels)
    (gradient,) = torch.autograd.grad(found / 7, hidden)

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_a_batch_of_one_is_trained_without_sharing(tiny_model: Path) -> None:
    made = learner(tiny_model, replace(RECIPE, batch_rows=1, max_steps=2))

    assert [step.step for step in made.run(0)] == [1, 2]


def test_only_the_completion_and_its_stop_token_are_trained(tiny_model: Path) -> None:
    """Although padding is the stop token in this model."""
    from app.training import passes

    made = learner(tiny_model)
    batch = made.train[:5]
    for shared in (0, made.shared):
        inputs, labels = passes.padded(batch, shared, made.loaded.tokenizer.pad_token_id)
        for number, row in enumerate(batch):
            trained = labels[number][labels[number] != passes.NO_TARGET].tolist()
            assert trained == row.completion
            assert trained[-1] == made.loaded.tokenizer.eos_token_id
            assert trained.count(made.loaded.tokenizer.eos_token_id) == 1
            first = int((labels[number] != passes.NO_TARGET).nonzero()[0])
            assert inputs[number, : first + 1].tolist() == row.prompt[shared:]


def test_the_loss_falls_and_the_base_stays_as_it_is(tiny_model: Path) -> None:
    import torch

    made = learner(tiny_model, replace(RECIPE, epochs=10))
    frozen = {name: p for name, p in made.model.named_parameters() if not p.requires_grad}
    before = {name: p.clone() for name, p in frozen.items()}
    steps = list(made.run(0))

    assert steps[-1].loss < steps[0].loss - 0.2
    assert all(p.grad is None for p in frozen.values())
    assert all(torch.equal(p, before[name]) for name, p in frozen.items())


@pytest.mark.parametrize("scaling", ["lora", "rslora"])
def test_a_saved_adapter_loads_to_the_same_loss(tiny_model: Path, tmp_path: Path, scaling: str) -> None:
    from app.inference import folders, loading

    made = learner(tiny_model, replace(RECIPE, scaling=scaling))
    list(made.run(0))
    loss = sum(part for part, _ in made.dev_losses())
    made.save(tmp_path)
    folder = tmp_path / "adapter"
    folder.mkdir()
    made.export(folder, tmp_path / "masters.safetensors", "someone/tiny", None)

    assert not list(folders.adapter_faults(folder))
    again = loading.adapted(loading.load(tiny_model, None, "float32", attention="eager"), folder)
    made.model, made.inner = again.model, again.model.get_base_model()
    assert sum(part for part, _ in made.dev_losses()) == pytest.approx(loss, rel=1e-6)
    merged = again.model.merge_and_unload()
    made.model, made.inner = merged, merged
    assert sum(part for part, _ in made.dev_losses()) == pytest.approx(loss, rel=1e-4)


def test_bfloat16_learns_with_masters_in_32_bits(tiny_model: Path) -> None:
    import torch

    from app.inference import loading
    from app.training import lora

    loaded = loading.load(tiny_model, None, "bfloat16", trained=True)
    made = lora.Learner(loaded, replace(RECIPE, epochs=10), rows(loaded, 12), rows(loaded, 4))
    steps = list(made.run(0))

    assert steps[-1].loss < steps[0].loss - 0.2
    assert {p.dtype for p in made.learned.values()} == {torch.bfloat16}
    assert {p.dtype for p in made.masters.values()} == {torch.float32}


def test_an_adapter_with_values_that_are_no_numbers_is_not_handed_out(tiny_model: Path, tmp_path: Path) -> None:
    from app.training import lora

    made = learner(tiny_model)
    next(iter(made.masters.values()))[0, 0] = float("inf")
    made.save(tmp_path)

    with pytest.raises(lora.Diverged, match="not numbers"):
        made.export(tmp_path, tmp_path / "masters.safetensors", "someone/tiny", None)
    assert not (tmp_path / "adapter_model.safetensors").exists()


def test_attention_only_learns_fewer_layers(tiny_model: Path) -> None:
    everything = learner(tiny_model)
    attention = learner(tiny_model, replace(RECIPE, targets="attention"))

    assert {name.split(".")[-4] for name in attention.learned} <= {"q_proj", "k_proj", "v_proj", "o_proj", "self_attn"}
    assert attention.adapter_parameters < everything.adapter_parameters


# ---------------------------------------------------------------- the smoke leg


def test_the_smoke_leg_leaves_the_run_as_it_was_to_the_bit(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    from app.training import smoke

    straight, after = learner(tiny_model), learner(tiny_model)
    leg = smoke.leg(after, tmp_path / "smoke")
    losses = [[step.loss for step in each.run(0)] for each in (straight, after)]

    assert leg.after < leg.before
    assert losses[0] == losses[1]
    assert all(torch.equal(tensor, after.masters[name]) for name, tensor in straight.masters.items())
    assert not (tmp_path / "smoke").exists()


def test_a_checkpoint_that_is_not_what_was_learnt_ends_the_run_before_it_begins(
    tiny_model: Path, tmp_path: Path
) -> None:
    from app.training import lora, smoke

    class Forgetful(lora.Learner):
        """Saves, and reads something else back."""

        def restore(self, folder: Path) -> None:
            super().restore(folder)
            self.masters[next(name for name in self.masters if "lora_B" in name)].fill_(0.5)
            self._round()

    made = learner(tiny_model)
    made.__class__ = Forgetful
    with pytest.raises(smoke.Broken, match="read back scores"):
        smoke.leg(made, tmp_path / "smoke")
    assert all(float(tensor.abs().sum()) == 0 for name, tensor in made.masters.items() if "lora_B" in name)


def test_a_step_that_does_not_fit_is_taken_in_smaller_passes_with_the_same_result(tiny_model: Path) -> None:
    import torch

    whole, halved = learner(tiny_model), learner(tiny_model)
    heard: list[str] = []
    halved.tell = heard.append
    kept, most = halved.loss_sum, 2  # rows that fit

    def short_of_memory(rows: Sequence[TokenRow], beginning: Any) -> Any:
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return kept(rows, beginning)

    halved.loss_sum = short_of_memory
    losses = [[step.loss for step in each.run(0)] for each in (whole, halved)]

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert len(heard) == 1
    assert "batches are the same" in heard[0]


def test_one_row_that_does_not_fit_ends_the_run(tiny_model: Path) -> None:
    import torch

    made = learner(tiny_model, replace(RECIPE, batch_rows=1))

    def never(_rows: Sequence[TokenRow], _beginning: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    made.loss_sum = never
    with pytest.raises(torch.OutOfMemoryError, match="one row alone"):
        list(made.run(0))


def test_a_device_that_was_named_and_is_not_there_is_no_reason_to_take_another() -> None:
    import torch

    from app.inference import devices

    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(devices.NotThere, match=f"TUNEGATE_DEVICE is {absent}"):
        devices.choose(absent)
    assert devices.choose("auto").name != absent
