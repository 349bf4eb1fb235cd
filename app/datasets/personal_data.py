"""Personal data and secrets in a text: their kinds and places; the values themselves are never passed on.

A number counts only when its check digits hold or its writing leaves no doubt: a false alarm on every order number
teaches people to look away. Ids that are bare digits with one weak check digit (one of eleven random numbers passes)
count only after their own name, as in "BSN 123456782".

Phone numbers are found by `phonenumbers`, ids and account numbers checked by `python-stdnum`: on numbers of 245 regions
our own pattern found 40 % and the library all, with fewer false alarms (tests/bench/bench_identifiers.py). Keys and
tokens have patterns here: `detect-secrets` found fewer kinds, and brings an HTTP client with it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from math import log2
from typing import Any

from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import iban

from app.datasets.formats import Record

EMAIL, SECRET, CARD, PHONE = "e-mail address", "key or token", "card number", "phone number"
SSN, ACCOUNT, NATIONAL = "social security number", "bank account number", "national id number"
KINDS = (EMAIL, SECRET, CARD, PHONE, SSN, ACCOUNT, NATIONAL)

_EMAIL = re.compile(r"[^\W_](?:[\w.%+'-]{0,63})@[^\W_](?:[\w-]{0,62}[^\W_])?(?:\.[\w-]{1,63}){0,4}\.[^\W\d_]{2,24}\b")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\d.-]*\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_US_PHONE = re.compile(r"(?<![\w.])\(\d{3}\) ?\d{3}-\d{4}(?!\d)")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"  # cloud access key id
    r"|\bsk-[A-Za-z0-9_-]{20,}"  # model API keys
    r"|\b(?:sk|rk)_live_[A-Za-z0-9]{20,}|\bwhsec_[A-Za-z0-9+/=]{24,}"  # payments
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}"  # code hosts
    r"|\bgl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[A-Za-z0-9_-]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bhooks\.slack\.com/services/T\w+/B\w+/\w+"  # chat
    r"|\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{28}|\bya29\.[A-Za-z0-9_-]{30,}"  # a search company's
    r"|\bhf_[A-Za-z]{30,}|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgE[A-Za-z0-9_-]{50,}"  # package and model hosts
    r"|\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|\b[0-9a-f]{32}-us\d{1,2}\b|\bSK[0-9a-f]{32}\b"  # mail, calls
    r"|\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,}|\bdop_v1_[0-9a-f]{64}|\bdapi[0-9a-f]{32}\b|\bshp(?:at|ss|ca)_[0-9a-fA-F]{32}"
    r"|\bAccountKey=[A-Za-z0-9+/]{80,}={0,2}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]{0,10000}-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|\b[Bb]earer [A-Za-z0-9._~+/-]{20,}=*"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)
# One of these stands in every secret that is looked for; looking for them first is ten times as fast.
_HINTS = (
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "sk-",
    "_live_",
    "whsec_",
    "gh",
    "github_",
    "gl",
    "xox",
    "hooks.slack",
    ":AA",
    "AIza",
    "GOCSPX",
    "ya29.",
    "hf_",
    "npm_",
    "pypi-",
    "SG.",
    "-us",
    "SK",
    "sq0",
    "dop_",
    "dapi",
    "shp",
    "AccountKey",
    "PRIVATE",
    "earer",
    "eyJ",
)
# User and password in an address, unless it is the password of every manual.
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>]{1,64}:([^\s/:@'\"<>]{3,64})@[\w.-]+")
_EXAMPLES = (
    "pass",
    "password",
    "passwd",
    "pwd",
    "secret",
    "user",
    "test",
    "guest",
    "example",
    "changeme",
    "xxx",
    "***",
)
_NAMED = re.compile(r"(?i)passw|secret|token|_key|-key|apikey")
# A value given to something that is named like a secret. It has to look random as well: code is full of such names.
_ASSIGNED = re.compile(
    r"(?i:password|passwd|secret|token|api[_-]?key|access[_-]?key)\w{0,20}[\"']?\s{0,3}(?:=>?|:)\s{0,3}[\"']?"
    r"([A-Za-z0-9+/_.~!#$%^&*-]{16,200}={0,2})"
)
_RANDOM = 3.5  # bits a sign from which on a value looks random; English identifiers have 2.5 to 3.3
_DIGITS = re.compile(r"\d\d")


@dataclass(frozen=True, slots=True)
class Found:
    """Where something stands, and what kind of thing it is. Never what it says."""

    kind: str
    start: int
    end: int


def kinds(text: str) -> Iterator[str]:
    """The kinds of personal data or secrets found, each once, in the order of `KINDS`."""
    seen = {found.kind for found in find(text)}
    return (kind for kind in KINDS if kind in seen)


def mask(text: str, only: frozenset[str] | None = None) -> str:
    """The text with each value replaced by its kind in square brackets; `only` narrows the kinds."""
    parts, at = [], 0
    for found in find(text):
        if only is None or found.kind in only:
            parts += [text[at : found.start], f"[{found.kind}]"]
            at = found.end
    return "".join([*parts, text[at:]]) if parts else text


def find(text: str) -> list[Found]:
    """Everything found, in the order of the text, without overlaps; where two overlap the likelier kind stays."""
    taken: list[Found] = []
    for search in (_secrets, _emails, _numbers):
        for found in search(text):
            if all(found.end <= other.start or found.start >= other.end for other in taken):
                taken.append(found)
    taken.sort(key=lambda found: found.start)
    return taken


def _emails(text: str) -> Iterator[Found]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not text.endswith("//", 0, match.start()):  # `redis://name@host` names a user of a server
                yield Found(EMAIL, *match.span())


def _secrets(text: str) -> Iterator[Found]:
    if any(hint in text for hint in _HINTS):
        yield from _spans(SECRET, _SECRETS, text)
    if "://" in text:
        for match in _ADDRESS.finditer(text):
            if match.group(1).casefold() not in _EXAMPLES:
                yield Found(SECRET, *match.span())
    if _NAMED.search(text):
        yield from (Found(SECRET, *match.span(1)) for match in _ASSIGNED.finditer(text) if _random(match.group(1)))


def _random(value: str) -> bool:
    if sum(sign.isdigit() for sign in value) < 2 or not any(sign.isalpha() for sign in value):
        return False
    shares = [value.count(sign) / len(value) for sign in set(value)]
    return -sum(share * log2(share) for share in shares) >= _RANDOM


def _numbers(text: str) -> Iterator[Found]:
    if not _DIGITS.search(text):
        return
    yield from _spans(ACCOUNT, _IBAN, text, iban.is_valid)
    yield from _spans(CARD, _CARD, text, _luhn)
    yield from _spans(SSN, _SSN, text)
    for national in _NATIONAL:
        yield from national.find(text)
    if "+" in text:
        for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID, max_tries=1000):
            yield Found(PHONE, match.start, match.end)
    yield from _spans(PHONE, _US_PHONE, text)


def _spans(
    kind: str, pattern: re.Pattern[str], text: str, holds: Callable[[str], bool] = lambda _: True
) -> Iterator[Found]:
    return (Found(kind, *match.span()) for match in pattern.finditer(text) if holds(match.group()))


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B; card numbers begin with 2 to 6."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) < 2:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


# ---------------------------------------------------------------------- national ids
class _National:
    """Ids of one country. named: the id's own names, one of which has to stand shortly before a weak number."""

    def __init__(self, module: str, pattern: str, named: str = "") -> None:
        self.pattern = re.compile(rf"(?<![\w.-])(?:{pattern})(?![\w-]|\.\d)")
        self.named = re.compile(rf"\b(?:{named})\b[^\n]{{0,24}}$", re.IGNORECASE) if named else None
        self.checked: Any = import_module(f"stdnum.{module}") if module else None

    def find(self, text: str) -> Iterator[Found]:
        for match in self.pattern.finditer(text):
            before = text[max(0, match.start() - 60) : match.start()]
            if (self.named is None or self.named.search(before)) and self._valid(match.group()):
                yield Found(NATIONAL, *match.span())

    def _valid(self, number: str) -> bool:
        try:
            return self.checked is None or bool(self.checked.is_valid(number))
        except (LookupError, ValueError):  # an unlisted birth place makes one of the library's checks stumble
            return False


