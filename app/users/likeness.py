"""Whether a name or an address would be taken for another one by somebody who reads it.

Not the whole of Unicode's list of confusable signs (UTS 39): letters of two scripts in one word are refused, and the
Cyrillic and Greek letters that look like Latin ones count as those. It is enough for a team's list of people.
"""

import unicodedata

from app.text import normal_form

LONGEST = 300  # characters that are looked at: more is refused elsewhere, and normal forms take time

_LOOKS_LIKE = str.maketrans(
    dict(
        zip(
            "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u04cf"
            "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131",
            "abekmhopctyxijsdqlabeikvoptuxi",
            strict=True,
        )
    )
    | {"0": "o", "1": "l", "|": "l"}
)
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")


def name(text: str) -> str:
    """What is left of a name when everything that the eye passes over is gone: marks, case, spaces, signs."""
    plain = normal_form("NFKD", text[:LONGEST]).casefold().translate(_LOOKS_LIKE)
    return "".join(sign for sign in plain if sign.isalnum()) or text[:LONGEST]


def name_fault(text: str) -> str:
    """Why a name can't be used: one word in letters of two scripts is made to be mistaken."""
    for word in text[:LONGEST].split():
        scripts = {script for sign in word if sign.isalpha() for script in _SCRIPTS if _of(sign, script)}
        if len(scripts) > 1:
            return "One word has letters of two alphabets, which look alike. Write it with those of one."
    return ""


def address(text: str) -> str:
    """An address as the eye takes it."""
    return text[:LONGEST].strip().casefold().translate(_LOOKS_LIKE)


def address_fault(text: str) -> str:
    """Why an address can't be used, besides its shape."""
    text = text[:LONGEST].strip()
    if not text.isascii():
        return (
            "Write it in plain letters (a to z, without accents), so that it can't be mistaken for another one; "
            "a domain with other letters in its form that begins with xn--."
        )
    labels = text.rpartition("@")[2].split(".")
    return "The part behind the @ can't begin or end with a dot, or have two in a row." if "" in labels else ""


def _of(sign: str, script: str) -> bool:
    return unicodedata.name(sign, "").startswith(script)
