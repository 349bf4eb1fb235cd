"""What may be shown of a value before anybody decided on it: enough to judge whether it is real, too little to use it.

Of an e-mail address that is the first letter and the domain, of a card its last four digits, of a number its country,
of a key the mark of its maker; of everything else nothing.
"""

import re
from collections.abc import Callable, Mapping

from app.privacy.kinds import ACCOUNT, CARD, EMAIL, NETWORK, PHONE, SECRET, WALLET

HIDDEN = "***"
_SHORT = 3  # letters in front of an @ below which even the first would tell
_MAKER = re.compile(r"[A-Za-z]{2,7}[_-]")
_COUNTRY = re.compile(r"\+\d{1,2}(?=\D)")
_FIRST_NUMBER = re.compile(r"\d{1,3}\.")
_LONG = 16  # characters of a key from which on its first ones tell no more than who made it


def hint(kind: str, value: str) -> str:
    """The value with all but a little of it hidden."""
    return _HINTS[kind](value) if kind in _HINTS else HIDDEN


def _email(value: str) -> str:
    """Addresses that are written in another way, such as `name (at) place`, are hidden as a whole."""
    name, at, domain = value.partition("@")
    if not at or not name or "@" in domain or any(sign.isspace() for sign in value):
        return HIDDEN
    return f"{name[0] if len(name) >= _SHORT else ''}{HIDDEN}@{domain}"


def _beginning(pattern: re.Pattern[str], value: str, gap: str = "") -> str:
    found = pattern.match(value)
    return f"{found[0]}{gap}{HIDDEN}" if found else HIDDEN


_HINTS: Mapping[str, Callable[[str], str]] = {
    EMAIL: _email,
    CARD: lambda value: f"{HIDDEN} {''.join(sign for sign in value if sign.isdigit())[-4:]}",
    PHONE: lambda value: _beginning(_COUNTRY, value, " "),
    ACCOUNT: lambda value: f"{value[:2]}{HIDDEN}",
    SECRET: lambda value: _beginning(_MAKER, value) if len(value) >= _LONG else HIDDEN,
    NETWORK: lambda value: _beginning(_FIRST_NUMBER, value),
    WALLET: lambda value: f"{value[:3]}{HIDDEN}",
}
