"""Answers that an LLM judge scores by a team's rubric: pass or fail. `scoring.judge` asks it.

Here is what the metric is called and what it asks for; whether a judge may decide at all is said by people's labels.
"""

import re
from collections.abc import Iterator

from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, run_elsewhere, text_of, trimmed

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _faults(kept: Kept) -> Iterator[Fault]:
    if "judge" in kept and not _SHA256.fullmatch(text_of(kept, "judge")):
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
