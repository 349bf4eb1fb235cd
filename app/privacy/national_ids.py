"""Social security numbers and national ids, checked by `python-stdnum`; our own part is where to look.

Ids that are bare digits with one weak check digit (one of eleven random numbers passes) count only after their own
name, as in "BSN 123456782". Ids in a writing that order numbers share (a date and four digits) do not count right after
a word for an order.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from app.privacy.writing import TRADE, Span, names_no_thing

# ---------------------------------------------------------------------- national ids
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SSN_BARE = re.compile(
    r"(?i)(?<![^\W_])(?:ssn|social[ _-]?security(?:[ _-]?(?:number|num|no|nr|id))?|itin|taxpayer id\w*)(?![^\W_])"
    r"[\s.:#=\"'is|]{1,8}"
    r"((?!000|666)\d{3}[ -]?(?!00)\d{2}[ -]?(?!0000)\d{4})(?![\d-])"
)


def social(text: str) -> Iterator[Span]:
    """Of the US. They have no check digit: bare digits count after their name only."""
    yield from (match.span() for match in _SSN.finditer(text) if names_no_thing(text, match.start()))
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
            if self._valid(match.group()) and not (self.traded and TRADE.search(before[-40:])):
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
