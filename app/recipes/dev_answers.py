"""Dev rows that are answered and scored during training, where the deciding metric chooses the checkpoint: what a
subject says of it. Pure."""

from typing import NotRequired, TypedDict

from app.baselines import deciding_judge, standing
from app.baselines.tables import BaselineRow
from app.errors import Invalid
from app.evaluation import metrics
from app.evaluation.metrics import Options
from app.inference.local_protocol import HeldTo
from app.recipes.settings import RecipeSettings


class Scored(TypedDict):
    """How dev rows are answered and scored. options: of the metric. max_tokens: of an answer."""

    metric: str
    options: Options
    max_tokens: int
    constraint: NotRequired[HeldTo]


def part(settings: RecipeSettings, baseline: BaselineRow | None) -> Scored | None:
    """The metric with its options, the answer limit and the constraint, all as the test rows will be asked; None where
    dev loss chooses, or nothing was measured yet. settings: of a config."""
    if settings.get("stop_by", "loss") != "metric" or baseline is None:
        return None
    best = standing.best(baseline)
    held = best.settings.get("constraint") if best is not None else None
    scored: Scored = {
        "metric": baseline.metric,
        "options": dict(baseline.metric_options),
        "max_tokens": baseline.max_tokens,
    }
    if held:
        scored["constraint"] = {"kind": held["kind"], "text": held["text"]}
    return scored


def against(settings: RecipeSettings, scored: Scored | None) -> str:
    """Why the metric cannot choose the checkpoint, in a sentence; empty where it can or need not. scored: of `part`."""
    if settings.get("stop_by", "loss") != "metric":
        return ""
    if scored is None:
        return "Early stopping by the deciding metric needs one: run the baselines first, or stop by dev loss."
    try:
        metric = metrics.get(scored["metric"])
    except Invalid:
        return "The deciding metric is not known to this version. Stop by dev loss."
    if metric.name == deciding_judge.METRIC:
        return (
            "The metric is an LLM judge, which a trainer has no way to ask. Choose early stopping by dev loss; the "
            "test rows are scored by the LLM judge all the same."
        )
    if metric.executed:
        return (
            f"{metric.title} runs what it scores in a process of its own, which a trainer has not. Choose early "
            "stopping by dev loss; the test rows are scored by the metric all the same."
        )
    return ""
