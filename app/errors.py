"""The four ways in which we say no.

Pure code and services raise one of these and nothing else for what people can do wrong; `web/problems.py` turns
the class into a status and the text into a page or a problem document. Anything else that is raised is a bug.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self


class Refusal(Exception):
    """Something expected that we do not do; the text tells the reader what to do next.

    reasons: several things that are in the way, in the order in which to mend them. `detail` then only counts them, and
    whoever shows it shows them as a list beside it; the text of the exception holds them all.
    """

    reasons: tuple[str, ...] = ()

    @classmethod
    def because(cls, reasons: Sequence[str]) -> Self:
        """A refusal for everything that is in the way at once."""
        refusal = cls(" ".join(reasons))
        refusal.reasons = tuple(dict.fromkeys(reasons)) if len(reasons) > 1 else ()
        return refusal

    @property
    def detail(self) -> str:
        return f"{len(self.reasons)} things stand in the way." if len(self.reasons) > 1 else str(self)


class NotFound(Refusal):
    """There is no such thing, or not for this person."""


class Conflict(Refusal):
    """The thing exists, but its present state does not allow this."""


class Forbidden(Refusal):
    """This person may not do this."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` is a JSON pointer (`#/target`), `detail` a sentence for the person at the form.

    where: what it points into. A parameter of the address and a header are no part of a document, so for these
    `pointer` is the name alone.
    """

    pointer: str
    detail: str
    where: Literal["body", "parameter", "header"] = "body"

    @property
    def field(self) -> str:
        """The field's name as a form knows it."""
        return self.pointer.removeprefix("#/").split("/", 1)[0]


def pointer(*parts: int | str) -> str:
    """A JSON pointer as a fragment (RFC 6901, section 6, without percent-encoding): `#` is the whole document."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class Invalid(Refusal):
    """What was sent cannot be used; `errors` says which fields and why, all at once."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    def moved(self, place: Callable[[str], str]) -> "Invalid":
        """The same where fields have other places: a form is flat, JSON is not. `place` gives a field's pointer."""
        return Invalid(
            self.detail, [replace(error, pointer=place(error.pointer.removeprefix("#/"))) for error in self.errors]
        )


class Stale(Conflict):
    """What the reader saw is no longer what is there: look again, then decide (412)."""


class DigestMissing(Invalid):
    """A decision did not say what it is about: send the digest that was on the screen (428)."""


class GateClosed(Conflict):
    """Training is locked; `reasons` are all that is in the way, be it one or many."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(dict.fromkeys(reasons))

    @property
    def detail(self) -> str:
        return "One thing stands in the way." if len(self.reasons) == 1 else super().detail
