"""Costs in words: money, volumes and times as people say them, what is missing, and what a sum is made of."""

import math
from collections.abc import Callable, Sequence

from app.wording import MINUS, Statement, Wording, plural

NOTHING = "\N{EN DASH}"
LONGEST_NAME = 60


def money(value: float | None, currency: str = "") -> str:
    """1,695 EUR, 0.85 EUR, 0.00085 EUR: three figures that count, no exponent."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size == 0 or size >= 100:
        text = f"{value:,.0f}"
    elif size >= 1:
        text = f"{value:,.2f}".removesuffix(".00")
    else:
        text = f"{value:.{2 - math.floor(math.log10(size))}f}".rstrip("0").rstrip(".") if size > 1e-12 else "0"
    text = "0" if text == "-0" else text.replace("-", MINUS)
    return f"{text} {currency}".rstrip()


def about(value: float) -> float:
    """Rounded to two figures that count: what a criterion says of a sum, so that a euro more or less says the same."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 1 - math.floor(math.log10(abs(value))))


def calls(value: float | None) -> str:
    """A volume as people say it: 850, 19,000, 1.99 million."""
    if value is None:
        return "never"
    if value >= 1e9:
        return f"{value / 1e9:.3g} billion"
    if value >= 1e6:
        return f"{value / 1e6:.3g} million"
    if value < 1000:
        return f"{math.ceil(value):,}"
    return f"{float(f'{value:.3g}'):,.0f}"


def paid_back(value: float | None) -> str:
    """When making it is paid for, as the end of a sentence: after 3.2 months."""
    if value is None:
        return "never"
    return "at once" if value == 0 else "within days" if value < 0.5 else f"after {value:,.1f} months"


def months(value: float) -> str:
    """1 month, 6 months, 4.5 months."""
    return f"{value:g} {'month' if value == 1 else 'months'}"


def volume(value: float | None) -> str:
    """1 call, 19,000 calls, 1.99 million calls."""
    number = calls(value)
    return f"{number} {'call' if number == '1' else 'calls'}"


# ------------------------------------------------------------------------------------------------------ the answer


def _saving(saved: float | None, currency: str, calls: float | None) -> str:
    return f"about {money(saved, currency)} less a month at {volume(calls)}"


def _too_slow(saved: float | None, currency: str, calls: float | None, months: float | None) -> str:
    saving = _saving(saved, currency, calls)
    return f"It does not pay in time: {saving}, but making it is paid back only {paid_back(months)}."


def _pays(saved: float | None, currency: str, calls: float | None, months: float | None) -> str:
    return f"It pays: {_saving(saved, currency, calls)}, and making it is paid back {paid_back(months)}."


def _may_pay(saved: float | None, currency: str, calls: float | None, **_: object) -> str:
    return f"It may pay: {_saving(saved, currency, calls)}. Not everything is said yet."


def _below(break_even: float, expected: float) -> str:
    return (
        f"It does not pay: a trained model costs less only from about {volume(break_even)} a month, and you expect "
        f"{calls(expected)}."
    )


OUTCOMES = Wording({
    "unknown": "Not known yet whether a trained model would pay.",
    "nothing_meets": "Not known yet: no measured way meets the target, so there is nothing to save on.",
    "never": "Never at these prices: a trained model costs more at every volume.",
    "from": lambda break_even: f"A trained model would cost less from about {volume(break_even)} a month.",
    "below": _below,
    "too_slow": _too_slow,
    "may_pay": _may_pay,
    "pays": _pays,
})  # fmt: skip


def against(statement: Statement) -> str:
    """What the answer is held against, or what is missing for one."""
    return LACKS(statement) if statement.code in LACKS.sentences else AGAINST(statement)


AGAINST = Wording({
    "best_so_far": "Below it is compared with \u201c{name}\u201d, the best so far, to show the order of magnitude.",
    "in_use": "Compared with \u201c{name}\u201d, which costs the least of all that meet the target.",
    "cheapest": "Compared with \u201c{name}\u201d, the cheapest measured way that meets the target.",
})  # fmt: skip


