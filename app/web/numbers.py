"""The texts of a form read as numbers; what is none is a fault at its field. Pure."""

from collections.abc import Iterable, Mapping

from app.errors import FieldError, Invalid

LONGEST_NUMBER = 9  # digits


class TypedNumbers:
    """Reads one form; `refuse` once all of its fields were read. thousands: whole numbers may have commas between."""

    def __init__(self, typed: Mapping[str, str], *, thousands: bool = False) -> None:
        self._typed = typed
        self._thousands = thousands
        self._faults: list[FieldError] = []

    def whole(self, name: str, usual: int | None = None) -> int | None:
        """A whole number; `usual` where the field is empty."""
        text = self._typed.get(name, "").strip()
        text = text.replace(",", "") if self._thousands else text
        if not text:
            return usual
        if not is_whole(text):
            self._faults.append(FieldError(f"#/{name}", "Use a whole number."))
            return usual
        return int(text)

    def number(self, name: str, example: str = "0.25") -> float | None:
        """None where the field is empty."""
        text = self._typed.get(name, "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            self._faults.append(FieldError(f"#/{name}", f"Use a number, like {example}."))
            return None

    def refuse(self, detail: str = "Some fields are not numbers.") -> None:
        """
        Raises:
            Invalid: a field that should hold a number does not.
        """
        if self._faults:
            raise Invalid(detail, self._faults)


def is_whole(text: str) -> bool:
    return text.isdecimal() and len(text) <= LONGEST_NUMBER


def ids(texts: Iterable[str]) -> tuple[int, ...]:
    """The ids that a form names, each once; what is none is left out."""
    return tuple(dict.fromkeys(int(text) for text in texts if is_whole(text)))


def consents(typed: Mapping[str, str], field: str) -> bool:
    """Whether the box was ticked that belongs to the model chosen in a field: `consent-<id>`."""
    return typed.get(f"consent-{typed.get(field, '').strip()}") == "on"
