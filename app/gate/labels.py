"""What the parts of a reviewed subject are called: the labels of the forms that they come from, never their keys."""

from collections.abc import Mapping
from typing import Any

from app import glossary
from app.advice.questions import ASKED

PARTS: Mapping[str, str] = {
    "answers": "Answers",
    "baseline": "Baselines",
    "dataset": "Data",
    "evidence": "Evidence",
    "policy": "Policy",
    "training": "Training config",
    "verdict": "Verdict",
}
UNKNOWN = {"unknown": "I don't know"}


def question(key: str) -> str:
    """The label of an answer; a question that is asked no more is named by its key."""
    asked = ASKED.get(key)
    return asked.label if asked else key.replace("_", " ")


def answered(key: str, given: Any) -> Any:
    """An answer in the words of its question: the labels of what was chosen, and every other value as it is."""
    asked = ASKED.get(key)
    labels = UNKNOWN | {choice.value: choice.label for choice in asked.choices} if asked else UNKNOWN
    if asked and asked.kind in ("percent", "count") and given not in (None, "", "unknown"):
        return f"{100 * float(given):g} %" if asked.kind == "percent" else f"{int(given):,}"
    if isinstance(given, str):
        return asked.nobody if asked and asked.nobody and not given else labels.get(given, given)
    if isinstance(given, list | tuple):
        return [labels.get(one, one) if isinstance(one, str) else one for one in given]
    return given


def setting(name: str) -> str:
    """The label of a setting of the training config."""
    key = f"recipe.{name}"
    return glossary.with_unit(key) if key in glossary.BY_KEY else name.replace("_", " ")


def place(path: str) -> str:
    """Where two subjects differ, in the words of the pages: `Training config: Max steps`."""
    part, _, rest = path.partition(".")
    if part not in PARTS or not rest:
        return PARTS.get(path, path.replace("_", " "))
    if part == "answers":
        name = question(rest)
    elif rest.startswith("recipe."):
        name = setting(rest.removeprefix("recipe."))
    else:
        name = rest.replace("_", " ").replace(".", ", ")
    return f"{PARTS[part]}: {name}"
