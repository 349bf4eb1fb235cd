"""A number as people write it: with a decimal sign, groups of thousands, a sign and a unit. Pure."""

import re
from decimal import Decimal
from functools import lru_cache

from app.evaluation.form import bared, folded

TOLERANCE = re.compile(r"\d+(?:\.\d+)?(?:\s*%)?")
GROUP = {".": ",", ",": "."}  # what groups thousands where this is the decimal sign


@lru_cache(maxsize=2)
def _form(point: str) -> re.Pattern[str]:
    around = r"[^\d\s.,+-]{0,5}"  # a currency, before the sign or after it
    digits = rf"(?:\d{{1,3}}(?:[{re.escape(GROUP[point])} '\u2019]\d{{3}})+|\d+)"
    return re.compile(
        rf"(?P<before>{around})\s*(?P<sign>[+-]?)\s*(?P<between>{around})\s*(?P<whole>{digits})?"
        rf"(?:{re.escape(point)}(?P<part>\d+))?(?:e(?P<power>[+-]?\d{{1,4}}))?\s*(?P<after>[^\d.,]{{0,20}})"
    )


def read(text: str, point: str) -> tuple[Decimal, str] | None:
    """The number that a text is, and the unit before or behind it; None when it is not one number.

    point: the decimal sign. A text that uses the other one is not read as something it does not say.
    """
    match = _form(point).fullmatch(bared(folded(text)))
    if not match or not (match["whole"] or match["part"]):
        return None
    whole = re.sub(r"\D", "", match["whole"] or "0")
    value = Decimal(f"{match['sign']}{whole}.{match['part'] or '0'}e{match['power'] or '0'}")
    return value, f"{match['before']}{match['between']}{match['after'].strip()}"


def same(answer: Decimal, wanted: Decimal, tolerance: str) -> bool:
    """Equal within a tolerance: a number, or a share of the wanted number with a per cent sign; empty for none."""
    allowed = Decimal(0)
    if tolerance := tolerance.strip():
        amount = Decimal(tolerance.rstrip("% "))
        allowed = abs(wanted) * amount / 100 if tolerance.endswith("%") else amount
    return abs(answer - wanted) <= allowed
