"""What the page about measuring shows, as plain values: results as bars with intervals, and words beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.baselines import arms
from app.baselines.arms import Tally
from app.baselines.tables import ArmRow
from app.web import charts

TONES = {"trivial": "soft", "adapter": "tune"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of arms."""

    arm: ArmRow
    term: str
    dev: Mapping[str, Any] | None
    test: Mapping[str, Any] | None
    unknown: bool
    leading: bool


def rows(shown: Sequence[ArmRow], leading: ArmRow | None) -> list[Row]:
    """Arms for the table, the best dev score first; those without a result keep their place below."""
    ordered = sorted(shown, key=lambda arm: -(arm.dev["score"] if arm.dev else arm.test["score"] if arm.test else -1))
    return [
        Row(
            arm=arm,
            term=arms.TERMS.get(arm.family, ""),
            dev=arm.dev,
            test=arm.test,
            unknown=any(found is not None and not Tally.of(found).known for found in (arm.dev, arm.test)),
            leading=leading is not None and arm.id == leading.id,
        )
        for arm in ordered
    ]


def reported(shown: Sequence[ArmRow]) -> list[str]:
    """Names that the server gave for the model that answered; more than one means that it changed under the run."""
    return sorted(
        {name for arm in shown for found in (arm.dev, arm.test) if found for name in found.get("reported", [])}
    )


def free_lead(shown: Sequence[ArmRow], leading: ArmRow | None) -> ArmRow | None:
    """The arm without a model that does better on the dev rows than the best prompt, if one does."""
    free = [arm for arm in shown if arm.family == "trivial" and arm.dev]
    if leading is None or leading.dev is None or not free:
        return None
    first = max(free, key=lambda arm: arm.dev["score"] if arm.dev else 0.0)
    return first if first.dev and first.dev["score"] > leading.dev["score"] else None


def chart(
    title: str, shown: Sequence[ArmRow], split: str, target: float | None, url: Mapping[int, str]
) -> charts.IntervalChart | None:
    """A strip for every arm with a result on this split, the best first; None when there is no result at all."""
    found = [(arm, arm.dev if split == "dev" else arm.test) for arm in shown]
    known = [(arm, result) for arm, result in found if result is not None]
    if not known:
        return None
    known.sort(key=lambda pair: -pair[1]["score"])
    return charts.intervals(title, [_strip(arm, result, url) for arm, result in known], target=target)


def _strip(arm: ArmRow, result: Mapping[str, Any], url: Mapping[int, str]) -> charts.Arm:
    tone = TONES.get(arm.family, "prompt")
    link = url.get(arm.id, "")
    if not Tally.of(result).known:
        lost = result["errors"] / max(1, result["n"] + result["errors"])
        return charts.Arm(arm.title, None, tone="open", note=f"unknown: {lost:.0%} of its rows had errors", url=link)
    return charts.Arm(arm.title, result["score"], result["low"], result["high"], tone=tone, url=link)
