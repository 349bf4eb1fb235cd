"""The form of a judge: what it holds as text, read into an order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from app.judging.order import Order, Split, Use
from app.web.numbers import TypedNumbers, consents, ids


def texts(sent: Iterable[tuple[str, object]]) -> tuple[dict[str, str], list[int]]:
    """The texts of a form by name, and the ids of the variants, which come several times."""
    listed = [(name, value) for name, value in sent if isinstance(value, str)]
    chosen = ids(value for name, value in listed if name == "variant")
    return {name: value for name, value in listed if name != "variant"}, list(chosen)


def budget(typed: Mapping[str, str]) -> int | None:
    """The budget of calls of a run that goes on; None where the field is empty.

    Raises:
        Invalid: it is no number.
    """
    fields = TypedNumbers(typed, thousands=True)
    calls = fields.whole("calls")
    fields.refuse("The budget is no number.")
    return calls


def order(typed: Mapping[str, str], arms: Sequence[int]) -> Order:
    """Read the form. Consent is that for the chosen judge; an empty number of rows or calls means all.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    fields = TypedNumbers(typed, thousands=True)
    use = "pairwise" if typed.get("use") == "pairwise" else "pass_fail"
    split = "test" if typed.get("split") == "test" else "dev"
    read = Order(
        judge_id=fields.whole("judge_id") or 0,
        arms=tuple(arms),
        use=cast("Use", use),
        split=cast("Split", split),
        rows=fields.whole("rows") or 0,
        calls=fields.whole("calls"),
        consent=consents(typed, "judge_id"),
        price_in=fields.number("price_in"),
        price_out=fields.number("price_out"),
    )
    fields.refuse()
    return read
