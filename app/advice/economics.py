"""What each way to answer costs a month, from which volume on a trained model pays, and what a wrong answer is worth.

Pure formulas: money in, money out, in whatever currency the caller's prices are in. No price stands in this file, and
none ever should: they change within months, so they are dated inputs that the team keeps. Sources are named as in the
policy: [V] read in the primary text, [S] in a secondary one, [J] our judgement.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.advice.sentences import moves as sentences
from app.wording import Statement, state

MILLION = 1e6
HOURS_A_MONTH = 730.0  # 365 days of 24 hours, over 12
PAYBACK_MONTHS = 6.0  # as long as a volume can be foretold with any confidence [J]
DOUBT = 0.25  # how far off declared figures may be, each way, unless people say otherwise [J]
PEAK = 3.0  # the busiest second over the average one, unless people say otherwise [J]
UTILISATION = 0.35  # of a device's peak speed that training reaches: 0.3 to 0.4
LORA_WORK = 4.0  # operations per parameter and token; full tuning needs 6, LoRA about two thirds of it (TML, TRL [V])
MOST_CALLS = 1e10  # a month; who has more does not ask a break-even calculator
FEWER_SHOTS = 3  # nearest examples that mostly do as well as many: the first few bring most of the gain (KATE [V])


# ------------------------------------------------------------------------------------------------------ one call


@dataclass(frozen=True, slots=True)
class Tokens:
    """Mean tokens of one call. cached: how many of `input` a provider would read from its cache."""

    input: float
    output: float
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Money per million tokens. cached: None, where cached reads have no price of their own.

    batch: the batch tier's share of the normal price, 0 to 1; None where there is no such tier.
    """

    input: float
    output: float
    cached: float | None = None
    batch: float | None = None


def call_cost(tokens: Tokens, rates: Rates, *, batch: bool = False) -> float:
    """`(T_in - T_cached) * p_in + T_cached * p_cache + T_out * p_out`, times the batch tier's share."""
    cached = tokens.cached if rates.cached is not None else 0.0
    money = (tokens.input - cached) * rates.input + cached * (rates.cached or 0.0) + tokens.output * rates.output
    factor = rates.batch if batch and rates.batch is not None else 1.0
    return money * factor / MILLION


def with_passages(tokens: Tokens, passages: float, passage_tokens: float) -> Tokens:
    """The same call with looked-up passages before the question: `T_in + k * passage tokens`."""
    return replace(tokens, input=tokens.input + passages * passage_tokens)


# ------------------------------------------------------------------------------------------------------ a month


@dataclass(frozen=True, slots=True)
class Hosting:
    """Machines of one's own.

    hour: money for one machine and hour. hours: paid a month; fewer where machines are switched off when idle.
    machines: the least that run. calls_per_second: what one machine answers; None: the least number carries any volume.
    peak: busiest second over the average one. upkeep: money a month for looking after them.
    """

    hour: float
    hours: float = HOURS_A_MONTH
    machines: int = 1
    calls_per_second: float | None = None
    peak: float = PEAK
    upkeep: float = 0.0

    def needed(self, calls: float) -> int:
        """`ceil(peak calls a second / calls a second of one machine)`, and never fewer than stand there anyway."""
        if not self.calls_per_second:
            return self.machines
        busiest = calls / (HOURS_A_MONTH * 3600) * self.peak
        return max(self.machines, math.ceil(busiest / self.calls_per_second))

    def month(self, calls: float) -> float:
        return self.needed(calls) * self.hour * self.hours + self.upkeep


@dataclass(frozen=True, slots=True)
class Way:
    """What a way to answer costs. per_call: money that each call adds. fixed: money a month besides hosting."""

    per_call: float
    hosting: Hosting | None = None
    fixed: float = 0.0

    def month(self, calls: float) -> float:
        return calls * self.per_call + (self.hosting.month(calls) if self.hosting else 0.0) + self.fixed

    def scaled(self, factor: float) -> "Way":
        """The same with every price of it that much higher or lower."""
        hosting = self.hosting and replace(
            self.hosting, hour=self.hosting.hour * factor, upkeep=self.hosting.upkeep * factor
        )
        return Way(self.per_call * factor, hosting, self.fixed * factor)

    @property
    def steps(self) -> bool:
        """Whether machines are added as the volume grows, so that the cost is no straight line."""
        return bool(self.hosting and self.hosting.calls_per_second)


def break_even(fixed: float, saved_per_call: float) -> float | None:
    """`(hosting + retraining a month) / (cost of a call now - cost of a trained model's call)`; None: never."""
    return fixed / saved_per_call if saved_per_call > 0 else None


def crossing(now: Way, trained: Way) -> float | None:
    """The first monthly volume from which `trained` costs no more than `now`; None: at none that anybody has.

    Two straight lines are solved; where machines are added in steps, the first of a fine grid is narrowed down. Right
    behind a further machine it may be dearer again for a while, which the chart shows.
    """
    if not (now.steps or trained.steps):
        gap = trained.month(0) - now.month(0)
        if gap <= 0:
            return 0.0 if trained.per_call <= now.per_call or gap < 0 else None
        volume = break_even(gap, now.per_call - trained.per_call)
        return volume if volume is not None and volume <= MOST_CALLS else None

    def cheaper(calls: float) -> bool:
        return trained.month(calls) <= now.month(calls)

    if cheaper(0):
        return 0.0
    before = 0.0
    for number in range(601):
        calls = 10 ** (number / 60)
        if cheaper(calls):
            return _narrowed(cheaper, before, calls)
        before = calls
    return None


