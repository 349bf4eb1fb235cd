"""What a subject says of a training config beyond its settings, because a reviewer has to see it. Pure."""

from collections.abc import Mapping
from typing import Any

from app.recipes import legs, replay


def stated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """By name, each part only where there is something to say: what was approved before keeps its digest.

    settings: of a config; numbers may be texts, as approved.
    """
    parts = {"legs": legs.stated(settings), "replay": replay.stated(settings)}
    return {name: part for name, part in parts.items() if part}
