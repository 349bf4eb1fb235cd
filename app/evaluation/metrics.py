"""How an answer is scored against the wanted one: deterministic, the same every time, 0 to 1, higher is better.

No model judges another here: an LLM judge is asked elsewhere (`kinds.judged`). Both sides are trimmed before anything
is compared: a harness that did not trim once scored 0 % where another scored 26.5 % on identical replies. `view` is
what a metric really compares, so that a page can show the raw text and the compared text side by side. The metrics
themselves stand in `kinds`, by what they look at.
"""

from collections.abc import Mapping

from app.errors import FieldError, Invalid
from app.evaluation.kinds import (
    docstrings,
    executed,
    json_answers,
    judged,
    limits,
    one_number,
    overlap,
    patterns,
    refusals,
    same_text,
)
from app.evaluation.kinds.metric import Kept, Metric, Option, Options
from app.evaluation.kinds.patterns import PATTERN_LIMIT, PATTERN_MEMORY, pattern_coverage
from app.evaluation.kinds.same_text import dressed
from app.json_types import JsonObject

__all__ = [
    "METRICS",
    "PATTERN_LIMIT",
    "PATTERN_MEMORY",
    "Metric",
    "Option",
    "Options",
    "checked",
    "dressed",
    "get",
    "pattern_coverage",
    "saved",
    "score",
]


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for kind in (
        same_text,
        one_number,
        patterns,
        json_answers,
        executed,
        judged,
        overlap,
        docstrings,
        limits,
        refusals,
    )
    for metric in kind.METRICS
}


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        Invalid: there is none; the sentence lists those that there are.
    """
    if metric := METRICS.get(name):
        return metric
    known = ", ".join(METRICS)
    raise Invalid("There is no such metric.", [FieldError("#/metric", f"Choose one of: {known}.")])


def checked(name: str, options: JsonObject) -> Kept:
    """The options that this metric understands, ready to be stored; empty ones are left out.

    Raises:
        Invalid: an option is missing, unknown or cannot be used; all of them at once.
    """
    metric = get(name)
    known = {option.name: option for option in metric.options}
    faults = [
        FieldError("#/metric_options", f"{metric.title} has no option “{unknown}”.")
        for unknown in options
        if unknown not in known
    ]
    kept: Kept = {}
    for option in metric.options:
        value = options.get(option.name)
        if value in (None, "", False):
            if option.required:
                faults.append(FieldError(f"#/metric_options/{option.name}", f"Fill in: {option.title}."))
        elif option.kind == "flag":
            kept[option.name] = True
        elif not isinstance(value, str):
            faults.append(FieldError(f"#/metric_options/{option.name}", f"{option.title} has to be text."))
        else:
            kept[option.name] = value
    faults += [FieldError(f"#/metric_options/{option}", wrong) for option, wrong in metric.faults(kept)]
    if faults:
        raise Invalid(f"{metric.title} cannot be used like this.", faults)
    return kept


def score(name: str, output: str, target: str, options: Options) -> float:
    """Not for a metric that is executed; see `scoring.scores`."""
    return get(name).score(output, target, options)


def saved(name: str, output: str, target: str, options: Options) -> str:
    """The option of this metric that would make a wrong answer right, empty if none would: for a count on the page."""
    if get(name).executed or not get(name).binary:
        return ""
    for option in get(name).options:
        if option.kind != "flag" or options.get(option.name):
            continue
        allowed = {**options, option.name: True}
        if score(name, output, target, allowed) == 1 > score(name, output, target, options):
            return option.name
    return ""
