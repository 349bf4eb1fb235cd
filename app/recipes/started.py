"""What a training config says about where its trainer is started, in words."""

from app.recipes.settings import RecipeSettings
from app.wording import plural

PLACES = {"torchrun": "this machine (torchrun)", "ray": "a cluster (Ray)"}


def started_as(settings: RecipeSettings) -> str:
    """Several processes and where; empty for one on this machine, as it always was. A number may be a text."""
    launcher = str(settings.get("launcher", "local"))
    if launcher == "local":
        return ""
    sharded = ", base weights sharded" if settings.get("base_weights") == "sharded" else ""
    processes = plural(int(settings.get("processes", 1)), "process", "processes")
    return f"{processes} on {PLACES.get(launcher, launcher)}{sharded}"
