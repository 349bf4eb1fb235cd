"""Learners over the tiny model and rows of it, for tests of what is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.chat import Message
from app.inference.tokens import TokenRow
from app.training.recipe import Recipe
from tests.support import tiny

RECIPE = Recipe(rank=4, alpha=8, learning_rate=1e-2, batch_rows=4, epochs=3, precision="float32")
TOLD = "Say the first word of the question twice, and nothing else."


def rows(loaded: Any, count: int, instructions: str = TOLD) -> list[TokenRow]:
    from app.inference import tokens

    made = []
    for row in tiny.rows(count, 0):
        asked: Any = row["messages"]
        turns = [Message("system", instructions), Message("user", asked[0]["content"])]
        made.append(tokens.training_row(loaded.tokenizer, turns, str(row["target"])))
    return made


def learner(model: Path, recipe: Recipe = RECIPE, count: int = 12) -> Any:
    from app.inference import loading
    from app.training import lora

    loaded = loading.load(model, None, "float32", trained=True)
    made = rows(loaded, count)
    return lora.Learner(loaded, recipe, made, made[:4])


def gradients(made: Any, batch: Sequence[TokenRow]) -> tuple[float, dict[str, Any]]:
    made.model.train()
    loss = made.loss_sum(batch)
    loss.backward()
    found = {name: p.grad.clone() for name, p in made.learned.items()}
    for p in made.learned.values():
        p.grad = None
    return float(loss.detach()), found
