"""What a request may bring at most, said once: every address, query, form and body is made of these.

PostgreSQL takes no NUL in a text and no id over 2^31 - 1, UTF-8 has no half of a surrogate pair, and text without a
limit is somebody's way to keep the server busy. So a plain `str` or `int` stands at no edge (`tests/web/test_edges.py`
looks at every route). pydantic refuses surrogates itself as soon as a text has any bound.

The bounds here are those of the door. What a person may write into a field is usually less, and is said by the service
in the form that comes back filled in; a narrower bound at the door stands beside the type: `Annotated[OneLine,
Query(max_length=40)]`.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field
from starlette.datastructures import FormData

from app.errors import FieldError, Invalid

LARGEST = 2**31 - 1  # of an id or a count: what an integer column holds on PostgreSQL
LONGEST_LINE = 1_000
LONGEST_TEXT = 100_000
LONGEST_FIELD = 1_000_000  # of a form with fields of any name, where rows may be pasted; Starlette reads no more
LONGEST_ADDRESS = 8_000
NO_NUL = r"^[^\x00]*$"
MOST_PARTS = 20_000  # keys and items of one JSON body; the longest honest one is a thousand words on answers
MOST_NAMED = 20  # wrong fields in one answer; a request can bring a hundred thousand of them

Id = Annotated[int, Path(ge=1, le=LARGEST)]
Number = Annotated[int, Field(ge=1, le=LARGEST)]
"""An id or a count in a query or a body."""

PageNumber = Annotated[int | None, Query(alias="page", ge=1, le=10**6)]
"""Which page of a list, from 1; None where the address names none."""

Wanted = Annotated[Number | None, BeforeValidator(lambda sent: sent or None), Query()]
"""The number of a thing that an address may name; None where it names none, or leaves the value empty."""

OneLine = Annotated[str, Field(max_length=LONGEST_LINE, pattern=NO_NUL)]
"""A name, a word, a key: whatever a person types into one line."""
Text = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL)]
"""A comment, instructions: whatever a person types into a box."""
Slug = Annotated[OneLine, Path(max_length=100)]
"""A word in an address."""
Address = Annotated[str, Field(max_length=LONGEST_ADDRESS, pattern=NO_NUL)]
"""A path of ours with its query."""
Name = Annotated[OneLine, Field(max_length=100)]
"""What something is called."""
Whole = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
"""A whole number of which the service says what it may be."""
UpTo100 = Annotated[int, Query(ge=1, le=100)]
UpTo200 = Annotated[int, Query(ge=1, le=200)]
UpTo500 = Annotated[int, Query(ge=1, le=500)]
"""How many of a list are sent at once: of whole objects, of small ones, of lines."""


async def few_parts(request: Request) -> None:
    """Refuse JSON of a hundred thousand keys or items before it is compared with what is expected.

    Each of them that does not belong becomes a fault of its own, which took ten seconds in which nothing else was
    answered. Asked before everything else; a body that a route reads itself, an upload, is not looked at.

    Raises:
        Invalid: there are too many.
    """
    level: list[object] = [getattr(request, "_json", None)]  # where Starlette keeps what was read
    count = 0
    while level:
        inside = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        count += sum(map(len, inside))
        if count > MOST_PARTS:
            raise Invalid(f"The body has more than {MOST_PARTS:,} keys and items. Send less at once.")
        level = [part for values in inside for part in values if isinstance(part, dict | list)]


async def _form(request: Request) -> FormData:
    """The whole form as it came. Name it before `Db` in a route: no transaction is open while a body is on its way.

    Raises:
        Invalid: a field is too long, or holds what cannot be stored.
    """
    form = await request.form()
    if faults := [*_faults((name, value) for name, value in form.multi_items() if isinstance(value, str))]:
        raise Invalid("Some fields cannot be used as they are.", faults[:MOST_NAMED])
    return form


async def _sent(form: "Form") -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _faults(fields: Iterable[tuple[str, str]]) -> Iterator[FieldError]:
    for name, value in fields:
        if len(name) > LONGEST_LINE or len(value) > LONGEST_FIELD:
            yield FieldError(f"#/{name[:80]}", f"Use at most {LONGEST_FIELD:,} characters.")
        elif not (_storable(name) and _storable(value)):
            yield FieldError(f"#/{name[:80]}", "This holds a character that cannot be stored. Type it again.")


def _storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text))


Form = Annotated[FormData, Depends(_form)]
"""A form whose field names are not known beforehand, or of which one may come several times."""
Sent = Annotated[dict[str, str], Depends(_sent)]
"""The texts of such a form; of two with one name the last."""
