"""What somebody asks the optimizer to do, and what is wrong with it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import FieldError
from app.instructions.budget import BATCH, CANDIDATES_MOST, UNPRICED, Prices

TRAIN_ROWS = 200  # that are drawn from for reflection, where nobody says how many
ROWS_LEAST = 20  # dev rows that can choose between prompts at all
MOST = 1_000_000  # of calls, minutes, money
MOST_TOKENS = 1_000_000_000
ABOVE_ZERO = "Use a number above 0, or leave it empty."


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks the optimizer to do. critic_id: the model that writes prompts. candidates: drafts at most.
    calls: of both models, None for as many as the drafts may need. train_rows, dev_rows: 0 for all. consent: that rows
    may be sent to the critic's server. Prices are per million tokens, `money` in the same currency."""

    critic_id: int
    candidates: int = 10
    calls: int | None = None
    tokens: int | None = None
    minutes: float | None = None
    money: float | None = None
    train_rows: int = TRAIN_ROWS
    dev_rows: int = 0
    consent: bool = False
    task_prices: Prices = UNPRICED
    critic_prices: Prices = UNPRICED


def faults(order: Order) -> Iterator[FieldError]:
    """Every fault of an order, whatever there is to start."""
    if not 1 <= order.candidates <= CANDIDATES_MOST:
        yield FieldError("#/candidates", f"Use a number from 1 to {CANDIDATES_MOST}.")
    limits = (("calls", order.calls, MOST), ("minutes", order.minutes, MOST), ("money", order.money, MOST))
    for name, limit, most in (*limits, ("tokens", order.tokens, MOST_TOKENS)):
        if limit is not None and not 0 < limit <= most:
            yield FieldError(f"#/{name}", ABOVE_ZERO)
    if order.money is not None and not (order.task_prices.known and order.critic_prices.known):
        yield FieldError("#/money", "A budget of money needs the prices of both models.")
    for name, rows, least in (("train_rows", order.train_rows, BATCH), ("dev_rows", order.dev_rows, ROWS_LEAST)):
        if rows != 0 and rows < least:
            yield FieldError(f"#/{name}", f"Use at least {least} rows, or leave it empty for all.")
    for whose, prices in (("task", order.task_prices), ("critic", order.critic_prices)):
        for end, price in (("in", prices.read), ("out", prices.write)):
            if price is not None and not 0 <= price <= MOST:
                yield FieldError(f"#/{whose}_price_{end}", "Use a price per million tokens, or leave it empty.")
