"""What advice is over the API: the case file that goes in, and every part of what comes out."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.advice import schema
from app.assessments.answer_models import CaseAnswers
from app.json_types import JsonDict
from app.web.params import OneLine

MeasuredKey = Annotated[OneLine, Field(max_length=100)]


class Case(BaseModel):
    """A case file, as `python -m app advise` reads it. Every key may be left out."""

    model_config = ConfigDict(extra="forbid")

    answers: CaseAnswers | None = None
    measured: Annotated[
        dict[MeasuredKey, object] | None,
        Field(max_length=100, description=f"Measured values: {', '.join(schema.MEASURED_KEYS)}."),
    ] = None


class Points(BaseModel):
    prompt: int
    rag: int
    fine_tune: int


class Criterion(BaseModel):
    """One of the twelve criteria for training."""

    id: str
    state: Literal["pass", "fail", "unknown", "not_applicable"]
    measured: str
    needed: str
    change: str
    meanwhile: str


class Reason(BaseModel):
    factor: str
    answer: str
    measured: bool
    points: Points
    because: str
    source: str


class Flip(BaseModel):
    """A change that leads to another approach or unlocks or locks training."""

    change: JsonDict
    approach: str
    training: str
    text: str


class PolicyVersion(BaseModel):
    version: str
    sha256: str


class Contradiction(BaseModel):
    """Answers that can't all be right; `keys` are the questions."""

    keys: list[str]
    text: str


class Disagreement(BaseModel):
    """What was declared, and what a measurement says instead."""

    factor: str
    key: str
    declared: str
    measured: str
    text: str


class Robustness(BaseModel):
    """The share of slightly different policies that come to the same verdict."""

    share: float
    draws: int
    word: Literal["very stable", "stable", "fragile"]
    by_weights: float
    by_thresholds: float
    text: str


class Alternative(BaseModel):
    """None of the approaches: what may do the job instead.

    measured: it was tried here, and meets the target or beats every prompt. meets: false for what beats every prompt
    without a language model and misses the target, or may.
    """

    technique: str
    title: str
    text: str
    measured: bool
    meets: bool


class FlipCost(BaseModel):
    """Beside each of the flips, in their order: how many things have to change, and what the dearest takes."""

    steps: int
    effort: Literal["a new answer", "minutes", "days", "weeks"]


class More(BaseModel):
    """What pages show beside the advice."""

    rule: int
    contradictions: list[Contradiction]
    disagreements: list[Disagreement]
    robustness: Robustness
    instead: list[Alternative]
    flips: list[FlipCost]


class Advice(BaseModel):
    """What to do now, whether training is unlocked, and why. `more` is there if it was asked for."""

    approach: Literal["prompt", "rag", "fine_tune", "hybrid"]
    technique: str | None
    training: Literal["ready", "locked"]
    leaning: Literal["fine_tune", "hybrid"] | None
    confidence: Literal["high", "medium", "low"]
    scores: Points
    gates: list[Criterion]
    reasons: list[Reason]
    flips: list[Flip]
    policy: PolicyVersion
    more: More | None = None
