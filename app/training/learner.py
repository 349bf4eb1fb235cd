"""Set up what is trained: rows rendered with the winning prompt, cut into tokens, and a learner that holds them."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.baselines import prompts
from app.inference import loading, tokens
from app.inference.tokens import TokenRow
from app.training import lora
from app.training.spec import SourceRow, TrainingSpec


def build(
    model: Path, rows: Iterable[SourceRow], spec: TrainingSpec, dtype: str = "", device: str = "cpu"
) -> tuple[lora.Learner, int]:
    """A learner over the approved rows, and how many training rows were too long for the recipe.

    dtype: of the attempt before, so that a resumed run does not change its precision. device: see `devices.choose`.
    """
    kind = dtype or spec.recipe.precision
    loaded = loading.load(
        model, spec.files, kind, attention="eager", device=device, bits=spec.bits
    )  # hashed once more: what is opened is what was seen
    source = list(rows)
    train, dropped = encoded(loaded, spec, (row for row in source if row.split == "train"))
    dev, _ = encoded(loaded, spec, (row for row in source if row.split == "dev"))
    if not train or not dev:
        raise ValueError("No training row or no dev row is within the max sequence length.")
    return lora.Learner(loaded, spec.recipe, train, dev_sample(dev, spec.recipe.dev_rows, spec.recipe.seed)), dropped


def encoded(loaded: loading.Loaded, spec: TrainingSpec, source: Iterable[SourceRow]) -> tuple[list[TokenRow], int]:
    """Rows as tokens, and how many were left out for their length."""
    longest = min(spec.recipe.max_row_tokens, loaded.context)
    rows = [token_row(loaded, spec, row) for row in source]
    fitting = [row for row in rows if row.length <= longest]
    return fitting, len(rows) - len(fitting)


def token_row(loaded: loading.Loaded, spec: TrainingSpec, source: SourceRow) -> TokenRow:
    """One row as tokens, its prompt rendered by the function that renders the evaluation's prompts too."""
    messages = prompts.render(spec.instructions, (), source.messages, source.passages)
    return tokens.training_row(loaded.tokenizer, messages, source.target)


def dev_sample(rows: list[TokenRow], count: int, seed: int) -> list[TokenRow]:
    """The dev rows that the loss is measured on: the same ones at every check."""
    return rows if len(rows) <= count else random.Random(f"dev/{seed}").sample(rows, count)


def facts(learner: lora.Learner, left_out: int) -> dict[str, Any]:
    """What a log should say at the start."""
    return {
        "dtype": learner.loaded.dtype,
        "device": learner.loaded.device.title,
        **({"bits": learner.loaded.bits} if learner.loaded.bits != 16 else {}),
        "train_rows": len(learner.train),
        "dev_rows": len(learner.dev),
        "left_out": left_out,
        "shared_tokens": learner.shared,
        "adapter_parameters": learner.adapter_parameters,
    }
