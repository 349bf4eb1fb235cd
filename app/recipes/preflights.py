"""A stored preflight as pages read it, whichever version stored it. Pure.

Preflights are kept as their version made them. Each version added to what is measured, and some may hold no more than
what stood against a start. What is read here holds every part whole or not at all, so that a page asks for a part and
never for the pieces of one.
"""

from collections.abc import Mapping
from typing import Any

COUNTED = ("train", "steps", "steps_per_epoch", "dev_rows", "left_out")
"""What every version counted: without one of these, how much would be trained is not known."""
PIECES: Mapping[str, tuple[str, ...]] = {
    "train": ("rows", "tokens", "trained_tokens"),
    "needs": ("bytes", "low", "high", "tried"),
    "passes": ("tokens", "usual", "recompute"),
    "replay": ("rows", "wanted"),
}
"""Of a part: the numbers that it consists of."""
EACH: Mapping[str, tuple[str, ...]] = {
    "longest": ("id", "prompt", "completion"),
    "samples": ("id", "prompt", "completion"),
    "replay_samples": ("prompt", "completion"),
    "trainings": ("words", "rows", "seconds"),
    "met": ("assessment", "title", "version", "rows"),
    "proposals": ("kind", "change", "fits", "needs", "left_out"),
}
"""Of a list: what each of its items holds."""
BESIDE: Mapping[str, tuple[str, ...]] = {
    "tokens_per_second": ("dev_seconds", "threads", "dtype", "shared_tokens", "adapter_parameters"),
    "scored_rows": ("score_seconds",),
    "test_sets": ("met", "licence"),
    "needs": ("memory",),
}
"""What is said in one breath with a part; where it is missing, the part is not said either."""
BY_PART = ("weights", "adapter", "activations", "program", "reserve")
"""The parts of the memory since forecasts have bounds; before, whatever is there is listed by its name."""


def readable(stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The preflight with what can be relied on; None where there is none.

    Besides what was stored: `counted` says whether rows and steps are known, `memory_bytes` is the sum of `memory`.
    """
    if stored is None:
        return None
    kept = {name: value for name, value in stored.items() if value is not None and _whole(name, value)}
    for name, others in BESIDE.items():
        if name in kept and any(other not in kept for other in others):
            del kept[name]
    memory = kept.get("memory") or {}
    if any(part not in memory for part in BY_PART):
        kept.pop("needs", None)
    return {
        **kept,
        "blockers": list(stored.get("blockers") or ()),
        "counted": counted(stored),
        "memory_bytes": sum(memory.values()),
    }


def counted(stored: Mapping[str, Any]) -> bool:
    """Whether rows and steps are known."""
    return all(stored.get(name) is not None and _whole(name, stored[name]) for name in COUNTED)


def _whole(name: str, value: Any) -> bool:
    """Whether a part has all of its pieces."""
    if name == "proposals":
        return all(
            _has(each, EACH[name])
            and _has(each["needs"], PIECES["needs"])
            and (each["kind"] != "rows" or "max_row_tokens" in each["change"])
            for each in value
        )
    if name in PIECES:
        return _has(value, PIECES[name])
    return name not in EACH or all(_has(each, EACH[name]) for each in value)


def _has(part: Mapping[str, Any], pieces: tuple[str, ...]) -> bool:
    return all(piece in part for piece in pieces)
