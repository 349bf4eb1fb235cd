"""The deciding metric at work in a job: opened for a measurement, and what it makes of an answer."""

from dataclasses import replace
from typing import Any

from app.baselines import prompts
from app.baselines.tables import BaselineRow
from app.datasets.store import Example
from app.errors import Conflict
from app.inference.generator import Answer
from app.jobs.claims import Claim, Failed
from app.processes.sealed import Unavailable
from app.scoring import service as scoring
from app.scoring.scores import AboutRow, Score, Scoring


def scorer_of(claim: Claim, baseline: BaselineRow) -> Scoring:
    """The deciding metric, ready to score; whoever has it closes it.

    Raises:
        Failed: what it is executed with is not there or not allowed.
    """
    try:
        with claim.read() as session:
            return scoring.opened(session, claim.settings, claim.blobs, baseline.metric, baseline.metric_options)
    except Conflict as refusal:
        raise Failed(str(refusal)) from refusal


def score(scorer: Scoring, output: str, example: Example) -> Score:
    """What an answer is worth.

    Raises:
        Failed: this machine cannot confine what is executed.
    """
    try:
        return scorer.score(output, example.target, about(example))
    except Unavailable as why:
        raise Failed(str(why)) from why


def settle(
    scorer: Scoring, answer: Answer, details: dict[str, Any] | None, example: Example
) -> tuple[Answer, dict[str, Any] | None, float | None]:
    """An answer with what is kept of it and its score. One that could not be scored is an error and no wrong answer:
    nobody knows what it is worth."""
    if answer.error is not None:
        return answer, details, None
    made = score(scorer, answer.text, example)
    if made.value is None:
        return replace(answer, error=made.why), details, None
    return answer, {**(details or {}), "why": made.why} if made.why else details, made.value


def about(example: Example) -> AboutRow:
    """What a team's scorer is told of a row."""
    return AboutRow(example.line, prompts.question(example.messages))
