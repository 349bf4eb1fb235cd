"""The LLM judge that decides a measurement: what it was when the measurement began, and people's labels of that day.

All that scoring and summing up need is kept with the measurement, so that a rubric, a connection or labels that change
later change no score. Whether it still holds is asked at the gate (`judging.deciding`). Pure.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Annotated

from app.baselines.arm_settings import ModelPart
from app.baselines.arms import ArmResult
from app.evaluation import correction
from app.evaluation.correction import Labels, Tally
from app.inference.findings import PLAIN, Manner
from app.json_types import JsonObject
from app.strict import AsWritten, Frozen

METRIC = "llm_judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingJudge(Frozen):
    """A judge with its rubric and how far it agreed with people.

    key: of judge and rubric (`key_of`). model: as a measured one (`MeasuredModel.part`). labels: the four counts of
    `correction.Labels`. kappa, kappa_low, kappa_high: agreement with a person, with its 95 % interval; limit: what the
    policy asks for.
    """

    key: str
    model_id: int
    model: Annotated[ModelPart, AsWritten()]
    rubric: int
    rubric_sha256: str
    failure: str
    passes_if: str
    with_expected: bool
    labels: tuple[int, ...]
    kappa: float
    kappa_low: float | None = None
    kappa_high: float | None = None
    limit: float

    @property
    def name(self) -> str:
        return self.model["name"]

    @property
    def label(self) -> str:
        """As one line: who judges by which rule."""
        return label(self.name, self.rubric, self.failure)

    @property
    def counted(self) -> Labels:
        return Labels(*self.labels)

    @property
    def words(self) -> str:
        """How far it agreed, and what was made of it, plainly."""
        kappa = f"{self.kappa:.2f}".replace("-", "\N{MINUS SIGN}")
        return (
            f"{self.name} judges by rubric {self.rubric} (\u201c{self.failure}\u201d): kappa {kappa} with people on "
            f"{self.counted.total} labels, {self.limit:.2g} is asked for. Scores are corrected by these labels, and "
            "intervals hold what they leave open."
        )

    @property
    def manner(self) -> Manner:
        """How its server is asked."""
        server = self.model.get("server")
        return PLAIN if server is None else Manner.from_json(server)


def label(name: str, rubric: int, failure: str) -> str:
    """A judge and its rubric in one line."""
    return f"{name}, rubric {rubric}: {failure}"


def key_of(rubric_sha256: str, model: ModelPart) -> str:
    """What tells a judge with its rubric from every other: SHA-256 of the rubric's hash, the connection or the files,
    and how a server is asked. What people call it does not count, nor when its server was met."""
    server = model.get("server")
    manner = PLAIN if server is None else Manner.from_json(server)
    told = {name: model.get(name) for name in ("kind", "reference", "base_url", "files", "bits")}
    text = json.dumps([rubric_sha256, told, manner.differs()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def of(judge: JsonObject | None) -> DecidingJudge | None:
    """What a measurement kept of its judge (`BaselineRow.judge`); None where no judge decides."""
    return None if judge is None else DecidingJudge.from_json(judge)


def labels_of(judge: JsonObject | None) -> Labels | None:
    """The labels that its scores are corrected by; None where no judge decides."""
    one = of(judge)
    return one.counted if one else None


def as_scored(result: ArmResult) -> float:
    """The mean of the scores of single answers, 0 to 1: where a judge decides, by its own words, not corrected."""
    return result.score if result.judge_passed is None or not result.n else result.judge_passed / result.n


def by_labels(result: ArmResult, judge: JsonObject | None) -> ArmResult:
    """A result by a judge's words as people's labels correct it; itself where no judge decides.

    Rows in groups count as the independent ones that they are worth.
    """
    labels = labels_of(judge)
    if labels is None or not result.n or result.passed is None:
        return result
    share = result.passed / result.n
    rows = max(1, round(result.n / (result.design_effect or 1.0)))
    made = correction.corrected(Tally(round(share * rows), rows), labels)
    if made is None:
        return result
    return replace(result, score=made.share, low=made.low, high=made.high, passed=None, judge_passed=result.passed)
