"""What the options of a config cost, from what a preflight measured: seconds of training, said before anybody approves.

Counted without early stopping, so each is the most that it takes. What the test rows take besides is not in it. Pure.
"""

from dataclasses import asdict

from app.recipes import legs as planned
from app.recipes import preflights
from app.recipes.preflights import Preflight, Priced
from app.training import legs
from app.training.recipe import Recipe

START_UP = 15.0  # seconds to load the model and hash the files


def one(recipe: Recipe, measured: Preflight, share: float = 1.0) -> float:
    """Seconds of one training on this share of the rows. measured: the report of a preflight."""
    if not measured["steps_per_epoch"]:
        return 0.0
    return START_UP + share * _reading(measured) + checks(recipe, measured) * a_check(measured)


def _reading(measured: Preflight) -> float:
    """Seconds of all steps of one training on the whole set."""
    passes = measured["steps"] / max(1, measured["steps_per_epoch"])
    return float(measured["train"]["tokens"] * passes / max(measured["tokens_per_second"], 1e-9))


def checks(recipe: Recipe, measured: Preflight) -> float:
    """Dev checks of one training, the first one before any step."""
    return float(1 + recipe.evals_per_epoch * measured["steps"] / max(1, measured["steps_per_epoch"]))


def a_check(measured: Preflight) -> float:
    """Seconds of one dev check: the loss, and the answers where they are scored."""
    return float(measured["dev_seconds"] + measured.get("score_seconds", 0.0))


def trainings(recipe: Recipe, measured: Preflight) -> list[Priced]:
    """Every training of the run with its rows and seconds, in order; the rate that is taken is not known yet, so what
    comes after a sweep is priced as at any rate."""
    first = legs.first(recipe)
    rows = measured["train"]["rows"] - (measured["replay"]["rows"] if "replay" in measured else 0)
    return [
        {"words": leg.words, "rows": max(1, round(leg.share * rows)), "seconds": one(recipe, measured, leg.share)}
        for leg in [*first, *legs.after(recipe, first[0])]
    ]


def whole(recipe: Recipe, measured: Preflight) -> float:
    """Seconds of all trainings of the run."""
    return float(sum(training["seconds"] for training in trainings(recipe, measured)))


def more(recipe: Recipe, measured: Preflight | None) -> dict[str, list[tuple[str, float]]]:
    """By the name of an option: what each of its values adds to a run without it, (value in words, seconds).

    measured: of the last preflight; nothing is known before one.
    """
    if not measured or not preflights.counted(measured):
        return {}
    if not measured.get("tokens_per_second") or "dev_seconds" not in measured:
        return {}
    single = one(recipe, measured)
    count = planned.count(asdict(recipe))
    costs = {
        "sweep": [(f"{len(rates)} rates", (len(rates) - 1) * single) for rates in list(planned.SWEEPS.values())[1:]],
        "seeds": [("each further seed", single)],
        "curve": [("both parts", sum(one(recipe, measured, share) for share in planned.CURVES["quarters"]))],
    }
    general = measured["replay"]["tokens"] if "replay" in measured else 0
    if general:
        costs["replay"] = [("general rows", count * _reading(measured) * general / measured["train"]["tokens"])]
    else:  # as if general rows were as long as those of the task
        costs["replay"] = [("a ratio of 0.1, about", count * _reading(measured) / 9)]
    if "score_seconds" in measured:
        costs["stop_by"] = [("answering dev rows", count * checks(recipe, measured) * measured["score_seconds"])]
    return costs
