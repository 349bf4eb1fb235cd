"""Money, volumes and times as people say them."""

import math

from app.economics.cost_model import Study

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
    text = "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")
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


def basis(study: Study) -> str:
    """What a cost case rests on, in one line for whoever reads the gate's answer; empty while there is none.

    The sums are rounded to two figures. It is part of what a reviewer approves: prices change every day, and an
    approval falls with what was read, not with a cent that nobody saw.
    """
    found = study.comparison
    if found is None or found.saved is None or study.compared_with is None:
        return ""
    name = study.compared_with.name
    name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    way = "less" if found.saved > 0 else "more"
    even = found.break_even
    start = "never at these prices" if even is None else f"break-even about {calls(about(even))}"
    months = None if found.months is None else about(found.months)
    return (
        f"Estimated: about {money(about(abs(found.saved)), study.currency)} {way} a month than with \u201c{name}\u201d "
        f"at {calls(found.calls)} calls; {start}; paid back {paid_back(months)}."
    )
