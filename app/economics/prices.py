"""Prices as values: what can be priced, how old a price may be, and the list as a file.

A spreadsheet runs a cell that begins like a formula. Names and sources are anybody's text, so such cells go out with
an apostrophe in front, which spreadsheets take as "this is text", and it comes off again on the way in (OWASP, CSV
injection).
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.advice.economics import Rates
from app.economics.assumptions import plain
from app.errors import FieldError, Invalid
from app.text import cell, one_line, uncell

UNITS: Mapping[str, str] = {
    "input_tokens": "1M input tokens",
    "cached_tokens": "1M cached input tokens",
    "output_tokens": "1M output tokens",
    "batch_share": "batch discount, share of the price",
    "machine_hour": "machine hour",
    "person_hour": "person hour",
}
OLD_AFTER = timedelta(days=90)
COLUMNS = ("name", "unit", "price", "currency", "dated", "source")
LARGEST_FILE = 1_000_000  # bytes
MOST_ROWS = 2000
LONGEST_NAME = 100
LONGEST_SOURCE = 400


@dataclass(frozen=True, slots=True)
class Price:
    """One price. unit: a key of `UNITS`; a `batch_share` is from 0 to 1 and has no currency. dated: when it held.

    source: where somebody can look it up again.
    """

    name: str
    unit: str
    price: float
    currency: str
    dated: date
    source: str

    def old(self, today: date) -> bool:
        """Whether it should be looked up again before anybody decides by it."""
        return today - self.dated > OLD_AFTER


def rates_of(prices: Iterable[Price]) -> dict[str, Rates]:
    """Names that have a price for input and for output, with all that is known of them."""
    by_name: dict[str, dict[str, float]] = {}
    for price in prices:
        by_name.setdefault(price.name, {})[price.unit] = price.price
    return {
        name: Rates(units["input_tokens"], units["output_tokens"], units.get("cached_tokens"), units.get("batch_share"))
        for name, units in by_name.items()
        if {"input_tokens", "output_tokens"} <= units.keys()
    }


def currency_of(prices: Iterable[Price], declared: str) -> str:
    """The currency to count in: the declared one, else the one that most prices have; empty where there is none."""
    currencies = [price.currency for price in prices if price.currency]
    return declared or (max(sorted(set(currencies)), key=currencies.count) if currencies else "")


def named_like(known: Iterable[str], *names: str) -> str:
    """The name of a price that is one of these, capitals aside, in this order; empty where none is."""
    folded = {one.casefold(): one for one in known}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), "")


# ------------------------------------------------------------------------------------------------------ reading


def read(sent: Mapping[str, object], today: date, at: str = "#") -> Price:
    """One price from a form, a line of a file, or a program; `at` is where in it, for the faults.

    Raises:
        Invalid: with every fault.
    """
    faults: list[FieldError] = []

    def fault(name: str, text: str) -> None:
        faults.append(FieldError(f"{at}/{name}", text))

    name, source = one_line(sent.get("name")), one_line(sent.get("source"))
    unit, currency = one_line(sent.get("unit")), one_line(sent.get("currency")).upper()
    if not 1 <= len(name) <= LONGEST_NAME:
        fault("name", f"Name what it is the price of, in at most {LONGEST_NAME} characters.")
    if not 1 <= len(source) <= LONGEST_SOURCE:
        fault("source", "Say where it can be looked up again: a page, a contract, a person.")
    if unit not in UNITS:
        fault("unit", f"Use one of: {', '.join(UNITS)}.")
    share = unit == "batch_share"
    if share:
        currency = ""
    elif len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        fault("currency", "Use the three letters of the currency, for example EUR.")
    price = _amount(sent.get("price"))
    most = 1.0 if share else 1e9
    if price is None or not 0 <= price <= most:
        fault("price", "Use a share from 0 to 1." if share else "Use an amount of 0 or more, with a point: 0.25.")
    dated = _day(sent.get("dated"))
    if dated is None or not date(2015, 1, 1) <= dated <= today + timedelta(days=1):
        fault("dated", "Use the day on which the price held, not after today: 2026-11-23.")
    if faults or price is None or dated is None:
        raise Invalid("This price can't be used yet.", faults)
    return Price(name, unit, price, currency, dated, source)


def _amount(value: object) -> float | None:
    try:
        amount = float(str(value).strip())
    except ValueError:
        return None
    return amount if math.isfinite(amount) else None


def _day(value: object) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------------ files


def to_csv(prices: Iterable[Price]) -> bytes:
    """With a byte order mark, so that spreadsheets read it as UTF-8."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for price in prices:
        dated = price.dated.isoformat()
        text = (cell(price.name), price.unit, plain(price.price), price.currency, dated, cell(price.source))
        writer.writerow(text)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def from_csv(raw: bytes, today: date) -> list[Price]:
    """The prices in a file, all or none. The columns may stand in any order; further ones are passed over.

    Raises:
        Invalid: with one fault for each line that can't be used.
    """
    rows = _lines(raw)
    head = [name.strip().lower() for name in rows[0]]
    missing = [name for name in COLUMNS if name not in head]
    if missing:
        raise Invalid(
            "This file can't be used.", [FieldError("#/file", f"The first line lacks: {', '.join(missing)}.")]
        )
    prices: list[Price] = []
    faults: list[FieldError] = []
    for number, cells in enumerate(rows[1:], start=2):
        if not any(map(str.strip, cells)):
            continue
        cells_by_column = {name: uncell(value.strip()) for name, value in zip(head, cells, strict=False)}
        try:
            price = read(cells_by_column, today)
        except Invalid as refusal:
            wrong = " ".join(f"{error.field}: {error.detail}" for error in refusal.errors)
            faults.append(FieldError("#/file", f"Line {number}. {wrong}"))
            continue
        if any((other.name, other.unit) == (price.name, price.unit) for other in prices):
            faults.append(FieldError("#/file", f"Line {number}. {price.name} has a price for {price.unit} already."))
        prices.append(price)
    if not prices and not faults:
        faults.append(FieldError("#/file", "There is no price in it, only the first line."))
    if faults:
        raise Invalid("Nothing was taken from this file.", faults)
    return prices


def _lines(raw: bytes) -> Sequence[list[str]]:
    """Cells of a file of reasonable size, with commas, semicolons or tabs between them.

    Raises:
        Invalid: it is too large, no UTF-8, or empty.
    """
    if len(raw) > LARGEST_FILE:
        raise Invalid("This file can't be used.", [FieldError("#/file", "It is larger than a list of prices can be.")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = FieldError("#/file", "It is not UTF-8 text. Save it as CSV in UTF-8.")
        raise Invalid("This file can't be used.", [fault]) from error
    first = text.split("\n", 1)[0]
    between = max((",", ";", "\t"), key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True))
    except csv.Error as error:
        raise Invalid("This file can't be used.", [FieldError("#/file", f"It is no CSV: {error}.")]) from error
    if not rows or len(rows) > MOST_ROWS + 1:
        fault = FieldError("#/file", f"Use a file of 1 to {MOST_ROWS:,} prices.")
        raise Invalid("This file can't be used.", [fault])
    return rows
