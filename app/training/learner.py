"""Set up what is trained: rows rendered with the winning prompt, cut into tokens, and a learner that holds them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from app.baselines import prompts
from app.chat import Message
from app.inference import devices, loading, tokens
from app.inference.local_protocol import Dtype
from app.inference.tokens import TokenRow
from app.recipes import replay
from app.training import legs, lora
from app.training.facts import RunFacts
from app.training.legs import Leg
from app.training.ranks import Team
from app.training.spec import SourceRow, TrainingSpec


def build(
    model: Path,
    rows: Iterable[SourceRow],
    spec: TrainingSpec,
    dtype: str = "",
    device: str = "cpu",
    *,
    leg: Leg | None = None,
    team: Team | None = None,
) -> tuple[lora.Learner, int]:
    """A learner over the approved rows, and how many training rows were too long for the recipe.

    dtype: of the attempt before, so that a resumed run does not change its precision. device: see `devices.choose`.
    leg: which training of the run; what differs from the spec's recipe is its rate, its seed, its share of the rows.
    """
    team = team or Team()
    kind = dtype or loading.precision(spec.recipe.precision, devices.choose(device))
    kind = team.agree(kind)  # timed, and so not the same on every host
    loaded = loading.load(
        model,
        spec.files,
        kind,
        device=device,
        longest=spec.recipe.max_row_tokens,
        trained=True,
        whole=spec.recipe.base_weights == "whole",
        bits=spec.bits,
    )  # hashed once more: what is opened is what was seen
    source = list(rows)
    train, dropped = encoded(loaded, spec, (row for row in source if row.split == "train"))
    dev, _ = encoded(loaded, spec, (row for row in source if row.split == "dev"))
    if not train or not dev:
        raise ValueError("No training row or no dev row is within the max sequence length.")
    chosen = dev_sample(dev, spec.recipe.dev_rows, spec.recipe.seed)  # the same rows in every leg
    recipe, share = (leg.recipe, leg.share) if leg else (spec.recipe, 1.0)
    own = part(train, share, spec.recipe.seed)
    general = replayed(loaded, spec, len(own))
    learner = lora.Learner(loaded, recipe, [*own, *general], chosen, replay=len(general), team=team)
    return learner, dropped


def replayed(loaded: loading.Loaded, spec: TrainingSpec, own: int) -> list[TokenRow]:
    """The general rows that are mixed in beside so many of the task: without its instructions, as anybody would ask."""
    drawn = replay.rows(replay.count(asdict(spec.recipe), own), spec.recipe.seed, spec.recipe.replay_set)
    longest = min(spec.recipe.max_row_tokens, loaded.context)
    rows = [tokens.training_row(loaded.tokenizer, (Message("user", row.question),), row.answer) for row in drawn]
    return [row for row in rows if row.length <= longest]


def part(train: Sequence[TokenRow], share: float, seed: int) -> list[TokenRow]:
    """A part of the training rows, drawn by the config's own seed: the same rows whichever leg asks."""
    order = random.Random(f"curve/{seed}").sample(range(len(train)), len(train))
    return legs.part_of(train, share, order)


def encoded(loaded: loading.Loaded, spec: TrainingSpec, source: Iterable[SourceRow]) -> tuple[list[TokenRow], int]:
    """Rows as tokens, and how many were left out for their length."""
    longest = min(spec.recipe.max_row_tokens, loaded.context)
    rows = [token_row(loaded, spec, row) for row in source]
    fitting = [row for row in rows if row.length <= longest]
    return fitting, len(rows) - len(fitting)


def token_row(loaded: loading.Loaded, spec: TrainingSpec, source: SourceRow) -> TokenRow:
    """One row as tokens, its prompt rendered by the function that renders the evaluation's prompts too."""
    messages = prompts.render(spec.instructions, (), source.messages, source.passages)
    return tokens.training_row(loaded.tokenizer, messages, source.target, source.reasoning, thinks=spec.thinks)


def dev_sample(rows: list[TokenRow], count: int, seed: int) -> list[TokenRow]:
    """The dev rows that the loss is measured on: the same ones at every check."""
    return rows if len(rows) <= count else random.Random(f"dev/{seed}").sample(rows, count)


def facts(learner: lora.Learner, left_out: int) -> RunFacts:
    """What a log should say at the start."""
    known: RunFacts = {"dtype": cast("Dtype", learner.loaded.dtype), "device": learner.loaded.device.title}
    if learner.loaded.bits != 16:
        known["bits"] = learner.loaded.bits
    known["train_rows"] = len(learner.train)
    if learner.replay:
        known["replay_rows"] = learner.replay
    return {
        **known,
        "dev_rows": len(learner.dev),
        "left_out": left_out,
        "shared_tokens": learner.shared,
        "adapter_parameters": learner.adapter_parameters,
    }