def basis(
    *,
    saved: float,
    currency: str,
    rival: str,
    calls_a_month: float | None,
    break_even: float | None,
    months: float | None,
) -> str:
    """What a cost case rests on, in one line."""
    name = rival if len(rival) <= LONGEST_NAME else f"{rival[: LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    even = "never at these prices" if break_even is None else f"break-even about {calls(break_even)}"
    return (
        f"Estimated: about {money(abs(saved), currency)} {'less' if saved > 0 else 'more'} a month than with "
        f"\u201c{name}\u201d at {volume(calls_a_month)}; {even}; paid back {paid_back(months)}."
    )


# ------------------------------------------------------------------------------------------------------ what is missing

LACKING = Wording({
    "machine_hour": "the price of a machine for an hour",
    "token_prices": "prices of {name} for input and output tokens",
    "tokens": "how many tokens a call of {way} takes; measure it again",
})  # fmt: skip
"""What a way to answer lacks, by the codes of `cost_model`."""

UNSAID = {
    "upkeep_hours": "hours a month that people look after a trained model",
    "retrains_year": "retrains per year",
    "minutes_row": "minutes for writing one example",
    "review_hours": "hours to review one result",
}


def _missing(lack: Statement) -> str:
    return f"Missing: {LACKING(lack)}."


def _other_currencies(others: Sequence[str], currency: str) -> str:
    return f"Prices in {', '.join(others)} are left out; sums are in {currency}."


def _unsaid(names: Sequence[str]) -> str:
    unsaid = "; ".join(UNSAID[name] for name in names)
    return f"Missing inputs count as 0, which favours fine-tuning: {unsaid}."


LACKS = Wording({
    "no_prices": "The list of prices is empty. Enter what your models, machines and people cost.",
    "no_price_in": "No price is in {currency}.",
    "other_currencies": _other_currencies,
    "calls": "Say how many calls a month you expect.",
    "nothing_measured": "Measure first: tokens and scores come from there.",
    "nothing_meets": "No measured way meets the target yet. The comparison is with the best so far, so it shows an "
    "order of magnitude and proves nothing: measure a stronger model on the same rows (and the one to train last), or "
    "say what you use today.",
    "missing": _missing,
    "person_hour": "Missing: the price of a person for an hour, or which of several it is.",
    "unsaid": _unsaid,
})  # fmt: skip

# ------------------------------------------------------------------------------------------------------ the figures

FIGURES = {
    "data": "Writing and checking examples",
    "compute": "Machine time for training",
    "judging": "Reviewing the result",
    "retraining": "Retraining",
    "machines": "Machines",
    "upkeep": "Looking after it",
}


def _declared(singular: str, plural_form: str, unsaid: str) -> Callable[[float | None], str]:
    """A figure that people declare; `unsaid` is what it is called while they have not."""
    return lambda value: (
        f"{unsaid}: missing" if value is None else f"{value:g} {singular if value == 1 else plural_form}"
    )


def _machine_runs(runs: float, hours: float) -> str:
    return f"{runs:g} {'run' if runs == 1 else 'runs'} of {hours:.3g} machine {'hour' if hours == 1 else 'hours'}"


def _machines(machines: int, hours: float, hour: float) -> str:
    return f"{machines} x {hours:g} {'hour' if hours == 1 else 'hours'} at {hour:g}"


NOTES = Wording({
    "rows": lambda rows, how: f"{plural(rows, 'row')} ({how})",
    "minutes": _declared("minute each", "minutes each", "minutes each"),
    "machine_runs": _machine_runs,
    "machine_unknown": "size and speed missing: not counted",
    "rows_judged": "{rows:#row} asked again",
    "people": _declared("hour of people", "hours of people", "hours of people"),
    "times": _declared("time a year", "times a year", "times a year"),
    "machines": _machines,
    "other": "and {money:g} besides",
})  # fmt: skip
"""What a figure comes from, by the codes of `cost_model`."""
