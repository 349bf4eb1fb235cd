"""Phone numbers, found by `phonenumbers`; our own part is where to look."""

import re
from collections.abc import Iterator
from itertools import pairwise

from phonenumbers import Leniency, NumberParseException, PhoneNumberMatcher, is_valid_number, parse

from app.privacy.writing import GAP, Span, names_no_thing

# ---------------------------------------------------------------------- phones
_US_PHONE = re.compile(r"(?<![\w.])(?:1[ .-])?\([2-9]\d{2}\) ?\d{3}[ .-]\d{4}(?!\d)")
# Ways of writing that only phone numbers have, with the country that has to find them valid.
_LOCAL = tuple(
    (re.compile(rf"(?<![\w.+-])(?<!\d[ ,])(?:{pattern})(?![\w-]|\.\d| \d)"), region)
    for pattern, region in (
        (r"(?:1[.-])?[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}", "US"),
        (r"0[1-9](?:([ .-])\d{2})(?:\1\d{2}){3}", "FR"),
        (r"07\d{3}[ -]\d{6}|07\d{3} \d{3} \d{3}|02\d \d{4} \d{4}|\(0\d{2,4}\) ?\d{3,4} ?\d{4}", "GB"),
        (r"01[567]\d[ /-]\d{7,8}|\(0\d{2,4}\) ?\d{5,8}|0\d{2,4}[/-]\d{6,8}", "DE"),
        (r"\(\d{2}\) ?9?\d{4}-\d{4}", "BR"),
        (r"0\d{1,3}-\d{2,4}-\d{4}", "JP"),
        (r"01\d-\d{4}-\d{4}", "KR"),
        (r"04\d{2} \d{3} \d{3}|\(0[2378]\) ?\d{4} ?\d{4}", "AU"),
        (r"0[67]\d ?\d{3} \d{2} \d{2}", "CH"),
        (r"06[ -]\d{8}|0[1-7]\d-\d{7}", "NL"),
    )
)
_INTERNATIONAL = re.compile(rf"(?<![\w.+-])00(?=[1-9]){GAP}?\d(?:{GAP}?\(?\d\)?){{7,13}}(?![\w-]|\.\d)")
_PHONES = (
    "tel|tél|phones?|telephone|téléphone|telefono?|teléfono|telefone|telefon|telefonnummer|mobile?|móvil|mobil|handy|cell?"
    "|cellular|celular|cellulare|portable|fax|whatsapp|signal|call|ring|text|sms|dial|hotline|rappel\\w*|ruf\\w*|llam\\w*"
    "|ligue|chiama\\w*|puhelin|電話|电话|手机|전화"
)
_PHONE_WORD = re.compile(rf"(?i)(?<![^\W_])(?:{_PHONES})")
_PHONE_NAMED = re.compile(
    rf"(?i)(?<![^\W_])(?:{_PHONES})(?:[ _-]?(?:number|numéro|número|numero|no|nr|nummer|me|us|him|her|them|back"
    r"|again|now|today|directly|at|on|under|unter|auf|au|al|is|ist|est|es|n°))*[\s.:=#\"'(]{0,5}$"
)
# Postal codes of the United States, Brazil and Portugal are written like numbers without their area. After a word that
# is a place or a street as well (Mobile, Ring, Signal, Call) they are what such a line ends with.
_POSTAL = re.compile(r"\d{5}-\d{4}|\d{5}-\d{3}|\d{4}-\d{3}")
_NO_PLACE = re.compile(
    r"(?i)(?<![^\W_])(?:tel|tél|phones?|telephone|téléphone|telefono?|teléfono|telefone|telefon|telefonnummer|móvil|mobil"
    r"|handy|cell?|cellular|celular|cellulare|fax|whatsapp|hotline|number|numéro|número|numero|no|nr|nummer|me|us)"
    r"[\s.:=#\"'(]{0,5}$|[:=#]\s?$"
)
_ANY_PHONE = re.compile(rf"(?<![\w.+-])\(?0?\d(?:{GAP}?[()/]?{GAP}?\d){{6,12}}(?![\w-]|\.\d)")
_REGIONS = (
    "US",
    "GB",
    "DE",
    "FR",
    "IN",
    "BR",
    "JP",
    "CN",
    "IT",
    "ES",
    "MX",
    "PL",
    "NL",
    "AU",
    "ZA",
    "TR",
    "KR",
    "SE",
    "ID",
    "NG",
)


