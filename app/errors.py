"""The four ways in which we say no.

Pure code and services raise one of these and nothing else for what people can do wrong; `web/problems.py` turns
the class into a status and the text into a page or a problem document. Anything else that is raised is a bug.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """Something expected that we do not do; the text tells the reader what to do next."""

    @property
    def detail(self) -> str:
        return str(self)


class NotFound(Refusal):
    """There is no such thing, or not for this person."""


class Conflict(Refusal):
    """The thing exists, but its present state does not allow this."""


class Forbidden(Refusal):
    """This person may not do this."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` is a JSON pointer (`#/target`), `detail` a sentence for the person at the form."""

    pointer: str
    detail: str

    @property
    def field(self) -> str:
        """The field's name as a form knows it."""
        return self.pointer.removeprefix("#/").split("/", 1)[0]


class Invalid(Refusal):
    """What was sent cannot be used; `errors` says which fields and why, all at once."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class Stale(Conflict):
    """What the reader saw is no longer what is there: look again, then decide (412)."""


class DigestMissing(Invalid):
    """A decision did not say what it is about: send the digest that was on the screen (428)."""


class GateClosed(Conflict):
    """Training is locked; `reasons` are all that is in the way, in the order in which to mend them."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(reasons)
