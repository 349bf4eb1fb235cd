"""Words that are stored because somebody chose them from a list, and what every page calls each of them.

A form offers these labels, and what is read later, in a review, a difference, the record, a model card, has the same
ones. Keys are those of the glossary, where the choice itself has its label. A stored word that is not of today stays as
it is.
"""

from collections.abc import Mapping
from typing import TypeVar

from app import glossary

Stored = TypeVar("Stored")

WORDS: Mapping[str, Mapping[str, str]] = {
    # Settings of a training config.
    "recipe.scaling": {"lora": "Standard: alpha / r", "rslora": "rsLoRA: alpha / √r"},
    "recipe.targets": {"all-linear": "All linear layers", "attention": "Attention only"},
    "recipe.schedule": {"cosine": "Cosine down to zero", "constant": "Constant"},
    "recipe.precision": {"auto": "Quickest here", "bfloat16": "bfloat16", "float32": "float32"},
    "recipe.checkpointing": {"auto": "Where memory needs it", "on": "Always", "off": "Never"},
    "recipe.kernels": {"torch": "torch", "liger": "Liger"},
    "recipe.launcher": {
        "local": "One process on this machine",
        "torchrun": "Several on this machine (torchrun)",
        "ray": "Several on a cluster (Ray)",
    },
    "recipe.base_weights": {"whole": "Whole on each device", "sharded": "Sharded over all devices (FSDP2)"},
    "recipe.sweep": {
        "none": "No: one learning rate",
        "three": "3 rates: half, once, twice the learning rate",
        "five": "5 rates: from a quarter to four times",
    },
    "recipe.curve": {"none": "No", "quarters": "25 % and 50 % of the rows, too"},
    "recipe.stop_by": {"loss": "Dev loss", "metric": "The deciding metric, on dev answers"},
    # Why an answer fails, as a person tags it.
    "cause": {
        "behaviour": "Wrong format, tone or label",
        "facts": "Missing fact",
        "instructions": "Unclear instruction",
        "reference": "Wrong reference",
    },
    # What was advised, and what the sums of the costs come to.
    "training": {"ready": "allowed", "locked": "locked"},
    "leaning": {"fine_tune": "Fine-tune", "hybrid": "RAG and fine-tune"},
    "cost_case": {"pass": "pays", "fail": "does not pay", "not_goal": "cost is no goal"},
    # Where a model answers.
    "model": {"bundled": "bundled model", "folder": "model folder", "endpoint": "model server"},
}


def choices(key: str) -> tuple[tuple[str, str], ...]:
    """The stored words of a choice with their labels, in the order in which a form offers them."""
    return tuple(WORDS[key].items())


def label(key: str, stored: Stored) -> Stored | str:
    """What a stored word is called; whatever is none of them comes back as it is."""
    return WORDS.get(key, {}).get(stored, stored) if isinstance(stored, str) else stored


def setting(name: str, stored: Stored) -> Stored | str:
    """What a setting of a training config is called, a whole number with its thousands apart."""
    if isinstance(stored, int) and not isinstance(stored, bool):
        return str(stored) if name == "seed" else f"{stored:,}"
    return label(f"recipe.{name}", stored)


def metric(stored: Stored) -> Stored | str:
    """The label of a metric."""
    return glossary.known("metric", stored) if isinstance(stored, str) and stored else stored
