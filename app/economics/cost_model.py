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
from dataclasses import replace

from app.advice import economics
from app.advice.economics import Hosting, Move, Prompt, Rates, Tokens, Way
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.economics import prices as price_list
from app.economics.assumptions import NO_USUAL_VALUE, OWN
from app.economics.costs import CostInput, Figure, How, Lack, MeasuredWay, Once, PricedWay, Study
from app.economics.prices import Price
from app.wording import Statement, state


def work_out(inputs: CostInput) -> Study:
    """Everything about the costs of one use case. Pure: the same facts give the same study."""
    book = _Book(inputs)
    lines = sorted(
        (book.measured(arm) for arm in inputs.arms if arm.family != "adapter"),
        key=lambda option: (option.month is None, option.month or 0.0, option.name),
    )
    lines = [*lines, *book.declared()]
    rival, sound = _rival(lines, inputs)
    trained = book.trained()
    once, figures = book.making(rival)
    retraining = book.retraining(once)
    if trained is not None and trained.way is not None:
        way = Way(trained.way.per_call, trained.way.hosting, trained.way.fixed + retraining)
        month = None if inputs.calls is None else way.month(inputs.calls)
        trained = replace(trained, way=way, month=month)
    comparison = None
    if rival and rival.way and trained and trained.way:
        doubt = economics.DOUBT if inputs.assumptions.doubt is None else inputs.assumptions.doubt
        comparison = economics.compare(
            rival.way, trained.way, once=once, calls=inputs.calls, doubt=doubt, limit=inputs.payback
        )
    bills = book.once(rival, trained, once)
    used = book.used()
    return Study(
        currency=book.currency,
        calls=inputs.calls,
        target=inputs.target,
        lines=lines,
        trained=trained,
        compared_with=rival,
        sound=sound,
        comparison=comparison,
        moves=book.moves(rival),
        figures=[*figures, *book.running(retraining)],
        lacks=[*book.lacks(lines, trained, sound=sound)],
        used=used,
        old=[price for price in used if price.old(inputs.today)],
        limit=inputs.payback,
        once=bills,
        prompt_share=book.prompt_share(rival),
        trained_measured=any(arm.family == "adapter" for arm in inputs.arms),
        unsaid=book.unsaid(),
    )


def _rival(lines: Sequence[PricedWay], inputs: CostInput) -> tuple[PricedWay | None, bool]:
    """The cheapest that meets the target and has a price; else the best so far, which proves nothing."""

    def cost(option: PricedWay) -> float:
        if option.way is None:
            return float("inf")
        return option.way.month(inputs.calls if inputs.calls is not None else 100_000)

    priced = [option for option in lines if option.way is not None]
    if good := [option for option in priced if option.meets]:
        return min(good, key=cost), True
    known = [option for option in priced if option.score is not None and option.tokens is not None]
    return (max(known, key=lambda option: (option.score or 0.0, -cost(option))) if known else None), False


