"""Which entries of the record are listed: by person, act, object, assessment and days, as a link carries them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import Field

ACT, SUBJECT = r"^(?:[a-z]+(?:\.[a-z_]+)?)?$", r"^[a-z_]*$"
FIRST, LAST = date(2000, 1, 1), date(2999, 12, 31)
Day = Annotated[date, Field(ge=FIRST, le=LAST)]
SYSTEM = 0  # stands for Tunegate itself among the people


@dataclass(frozen=True, slots=True)
class Filters:
    """What an entry has to fit; None or empty fits everything.

    actor: the id of a person, or `SYSTEM`. act: an act (`review.approve`) or a kind of acts (`review`). within: the
    objects of one or more assessments, by kind. since, until: days in UTC, both included.
    """

    actor: int | None = None
    act: str = ""
    subject: str = ""
    subject_id: int | None = None
    within: Mapping[str, Sequence[int]] | None = None
    since: date | None = None
    until: date | None = None
