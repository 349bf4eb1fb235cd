"""Numbers of payment cards and bank accounts, and crypto wallets. Each counts only when its check digits hold."""

import re
from collections.abc import Iterator

from stdnum import bitcoin, iban

from app.privacy.writing import Span, names_no_thing

# ---------------------------------------------------------------------- cards and accounts
_CARD = re.compile(
    r"(?<![\w.-])(?<!\d[ ,])(?:"
    r"[2-6]\d{12,18}"
    r"|[2-6]\d{3}([ \u00a0.-])\d{4}\1\d{4}(?:\1|\r?\n)\d{1,4}(?:\1\d{1,3})?"
    # One that is broken over two lines.
    r"|[2-6]\d{3}[ \u00a0-]\d{4}\r?\n\d{4}[ \u00a0-]\d{4}|[2-6]\d{3}\r?\n\d{4}([ \u00a0-])\d{4}\2\d{4}"
    r"|3[47]\d{2}([ \u00a0-])\d{6}\3\d{5}|3[0689]\d{2}([ \u00a0-])\d{6}\4\d{4}"
    r")(?![\w-]|[.:]\d| \d{3}|(?<![^\W\d],\d{13})(?<![^\W\d],\d{15})(?<![^\W\d],\d{16}),\d)"  # a field after a name
)
_CARD_NAMED = re.compile(
    r"(?i)\b(?:card|visa|mastercard|maestro|amex|kart[ea]|tarjeta|cart[ae]|credit|debit|pan)\b[^\n]{0,30}$"
)
# First digits and lengths of the brands (ISO/IEC 7812 issuer ranges as the brands publish them).
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12,15}|3(?:0[0-5]|095|[689]\d)\d{11}|3(?:0[0-5]|[689]\d)\d{13,16}|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|62\d{14,17}|(?:50|5[6-8]|6[0-9])\d{10,17}|220[0-4]\d{12,15}"
)


def cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if not _BRANDS.fullmatch(digits) or len(set(digits)) < 2 or not _luhn(digits):
            continue
        bare = match.group() == digits
        # As many digits as a bar code or a database's number, or a rare brand: only where a card is spoken of.
        rare = len(digits) not in (14, 15, 16) or (digits[0] == "6" and digits[:2] not in ("60", "62", "64", "65"))
        if bare and rare and not _CARD_NAMED.search(text[max(0, match.start() - 50) : match.start()]):
            continue
        if names_no_thing(text, match.start()) and not _in_table(text, *match.span()):
            yield match.span()


_ABOVE = re.compile(r"(\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4})\r?\n$")
_BELOW = re.compile(r"\r?\n(\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4})(?!\d)")


def _in_table(text: str, start: int, end: int) -> bool:
    """Whether numbers in the same four columns stand above or below that are no cards: then it is one by chance."""
    beside = (_ABOVE.search(text[max(0, start - 21) : start]), _BELOW.match(text, end))
    return any(neighbour is not None and not _luhn(re.sub(r"\D", "", neighbour.group(1))) for neighbour in beside)


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = [int(sign) for sign in text]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]{4}|\r?\n[A-Za-z0-9]{4}){2,8}"
    r"(?:[ \u00a0-]?[A-Za-z0-9]{1,4})?"
)
_WORD_END = re.compile(r"(?<=[A-Za-z0-9])(?![A-Za-z0-9])")


def accounts(text: str) -> Iterator[Span]:
    at = 0
    while match := _IBAN.search(text, at):
        # Words that follow look like groups of the number: the longest beginning that holds is it.
        ends = (word_end.start() for word_end in _WORD_END.finditer(text, match.start() + 14, match.end() + 1))
        end = next((end for end in reversed([*ends]) if _iban(text[match.start() : end])), None)
        if end is not None:
            yield match.start(), end
        at = end or match.start() + 4


def _iban(number: str) -> bool:
    """Its country's length and form, and two check digits; a list of banks would be out of date."""
    compact = re.sub(r"[\s\u00a0-]", "", number)
    return 15 <= len(compact) <= 34 and bool(iban.is_valid(compact, check_country=False))


_WALLET = re.compile(
    r"(?<![A-Za-z0-9])(?:bc1[a-z0-9]{25,87}|[13][A-HJ-NP-Za-km-z1-9]{25,34}|0x[0-9a-fA-F]{40})(?![A-Za-z0-9])"
)


def wallets(text: str) -> Iterator[Span]:
    """Bitcoin with its check sum; Ethereum by its form, which nothing else has."""
    for match in _WALLET.finditer(text):
        address = match.group()
        if len(set(address[2:].lower())) > 6 if address.startswith("0x") else bool(bitcoin.is_valid(address)):
            yield match.span()
