"""Tiny models that say something: one with a LoRA adapter that was really trained for a moment, and a loud one."""

import shutil
from pathlib import Path

from app.chat import Message
from app.training.recipe import Recipe
from tests.support import tiny

LOUD = 5.0
RECIPE = Recipe(rank=4, alpha=8, learning_rate=3e-2, batch_rows=4, epochs=4, precision="float32")


def adapter_for(model: Path, folder: Path) -> Path:
    """Train, and give the adapter's folder. Imports torch: for tests with `torch_here`."""
    from app.inference import loading, tokens
    from app.training import lora

    loaded = loading.load(model, None, "float32", attention="eager")
    rows = []
    for number in range(12):
        turns = [Message("system", "Say the first word twice."), Message("user", tiny.text(number))]
        rows.append(tokens.training_row(loaded.tokenizer, turns, f"{tiny.text(number).split()[0]} omega"))
    learner = lora.Learner(loaded, RECIPE, rows, rows[:4])
    for epoch in range(RECIPE.epochs):
        list(learner.run(epoch))
    learner.save(folder)
    adapter = folder / "adapter"
    adapter.mkdir()
    learner.export(adapter, folder / "masters.safetensors", "someone/tiny", None)
    return adapter


def talking(model: Path, folder: Path) -> Path:
    """The tiny model with weights so large that it says something else to each question, and never what it was asked.

    As it is made it only repeats the last token. Imports torch: for tests with `torch_here`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    made = Path(shutil.copytree(model, folder / "talking"))
    loud = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with torch.no_grad():
        for weights in loud.model.layers.parameters():
            if weights.dim() > 1:
                weights.mul_(LOUD)
    loud.save_pretrained(made)
    return made