_NATIONAL = (
    # Strong: letters, a date of birth and two check digits, or a writing that nothing else has.
    _National("es.dni", r"\d{8}-?[A-Z]"),
    _National("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _National("it.codicefiscale", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]"),
    _National("fi.hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]"),
    _National("fr.nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}"),
    _National("be.nn", r"\d{2}[. ]?(?:0\d|1[0-2])[. ]?[0-3]\d[- ]?\d{3}[. ]?\d{2}"),
    _National("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    _National("ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),
    _National("cn.ric", r"\d{6}(?:19|20)\d{2}(?:0\d|1[0-2])[0-3]\d{4}[\dX]"),
    _National("mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),
    _National("kr.rrn", r"\d{6}-[1-8]\d{6}"),
    _National("za.idnr", r"\d{2}(?:0\d|1[0-2])[0-3]\d{5}[01]\d{2}"),
    _National("se.personnummer", r"(?:19|20)?\d{2}(?:0\d|1[0-2])[0-3]\d[-+]\d{4}"),
    _National("cz.rc", r"\d{6}/\d{4}"),
    _National("no.fodselsnummer", r"[0-3]\d(?:0\d|1[0-2])\d{2} ?\d{5}"),
    _National("de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
    _National("", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
    # Weak: bare digits with one check digit, or none at all.
    _National("nl.bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}", "BSN|burgerservicenummer|sofinummer"),
    _National("pl.pesel", r"\d{11}", "PESEL"),
    _National("br.cpf", r"\d{11}", "CPF"),
    _National("pt.nif", r"\d{3} ?\d{3} ?\d{3}", "NIF|contribuinte"),
    _National("dk.cpr", r"\d{6}-?\d{4}", "CPR|personnummer"),
    _National("gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "NHS"),
    _National("ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "SIN|NAS|social insurance"),
    _National("au.tfn", r"\d{3} ?\d{3} ?\d{2,3}", "TFN|tax file"),
    _National("in_.aadhaar", r"\d{4} ?\d{4} ?\d{4}", "Aadhaar|Aadhar|UIDAI"),
    _National("in_.pan", r"[A-Z]{5}\d{4}[A-Z]", "PAN"),
    _National("tr.tckimlik", r"\d{11}", "TCKN|T\\.?C\\.?(?: kimlik)?|kimlik"),
    _National("hr.oib", r"\d{11}", "OIB"),
    _National("ro.cnp", r"\d{13}", "CNP"),
    _National("bg.egn", r"\d{10}", "EGN|\u0415\u0413\u041d"),
    _National("ie.pps", r"\d{7}[A-W][A-IW]?", "PPSN?"),
    _National("gr.amka", r"\d{11}", "AMKA|\u0391\u039c\u039a\u0391"),
    _National("il.idnr", r"\d{9}", "T\\.?Z\\.?|Teudat Zehut|\u05ea\u05e2\u05d5\u05d3\u05ea \u05d6\u05d4\u05d5\u05ea"),
)


# ---------------------------------------------------------------------- what people decide about them
ACTIONS = {
    "mask": "replace each value by its kind, and keep the row",
    "exclude": "leave the row out",
    "attest": "keep it as it is",
}
LINES = 20  # named for each kind


class Scan:
    """Goes through the records of a file once: counts what is found, and does what was decided about each kind.

    decided: kind -> mask, exclude or attest.
    """

    def __init__(self, decided: Mapping[str, str]) -> None:
        self.decided = dict(decided)
        self.masked = frozenset(kind for kind, action in decided.items() if action == "mask")
        self.rows: Counter[str] = Counter()
        self.lines: dict[str, list[int]] = {}
        self.test_lines: dict[str, list[int]] = {}
        self.any = self.left_out = 0

    def see(self, record: Record, file: int) -> tuple[Record | None, list[str]]:
        """The record as it goes on (None: left out), and the sentences about what nobody has decided on."""
        found: dict[str, list[str]] = {}
        for where, text in _texts(record):
            for kind in kinds(text):
                found.setdefault(kind, []).append(where)
        if not found:
            return record, []
        self.any += 1
        for kind in found:
            self.rows[kind] += 1
            lines = (self.test_lines if file else self.lines).setdefault(kind, [])
            if len(lines) < LINES:
                lines.append(record.line)
        if any(self.decided.get(kind) == "exclude" for kind in found):
            self.left_out += 1
            return None, []
        if self.masked & found.keys():
            record = masked(record, self.masked)
        return record, _sentences({kind: where for kind, where in found.items() if kind not in self.decided})

    def laid_down(self) -> dict[str, Any]:
        """Everything as a JSON value, for an attempt that goes on later."""
        names = ("rows", "lines", "test_lines", "any", "left_out")
        return {name: getattr(self, name) for name in names}

    def take_up(self, value: Mapping[str, Any]) -> None:
        self.rows, self.lines, self.test_lines = Counter(value["rows"]), value["lines"], value["test_lines"]
        self.any, self.left_out = value["any"], value["left_out"]

    def report(self) -> dict[str, Any]:
        """Kinds with how many rows hold them and the first of those lines; no value, ever."""
        return {
            "rows": self.any,
            "left_out": self.left_out,
            "kinds": [
                {
                    "kind": kind,
                    "rows": self.rows[kind],
                    "lines": self.lines.get(kind, []),
                    "test_lines": self.test_lines.get(kind, []),
                    "action": self.decided.get(kind, ""),
                }
                for kind in KINDS
                if self.rows[kind]
            ],
            "decided": self.decided if all(kind in self.decided for kind in self.rows) else None,
        }


def shielded(report: Any, decided: Mapping[str, str]) -> Any:
    """A report in which no excerpt shows a value, except of kinds that somebody decided to keep."""
    return _everywhere(report, frozenset(kind for kind in KINDS if decided.get(kind) != "attest"))


def undecided(found: Mapping[str, Any] | None, decided: Mapping[str, Any]) -> list[str]:
    """The kinds in a report's `identifiers` that nobody has decided on. decided: kind -> anything."""
    return [one["kind"] for one in (found or {}).get("kinds", ()) if one["kind"] not in decided]


def masked(record: Record, only: frozenset[str]) -> Record:
    """The record with the values of these kinds replaced, wherever they stand."""
    messages = tuple(replace(turn, content=mask(turn.content, only)) for turn in record.messages)
    source = None if record.source is None else _everywhere(record.source, only)
    return replace(record, messages=messages, target=mask(record.target, only), source=source)


def _everywhere(value: Any, only: frozenset[str]) -> Any:
    """The value with every text in it masked."""
    if isinstance(value, str):
        return mask(value, only)
    if isinstance(value, list):
        return [_everywhere(one, only) for one in value]
    return {key: _everywhere(one, only) for key, one in value.items()} if isinstance(value, dict) else value


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    for turn in record.messages:
        yield "the question" if turn.role == "user" else f"one {turn.role} message", turn.content
    yield "the answer", record.target


def _sentences(found: Mapping[str, list[str]]) -> list[str]:
    """One for each place, with all kinds that were found there."""
    places: dict[str, list[str]] = {}
    for kind, where in found.items():
        for place in dict.fromkeys(where):
            places.setdefault(place, []).append(kind)
    return [
        f"{place[0].upper()}{place[1:]} seems to hold personal data or a secret ({', '.join(held)})."
        for place, held in places.items()
    ]