def _narrowed(cheaper: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if cheaper(middle) else (middle, high)
    return high


# ------------------------------------------------------------------------------------------------------ making it


def training_hours(
    parameters: float, tokens: float, epochs: float, operations: float, utilisation: float = UTILISATION
) -> float:
    """Machine hours of one LoRA run: `4 * N * T * epochs / (operations a second * utilisation * 3600)`.

    parameters: of the base model. tokens: of all training rows together. operations: the device's peak a second.
    """
    return LORA_WORK * parameters * tokens * epochs / (operations * utilisation * 3600)


def people_cost(rows: float, minutes: float, wage: float) -> float:
    """What it costs that people write or check rows: `rows * minutes / 60 * wage an hour`."""
    return rows * minutes / 60 * wage


def payback(once: float, saved_a_month: float) -> float | None:
    """Months until making it is paid for: `(data + training + evaluation) / monthly saving`; None: never."""
    return once / saved_a_month if saved_a_month > 0 else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trained model beside the way to answer that it would replace.

    break_even: calls a month; None: never at these prices. low, high: the same if everything on the trained side were
    cheaper or dearer by the doubt; high None: then never. saved: money a month at `calls`, below 0 where it costs more.
    once: money to make it. months: until that is paid back; None: never. limit: months until it has to be.
    """

    calls: float | None
    break_even: float | None
    low: float | None
    high: float | None
    saved: float | None
    once: float
    months: float | None
    limit: float = PAYBACK_MONTHS

    @property
    def pays(self) -> bool | None:
        """Gate G12: a monthly saving that pays the making back in time. None while no volume is known."""
        if self.saved is None:
            return None
        return self.saved > 0 and self.months is not None and self.months <= self.limit


def compare(
    now: Way,
    trained: Way,
    *,
    once: float,
    calls: float | None,
    doubt: float = DOUBT,
    limit: float = PAYBACK_MONTHS,
) -> Comparison:
    saved = None if calls is None else now.month(calls) - trained.month(calls)
    return Comparison(
        calls=calls,
        break_even=crossing(now, trained),
        low=crossing(now, trained.scaled(1 - doubt)),
        high=crossing(now, trained.scaled(1 + doubt)),
        saved=saved,
        once=once,
        months=None if saved is None else payback(once, saved),
        limit=limit,
    )


# ------------------------------------------------------------------------------------------------------ cheaper moves


@dataclass(frozen=True, slots=True)
class Move:
    """Something cheaper than a training, in the order to try. saves: money a month; None while a price is missing."""

    key: str
    saves: float | None
    how: Statement

    @property
    def title(self) -> str:
        return sentences.TITLES[self.key]

    @property
    def text(self) -> str:
        return sentences.TEXTS(self.how)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is known of the prompt to be replaced.

    same: tokens that are the same in every call, so that a cache can hold them. shots: nearest examples in it;
    shot_tokens: tokens of one of them. waits: somebody waits for each answer within half a second.
    """

    tokens: Tokens
    rates: Rates
    same: float
    shots: int = 0
    shot_tokens: float = 0.0
    waits: bool = False


def moves(prompt: Prompt, calls: float, smaller: tuple[str, Rates] | None) -> list[Move]:
    """The cheaper moves, in the order to try them: each saves what it saves alone (decision rules, 4.6).

    smaller: name and prices of the cheapest other model in the team's list.
    """
    now = call_cost(prompt.tokens, prompt.rates)
    tokens_cut = min(100.0, prompt.tokens.input)
    cheaper = [
        Move("shorter", calls * tokens_cut * prompt.rates.input / MILLION, state("shorter")),
        _caching(prompt, calls),
        _batch(prompt, calls, now),
    ]
    if smaller is None:
        cheaper.append(Move("smaller", None, state("no_smaller")))
    else:
        name, rates = smaller
        saved = calls * (now - call_cost(prompt.tokens, rates))
        cheaper.append(Move("smaller", saved, state("smaller", name=name)))
    if prompt.shots > FEWER_SHOTS:
        fewer = prompt.shots - FEWER_SHOTS
        saved = calls * fewer * prompt.shot_tokens * prompt.rates.input / MILLION
        cheaper.append(Move("examples", saved, state("examples", fewer=FEWER_SHOTS, shots=prompt.shots)))
    return cheaper


def _caching(prompt: Prompt, calls: float) -> Move:
    if prompt.rates.cached is None:
        return Move("caching", None, state("no_cached_price"))
    saved = calls * prompt.same * (prompt.rates.input - prompt.rates.cached) / MILLION
    return Move("caching", saved, state("caching", same=round(prompt.same)))


def _batch(prompt: Prompt, calls: float, now: float) -> Move:
    if prompt.waits:
        return Move("batch", None, state("somebody_waits"))
    if prompt.rates.batch is None:
        return Move("batch", None, state("no_batch_price"))
    return Move("batch", calls * now * (1 - prompt.rates.batch), state("batch"))


# ------------------------------------------------------------------------------------------------------ the target


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of wrong answer: its share of all wrong ones, 0 to 1, and what one costs."""

    share: float
    cost: float


def failure_cost(kinds: Sequence[Failure]) -> float:
    """The mean cost of a wrong answer: `sum of share * cost`."""
    return sum(kind.share * kind.cost for kind in kinds)


def break_even_accuracy(worth: float, cost: float) -> float:
    """The share of right answers from which it is worth it: `cost / (worth + cost)` (OpenAI, LLM accuracy [V]).

    worth: what a right answer brings. cost: what a wrong one takes; one of the two is above 0.
    """
    return cost / (worth + cost)
