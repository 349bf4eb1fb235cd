"""What a measurement has cost so far, what each answer cost, and the limit that somebody set to it. Pure.

Prices are those of the team's list when the measurement began, kept with it. Where a server does not say how many
tokens an answer took, they are estimated from the characters, and whatever rests on that is called an estimate.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, cast, get_args

from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.jobs.progress import SpentSoFar
from app.json_types import JsonObject
from app.web.protocols import CallPrice
from app.wording import plural

if TYPE_CHECKING:
    from app.baselines.tables import BaselineRow

Unit = Literal["calls", "tokens", "money"]
UNITS: tuple[Unit, ...] = get_args(Unit)
MOST = 1e15
SLACK = 1 + 1e-9  # sums of floats may miss a limit by less than anybody pays
Source = Literal["measured", "estimated"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a measurement may take at most; None is without limit. money: in the currency of its prices."""

    calls: float | None = None
    tokens: float | None = None
    money: float | None = None

    @staticmethod
    def from_json(kept: JsonObject | None) -> "Budget":
        limits = cast("Mapping[str, float | None]", kept or {})
        return Budget(calls=limits.get("calls"), tokens=limits.get("tokens"), money=limits.get("money"))

    def to_json(self) -> dict[str, float] | None:
        """None where there is no limit at all."""
        return {str(name): value for name, value in self.limits.items()} or None

    @property
    def limits(self) -> dict[Unit, float]:
        of_unit: dict[Unit, float | None] = {"calls": self.calls, "tokens": self.tokens, "money": self.money}
        return {unit: limit for unit, limit in of_unit.items() if limit is not None}

    def changed(self, other: "Budget") -> "Budget":
        """The same with what the other one sets."""
        set_anew = {item.name: value for item in fields(self) if (value := getattr(other, item.name)) is not None}
        return Budget(**{**{item.name: getattr(self, item.name) for item in fields(self)}, **set_anew})


@dataclass(frozen=True, slots=True)
class Prices:
    """What calls cost, by the model's id, as it was when the measurement began."""

    of_model: Mapping[int, CallPrice] = field(default_factory=dict)

    @staticmethod
    def from_json(kept: JsonObject | None) -> "Prices":
        prices = cast("Mapping[str, tuple[float, float, str]]", kept or {})
        return Prices({int(name): CallPrice(*price) for name, price in prices.items()})

    def to_json(self) -> JsonObject:
        return {str(name): [price.input, price.output, price.currency] for name, price in self.of_model.items()}

    @property
    def currency(self) -> str:
        return next((price.currency for price in self.of_model.values()), "")

    def with_todays(self, listed: Mapping[int, CallPrice], asked: Collection[int]) -> tuple[dict[int, CallPrice], bool]:
        """Prices of the models that were asked: today's, and for one that the list has none of the one that it was
        measured at; never of two currencies. True where all of them are those of the measurement."""
        today = {model_id: listed[model_id] for model_id in asked if model_id in listed}
        kept = {model_id: price for model_id, price in self.of_model.items() if model_id in asked}
        if not today:
            return kept, bool(kept)
        currency = next(price.currency for price in today.values())
        return {**{name: price for name, price in kept.items() if price.currency == currency}, **today}, False

    def cost(self, model_id: int, used: "Used") -> float | None:
        """Money for so many tokens; None where the model has no price."""
        price = self.of_model.get(model_id)
        return None if price is None else (used.tokens_in * price.input + used.tokens_out * price.output) / 1e6


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one answer or of many, and whether they were counted by the model or are from characters."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0
    source: Source = "measured"

    @staticmethod
    def of(prompt_tokens: int, completion_tokens: int, prompt_characters: int | None, characters: int) -> "Used | None":
        """Of one answer; None where nobody knows."""
        if prompt_tokens > 0:
            return Used(prompt_tokens, completion_tokens)
        if prompt_characters is None:
            return None
        return Used(prompt_characters / CHARACTERS_PER_TOKEN, characters / CHARACTERS_PER_TOKEN, "estimated")


@dataclass(frozen=True, slots=True)
class AnswerCost:
    """Money for one answer, and whether its tokens were counted or are from characters."""

    money: float
    currency: str
    source: Source


