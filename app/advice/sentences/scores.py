"""Names of arms and goals, and scores as text: what sentences of several rules share."""

from collections.abc import Iterable

from app.advice.facts import Score
from app.glossary import label
from app.wording import percent, plural

# What a gate says is part of what was approved, so these stay; pages name a variant by its term (`app/glossary.py`).
ARM_NAMES = {
    "zero_shot": "written instructions alone",
    "few_shot_random": "instructions with random examples",
    "few_shot_nearest": "instructions with the nearest examples",
    "revised_prompt": "revised instructions",
    "optimised_prompt": "optimised instructions",
    "schema": "answers held to a schema",
    "label_scoring": "scored labels",
    "rag": "looked-up passages",
    "oracle": "the right passage given",
    "whole_corpus": "all documents in the prompt",
    "many_shot": "many examples in the prompt",
    "trivial": "a trivial rule",
    "small_classifier": "a small classifier",
    "embedding_classifier": "a classifier on embeddings",
    "stronger_model": "a stronger model",
}


def listed(arms: Iterable[str]) -> str:
    """Arms by name, with semicolons between them, since a name may hold a comma."""
    return "; ".join(ARM_NAMES[arm] for arm in arms)


def variant(arm: str) -> str:
    """What to call it in a sentence of a page."""
    return label(f"variant.{arm}")


def score_text(score: Score) -> str:
    """`74.0 % (69.5-78.1 %) on 400 rows`."""
    rows = f" on {plural(score.rows, 'row')}" if score.rows else ""
    return f"{percent(score.score)} ({score.low * 100:.1f}-{percent(score.high)}){rows}"
