"""Set up what is trained: rows rendered with the winning prompt, cut into tokens, and a learner that holds them."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.baselines import prompts
from app.inference import loading, tokens
from app.inference.tokens import TokenRow
from app.training import lora
from app.training.order import Order, SourceRow


def learner(model: Path, rows: Iterable[SourceRow], order: Order, dtype: str = "") -> tuple[lora.Learner, int]:
    """A learner over the approved rows, and how many training rows were too long for the recipe.

    dtype: of the attempt before, so that a resumed run does not change its precision.
    """
    kind = dtype or order.recipe.precision
    loaded = loading.load(
        model, order.files, kind, attention="eager"
    )  # hashed once more: what is opened is what was seen
    source = list(rows)
    train, dropped = encoded(loaded, order, (row for row in source if row.split == "train"))
    dev, _ = encoded(loaded, order, (row for row in source if row.split == "dev"))
    if not train or not dev:
        raise ValueError("No training row or no dev row fits the recipe's longest row.")
    return lora.Learner(loaded, order.recipe, train, sample(dev, order.recipe.dev_rows, order.recipe.seed)), dropped


def encoded(loaded: loading.Loaded, order: Order, source: Iterable[SourceRow]) -> tuple[list[TokenRow], int]:
    """Rows as tokens, and how many were left out for their length."""
    longest = min(order.recipe.max_row_tokens, loaded.context)
    rows = [row(loaded, order, one) for one in source]
    fitting = [one for one in rows if one.length <= longest]
    return fitting, len(rows) - len(fitting)


def row(loaded: loading.Loaded, order: Order, source: SourceRow) -> TokenRow:
    """One row as tokens, its prompt rendered by the function that renders the evaluation's prompts too."""
    messages = prompts.render(order.instructions, (), source.messages)
    return tokens.training_row(loaded.tokenizer, messages, source.target)


def sample(rows: list[TokenRow], count: int, seed: int) -> list[TokenRow]:
    """The dev rows that the loss is measured on: the same ones at every check."""
    return rows if len(rows) <= count else random.Random(f"dev/{seed}").sample(rows, count)


def facts(made: lora.Learner, left_out: int) -> dict[str, Any]:
    """What a log should say at the start."""
    return {
        "dtype": made.loaded.dtype,
        "train_rows": len(made.train),
        "dev_rows": len(made.dev),
        "left_out": left_out,
        "shared_tokens": made.shared,
        "adapter_parameters": made.adapter_parameters,
    }
