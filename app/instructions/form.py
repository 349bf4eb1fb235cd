"""The form of the optimizer: what it holds as text, read into an order. Pure."""

from collections.abc import Mapping

from app.instructions.budget import Prices
from app.instructions.order import Order
from app.web.numbers import TypedNumbers, consents


def order(typed: Mapping[str, str]) -> Order:
    """Read the form. Consent is that for the chosen critic; an empty number of rows means all.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    fields, usual = TypedNumbers(typed, thousands=True), Order(critic_id=0)
    read = Order(
        critic_id=fields.whole("critic_id") or 0,
        candidates=fields.whole("candidates", usual.candidates) or 0,
        calls=fields.whole("calls"),
        tokens=fields.whole("tokens"),
        minutes=fields.number("minutes"),
        money=fields.number("money"),
        train_rows=(fields.whole("train_rows") or 0) if "train_rows" in typed else usual.train_rows,
        dev_rows=fields.whole("dev_rows") or 0,
        consent=consents(typed, "critic_id"),
        task_prices=Prices(fields.number("task_price_in"), fields.number("task_price_out")),
        critic_prices=Prices(fields.number("critic_price_in"), fields.number("critic_price_out")),
    )
    fields.refuse()
    return read
