"""Personal data and secrets in a text: their kinds and places; the values themselves are never passed on.

What is looked for: see `kinds.KINDS` and the modules that search for them. Not looked for, because nothing in their
writing tells them apart: names of people, postal addresses, dates of birth, places on a map, number plates, driving
licences. People have to look for those themselves, and the page says so.

A number counts only when its check digits hold or its writing leaves no doubt: a false alarm on every order number
teaches people to look away.

Every text of a million rows goes through here. One automaton (RE2) goes over each of them once and says which searches
can find something at all; for nineteen texts in twenty that is none. Finding phone numbers by `phonenumbers` and
checking ids by `python-stdnum` beat patterns of our own; `detect-secrets` found fewer kinds of keys
(tests/bench/bench_identifiers.py).
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import re2

from app.privacy import addresses, credentials, national_ids, payment, phones
from app.privacy.kinds import ACCOUNT, CARD, EMAIL, KINDS, NATIONAL, NETWORK, PHONE, SECRET, SSN, WALLET
from app.privacy.writing import Span

_LETTERED = (
    r"\d{7}-?[A-Za-z]|[A-Z]{3} ?\d{2}[A-Z]\d{2}|[A-Z]{4}\d{6}|[A-Z]{5}\d{4}[A-Z]|[A-Z]\d{6}\(|\d{6}[-+A-FU-Y]\d{3}"
    r"|[A-Z<]{3}\d{7}[MFX<]|[a-z]{6}\d{2}[a-z]\d{2}[a-z]|2[AB] ?\d{3}|\d\.\d{3}\.\d{3}|\d{7}-[0-9Kk]"
    r"|[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
    r"|[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d]"
)
_GAPS = r"(?:[\s\pZ()./\p{Pd}]{0,3}|[ -]?\r?\n[ \t>]{0,12}\(?)"  # a line may break in it
# What a search needs to find anything, the kind, the search. Where two find the same place the earlier one is right.
_SEARCHES: tuple[tuple[str, str, Callable[[str], Iterable[Span]]], ...] = (
    (credentials.GATE, SECRET, credentials.spans),
    (r"[\pL\pN_+%-]@[\pL\pN]", EMAIL, addresses.emails),
    (r"[A-Za-z]{2}\d\d(?:[\s\pZ-]{0,2}[A-Za-z0-9]){11}", ACCOUNT, payment.accounts),
    (r"\d(?:[\s\pZ.-]{0,2}\d){12}", CARD, payment.cards),
    (r"\d{3}-\d{2}-\d{4}|(?i:ssn|social.?security|\bitin\b|taxpayer)", SSN, national_ids.social),
    (_LETTERED, NATIONAL, national_ids.lettered),
    (r"\d(?:[ ./-]?\d){8}", NATIONAL, national_ids.numbered),
    (r"bc1[a-z0-9]{25}|0x[0-9a-fA-F]{40}|[13][A-HJ-NP-Za-km-z1-9]{25}", WALLET, payment.wallets),
    (r"[+\x{ff0b}][\s\pZ]?\(?\d(?:" + _GAPS + r"\d){6}", PHONE, phones.phones),
    (
        r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{0,4}:|(?:[0-9A-Fa-f]{2}-){5}",
        NETWORK,
        addresses.machines,
    ),
    (r"\d(?:" + _GAPS + r"\d){6}", PHONE, phones.local_phones),
    (
        r"(?i)%40|&#0?64;|&#x40;|&commat;|[\[({<]\s?(?:at|@)\s?[\])}>]| at [\pL\pN-]+ dot ",
        EMAIL,
        addresses.obfuscated_emails,
    ),
)


def _automaton() -> re2.Set:
    """All conditions as one expression that goes over a text once, however many they are."""
    options = re2.Options()
    options.max_mem = 32 << 20
    conditions = re2.Set.SearchSet(options)
    for needs, _, _ in _SEARCHES:
        conditions.Add(needs)
    conditions.Compile()
    return conditions


_GATES = _automaton()


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something stands, and what kind of thing it is. Never what it says."""

    kind: str
    start: int
    end: int


def kinds_in_text(text: str) -> Iterator[str]:
    """The kinds of personal data or secrets found, each once, in the order of `KINDS`."""
    kinds = {finding.kind for finding in find(text)}
    return (kind for kind in KINDS if kind in kinds)


def find(text: str) -> list[Finding]:
    """Everything found, in the order of the text, without overlaps; where two overlap the likelier kind stays."""
    if not text.isascii() and _OTHER_DIGITS.search(text):
        text = text.translate(_PLAIN)
    gates = _GATES.Match(text.encode("utf-8", "replace"))
    if not gates:
        return []
    # In code and JSON a line break or a quote is written as two signs, which would run into the word that follows.
    plain = _ESCAPE.sub("  ", text) if "\\" in text else text
    starts: list[int] = []
    findings: list[Finding] = []
    for gate in sorted(gates):
        _, kind, search = _SEARCHES[gate]
        for start, end in search(plain):
            at = bisect_left(starts, start)
            if (at == 0 or findings[at - 1].end <= start) and (at == len(findings) or findings[at].start >= end):
                starts.insert(at, start)
                findings.insert(at, Finding(kind, start, end))
    return findings


# Digits, and the signs between them, as they are typed in Japan, China, Arabia and Iran: one sign for one sign.
_WIDE = "".join(map(chr, [*range(0xFF10, 0xFF1A), *range(0x660, 0x66A), *range(0x6F0, 0x6FA)]))
_OTHER_DIGITS = re.compile(f"[{_WIDE}]")
_PLAIN = str.maketrans(_WIDE + "\uff0b\uff0d\uff08\uff09\uff0e\uff0f\u3000", "0123456789" * 3 + "+-()./ ")
_ESCAPE = re.compile(r"\\[nrt\"'/]")
