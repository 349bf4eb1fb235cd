"""What somebody asks a judge to do, what it has used, and why it ended. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from app.errors import FieldError
from app.json_types import JsonObject
from app.strict import stored

Use = Literal["pass_fail", "pairwise"]
Split = Literal["dev", "test"]
ROWS_LEAST = 20  # a smaller sample says nothing
MOST = 1_000_000  # of calls, of a price
LONGEST_RULE = 2_000  # characters of what an answer has to do to pass
LONGEST_FAILURE = 80
USES = {"pass_fail": "pass or fail", "pairwise": "pairwise"}
ENDINGS = {
    "done": "Every answer was judged.",
    "calls": "The budget of calls was used up.",
}


@dataclass(frozen=True, slots=True)
class Order:
    """judge_id: the model that judges. arms: ids, in pairwise exactly two. rows: 0 for all. calls: None for as many as
    it takes. consent: that questions and answers may be sent to the judge's server. Prices are per million tokens."""

    judge_id: int
    arms: tuple[int, ...] = ()
    use: Use = "pass_fail"
    split: Split = "dev"
    rows: int = 0
    calls: int | None = None
    consent: bool = False
    price_in: float | None = None
    price_out: float | None = None


@dataclass(slots=True)
class Spent:
    """What a run has used in all of its attempts. reused: judgements that an earlier run had made."""

    calls: int = 0
    read: int = 0
    write: int = 0
    reused: int = 0

    @property
    def tokens(self) -> int:
        return self.read + self.write

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> "Spent":
        return stored(cls, value)


def money(spent: Spent, price_in: float | None, price_out: float | None) -> float | None:
    """What so many tokens cost; None where a price is missing or the server counted no tokens."""
    if price_in is None or price_out is None or (spent.calls and not spent.read):
        return None
    return (price_in * spent.read + price_out * spent.write) / 1e6


def faults(order: Order) -> Iterator[FieldError]:
    """Every fault of an order, whatever there is to judge."""
    if order.use == "pairwise" and len(set(order.arms)) != 2:
        yield FieldError("#/arms", "Choose exactly two variants to compare.")
    elif not order.arms:
        yield FieldError("#/arms", "Choose at least one variant.")
    if order.calls is not None and not 0 < order.calls <= MOST:
        yield FieldError("#/calls", "Use a number above 0, or leave it empty.")
    if order.rows != 0 and order.rows < ROWS_LEAST:
        yield FieldError("#/rows", f"Judge at least {ROWS_LEAST} rows, or leave it empty for all.")
    for name, price in (("price_in", order.price_in), ("price_out", order.price_out)):
        if price is not None and not 0 <= price <= MOST:
            yield FieldError(f"#/{name}", "Use a price per million tokens, or leave it empty.")
