"""What a subject says of a training config beyond its settings, because a reviewer has to see it. Pure."""

from typing import TypedDict

from app.recipes import legs, replay
from app.recipes.legs import LegsStated
from app.recipes.replay import ReplayStated
from app.recipes.settings import RecipeSettings


class Stated(TypedDict, total=False):
    """Each part only where there is something to say: what was approved before keeps its digest."""

    legs: LegsStated
    replay: ReplayStated


def stated(settings: RecipeSettings) -> Stated:
    """settings: of a config; numbers may be texts, as approved."""
    parts: Stated = {}
    if (several := legs.stated(settings)) is not None:
        parts["legs"] = several
    if (general := replay.stated(settings)) is not None:
        parts["replay"] = general
    return parts