def phones(text: str) -> Iterator[Span]:
    """Written for abroad, which leaves no doubt."""
    for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID, max_tries=20_000):
        # `a + 358887644` is a sum.
        if not (match.raw_string[1:2] == " " and re.search(r"[\w)\]] $", text[max(0, match.start - 2) : match.start])):
            yield match.start, match.end
    for torn, number in _over_two_lines(text):
        if number[0] == "+" and _running(text, torn) and _valid(number, None):
            yield torn.span()


def local_phones(text: str) -> Iterator[Span]:
    """Written for at home: in a way that only phone numbers have, or after a word for one."""
    yield from (match.span() for match in _US_PHONE.finditer(text))
    for pattern, region in _LOCAL:
        for match in pattern.finditer(text):
            if _valid(match.group(), region) and _telling(text, *match.span()):
                yield match.span()
    for match in _INTERNATIONAL.finditer(text):
        if _valid("+" + match.group()[2:], None):
            yield match.span()
    if _PHONE_WORD.search(text):
        for match in _ANY_PHONE.finditer(text):
            if _named(text, match.start()) and _somewhere(match.group()) and not _postal(text, match):
                yield match.span()
    yield from (
        match.span()
        for match, number in _over_two_lines(text)
        if number[0] != "+" and _telling(text, *match.span()) and _torn(text, match, number)
    )


def _telling(text: str, start: int, end: int) -> bool:
    """Whether it is no thing that is traded, no numbers in a row, and none of a list such as `0171 1234567,3`."""
    number = text[start:end]
    listed = " " in number and text[end : end + 1] == "," and text[end + 1 : end + 2].isdigit()
    return names_no_thing(text, start) and not _counting(number) and not listed


def _named(text: str, start: int) -> bool:
    return _PHONE_NAMED.search(text[max(0, start - 40) : start]) is not None


def _postal(text: str, match: re.Match[str]) -> bool:
    if _POSTAL.fullmatch(match.group()) is None:
        return False
    return _NO_PLACE.search(text[max(0, match.start() - 40) : match.start()]) is None


def _torn(text: str, match: re.Match[str], number: str) -> bool:
    """Whether the halves are one number, by the word before it or by its writing."""
    if _named(text, match.start()):
        whole = not match.group(1).endswith(("-", "/")) and _somewhere(match.group(1))
        return not whole and _somewhere(number)
    return _running(text, match) and any(
        pattern.fullmatch(number) and _valid(number, region) for pattern, region in _LOCAL
    )


_BROKEN = re.compile(
    r"(?<![\w.,+-])(?<!\d[ (/.-])(\+?\(?\d[\d ().\u00a0/-]{1,16}?)[ \t]*\r?\n[ \t>]{0,12}"
    r"(\(?\d[\d ().\u00a0/-]{2,14}\d)(?![\w-]|[.,:]\d)"
)


def _over_two_lines(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """What may be a number that a line break tore apart, with the number it would be."""
    for match in _BROKEN.finditer(text):
        yield match, match.group(1) + ("" if match.group(1).endswith("-") else " ") + match.group(2)


def _running(text: str, match: re.Match[str]) -> bool:
    """Whether words lead up to it on its line. Numbers below each other with none are a column of a table."""
    line = text[max(0, text.rfind("\n", 0, match.start()) + 1, match.start() - 200) : match.start()]
    return any(sign.isalpha() for sign in line)


def _somewhere(number: str) -> bool:
    return any(_valid(number, region) for region in _REGIONS) and not _counting(number)


def _valid(number: str, region: str | None) -> bool:
    try:
        return is_valid_number(parse(number, region))
    except NumberParseException:
        return False


def _counting(number: str) -> bool:
    """Whether its groups are numbers in a row, such as 01 02 03 04 05."""
    groups = [int(group) for group in re.findall(r"\d+", number)]
    return len(groups) > 3 and len({after - before for before, after in pairwise(groups)}) == 1
