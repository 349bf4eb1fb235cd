"""Numbers and addresses that name a person or a thing of theirs: where they stand in a text.

A number counts only when its check digits hold or its writing leaves no doubt: a false alarm on every order number
teaches people to look away. Ids that are bare digits with one weak check digit (one of eleven random numbers passes)
count only after their own name, as in "BSN 123456782". Ids in a writing that order numbers share (a date and four
digits) do not count right after such a word.

Phone numbers are found by `phonenumbers`; ids, account numbers and wallets are checked by `python-stdnum`. Our own part
is where to look: which signs may part the digits, which words stand before them.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise

from phonenumbers import Leniency, NumberParseException, PhoneNumberMatcher, is_valid_number, parse
from stdnum import bitcoin, iban

Span = tuple[int, int]

_GAP = "[ \u00a0\u2009\u202f.-]"  # signs that part the digits of a number; blanks of several widths
_TRADE = re.compile(  # what a number right after one of these counts is a thing, not a person
    r"(?i)\b(?:order|orders|invoice|ticket|case|ref|reference|batch|lot|job|build|serial|part|sku|tracking|shipment|parcel"
    r"|isbn|issn|ean|gtin|upc|imei|transaction|receipt|issue|version|rechnung|bestellung|auftrag|faktura|factura|facture"
    r"|commande|pedido|ordine|ordre|zakázka|objednávka)"
    r"(?:[ -]?(?:number|numbers|no|nr|num|id|code|key|nummer|#|:|is|was|of))*[ .:#=\"']{0,4}$"
)


def _kept(text: str, start: int) -> bool:
    """Whether no word of trade stands right before."""
    return _TRADE.search(text[max(0, start - 40) : start]) is None


# ---------------------------------------------------------------------- e-mail addresses
_TOP = (
    "com org net edu gov mil int info biz name pro museum aero coop jobs travel mobi asia tel cat post app dev page "
    "tech online site store shop xyz club cloud digital agency studio design email company group global solutions "
    "services software systems network media world life live news blog space team work works today academy education "
    "university school institute foundation consulting legal law finance bank insurance health clinic care hospital "
    "energy engineering international industries berlin hamburg wien koeln bayern paris london amsterdam nyc tokyo "
    "swiss africa eus gal scot wales brussels example test invalid local localhost internal intern intra lan corp "
    "home gmbh ltd llc inc tax accountants attorney lawyer notary immo immobilien haus house homes apartments estate "
    "realestate properties property rentals rent build builders construction contractors plumbing repair handwerk "
    "garden dental dentist doctor pharmacy physio surgery vet fit fitness yoga healthcare beauty hair salon spa "
    "ventures capital fund holdings partners equity credit money financial investments loans insure versicherung "
    "photography photo photos pictures gallery art film video music band theater events wedding party restaurant cafe "
    "pizza bar pub wine beer coffee kitchen catering hotel reisen voyage tours holiday vacations flights taxi cars "
    "auto bike church charity ngo ong community social family kids training college courses science engineer "
    "management marketing press report reviews support help center cool expert guru ninja rocks solar green eco farm "
    "agro land earth city town zone place website host hosting domains chat games tools parts supply supplies "
    "shopping sale deals jewelry fashion shoes boutique gifts toys click link quebec cymru irish bzh sydney melbourne "
    "miami vegas boston moscow istanbul dubai capetown joburg durban ruhr saarland nrw tirol vlaanderen gent frl "
    "madrid barcelona corsica alsace osaka kiwi rio ink"
)
# `.in` and `.it` are countries and words; where a form leaves room for doubt, they have to be spoken of as addresses.
_WORDY = "am|an|as|at|be|by|do|he|if|in|is|it|me|my|no|of|on|or|so|to|up|us|we"
_END = rf"(?:[A-Za-z]{{2}}|{'|'.join(_TOP.split())}|xn--[a-z0-9-]{{2,59}}|[^\W\d_a-zA-Z]{{2,24}})(?![\w(-]|\.\w)"
_HOST = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_EMAIL = re.compile(
    rf"(?i)(?<![\w.%+-])[\w+](?:[\w.%+'-]{{0,63}})@(?:{_HOST}\.){{1,5}}{_END}(?!://)"
)  # fmt: skip
_OPEN, _CLOSE = r"\s?[\[({<]\s?", r"\s?[\])}>]\s?"
_VEILED = re.compile(
    rf"(?i)(?<![\w.+-])[\w][\w.+-]{{0,63}}(?:%40|&#0?64;|&#x40;|&commat;|{_OPEN}(?:at|@){_CLOSE})"
    rf"{_HOST}(?:(?:\.|{_OPEN}(?:dot|punkt|\.){_CLOSE}|\sdot\s){_HOST}){{0,4}}(?:\.|{_OPEN}(?:dot|punkt|\.){_CLOSE}|\sdot\s){_END}"
    rf"|(?<![\w.+-])[\w][\w.+-]{{0,63}} at {_HOST}(?: dot {_HOST}){{0,3}} dot {_END}"
)
_FILES = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|js|ts|tsx|css|md|py|rs|sh|cc|so|go|gz|po)$|@\d+(?:x|\.\d)")
_MACHINES = re.compile(r"(?i)^(?:git|no-?reply|do-?not-?reply|hg|svn|node|ubuntu|ec2-user)[@+]")


_PROSE = re.compile(rf"(?i) at (?:\S+ dot )+(?:{_WORDY})$")
_WRITING = re.compile(r"(?i)mail|write|contact|reach|send|reply|schreib|kontakt|escrib|écri")
_SERVER = re.compile(r"://[^\s/@]{0,64}$")


def emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        # `redis://name@host` names a user of a server; `git@host:path` nobody.
        found, before = match.group(), text[max(0, match.start() - 80) : match.start()]
        if not (_SERVER.search(before) or _MACHINES.match(found) or _FILES.search(found)):
            yield match.span()


def veiled_emails(text: str) -> Iterator[Span]:
    """Written for people: jane (at) example.com."""
    for match in _VEILED.finditer(text):
        # Look at that dot in the sky.
        if _PROSE.search(match.group()) is None or _WRITING.search(text[max(0, match.start() - 40) : match.start()]):
            yield match.span()


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
        if _kept(text, match.start()) and not _in_table(text, *match.span()):
            yield match.span()


_ABOVE = re.compile(r"(\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4})\r?\n$")
_BELOW = re.compile(r"\r?\n(\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4})(?!\d)")


def _in_table(text: str, start: int, end: int) -> bool:
    """Whether numbers in the same four columns stand above or below that are no cards: then it is one by chance."""
    beside = (_ABOVE.search(text[max(0, start - 21) : start]), _BELOW.match(text, end))
    return any(one is not None and not _luhn(re.sub(r"\D", "", one.group(1))) for one in beside)


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
        ends = (one.start() for one in _WORD_END.finditer(text, match.start() + 14, match.end() + 1))
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
        found = match.group()
        if len(set(found[2:].lower())) > 6 if found.startswith("0x") else bool(bitcoin.is_valid(found)):
            yield match.span()


# ---------------------------------------------------------------------- machines at home
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d|/\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4}){1,6}(?![\w:]|\.\d)")
_MAC = re.compile(r"(?<![\w:.-])[0-9A-Fa-f]{2}(?:(:[0-9A-Fa-f]{2}){5}|(-[0-9A-Fa-f]{2}){5})(?![\w:-])")
_IP_NAMED = re.compile(
    r"(?i)\b(?:ips?|ipv[46]|ip[ _-]?addr(?:ess)?|addr|host|client|server|login|remote|peer"
    r"|ssh|ping)\b[^\n]{0,24}$"
)
_VERSION = re.compile(r"(?i)(?:\bv|version|release|firmware|build|chrome|section|chapter|§|oid)[ /:=.]{0,3}$")
_RESOLVERS = frozenset(("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222", "208.67.220.220"))


def machines(text: str) -> Iterator[Span]:
    """Addresses on the public net, and of network cards. Private and documentation ranges name nobody."""
    for match in _IPV4.finditer(text):
        found, before = match.group(), text[max(0, match.start() - 40) : match.start()]
        if found in _RESOLVERS or _VERSION.search(before) or not _public(found):
            continue
        # Four short numbers are a version or a section as often as an address.
        if len(found) >= 12 or _IP_NAMED.search(before):
            yield match.span()
    for match in _IPV6.finditer(text):
        if match.group().count(":") >= 4 and _public(match.group()):
            yield match.span()
    for match in _MAC.finditer(text):
        digits = re.sub("[^0-9a-f]", "", match.group().lower())
        if len(set(digits)) > 3 and digits not in ("001122334455", "0123456789ab", "aabbccddeeff", "112233445566"):
            yield match.span()


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


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
_INTERNATIONAL = re.compile(rf"(?<![\w.+-])00(?=[1-9]){_GAP}?\d(?:{_GAP}?\(?\d\)?){{7,13}}(?![\w-]|\.\d)")
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
_ANY_PHONE = re.compile(rf"(?<![\w.+-])\(?0?\d(?:{_GAP}?[()/]?{_GAP}?\d){{6,12}}(?![\w-]|\.\d)")
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
    return _kept(text, start) and not _counting(number) and not listed


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


# ---------------------------------------------------------------------- national ids
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SSN_BARE = re.compile(
    r"(?i)(?<![^\W_])(?:ssn|social[ _-]?security(?:[ _-]?(?:number|num|no|nr|id))?|itin|taxpayer id\w*)(?![^\W_])"
    r"[\s.:#=\"'is|]{1,8}"
    r"((?!000|666)\d{3}[ -]?(?!00)\d{2}[ -]?(?!0000)\d{4})(?![\d-])"
)


def social(text: str) -> Iterator[Span]:
    """Of the US. They have no check digit: bare digits count after their name only."""
    yield from (match.span() for match in _SSN.finditer(text) if _kept(text, match.start()))
    yield from (match.span(1) for match in _SSN_BARE.finditer(text))


def _nric(number: str) -> bool:
    """Singapore: weights 2 7 6 5 4 3 2, 4 added for the series T and G, 3 for M."""
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    total = sum(int(digit) * weight for digit, weight in zip(number[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    place = (total + {"T": 4, "G": 4, "M": 3}.get(number[0], 0)) % 11
    return letters[number[0]][10 - place if number[0] == "M" else place] == number[8]


def _snils(number: str) -> bool:
    """Russia: weights 9 to 1, modulo 101."""
    digits = [int(sign) for sign in number if sign.isdigit()]
    return (
        sum(d * w for d, w in zip(digits[:9], range(9, 0, -1), strict=True)) % 101 % 100 == digits[9] * 10 + digits[10]
    )


def _hkid(number: str) -> bool:
    """Hong Kong: letters count from A = 10, a missing one is 36; weights 9 to 2, modulo 11."""
    signs = re.sub(r"[^A-Z0-9]", "", number)
    head, check = signs[:-1].rjust(8), signs[-1]
    values = [36 if sign == " " else int(sign, 36) for sign in head]
    return (
        sum(v * w for v, w in zip(values, range(9, 1, -1), strict=True)) + (10 if check == "A" else int(check))
    ) % 11 == 0


def _passport(line: str) -> bool:
    """The second machine-readable line (ICAO 9303 part 4): number, birth, expiry and all of it have a check digit."""

    def holds(part: str, digit: str) -> bool:
        values = (0 if sign == "<" else int(sign, 36) for sign in part)
        return str(sum(v * (7, 3, 1)[n % 3] for n, v in enumerate(values)) % 10) == digit

    return holds(line[:9], line[9]) and holds(line[13:19], line[19]) and holds(line[21:27], line[27])


_OWN: dict[str, Callable[[str], bool]] = {"nric": _nric, "snils": _snils, "hkid": _hkid, "passport": _passport}


@cache
def _checked(module: str) -> Callable[[str], bool]:
    return _OWN[module] if module in _OWN else import_module(f"stdnum.{module}").is_valid


class _National:
    """Ids of one country. named: the id's own names, one of which has to stand shortly before a weak number.

    traded: the writing is one that orders and invoices have too.
    """

    def __init__(self, module: str, pattern: str, named: str = "", *, traded: bool = False) -> None:
        self.pattern = re.compile(rf"(?<![\w.-])(?:{pattern})(?![\w-]|\.\d)")
        # As people and as programs write it (`nhs_number`, `nhsNumber`); the value may stand on the line below.
        after = r"(?:[ _-]?(?:number|num|no|nr|nummer|code|card))?(?![^\W_])(?:[^\n]{0,24}|[^\n]{0,9}\n[ \t>*-]{0,12})$"
        self.named = re.compile(rf"(?<![^\W_])(?:{named}){after}", re.IGNORECASE) if named else None
        self.traded = traded
        self.module = module

    def find(self, text: str) -> Iterator[Span]:
        for match in self.pattern.finditer(text):
            before = text[max(0, match.start() - 60) : match.start()]
            if self.named is not None and not self.named.search(before):
                continue
            if self._valid(match.group()) and not (self.traded and _TRADE.search(before[-40:])):
                yield match.span()

    def _valid(self, number: str) -> bool:
        try:
            return not self.module or bool(_checked(self.module)(number.replace(".", "").upper()))
        except (LookupError, ValueError):  # an unlisted birth place makes one of the library's checks stumble
            return False


# Letters and digits mixed in a way of their own.
_LETTERED = (
    _National("es.dni", r"\d{8}-?[A-Z]"),
    _National("es.dni", r"\d{2}\.\d{3}\.\d{3}-?[A-Z]"),
    _National("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _National("it.codicefiscale", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]"),
    _National("it.codicefiscale", r"[A-Z]{3} [A-Z]{3} \d{2}[A-Z]\d{2} [A-Z]\d{3}[A-Z]"),
    _National("fi.hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", traded=True),
    _National("mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),
    _National("cn.ric", r"\d{6}(?:19|20)\d{2}(?:0\d|1[0-2])[0-3]\d{4}X"),
    _National("nric", r"[STFGM]\d{7}[A-Z]", traded=True),
    _National("hkid", r"[A-Z]{1,2}\d{6}\([0-9A]\)"),
    _National("passport", r"[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14,16}"),
    _National(
        "", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", traded=True
    ),
    # In small letters a hash or a key has them too.
    _National("", r"[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?\d{2} ?\d{2} ?\d{2} ?[a-d]", "NI|NINO|national insurance"),
    _National("es.dni", r"\d{8}-?[a-z]", "DNI|NIF"),
    _National("es.nie", r"[xyz]-?\d{7}-?[a-z]", "NIE"),
    _National(
        "it.codicefiscale", r"[a-z]{6}\d{2}[a-z]\d{2}[a-z]\d{3}[a-z]", "CF|codice[ _-]?fiscale|cod\\.? ?fisc\\.?"
    ),
    _National("fr.nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?2[AB] ?\d{3} ?\d{3} ?\d{2}"),
    _National("in_.pan", r"[A-Z]{5}\d{4}[A-Z]", "PAN"),
    _National("ie.pps", r"\d{7}[A-W][A-IW]?", "PPSN?|PPS number"),
    _National("cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]"),
    _National("cl.rut", r"\d{7,8}-[\dKk]", "RUT|RUN"),
    _National("mx.rfc", r"[A-Z]{4}\d{6}[A-Z0-9]{3}", "RFC"),
)
# Nine digits or more.
_NUMBERED = (
    # Strong: a date of birth and two check digits, or a writing that nothing else has.
    _National("fr.nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}"),
    _National("be.nn", r"\d{2}[. ]?(?:0\d|1[0-2])[. ]?[0-3]\d[- ]?\d{3}[. ]?\d{2}", traded=True),
    _National("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    _National("ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),
    _National("cn.ric", r"\d{6}(?:19|20)\d{2}(?:0\d|1[0-2])[0-3]\d{5}", traded=True),
    _National("kr.rrn", r"\d{6}-[1-8]\d{6}", traded=True),
    _National("za.idnr", r"\d{6} ?\d{4} ?[01]\d{2}", traded=True),
    _National("se.personnummer", r"(?:19|20)?\d{2}(?:0\d|1[0-2])[0-3]\d[-+]\d{4}", traded=True),
    _National("cz.rc", r"\d{6}/\d{4}", traded=True),
    _National("no.fodselsnummer", r"[0-3]\d(?:0\d|1[0-2])\d{2} ?\d{5}", traded=True),
    _National("de.idnr", r"\d{2} \d{3} \d{3} \d{3}"),
    _National("th.pin", r"\d-\d{4}-\d{5}-\d{2}-\d"),
    _National("ar.cuit", r"(?:20|23|24|27)-\d{8}-\d"),
    _National("snils", r"\d{3}-\d{3}-\d{3} \d{2}"),
    _National("do.cedula", r"\d{3}-\d{7}-\d", traded=True),
    # Weak: bare digits with one check digit, or none at all.
    _National(
        "de.idnr",
        r"\d{11}",
        "IdNr|Steuer[ _-]?ID|Steuer[ _-]?IdNr|Steueridentifikationsnummer|Identifikationsnummer|tax[ _-]?id",
    ),
    _National("nl.bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}", "BSN|burgerservicenummer|sofinummer"),
    _National("pl.pesel", r"\d{11}", "PESEL"),
    _National("se.personnummer", r"(?:19|20)?\d{10}", "personnummer|person-?nr|personal identity"),
    _National("br.cpf", r"\d{11}", "CPF"),
    _National("pt.nif", r"\d{3} ?\d{3} ?\d{3}", "NIF|contribuinte"),
    _National("dk.cpr", r"\d{6}[- ]?\d{4}", "CPR|personnummer|cpr-nr"),
    _National("gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "NHS"),
    _National("ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "SIN(?! ?\\()|NAS|social insurance"),
    _National("au.tfn", r"\d{3} ?\d{3} ?\d{2,3}", "TFN|tax file"),
    _National("in_.aadhaar", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "Aadhaar|Aadhar|UIDAI"),
    _National("tr.tckimlik", r"\d{11}", "TCKN|T\\.?C\\.?(?: kimlik)?|kimlik"),
    _National("hr.oib", r"\d{11}", "OIB"),
    _National("ro.cnp", r"\d{13}", "CNP"),
    _National("bg.egn", r"\d{10}", "EGN|\u0415\u0413\u041d"),
    _National("gr.amka", r"\d{11}", "AMKA|\u0391\u039c\u039a\u0391"),
    _National("il.idnr", r"\d{9}", "T\\.?Z\\.?|Teudat Zehut|\u05ea\u05e2\u05d5\u05d3\u05ea \u05d6\u05d4\u05d5\u05ea"),
    _National("ee.ik", r"\d{11}", "isikukood|personal (?:identification )?code"),
    _National("lt.asmens", r"\d{11}", "asmens kodas|personal code"),
    _National("lv.pvn", r"\d{6}-?\d{5}", "personas kods"),
    _National("si.emso", r"\d{13}", "EM\u0160O|EMSO|JMBG"),
    _National("sk.rc", r"\d{9,10}", "rodn\u00e9 \u010d\u00edslo|R\u010c"),
    _National("is_.kennitala", r"\d{6}-?\d{4}", "kennitala|kt"),
    _National("my.nric", r"\d{6}-?\d{2}-?\d{4}", "MyKad|NRIC|IC|kad pengenalan"),
    _National("ru.inn", r"\d{12}", "INN|\u0418\u041d\u041d"),
    _National("ua.rntrc", r"\d{10}", "RNTRC|\u0420\u041d\u041e\u041a\u041f\u041f|\u0406\u041f\u041d"),
    _National("jp.in_", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "My Number|\u30de\u30a4\u30ca\u30f3\u30d0\u30fc"),
    _National("fr.nif", r"\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{3}", "SPI|num\u00e9ro fiscal|NIF"),
    _National("at.vnr", r"\d{4} ?\d{6}", "SVNR|SV-Nr|Sozialversicherungsnummer|Versicherungsnummer"),
    _National("ec.ci", r"\d{10}", "c\u00e9dula|cedula"),
    _National("id.nik", r"\d{16}", "NIK|KTP"),
)


def lettered(text: str) -> Iterator[Span]:
    for national in _LETTERED:
        yield from national.find(text)


def numbered(text: str) -> Iterator[Span]:
    for national in _NUMBERED:
        yield from national.find(text)