class _Book:
    """The prices of one study: which of them count for what, and which were used."""

    def __init__(self, inputs: CostInput) -> None:
        self.inputs = inputs
        self.assumptions = inputs.assumptions
        self.currencies = sorted({price.currency for price in inputs.prices if price.currency})
        self.currency = price_list.currency_of(inputs.prices, inputs.assumptions.currency)
        self.prices = [price for price in inputs.prices if price.currency in ("", self.currency)]
        self.rates = price_list.rates_of(self.prices)
        self.touched: set[tuple[str, str]] = set()

    # ---------------------------------------------------------------- prices

    def hour(self, unit: str, name: str) -> float | None:
        """An hour of a machine or a person: the one that was chosen, or the only one there is."""
        hours = [price for price in self.prices if price.unit == unit]
        chosen = [price for price in hours if price.name == name] if name else hours
        if len(chosen) != 1:
            return None
        self.touched.add((chosen[0].name, unit))
        return chosen[0].price

    def rates_for(self, arm: MeasuredWay) -> Rates | None:
        name = self.assumptions.rates.get(str(arm.model), "")
        return self.named(name or price_list.named_like(self.rates, arm.model_name, arm.model_reference))

    def named(self, name: str) -> Rates | None:
        if name in self.rates:
            self.touched |= {(name, unit) for unit in price_list.UNITS if "hour" not in unit}
            return self.rates[name]
        return None

    def used(self) -> list[Price]:
        return [price for price in self.prices if (price.name, price.unit) in self.touched]

    def wage(self) -> float | None:
        return self.hour("person_hour", self.assumptions.person)

    def hosting(self, pace: float | None) -> Hosting | None:
        """Own machines, as declared; a measured pace stands in for calls a second that nobody declared."""
        hour = self.hour("machine_hour", self.assumptions.machine)
        if hour is None:
            return None
        assumptions = self.assumptions
        speed = assumptions.calls_per_second or (1 / pace if pace else None)
        return Hosting(
            hour=hour,
            hours=economics.HOURS_A_MONTH if assumptions.hours is None else assumptions.hours,
            machines=int(assumptions.machines or 1),
            calls_per_second=speed,
            peak=assumptions.peak or economics.PEAK,
            upkeep=(assumptions.upkeep_hours or 0.0) * (self.wage() or 0.0) + (assumptions.other_month or 0.0),
        )

    # ---------------------------------------------------------------- ways

    def measured(self, arm: MeasuredWay) -> PricedWay:
        """What a measured way costs; its `lack` says what is missing."""
        tokens = None if arm.tokens_in is None else Tokens(arm.tokens_in, arm.tokens_out)
        way, lack = self.way(arm, tokens)
        tone = "soft" if tokens is None else "prompt"
        how: How = "measured" if arm.counted else "estimated"
        known = tokens if tokens is not None and tokens.input > 0 else None
        return self._priced(arm.key, self._name(arm), tone, known, how, arm, way, lack)

    def _name(self, arm: MeasuredWay) -> str:
        several = len({other.model for other in self.inputs.arms}) > 1
        return f"{arm.title}, {arm.model_name}" if several and arm.tokens_in is not None else arm.title

    def _priced(
        self,
        key: str,
        name: str,
        tone: str,
        tokens: Tokens | None,
        how: How,
        arm: MeasuredWay | None,
        way: Way | None,
        lack: Statement | None = None,
    ) -> PricedWay:
        calls = self.inputs.calls
        month = None if way is None or calls is None else way.month(calls)
        score, split, meets = (arm.score, arm.split, arm.meets) if arm else (None, "", None)
        return PricedWay(key, name, tone, tokens, how, score, split, meets, way, month, lack)

    def way(self, arm: MeasuredWay, tokens: Tokens | None) -> tuple[Way | None, Statement | None]:
        if tokens is None:
            return Way(0.0), None  # an answer copied from the training rows
        own = self.assumptions.rates.get(str(arm.model)) == OWN or (
            arm.local and not self.assumptions.rates.get(str(arm.model))
        )
        if own:
            hosting = self.hosting(arm.pace)
            return (Way(0.0, hosting), None) if hosting else (None, state("machine_hour"))
        rates = self.rates_for(arm)
        if rates is None:
            return None, state("token_prices", name=arm.model_name)
        if tokens.input <= 0:  # stored before it was told apart: no question has no tokens
            return None, state("tokens", way=arm.title)
        return Way(economics.call_cost(tokens, rates)), None

    def declared(self) -> Iterator[PricedWay]:
        """What is not measured here: today's way, as people state it, and looking passages up, as it would cost."""
        assumptions = self.assumptions
        if assumptions.now_cost is not None:
            today = Way(assumptions.now_cost)
            month = None if self.inputs.calls is None else today.month(self.inputs.calls)
            name = assumptions.now_name or "What you use today"
            yield PricedWay("now", name, "open", None, "declared", None, "", True, today, month)
        plain = self._plain()
        if assumptions.passages and assumptions.passage_tokens and plain and plain.tokens_in:
            tokens = economics.with_passages(
                Tokens(plain.tokens_in, plain.tokens_out), assumptions.passages, assumptions.passage_tokens
            )
            way, lack = self.way(plain, tokens)
            with_index = way and Way(way.per_call, way.hosting, way.fixed + (assumptions.index_month or 0.0))
            yield self._priced("rag", "With RAG", "rag", tokens, "estimated", None, with_index, lack)

    def _plain(self) -> MeasuredWay | None:
        """Instructions and the question alone, on the newest model: what a trained model's prompt would be."""
        return next((arm for arm in self.inputs.arms if arm.family == "zero_shot"), None)

    def trained(self) -> PricedWay | None:
        """A trained model: its measured tokens where there is one, else those of the prompt without examples."""
        adapter = next((arm for arm in self.inputs.arms if arm.family == "adapter"), None)
        arm = adapter or self._plain()
        if arm is None or not arm.tokens_in:
            return None
        tokens = Tokens(arm.tokens_in, arm.tokens_out)
        how: How = "measured" if adapter and adapter.counted else "estimated"
        if self.assumptions.tuned_rates:
            rates = self.named(self.assumptions.tuned_rates)
            way = rates and Way(economics.call_cost(tokens, rates), None, self._looking_after())
            lack = None if rates else state("token_prices", name=self.assumptions.tuned_rates)
        else:
            hosting = self.hosting(adapter.pace if adapter and adapter.local else None)
            way, lack = (Way(0.0, hosting), None) if hosting else (None, state("machine_hour"))
        return self._priced("trained", "Trained model", "tune", tokens, how, adapter, way or None, lack)

    def _looking_after(self) -> float:
        return (self.assumptions.upkeep_hours or 0.0) * (self.wage() or 0.0) + (self.assumptions.other_month or 0.0)

    # ---------------------------------------------------------------- making it

    def rows_to_write(self) -> tuple[float, How]:
        if self.assumptions.rows_to_write is not None:
            return self.assumptions.rows_to_write, "declared"
        lacking = max(0, self.inputs.floor - (self.inputs.usable or 0)) + self.inputs.test_lacks
        return float(lacking), "estimated"

    def machine_run(self) -> float | None:
        """Machine hours of one training run; None while its size or the machine's speed is not known."""
        assumptions, plain = self.assumptions, self._plain()
        if assumptions.base_billions is None or assumptions.teraflops is None or plain is None or not plain.tokens_in:
            return None
        rows = max(self.inputs.usable or 0, self.inputs.floor)
        tokens = rows * (plain.tokens_in + plain.tokens_out)
        return economics.training_hours(
            assumptions.base_billions * 1e9, tokens, assumptions.epochs or 3.0, assumptions.teraflops * 1e12
        )

    def _once(self, rival: PricedWay | None) -> Iterator[Figure]:
        """What making it takes, once: people, machines, and judging it."""
        assumptions, wage = self.assumptions, self.wage() or 0.0
        rows, how = self.rows_to_write()
        data = economics.people_cost(rows, assumptions.minutes_row or 0.0, wage)
        yield Figure("data", data, (state("rows", rows=rows, how=how), state("minutes", value=assumptions.minutes_row)))
        hours, machine = self.machine_run(), self.hour("machine_hour", assumptions.machine) or 0.0
        runs = assumptions.runs or 8
        note = state("machine_runs", runs=runs, hours=hours) if hours is not None else state("machine_unknown")
        yield Figure("compute", (hours or 0.0) * machine * runs, (note,))
        rows_judged = self.inputs.dev_rows + self.inputs.test_rows
        calls = rows_judged * (rival.per_call or 0.0) if rival else 0.0
        review = (assumptions.review_hours or 0.0) * wage
        notes = (state("rows_judged", rows=rows_judged), state("people", value=assumptions.review_hours))
        yield Figure("judging", calls + review, notes)

    def making(self, rival: PricedWay | None) -> tuple[float, list[Figure]]:
        figures = list(self._once(rival))
        return sum(figure.value or 0.0 for figure in figures), figures

    def retraining(self, once: float) -> float:
        """Money a month for making it anew: machines and judging again, and the new rows."""
        assumptions, wage = self.assumptions, self.wage() or 0.0
        rows, _ = self.rows_to_write()
        first = economics.people_cost(rows, assumptions.minutes_row or 0.0, wage)
        again = (
            once - first + economics.people_cost(assumptions.retrain_rows or 0.0, assumptions.minutes_row or 0.0, wage)
        )
        return again * (assumptions.retrains_year or 0.0) / 12

    def running(self, retraining: float) -> Iterator[Figure]:
        assumptions = self.assumptions
        yield Figure("retraining", retraining, (state("times", value=assumptions.retrains_year),))
        people = state("people", value=assumptions.upkeep_hours)
        if assumptions.tuned_rates:
            yield Figure("upkeep", self._looking_after(), (people,))
        elif (hosting := self.hosting(None)) is not None:
            number = hosting.needed(self.inputs.calls or 0.0)
            machines = state("machines", machines=number, hours=hosting.hours, hour=hosting.hour)
            yield Figure("machines", number * hosting.hour * hosting.hours, (machines,))
            other = assumptions.other_month
            yield Figure("upkeep", hosting.upkeep, (people, state("other", money=other)) if other else (people,))

    # ---------------------------------------------------------------- the prompt that it would replace

    def paid(self, rival: PricedWay | None) -> tuple[MeasuredWay, Tokens, Rates] | None:
        """A measured way that is paid for by the token, with its prices."""
        arm = next((arm for arm in self.inputs.arms if rival and arm.key == rival.key), None)
        if arm is None or rival is None or rival.tokens is None or (rival.way and rival.way.hosting):
            return None
        rates = self.rates_for(arm)
        return (arm, rival.tokens, rates) if rates else None

    def prompt_share(self, rival: PricedWay | None) -> float | None:
        paid = self.paid(rival)
        if paid is None:
            return None
        _, tokens, rates = paid
        whole = economics.call_cost(tokens, rates)
        return economics.call_cost(Tokens(tokens.input, 0.0), rates) / whole if whole > 0 else None

    def once(self, rival: PricedWay | None, trained: PricedWay | None, making: float) -> Once | None:
        calls = self.assumptions.once_calls
        if calls is None or rival is None or rival.way is None or trained is None or trained.way is None:
            return None
        paid = self.paid(rival)
        batch = paid is not None and paid[2].batch is not None and not self.inputs.waits
        bill = rival.way.month(calls)
        if paid is not None and batch:
            bill = calls * economics.call_cost(paid[1], paid[2], batch=True)
        return Once(calls, bill, batch, making + trained.way.month(calls))

    def moves(self, rival: PricedWay | None) -> list[Move]:
        """What to try first, for the prompt that a trained model would replace; nothing without prices by token."""
        paid = self.paid(rival)
        if paid is None or self.inputs.calls is None:
            return []
        arm, tokens, rates = paid
        plain = next(
            (other for other in self.inputs.arms if other.family == "zero_shot" and other.model == arm.model), None
        )
        same = arm.instructions / CHARACTERS_PER_TOKEN
        examples = max(0.0, tokens.input - (plain.tokens_in or 0.0)) if plain else 0.0
        if arm.shots and not arm.nearest:
            same += examples
        prompt = Prompt(
            tokens=tokens,
            rates=rates,
            same=min(same, tokens.input),
            shots=arm.shots if arm.nearest else 0,
            shot_tokens=examples / arm.shots if arm.shots else 0.0,
            waits=self.inputs.waits,
        )
        return economics.moves(prompt, self.inputs.calls, self._smaller(prompt))

    def _smaller(self, prompt: Prompt) -> tuple[str, Rates] | None:
        """The cheapest other model in the list, for the same call."""
        cost: Mapping[str, float] = {
            name: economics.call_cost(prompt.tokens, rates) for name, rates in self.rates.items()
        }
        now = economics.call_cost(prompt.tokens, prompt.rates)
        name = min(cost, key=lambda option: cost[option])
        return (name, self.rates[name]) if cost[name] < now else None

    # ---------------------------------------------------------------- what is missing

    def lacks(self, lines: Sequence[PricedWay], trained: PricedWay | None, *, sound: bool) -> Iterator[Lack]:
        """Everything that has to be said or measured before the answer counts, what weighs most first."""
        inputs, assumptions = self.inputs, self.assumptions
        if not inputs.prices:
            yield Lack(state("no_prices"), "prices")
        if assumptions.currency and inputs.prices and assumptions.currency not in self.currencies:
            yield Lack(state("no_price_in", currency=assumptions.currency), "currency")
        elif len(self.currencies) > 1:
            others = [currency for currency in self.currencies if currency != self.currency]
            yield Lack(state("other_currencies", others=others, currency=self.currency), "currency")
        if inputs.calls is None:
            yield Lack(state("calls"), "describe")
        yield from self._unmeasured(lines, trained, sound=sound)
        if self.wage() is None and inputs.prices:
            yield Lack(state("person_hour"), "person")
        if unsaid := self._costs_unsaid():
            yield Lack(state("unsaid", names=unsaid), "upkeep_hours")

    def _unmeasured(self, lines: Sequence[PricedWay], trained: PricedWay | None, *, sound: bool) -> Iterator[Lack]:
        """What was not measured, and prices of what was."""
        if not any(option.tokens for option in lines):
            yield Lack(state("nothing_measured"), "measure")
        elif not sound:
            yield Lack(state("nothing_meets"), "measure")
        missing: dict[str, Statement] = {}
        for option in [*lines, *([trained] if trained else [])]:
            if option.lack:
                missing.setdefault(option.lacks, option.lack)
        for lack in missing.values():
            if self.inputs.prices or lack.code == "tokens":  # that the list is empty says which prices are missing: all
                yield Lack(state("missing", lack=lack), "prices")

    def _costs_unsaid(self) -> list[str]:
        return [name for name in NO_USUAL_VALUE if getattr(self.assumptions, name) is None]

    def unsaid(self) -> list[str]:
        """What is not said and has no usual value, the wage of people among it."""
        return [*self._costs_unsaid(), *(["person"] if self.wage() is None else [])]
