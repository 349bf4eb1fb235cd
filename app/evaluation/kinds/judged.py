"""Answers that an LLM judge scores by a team's rubric: pass or fail. `scoring.judge` asks it.

Here is what the metric is called and what it asks for; whether a judge may decide at all is said by people's labels.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.evaluation.kinds.metric import Fault, Metric, Option, run_elsewhere, trimmed

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _faults(kept: dict[str, Any]) -> Iterator[Fault]:
    if "judge" in kept and not _SHA256.fullmatch(kept["judge"]):
        yield "judge", "Choose one of the judges."


METRICS = (
    Metric(
        name="llm_judge",
        binary=True,
        score=run_elsewhere,
        view=trimmed,
        faults=_faults,
        executed=True,
        options=(
            Option(
                name="judge",
                kind="judge",
                title="Judge",
                help="A judge with its rubric, whose agreement with people reaches the policy's kappa. It is asked "
                "once for each answer; its calls count in the estimate and in the budget.",
            ),
        ),
    ),
)
