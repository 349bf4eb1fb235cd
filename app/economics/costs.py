"""What a use case's costs are worked out from, and what came of it, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.advice import economics
from app.advice.economics import Comparison, Move, Tokens, Way
from app.economics import sentences
from app.economics.assumptions import Assumptions
from app.economics.prices import Price
from app.wording import Statement

How = Literal["measured", "declared", "estimated"]


@dataclass(frozen=True, slots=True)
class MeasuredWay:
    """One way to answer, as it was measured. model: its id and name; local: it runs on machines of one's own.

    tokens_in: None where no model is asked, 0 where nobody knows. counted: the model said how many, they are not
    estimated. split: dev or test, where the score is from. meets: the target, by the rule of gate G6. pace: seconds
    from one answer to the next. shots: examples in the prompt, `nearest` or the same for all. instructions: characters
    of them.
    """

    key: str
    family: str
    title: str
    model: int
    model_name: str
    model_reference: str
    local: bool
    tokens_in: float | None
    tokens_out: float
    score: float
    split: str
    meets: bool | None
    pace: float | None = None
    shots: int = 0
    nearest: bool = False
    instructions: int = 0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class CostInput:
    """Everything that a study is made of. calls: a month, as declared. waits: an answer must come within half a second.

    payback: months within which making it has to be paid back.
    usable, floor, test_lacks: usable examples as far as known, how many the first criterion asks for, and how many test
    rows are still missing. dev_rows, test_rows: rows on which a trained model is judged.
    """

    arms: Sequence[MeasuredWay]
    assumptions: Assumptions
    prices: Sequence[Price]
    today: date
    calls: float | None = None
    target: float | None = None
    waits: bool = False
    payback: float = economics.PAYBACK_MONTHS
    usable: int | None = None
    floor: int = 1000
    test_lacks: int = 0
    dev_rows: int = 0
    test_rows: int = 0


@dataclass(frozen=True, slots=True)
class PricedWay:
    """One way to answer with its costs. way, month: None while a price is missing, which `lack` says."""

    key: str
    name: str
    tone: str
    tokens: Tokens | None
    tokens_how: How
    score: float | None
    split: str
    meets: bool | None
    way: Way | None
    month: float | None
    lack: Statement | None = None

    @property
    def lacks(self) -> str:
        """What is missing, in words; empty if nothing is."""
        return sentences.LACKING(self.lack) if self.lack else ""

    @property
    def per_call(self) -> float | None:
        return None if self.way is None else self.way.per_call

    @property
    def per_thousand(self) -> float | None:
        """Money for 1,000 calls: a single one has too many zeros to be read."""
        return None if self.per_call is None else 1000 * self.per_call


@dataclass(frozen=True, slots=True)
class Figure:
    """One amount that the sums are made of, in the study's currency. notes: what it comes from."""

    code: str
    value: float | None
    notes: tuple[Statement, ...] = ()
    how: How = "estimated"
    money: bool = True

    @property
    def name(self) -> str:
        return sentences.FIGURES[self.code]

    @property
    def unit(self) -> str:
        """How often it falls due."""
        return "once" if self.code in ("data", "compute", "judging") else "a month"

    @property
    def note(self) -> str:
        return ", ".join(sentences.NOTES(note) for note in self.notes)


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that has to be said or measured first; `where`: prices, describe, measure, or a field of the form."""

    what: Statement
    where: str

    @property
    def text(self) -> str:
        return sentences.LACKS(self.what)


@dataclass(frozen=True, slots=True)
class Once:
    """Both bills of a job that runs only once (gate G3): by prompt, in the batch tier where there is one; by training.

    training: making it and one month of running it. Both are shown even where training is the cheaper one.
    """

    calls: float
    prompt: float
    batch: bool
    training: float


@dataclass(frozen=True, slots=True)
class Study:
    """What came of it. compared_with: the way that a trained model is compared with; sound: it meets the target.

    prompt_share: what the prompt makes up of a call's cost, 0 to 1, for that way; None without prices by token.
    """

    currency: str
    calls: float | None
    target: float | None
    lines: Sequence[PricedWay]
    trained: PricedWay | None
    compared_with: PricedWay | None
    sound: bool
    comparison: Comparison | None
    moves: Sequence[Move]
    figures: Sequence[Figure]
    lacks: Sequence[Lack]
    used: Sequence[Price]
    old: Sequence[Price]
    limit: float = economics.PAYBACK_MONTHS
    once: Once | None = None
    prompt_share: float | None = None
    trained_measured: bool = False
    unsaid: Sequence[str] = ()

    @property
    def every_line(self) -> "Sequence[PricedWay]":
        """All ways, a trained model last."""
        return [*self.lines, *([self.trained] if self.trained else [])]

    @property
    def case(self) -> Literal["pass", "fail"] | None:
        """What gate G12 is told; None while it cannot be known. An incomplete sum can fail, and never pass."""
        if self.comparison is None or self.comparison.pays is None or not self.sound:
            return None
        if not self.comparison.pays:
            return "fail"
        return None if self.unsaid else "pass"

    @property
    def never(self) -> bool:
        return self.comparison is not None and self.comparison.break_even is None
