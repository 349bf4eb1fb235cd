"""Options of a config together: general rows, the shared beginning, ranks, checkpointing and memory."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.chat import Message
from app.inference.local_protocol import AskedRow
from app.training import freeing
from app.training.ranks import Place, Team
from tests.support.learners import RECIPE, rows

GENERAL = 4


def mixed(model: Path, **changes: Any) -> Any:
    """A learner of twelve rows with a shared beginning and some general ones: the first begins as these do."""
    from app.inference import loading, tokens
    from app.training import lora

    loaded = loading.load(model, None, "float32", trained=True)
    own = rows(loaded, 12)
    short = [
        tokens.training_row(loaded.tokenizer, [Message("user", f"word {number}")], "word " * (3 + number))
        for number in range(GENERAL - 1)
    ]
    made = lora.Learner(loaded, replace(RECIPE, **changes), [*own, own[0], *short], own[:4], replay=GENERAL)
    assert made.shared > max(len(row.prompt) for row in short)
    return made


def summed(made: Any, parts: Any, trained: int) -> dict[str, Any]:
    """The gradients that these passes leave behind."""
    import torch

    made.model.train()
    made._gradients(1, parts, trained)
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in made.learned.items()}
    made.forget_gradients()
    return found


@pytest.mark.torch
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("checkpointing", ["on", "off"])
def test_general_rows_leave_the_gradients_of_a_plain_loop(
    tiny_model: Path, torch_here: None, checkpointing: str, ranks: int
) -> None:
    """With layers and attention of our own, a beginning that is computed once, and passes dealt to ranks."""
    import torch

    made = mixed(tiny_model, checkpointing=checkpointing, kernels="torch")
    for number in range(3):  # B is no longer zero, so that A has gradients too
        made.step(number + 1, ((0, 1), (2,)))
    step = ((0, 1, 2, 12, 14), (3, 13, 15))
    trained = sum(len(made.train[row].completion) for part in step for row in part)
    plain = [summed(made, ((row,),), trained) for part in step for row in part]

    found = []
    for rank in range(ranks):
        made.team = Team(Place(rank, ranks))
        found.append(summed(made, made.share(step), trained))

    assert made.recompute.on == (checkpointing == "on")
    for name in made.learned:
        torch.testing.assert_close(
            sum(one[name] for one in found), sum(one[name] for one in plain), rtol=1e-3, atol=1e-6
        )


@pytest.mark.torch
def test_general_rows_are_counted_as_what_they_take(tiny_model: Path, torch_here: None) -> None:
    """They have no part in the shared beginning, and shorter rows leave some of them out, too."""
    from app.training import fits, proposals

    made = mixed(tiny_model)
    general = [13, 14, 15]
    width = max(made.lengths[row] for row in general)
    assert fits.kept(made, general) == fits.shape(made).kept(3, width)
    assert fits.kept(made, [0, 1, *general]) >= fits.kept(made, [0, 1])

    longest = sorted(made.lengths)[-3]
    left_out = sum(length > longest for length in made.lengths)
    made.train, made.lengths = [*made.train], [*made.lengths]
    long = replace(made.train[15], completion=made.train[15].completion * 60)
    made.train[15], made.lengths[15] = long, long.length
    found = proposals.shorter_rows(made, 0, 1, longest)
    assert found["left_out"] == left_out + 1
    assert (made.replay, len(made.train)) == (GENERAL, 16)


@pytest.mark.torch
def test_a_proposal_changes_the_config(tiny_model: Path, torch_here: None) -> None:
    """What stays within the limit, and leaves too little for a longer run, is not told to choose what it has."""
    from app.training import fits, proposals

    made = mixed(tiny_model)
    standing = fits.Meter(made.loaded.device).standing
    passes = fits.heaviest_pass(made, fits.heaviest(made, 1)[0])
    limit = sum(fits.parts(made, standing, passes).values()) - 1
    assert fits.settle(made, limit, standing)

    found = {one["kind"]: one for one in proposals.proposals(made, limit, standing, passes, fitted=True)}

    assert found["checkpointing"]["change"] == {"checkpointing": "on"}


@pytest.mark.torch
def test_processes_on_one_machine_share_its_memory(tiny_model: Path, torch_here: None) -> None:
    from app.inference import devices
    from app.training import fits

    several = replace(RECIPE, launcher="torchrun", processes=4)
    assert [fits.beside(one, devices.CPU) for one in (RECIPE, several, replace(several, launcher="ray"))] == [1, 4, 1]
    assert fits.limit(devices.CPU, 4_000_000, 4) == 1_000_000
    held = fits.resident(devices.CPU)
    assert fits.limit(devices.CPU, 0, 4) - held == pytest.approx((fits.limit(devices.CPU, 0) - held) / 4, rel=0.2)


@pytest.mark.torch
def test_a_model_loaded_to_be_trained_answers_in_padded_batches_as_any_other(
    tiny_model: Path, torch_here: None
) -> None:
    """Its attention takes no mask, and transformers makes none for it; rows of unlike length have padding."""
    import torch

    from app.inference import attention, loading, local_child, pool

    asked: list[AskedRow] = [
        {"id": str(number), "messages": [{"role": "user", "content": "one two three " * number}], "max_tokens": 8}
        for number in range(1, 5)
    ]
    answers = []
    for trained in (False, True):
        loaded = loading.load(tiny_model, None, "float32", trained=trained)
        for name, weights in loaded.model.named_parameters():
            if weights.dim() > 1:  # so that what is read decides what is said
                torch.nn.init.normal_(weights, 0, 0.3, torch.Generator().manual_seed(len(name)))
        pool._tried[loaded.model] = False  # as a model that a pool does not know
        made = local_child.answer(loaded, asked, threading.Event())
        answers.append({one["id"]: one["text"] for one in made})
        assert (loaded.model.config._attn_implementation == attention.BLOCKS) is trained

    assert answers[0] == answers[1]


def test_what_several_trainings_leave_is_taken_away(tmp_path: Path) -> None:
    """A pause takes what is half written; the end takes checkpoints and adapters, and leaves journals."""
    legs = [tmp_path / "legs" / name for name in ("rate-1", "rate-2")]
    for folder in (tmp_path, *legs):
        for name in ("staging", "checkpoints", "adapter"):
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_bytes(b"x" * 100)
        (folder / "metrics.jsonl").write_text("{}")

    assert freeing.free(tmp_path, for_good=False) == 300
    assert (legs[0] / "checkpoints" / "file").exists()
    assert (legs[1] / "adapter" / "file").exists()
    assert freeing.free(tmp_path, for_good=True) == 500
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"adapter/file", "metrics.jsonl", "legs/rate-1/metrics.jsonl", "legs/rate-2/metrics.jsonl"}
