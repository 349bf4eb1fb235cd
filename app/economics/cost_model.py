"""One use case's costs, put together: every measured way to answer, a trained model beside them, and what follows.

What counts as what:

- *Measured*: tokens of a call, scores, seconds from one answer to the next.
- *Declared*: prices with their date and source, hours, wages, calls a month, everything in `assumptions`.
- *Estimated*: every sum of money, because declared figures are in it; and a trained model's tokens until there is one.

What the comparison is with: the cheapest way that meets the target, of all that were measured on these rows, on any
model. A saving against the dearest is no saving. Without one that meets the target a comparison is drawn with the best
so far, but it can never pass: what a thing costs that nobody can use is not a saving either.

What is not said yet counts as 0 on the trained side, which flatters it; so an incomplete sum can fail and never pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from app.advice import economics
from app.advice.economics import Comparison, Hosting, Move, Prompt, Rates, Tokens, Way
from app.economics import prices as price_list
from app.economics.assumptions import OWN, SAID_ONCE, Assumptions
from app.economics.prices import Price

How = Literal["measured", "declared", "estimated"]

CHARACTERS_PER_TOKEN = 4  # for estimates only: English text, common tokenizers


@dataclass(frozen=True, slots=True)
class Measured:
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
class Given:
    """Everything that a study is made of. calls: a month, as declared. waits: an answer must come within half a second.

    payback: months within which making it has to be paid back.
    usable, floor, test_lacks: usable examples as far as known, how many the first criterion asks for, and how many test
    rows are still missing. dev_rows, test_rows: rows on which a trained model is judged.
    """

    arms: Sequence[Measured]
    said: Assumptions
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
class Line:
    """One way to answer with its costs. way, month: None while a price is missing, which `lacks` says."""

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
    lacks: str = ""

    @property
    def per_call(self) -> float | None:
        return None if self.way is None else self.way.per_call


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that the sums are made of. money: it is an amount in the study's currency."""

    name: str
    value: float | None
    unit: str
    how: How
    note: str = ""
    money: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that has to be said or measured first; `where`: prices, describe, measure, or a field of the form."""

    text: str
    where: str


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
    """What came of it. instead: the way that a trained model is compared with; sound: it meets the target.

    prompt_share: what the prompt makes up of a call's cost, 0 to 1, for that way; None without prices by token.
    """

    currency: str
    calls: float | None
    target: float | None
    lines: Sequence[Line]
    trained: Line | None
    instead: Line | None
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


def work_out(given: Given) -> Study:
    """Everything about the costs of one use case. Pure: the same facts give the same study."""
    book = _Book(given)
    lines = sorted(
        (book.line(arm) for arm in given.arms if arm.family != "adapter"),
        key=lambda line: (line.month is None, line.month or 0.0, line.name),
    )
    lines = [*lines, *book.declared()]
    instead, sound = _instead(lines, given)
    trained = book.trained()
    once, figures = book.making(instead)
    retraining = book.retraining(once)
    if trained is not None and trained.way is not None:
        way = Way(trained.way.per_call, trained.way.hosting, trained.way.fixed + retraining)
        month = None if given.calls is None else way.month(given.calls)
        trained = replace(trained, way=way, month=month)
    comparison = None
    if instead and instead.way and trained and trained.way:
        doubt = economics.DOUBT if given.said.doubt is None else given.said.doubt
        comparison = economics.compare(
            instead.way, trained.way, once=once, calls=given.calls, doubt=doubt, limit=given.payback
        )
    bills = book.once(instead, trained, once)
    used = book.used()
    return Study(
        currency=book.currency,
        calls=given.calls,
        target=given.target,
        lines=lines,
        trained=trained,
        instead=instead,
        sound=sound,
        comparison=comparison,
        moves=book.moves(instead),
        figures=[*figures, *book.running(retraining)],
        lacks=[*book.lacks(lines, trained, sound=sound)],
        used=used,
        old=[price for price in used if price.old(given.today)],
        limit=given.payback,
        once=bills,
        prompt_share=book.prompt_share(instead),
        trained_measured=any(arm.family == "adapter" for arm in given.arms),
        unsaid=[name for name in SAID_ONCE if getattr(given.said, name) is None] + ["person"] * (book.wage() is None),
    )


def _instead(lines: Sequence[Line], given: Given) -> tuple[Line | None, bool]:
    """The cheapest that meets the target and has a price; else the best so far, which proves nothing."""

    def cost(line: Line) -> float:
        if line.way is None:
            return float("inf")
        return line.way.month(given.calls if given.calls is not None else 100_000)

    priced = [line for line in lines if line.way is not None]
    if good := [line for line in priced if line.meets]:
        return min(good, key=cost), True
    known = [line for line in priced if line.score is not None and line.tokens is not None]
    return (max(known, key=lambda line: (line.score or 0.0, -cost(line))) if known else None), False


class _Book:
    """The prices of one study: which of them count for what, and which were used."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.said = given.said
        currencies = [price.currency for price in given.prices if price.currency]
        self.currencies = sorted(set(currencies))
        self.currency = given.said.currency or (max(self.currencies, key=currencies.count) if currencies else "")
        self.prices = [price for price in given.prices if price.currency in ("", self.currency)]
        self.rates = price_list.rates_of(self.prices)
        self.touched: set[tuple[str, str]] = set()

    # ---------------------------------------------------------------- prices

    def hour(self, unit: str, name: str) -> float | None:
        """An hour of a machine or a person: the one that was chosen, or the only one there is."""
        found = [price for price in self.prices if price.unit == unit]
        chosen = [price for price in found if price.name == name] if name else found
        if len(chosen) != 1:
            return None
        self.touched.add((chosen[0].name, unit))
        return chosen[0].price

    def rates_for(self, arm: Measured) -> Rates | None:
        name = self.said.rates.get(str(arm.model), "")
        if not name:
            known = {known.casefold(): known for known in self.rates}
            name = known.get(arm.model_name.casefold()) or known.get(arm.model_reference.casefold()) or ""
        return self.named(name)

    def named(self, name: str) -> Rates | None:
        if name in self.rates:
            self.touched |= {(name, unit) for unit in price_list.UNITS if "hour" not in unit}
            return self.rates[name]
        return None

    def used(self) -> list[Price]:
        return [price for price in self.prices if (price.name, price.unit) in self.touched]

    def wage(self) -> float | None:
        return self.hour("person_hour", self.said.person)

    def hosting(self, pace: float | None) -> Hosting | None:
        """Own machines, as declared; a measured pace stands in for calls a second that nobody declared."""
        hour = self.hour("machine_hour", self.said.machine)
        if hour is None:
            return None
        said = self.said
        speed = said.calls_per_second or (1 / pace if pace else None)
        return Hosting(
            hour=hour,
            hours=economics.HOURS_A_MONTH if said.hours is None else said.hours,
            machines=int(said.machines or 1),
            calls_per_second=speed,
            peak=said.peak or economics.PEAK,
            upkeep=(said.upkeep_hours or 0.0) * (self.wage() or 0.0) + (said.other_month or 0.0),
        )

    # ---------------------------------------------------------------- ways

    def line(self, arm: Measured) -> Line:
        """What a measured way costs; `lacks` says what is missing."""
        tokens = None if arm.tokens_in is None else Tokens(arm.tokens_in, arm.tokens_out)
        way, lacks = self.way(arm, tokens)
        tone = "soft" if tokens is None else "prompt"
        how: How = "measured" if arm.counted else "estimated"
        known = tokens if tokens is not None and tokens.input > 0 else None
        return self._line(arm.key, self._name(arm), tone, known, how, arm, way, lacks)

    def _name(self, arm: Measured) -> str:
        several = len({one.model for one in self.given.arms}) > 1
        return f"{arm.title}, {arm.model_name}" if several and arm.tokens_in is not None else arm.title

    def _line(
        self,
        key: str,
        name: str,
        tone: str,
        tokens: Tokens | None,
        how: How,
        arm: Measured | None,
        way: Way | None,
        lacks: str = "",
    ) -> Line:
        calls = self.given.calls
        month = None if way is None or calls is None else way.month(calls)
        score, split, meets = (arm.score, arm.split, arm.meets) if arm else (None, "", None)
        return Line(key, name, tone, tokens, how, score, split, meets, way, month, lacks)

    def way(self, arm: Measured, tokens: Tokens | None) -> tuple[Way | None, str]:
        if tokens is None:
            return Way(0.0), ""  # an answer copied from the training rows
        own = self.said.rates.get(str(arm.model)) == OWN or (arm.local and not self.said.rates.get(str(arm.model)))
        if own:
            hosting = self.hosting(arm.pace)
            return (Way(0.0, hosting), "") if hosting else (None, "the price of a machine for an hour")
        rates = self.rates_for(arm)
        if rates is None:
            return None, f"prices of {arm.model_name} for input and output tokens"
        if tokens.input <= 0:  # stored before it was told apart: no question has no tokens
            return None, f"how many tokens a call of {arm.title} takes; measure it again"
        return Way(economics.call_cost(tokens, rates)), ""

    def declared(self) -> Iterator[Line]:
        """What is not measured here: today's way, as people state it, and looking passages up, as it would cost."""
        said = self.said
        if said.now_cost is not None:
            way = Way(said.now_cost)
            month = None if self.given.calls is None else way.month(self.given.calls)
            name = said.now_name or "What you use today"
            yield Line("now", name, "open", None, "declared", None, "", True, way, month)
        plain = self._plain()
        if said.passages and said.passage_tokens and plain and plain.tokens_in:
            tokens = economics.with_passages(
                Tokens(plain.tokens_in, plain.tokens_out), said.passages, said.passage_tokens
            )
            found, lacks = self.way(plain, tokens)
            with_index = found and Way(found.per_call, found.hosting, found.fixed + (said.index_month or 0.0))
            yield self._line("rag", "With looked-up passages", "rag", tokens, "estimated", None, with_index, lacks)

    def _plain(self) -> Measured | None:
        """Instructions and the question alone, on the newest model: what a trained model's prompt would be."""
        return next((arm for arm in self.given.arms if arm.family == "zero_shot"), None)

    def trained(self) -> Line | None:
        """A trained model: its measured tokens where there is one, else those of the prompt without examples."""
        adapter = next((arm for arm in self.given.arms if arm.family == "adapter"), None)
        arm = adapter or self._plain()
        if arm is None or not arm.tokens_in:
            return None
        tokens = Tokens(arm.tokens_in, arm.tokens_out)
        how: How = "measured" if adapter and adapter.counted else "estimated"
        if self.said.tuned_rates:
            rates = self.named(self.said.tuned_rates)
            way = rates and Way(economics.call_cost(tokens, rates), None, self._looking_after())
            lacks = "" if rates else f"prices of {self.said.tuned_rates} for input and output tokens"
        else:
            hosting = self.hosting(adapter.pace if adapter and adapter.local else None)
            way, lacks = (Way(0.0, hosting), "") if hosting else (None, "the price of a machine for an hour")
        return self._line("trained", "Trained model", "tune", tokens, how, adapter, way or None, lacks)

    def _looking_after(self) -> float:
        return (self.said.upkeep_hours or 0.0) * (self.wage() or 0.0) + (self.said.other_month or 0.0)

    # ---------------------------------------------------------------- making it

    def rows_to_write(self) -> tuple[float, How]:
        if self.said.rows_to_write is not None:
            return self.said.rows_to_write, "declared"
        lacking = max(0, self.given.floor - (self.given.usable or 0)) + self.given.test_lacks
        return float(lacking), "estimated"

    def machine_run(self) -> float | None:
        """Machine hours of one training run; None while its size or the machine's speed is not known."""
        said, plain = self.said, self._plain()
        if said.base_billions is None or said.teraflops is None or plain is None or not plain.tokens_in:
            return None
        rows = max(self.given.usable or 0, self.given.floor)
        tokens = rows * (plain.tokens_in + plain.tokens_out)
        return economics.training_hours(said.base_billions * 1e9, tokens, said.epochs or 3.0, said.teraflops * 1e12)

    def _once(self, instead: Line | None) -> Iterator[Figure]:
        """What making it takes, once: people, machines, and judging it."""
        said, wage = self.said, self.wage() or 0.0
        rows, how = self.rows_to_write()
        data = economics.people_cost(rows, said.minutes_row or 0.0, wage)
        note = f"{rows:,.0f} rows ({how}), {_told(said.minutes_row, 'minutes each')}"
        yield Figure("Writing and checking examples", data, "once", "estimated", note, money=True)
        hours, machine = self.machine_run(), self.hour("machine_hour", said.machine) or 0.0
        runs = said.runs or 8
        compute = (hours or 0.0) * machine * runs
        note = (
            f"{runs:g} runs of {hours:.3g} machine hours"
            if hours is not None
            else "size and speed not said: not counted"
        )
        yield Figure("Machine time for training", compute, "once", "estimated", note, money=True)
        asked = self.given.dev_rows + self.given.test_rows
        calls = asked * (instead.per_call or 0.0) if instead else 0.0
        review = (said.review_hours or 0.0) * wage
        note = f"{asked:,} rows asked again, {_told(said.review_hours, 'hours of people')}"
        yield Figure("Judging the result", calls + review, "once", "estimated", note, money=True)

    def making(self, instead: Line | None) -> tuple[float, list[Figure]]:
        figures = list(self._once(instead))
        return sum(figure.value or 0.0 for figure in figures), figures

    def retraining(self, once: float) -> float:
        """Money a month for making it anew: machines and judging again, and the new rows."""
        said, wage = self.said, self.wage() or 0.0
        rows, _ = self.rows_to_write()
        first = economics.people_cost(rows, said.minutes_row or 0.0, wage)
        again = once - first + economics.people_cost(said.retrain_rows or 0.0, said.minutes_row or 0.0, wage)
        return again * (said.retrains_year or 0.0) / 12

    def running(self, retraining: float) -> Iterator[Figure]:
        said = self.said
        note = _told(said.retrains_year, "times a year")
        yield Figure("Making it anew", retraining, "a month", "estimated", note, money=True)
        if said.tuned_rates:
            note = _told(said.upkeep_hours, "hours of people")
            yield Figure("Looking after it", self._looking_after(), "a month", "estimated", note, money=True)
        elif (hosting := self.hosting(None)) is not None:
            number = hosting.needed(self.given.calls or 0.0)
            note = f"{number} x {hosting.hours:g} hours at {hosting.hour:g}"
            value = number * hosting.hour * hosting.hours
            yield Figure("Machines", value, "a month", "estimated", note, money=True)
            note = _told(said.upkeep_hours, "hours of people")
            if said.other_month:
                note += f", and {said.other_month:g} besides"
            yield Figure("Looking after it", hosting.upkeep, "a month", "estimated", note, money=True)

    # ---------------------------------------------------------------- the prompt that it would replace

    def paid(self, instead: Line | None) -> tuple[Measured, Tokens, Rates] | None:
        """A measured way that is paid for by the token, with its prices."""
        arm = next((arm for arm in self.given.arms if instead and arm.key == instead.key), None)
        if arm is None or instead is None or instead.tokens is None or (instead.way and instead.way.hosting):
            return None
        rates = self.rates_for(arm)
        return (arm, instead.tokens, rates) if rates else None

    def prompt_share(self, instead: Line | None) -> float | None:
        paid = self.paid(instead)
        if paid is None:
            return None
        _, tokens, rates = paid
        whole = economics.call_cost(tokens, rates)
        return economics.call_cost(Tokens(tokens.input, 0.0), rates) / whole if whole > 0 else None

    def once(self, instead: Line | None, trained: Line | None, making: float) -> Once | None:
        calls = self.said.once_calls
        if calls is None or instead is None or instead.way is None or trained is None or trained.way is None:
            return None
        paid = self.paid(instead)
        batch = paid is not None and paid[2].batch is not None and not self.given.waits
        bill = instead.way.month(calls)
        if paid is not None and batch:
            bill = calls * economics.call_cost(paid[1], paid[2], batch=True)
        return Once(calls, bill, batch, making + trained.way.month(calls))

    def moves(self, instead: Line | None) -> list[Move]:
        """What to try first, for the prompt that a trained model would replace; nothing without prices by token."""
        paid = self.paid(instead)
        if paid is None or self.given.calls is None:
            return []
        arm, tokens, rates = paid
        plain = next((one for one in self.given.arms if one.family == "zero_shot" and one.model == arm.model), None)
        same = arm.instructions / CHARACTERS_PER_TOKEN
        shown = max(0.0, tokens.input - (plain.tokens_in or 0.0)) if plain else 0.0
        if arm.shots and not arm.nearest:
            same += shown
        prompt = Prompt(
            tokens=tokens,
            rates=rates,
            same=min(same, tokens.input),
            shots=arm.shots if arm.nearest else 0,
            shot_tokens=shown / arm.shots if arm.shots else 0.0,
            waits=self.given.waits,
        )
        return economics.moves(prompt, self.given.calls, self._smaller(prompt))

    def _smaller(self, prompt: Prompt) -> tuple[str, Rates] | None:
        """The cheapest other model in the list, for the same call."""
        cost: Mapping[str, float] = {
            name: economics.call_cost(prompt.tokens, rates) for name, rates in self.rates.items()
        }
        now = economics.call_cost(prompt.tokens, prompt.rates)
        name = min(cost, key=lambda one: cost[one])
        return (name, self.rates[name]) if cost[name] < now else None

    # ---------------------------------------------------------------- what is missing

    def lacks(self, lines: Sequence[Line], trained: Line | None, *, sound: bool) -> Iterator[Lack]:
        """Everything that has to be said or measured before the answer counts, what weighs most first."""
        given, said = self.given, self.said
        if not given.prices:
            yield Lack("The list of prices is empty. Enter what your models, machines and people cost.", "prices")
        if said.currency and given.prices and said.currency not in self.currencies:
            yield Lack(f"No price is in {said.currency}.", "currency")
        elif len(self.currencies) > 1:
            others = ", ".join(one for one in self.currencies if one != self.currency)
            yield Lack(f"Prices in {others} are left out; sums are in {self.currency}.", "currency")
        if given.calls is None:
            yield Lack("Say how many calls a month you expect.", "describe")
        if not any(line.tokens for line in lines):
            yield Lack("Measure first: tokens and scores come from there.", "measure")
        elif not sound:
            yield Lack(
                "No measured way meets the target yet. The comparison is with the best so far, so it shows an order of "
                "magnitude and proves nothing: measure a stronger model on the same rows (and the one to train last), "
                "or say what you use today.",
                "measure",
            )
        for lack in dict.fromkeys(line.lacks for line in [*lines, *([trained] if trained else [])] if line.lacks):
            yield Lack(f"Missing: {lack}.", "prices")
        if self.wage() is None:
            yield Lack("Missing: the price of a person for an hour, or which of several it is.", "person")
        words = {
            "upkeep_hours": "hours a month that people look after a trained model",
            "retrains_year": "how often it is made anew",
            "minutes_row": "minutes for writing one example",
            "review_hours": "hours to judge the result",
        }
        if unsaid := [words[name] for name in SAID_ONCE if getattr(said, name) is None]:
            yield Lack(
                f"Not said, so counted as nothing, which flatters training: {'; '.join(unsaid)}.", "upkeep_hours"
            )


def _told(value: float | None, unit: str) -> str:
    return f"{unit}: not said" if value is None else f"{value:g} {unit}"
