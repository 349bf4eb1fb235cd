"""A LoRA adapter of the tiny model that was really trained for a moment, so that its answers are others."""

from pathlib import Path

from app.chat import Message
from app.training.recipe import Recipe
from tests.support import tiny

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
    """The tiny model with such an adapter merged into it: one that says words, others to other questions."""
    from transformers import AutoTokenizer

    from app.inference import loading

    adapted = loading.adapted(loading.load(model, None, "float32", attention="eager"), adapter_for(model, folder))
    made = folder / "talking"
    adapted.model.merge_and_unload().save_pretrained(made)
    AutoTokenizer.from_pretrained(model).save_pretrained(made)
    return made
