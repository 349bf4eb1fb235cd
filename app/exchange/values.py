"""What leaves the app of a measurement: the whole, each of its variants on one split, each answer. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from app.json_types import JsonObject

Split = Literal["dev", "test"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What holds for every line of a file.

    metric_options: as they were set. rules: the version of the rules that it is judged by. rows_sha256, split_sha256:
    of the rows and of which of them are in which split, as frozen. passing: the score from which an answer is right.
    instructions: the run's own. started_at, concluded_at: ISO 8601 in UTC; concluded_at is empty while it runs.
    currency: of costs, empty where no price is known.
    """

    assessment: int
    title: str
    number: int
    dataset_version: int
    rows_sha256: str
    split_sha256: str
    metric: str
    metric_options: JsonObject
    binary: bool
    passing: float
    target: float | None
    rules: int
    instructions: str
    max_tokens: int
    seed: int
    started_at: str
    concluded_at: str
    currency: str = ""

    @property
    def name(self) -> str:
        return f"measurement-{self.number}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one variant on one split, counted: asked = right + wrong + errors.

    total, squares: sums of the scores and of their squares. seconds: of all answers together. Tokens are those that
    the model counted.
    """

    right: int = 0
    wrong: int = 0
    errors: int = 0
    total: float = 0.0
    squares: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def scored(self) -> int:
        return self.right + self.wrong

    @property
    def asked(self) -> int:
        return self.scored + self.errors

    @property
    def mean(self) -> float | None:
        """Mean score of the rows that were answered, 0 to 1; None where none was."""
        return self.total / self.scored if self.scored else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean, from the sample's variance (n - 1); None below two rows."""
        if self.scored < 2:
            return None
        spread = max(0.0, self.squares - self.total**2 / self.scored) / (self.scored - 1)
        return float((spread / self.scored) ** 0.5)


@dataclass(frozen=True, slots=True)
class Block:
    """One variant on one split.

    examples: that stand in each prompt. model: the name that was asked for. answered: names that answered, as the
    server gave them; for a model of this machine its name and the digest of its files. cost: money for its answers, at
    the prices that the measurement began with; None where nobody knows.
    """

    arm_id: int
    arm: str
    title: str
    family: str
    instructions: str
    examples: int
    split: Split
    model: str
    answered: tuple[str, ...]
    tally: Tally = field(default_factory=Tally)
    cost: float | None = None

    @property
    def task(self) -> str:
        """A name for files and suites."""
        return f"{self.arm}_{self.split}".replace("/", "_")


@dataclass(frozen=True, slots=True)
class ExportedPassage:
    """A passage that stood before a question. score: as the way of searching gives it; gold: whether it is a gold
    passage of the row, None where none is known."""

    id: int
    title: str
    text: str
    score: float | None
    gold: bool | None


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """One answer with what it was asked and how it was judged.

    raw: the text as it came. output: what was taken out of it and is scored. compared_*: what the metric compared.
    Tokens: None where the model did not say. latency_ms: of this answer alone; None where it was taken from an earlier
    measurement, whose answer `taken_from` is. cost: see the API. constraint: what the answer was held to, kind and
    SHA-256; None where it was free. passages: what stood before the question, in this order; the whole corpus is not
    written out for each answer.
    """

    baseline: int
    arm: str
    split: str
    example_id: int
    line: int
    question: str
    target: str
    output: str
    raw: str | None
    compared_target: str
    compared_output: str
    metric: str
    score: float | None
    correct: bool | None
    status: str
    error: str | None
    finish: str
    cause: str | None
    prompt_sha256: str
    shots: tuple[int, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int | None
    attempt: int
    created_at: str
    title: str
    model: str
    model_answered: tuple[str, ...]
    metric_options: JsonObject
    rules: int
    rows_sha256: str
    split_sha256: str
    taken_from: int | None = None
    cost: float | None = None
    cost_from: str | None = None
    constraint: str | None = None
    passages: tuple[ExportedPassage, ...] = ()


Lines = Callable[[Block], Iterable[ExportedAnswer]]
"""The answers of a block, in the order of their rows, read as they are asked for."""
