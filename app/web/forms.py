"""What a form needs when it comes back: each fault beside its field."""

from collections.abc import Iterable

from app.errors import FieldError, Invalid


def by_field(refusal: Invalid | Iterable[FieldError]) -> dict[str, str]:
    """Faults by field name, the first of each, in the order of the form. `templates/_field.html` shows them."""
    errors = refusal.errors if isinstance(refusal, Invalid) else refusal
    faults: dict[str, str] = {}
    for error in errors:
        faults.setdefault(error.field, error.detail)
    return faults
