"""Parts of the quality report about what was tried on the rows: what they say about the job, and if they can be learnt.

Shares and scores are 0 to 1. Defaults are for what an earlier check did not look for; see `report`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.datasets.checks.report_json import LEFT_OUT, fields_of
from app.json_types import JsonDict


@dataclass(frozen=True, slots=True)
class SignalEvidence:
    """A sentence on one thing that was seen. share: of the rows, 0 to 1; lines: the first that show it."""

    signal: str
    text: str
    share: float = 0.0
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Signals:
    """What the examples say about the job, see `task_signals`; shares are 0 to 1.

    None: an earlier check did not measure it. The advice takes it as it is stored, so nothing is made up here.
    """

    rows: int | None = field(default=None, metadata=LEFT_OUT)
    sampled: int | None = field(default=None, metadata=LEFT_OUT)
    output_kind: str | None = field(default=None, metadata=LEFT_OUT)
    kind_shares: Mapping[str, float] | None = field(default=None, metadata=LEFT_OUT)
    distinct_answers: int | None = field(default=None, metadata=LEFT_OUT)
    distinct_share: float | None = field(default=None, metadata=LEFT_OUT)
    novelty: float | None = field(default=None, metadata=LEFT_OUT)
    uncovered: float | None = field(default=None, metadata=LEFT_OUT)
    questions: float | None = field(default=None, metadata=LEFT_OUT)
    cites: float | None = field(default=None, metadata=LEFT_OUT)
    schema_share: float | None = field(default=None, metadata=LEFT_OUT)
    knowledge: str | None = field(default=None, metadata=LEFT_OUT)
    goals: tuple[str, ...] | None = field(default=None, metadata=LEFT_OUT)
    evidence: tuple[SignalEvidence, ...] = ()

    @property
    def is_sample(self) -> bool:
        return (self.sampled or 0) < (self.rows or 0)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a small learner scored on `rows` rows that it was not shown; score, low, high (95 %) are 0 to 1."""

    name: str = ""
    metric: str = ""
    score: float = 0.0
    low: float | None = None
    high: float | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Trivial:
    """What a guess scored that looks at no question, 0 to 1."""

    name: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The score, 0 to 1, with a share of the rows to learn from."""

    share: float = 1.0
    rows: int = 0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Learnability:
    """Whether the rows can teach anything, see `learnability`; ceilings and scores are 0 to 1.

    per_doubling: what doubling the rows added. of: which rows were tried (train), None in reports that do not say.
    """

    verdict: str = ""
    rows: int = 0
    baseline: Baseline | None = None
    trivial: Trivial | None = None
    ceiling: float | None = None
    ceiling_high: float | None = None
    ceiling_pairs: int = 0
    curve: tuple[CurvePoint, ...] = ()
    per_doubling: float | None = None
    of: str | None = field(default=None, metadata=LEFT_OUT)
    text: str = ""

    def to_json(self) -> JsonDict:
        values = fields_of(self)
        if self.baseline is not None:
            return values
        # Where nothing was tried, the sentence stands second, and no key speaks of a trial.
        del values["per_doubling"]
        return {"verdict": self.verdict, "text": values.pop("text"), **values}
