"""The form of the optimizer: what it holds as text, read into an order. Pure."""

from collections.abc import Mapping

from app.errors import FieldError, Invalid
from app.instructions.budget import Prices
from app.instructions.order import Order

LONGEST_NUMBER = 9  # digits


def order(typed: Mapping[str, str]) -> Order:
    """Read the form. Consent is that for the chosen critic, `consent-<id>`; an empty number of rows means all.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    faults: list[FieldError] = []

    def whole(name: str) -> int | None:
        text = typed.get(name, "").strip().replace(",", "")
        if not text:
            return None
        if not text.isdecimal() or len(text) > LONGEST_NUMBER:
            faults.append(FieldError(f"#/{name}", "Use a whole number."))
            return None
        return int(text)

    def number(name: str) -> float | None:
        text = typed.get(name, "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            faults.append(FieldError(f"#/{name}", "Use a number, like 0.25."))
            return None

    usual = Order(critic_id=0)
    candidates = whole("candidates")
    read = Order(
        critic_id=whole("critic_id") or 0,
        candidates=usual.candidates if candidates is None else candidates,
        calls=whole("calls"),
        tokens=whole("tokens"),
        minutes=number("minutes"),
        money=number("money"),
        train_rows=(whole("train_rows") or 0) if "train_rows" in typed else usual.train_rows,
        dev_rows=whole("dev_rows") or 0,
        consent=typed.get(f"consent-{typed.get('critic_id', '').strip()}") == "on",
        task_prices=Prices(number("task_price_in"), number("task_price_out")),
        critic_prices=Prices(number("critic_price_in"), number("critic_price_out")),
    )
    if faults:
        raise Invalid("Some fields are not numbers.", faults)
    return read