@dataclass(slots=True)
class Spent:
    """What was asked so far. money: None where a model that was asked has no price. estimated: part of it is from
    characters. taken: answers that were taken from earlier runs and cost nothing. judge_calls, judge_tokens,
    judge_money: the part of it that the LLM judge took which decides. judged: whether one does."""

    calls: int = 0
    tokens: float = 0.0
    money: float | None = 0.0
    currency: str = ""
    estimated: bool = False
    taken: int = 0
    judge_calls: int = 0
    judge_tokens: float = 0.0
    judge_money: float = 0.0
    judged: bool = False

    def add(self, calls: int, used: Used | None, money: float | None) -> None:
        """So many calls with these tokens. used: None where they had none that anybody knows of (errors)."""
        self.calls += calls
        if used is None:
            return
        self.tokens += used.tokens_in + used.tokens_out
        self.estimated = self.estimated or used.source == "estimated"
        self.money = None if self.money is None or money is None else self.money + money

    def judge(self, calls: int, used: Used | None, money: float | None) -> None:
        """The same of calls of the judge."""
        self.add(calls, used, money)
        self.judge_calls += calls
        if used is not None:
            self.judge_tokens += used.tokens_in + used.tokens_out
            self.judge_money += money or 0.0

    def of(self, unit: Unit) -> float:
        return {"calls": float(self.calls), "tokens": self.tokens, "money": self.money or 0.0}[unit]

    def of_judge(self, unit: Unit) -> float:
        return {"calls": float(self.judge_calls), "tokens": self.judge_tokens, "money": self.judge_money}[unit]

    def a_call(self, unit: Unit) -> float:
        """What one call to a model takes, by those so far. Before the first it is taken to be what a judgement takes,
        and before that nobody knows of tokens and money."""
        return self._of_one(unit, judge=False)

    def a_judgement(self, unit: Unit) -> float:
        """The same of a call of the judge."""
        return self._of_one(unit, judge=True)

    def _of_one(self, unit: Unit, *, judge: bool) -> float:
        of_judge = (self.of_judge(unit), self.judge_calls)
        of_others = (self.of(unit) - of_judge[0], self.calls - of_judge[1])
        for taken, calls in (of_judge, of_others) if judge else (of_others, of_judge):
            if calls:
                return taken / calls
        return float(unit == "calls")

    def over(self, budget: Budget, under_way: int = 0, unjudged: int = 0) -> str:
        """Which limit has no room for one more call, as a sentence, if that and those under way take what others took;
        empty while none is. Where a judge decides, each answer takes a judgement as well; unjudged: judgements of
        answers that came already."""
        for unit, limit in budget.limits.items():
            an_answer = self.a_call(unit) + (self.a_judgement(unit) if self.judged else 0.0)
            wanted = (under_way + 1) * an_answer + unjudged * self.a_judgement(unit)
            if self.of(unit) + wanted > limit * SLACK:
                return self.used_up(unit, limit)
        return ""

    def room_for_judgements(self, budget: Budget) -> tuple[float, str]:
        """How many judgements there is room for, and why no more, as a sentence. Before the first one, nobody knows
        what it takes of tokens and money: one."""
        room, why = float("inf"), ""
        for unit, limit in budget.limits.items():
            left, each = limit * SLACK - self.of(unit), self.a_judgement(unit)
            fitting = left // each if each else float(left > 0)
            if fitting < room:
                room, why = max(0.0, fitting), self.used_up(unit, limit)
        return room, why

    def used_up(self, unit: Unit, limit: float) -> str:
        """That this limit ends a run, as a sentence."""
        return (
            f"The budget of {amount(limit, unit, self.currency)} is used up. What was answered is kept; set a higher "
            "one and press Resume."
        )

    def to_json(self) -> SpentSoFar:
        """As the progress of a job holds it."""
        spent: SpentSoFar = {
            "calls": self.calls,
            "tokens": round(self.tokens),
            "money": None if self.money is None else round(self.money, 6),
            "currency": self.currency,
            "estimated": self.estimated,
            "taken": self.taken,
        }
        if self.judged:
            spent["judge_calls"] = self.judge_calls
        return spent


def amount(value: float, unit: Unit, currency: str = "") -> str:
    """Words for an amount: 500 calls, 12,000 tokens, 2.50 EUR."""
    if unit == "money":
        return f"{value:,.2f} {currency}".strip() if value >= 0.01 else f"{value:.6f} {currency}".strip()
    return plural(round(value), unit.removesuffix("s"))


def budget_faults(budget: Budget) -> Iterable[tuple[Unit, str]]:
    """What is wrong with limits as somebody typed them."""
    for unit, limit in budget.limits.items():
        if not 0 < limit < MOST:
            yield unit, "Use an amount above 0, or leave it empty for no limit."


def prices_at_hand(baseline: "BaselineRow", listed: Mapping[int, CallPrice]) -> tuple[dict[int, CallPrice], bool]:
    """What calls of a measurement's models cost at today's list, else as it was when the measurement began; True where
    all of it is as it was then."""
    others = (arm.settings["model_id"] for arm in baseline.arms if "model_id" in arm.settings)
    return Prices.from_json(baseline.prices).with_todays(listed, {baseline.model_id, *map(int, others)})
