"""The form of a judge: what it holds as text, read into an order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from app.errors import FieldError, Invalid
from app.judging.order import Order, Split, Use

LONGEST_NUMBER = 9  # digits


def texts(sent: Iterable[tuple[str, object]]) -> tuple[dict[str, str], list[int]]:
    """The texts of a form by name, and the ids of the variants, which come several times."""
    listed = [(name, value) for name, value in sent if isinstance(value, str)]
    chosen = [value for name, value in listed if name == "variant"]
    ids = [int(value) for value in chosen if value.isdecimal() and len(value) <= LONGEST_NUMBER]
    return {name: value for name, value in listed if name != "variant"}, list(dict.fromkeys(ids))


def budget(typed: Mapping[str, str]) -> int | None:
    """The budget of calls of a run that goes on; None where the field is empty.

    Raises:
        Invalid: it is no number.
    """
    faults: list[FieldError] = []
    calls = whole(typed, "calls", faults)
    if faults:
        raise Invalid("The budget is no number.", faults)
    return calls


def order(typed: Mapping[str, str], arms: Sequence[int]) -> Order:
    """Read the form. Consent is that for the chosen judge, `consent-<id>`; an empty number of rows or calls means all.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    faults: list[FieldError] = []
    use = "pairwise" if typed.get("use") == "pairwise" else "pass_fail"
    split = "test" if typed.get("split") == "test" else "dev"
    read = Order(
        judge_id=whole(typed, "judge_id", faults) or 0,
        arms=tuple(arms),
        use=cast("Use", use),
        split=cast("Split", split),
        rows=whole(typed, "rows", faults) or 0,
        calls=whole(typed, "calls", faults),
        consent=typed.get(f"consent-{typed.get('judge_id', '').strip()}") == "on",
        price_in=_number(typed, "price_in", faults),
        price_out=_number(typed, "price_out", faults),
    )
    if faults:
        raise Invalid("Some fields are not numbers.", faults)
    return read


def whole(typed: Mapping[str, str], name: str, faults: list[FieldError]) -> int | None:
    """A whole number of a form, None where the field is empty; what it holds otherwise is a fault."""
    text = typed.get(name, "").strip().replace(",", "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > LONGEST_NUMBER:
        faults.append(FieldError(f"#/{name}", "Use a whole number."))
        return None
    return int(text)


def _number(typed: Mapping[str, str], name: str, faults: list[FieldError]) -> float | None:
    text = typed.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        faults.append(FieldError(f"#/{name}", "Use a number, like 0.25."))
        return None
