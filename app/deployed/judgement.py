"""What a look at a served adapter came to. Pure.

A server can take an adapter and serve the base all the same: names of weights that do not match, a rank above its
limit, a family loaded inside a wrapper (vLLM issues 34186, 48019, 55193). Then nothing fails, and nobody notices.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict, cast

from app.evaluation import statistics
from app.wording import percent, plural

State = Literal["pass", "fail", "open"]


class Both(TypedDict):
    """A row that both answered, as JSON: two scores, 0 to 1, and whether both said the same."""

    base: float
    adapter: float
    same: bool


class Failure(TypedDict):
    """A row that one of the two could not answer, as JSON, and why."""

    error: str


Compared: TypeAlias = Both | Failure


@dataclass(frozen=True, slots=True)
class Served:
    """rows: that both answered. changed: of these, where the adapter says something else than the base. base, adapter:
    mean scores, 0 to 1. errors: rows that one of the two could not answer."""

    state: State
    words: str
    rows: int = 0
    changed: int = 0
    base: float | None = None
    adapter: float | None = None
    errors: int = 0


def judge(answers: Mapping[str, Compared], measured: float | None, *, binary: bool) -> Served:
    """measured: what the adapter scored on the test rows here, None where it was not scored."""
    both = [cast("Both", answer) for answer in answers.values() if "same" in answer]
    failed = [answer["error"] for answer in answers.values() if "same" not in answer]
    errors = len(failed)
    if not both:
        first = next(iter(failed), "Nothing was asked.")
        return Served("open", f"No row was answered by both. {first}", errors=errors)
    changed = sum(not answer["same"] for answer in both)
    base, adapter = [float(answer["base"]) for answer in both], [float(answer["adapter"]) for answer in both]
    means = math.fsum(base) / len(base), math.fsum(adapter) / len(adapter)
    seen = f"{changed:,} of {plural(len(both), 'answer differs', 'answers differ')} from the base model's"
    facts = (len(both), changed, *means, errors)
    if not changed:
        words = (
            f"Not one of {plural(len(both), 'answer')} differs from the base model's: the adapter is not applied. "
            "Check the name that the server gives it, the largest rank that the server takes, and its log for weights "
            "that it left out."
        )
        return Served("fail", words, *facts)
    interval = statistics.mean_interval(adapter, binary=binary)
    scored = (
        f"it scores {percent(means[1])} on these dev rows ({percent(interval.low, 0)} to {percent(interval.high, 0)})"
    )
    if measured is not None and interval.high < measured:
        words = (
            f"{seen}, but {scored}, and {percent(measured)} was measured here on the test rows. Check that it is this "
            "adapter, on this base model, with its own chat template."
        )
        return Served("fail", words, *facts)
    return Served("pass", f"{seen}; {scored}.", *facts)
