"""Personal data and secrets in a text, by kind; the values themselves are never passed on.

Numbers count only when their check digits hold or their writing leaves no doubt: a false alarm on every order number
teaches people to look away.
"""

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]*\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_PHONE = re.compile(r"(?<![\w.])\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?!\d)")
_US_PHONE = re.compile(r"(?<![\w.])\(\d{3}\) ?\d{3}-\d{4}(?!\d)")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # cloud access key id
    r"|\bsk-[A-Za-z0-9_-]{20,}"  # model API key
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"  # code host token
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"  # chat token
    r"|\bAIza[0-9A-Za-z_-]{35}\b"
    r"|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"|\b[Bb]earer [A-Za-z0-9._~+/-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)
# One of these stands in every secret that is looked for; looking for them first is ten times as fast.
_HINTS = ("AKIA", "ASIA", "sk-", "gh", "xox", "AIza", "glpat-", "PRIVATE KEY", "earer ", "eyJ")
_DIGITS = re.compile(r"\d[\d ()+.-]{7,}\d")


def kinds(text: str) -> Iterator[str]:
    """The kinds of personal data or secrets found, each once."""
    if "@" in text and _EMAIL.search(text):
        yield "e-mail address"
    if any(hint in text for hint in _HINTS) and _SECRETS.search(text):
        yield "key or token"
    if _DIGITS.search(text):
        if any(_luhn(match.group()) for match in _CARD.finditer(text)):
            yield "card number"
        if _PHONE.search(text) or _US_PHONE.search(text):
            yield "phone number"
        if _SSN.search(text):
            yield "social security number"
        if any(_iban(match.group()) for match in _IBAN.finditer(text)):
            yield "bank account number"


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B; card numbers begin with 2 to 6."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) < 2:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the number, with its first four signs moved to the end, leaves 1 when divided by 97."""
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
