"""Personal data and secrets in a text: their kinds and places; the values themselves are never passed on.

What is looked for: see `KINDS`, `credentials` and `identifiers`. Not looked for, because nothing in their writing tells
them apart: names of people, postal addresses, dates of birth, places on a map, number plates, driving licences. People
have to look for those themselves, and the page says so.

Every text of a million rows goes through here. One automaton (RE2) goes over each of them once and says which searches
can find something at all; for nineteen texts in twenty that is none. Finding phone numbers by `phonenumbers` and
checking ids by `python-stdnum` beat patterns of our own; `detect-secrets` found fewer kinds of keys
(tests/bench/bench_identifiers.py).
"""

import re
import secrets
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson
import re2

from app.chat import Record
from app.privacy import credentials, identifiers
from app.privacy.identifier_report import IdentifierKind, IdentifierReport
from app.privacy.identifiers import Span

EMAIL, SECRET, CARD, PHONE = "e-mail address", "key or token", "card number", "phone number"
SSN, ACCOUNT, NATIONAL = "social security number", "bank account number", "national id number"
NETWORK, WALLET = "network address", "crypto wallet"
KINDS = (EMAIL, SECRET, CARD, PHONE, SSN, ACCOUNT, NATIONAL, NETWORK, WALLET)

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
    (r"[\pL\pN_+%-]@[\pL\pN]", EMAIL, identifiers.emails),
    (r"[A-Za-z]{2}\d\d(?:[\s\pZ-]{0,2}[A-Za-z0-9]){11}", ACCOUNT, identifiers.accounts),
    (r"\d(?:[\s\pZ.-]{0,2}\d){12}", CARD, identifiers.cards),
    (r"\d{3}-\d{2}-\d{4}|(?i:ssn|social.?security|\bitin\b|taxpayer)", SSN, identifiers.social),
    (_LETTERED, NATIONAL, identifiers.lettered),
    (r"\d(?:[ ./-]?\d){8}", NATIONAL, identifiers.numbered),
    (r"bc1[a-z0-9]{25}|0x[0-9a-fA-F]{40}|[13][A-HJ-NP-Za-km-z1-9]{25}", WALLET, identifiers.wallets),
    (r"[+\x{ff0b}][\s\pZ]?\(?\d(?:" + _GAPS + r"\d){6}", PHONE, identifiers.phones),
    (
        r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{0,4}:|(?:[0-9A-Fa-f]{2}-){5}",
        NETWORK,
        identifiers.machines,
    ),
    (r"\d(?:" + _GAPS + r"\d){6}", PHONE, identifiers.local_phones),
    (
        r"(?i)%40|&#0?64;|&#x40;|&commat;|[\[({<]\s?(?:at|@)\s?[\])}>]| at [\pL\pN-]+ dot ",
        EMAIL,
        identifiers.veiled_emails,
    ),
)


def _automaton() -> Any:
    """All conditions as one expression that goes over a text once, however many they are."""
    options = re2.Options()
    options.max_mem = 32 << 20
    found = re2.Set.SearchSet(options)
    for needs, _, _ in _SEARCHES:
        found.Add(needs)
    found.Compile()
    return found


_GATES = _automaton()


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


def find(text: str) -> list[Found]:
    """Everything found, in the order of the text, without overlaps; where two overlap the likelier kind stays."""
    if not text.isascii() and _OTHER_DIGITS.search(text):
        text = text.translate(_PLAIN)
    gates = _GATES.Match(text.encode("utf-8", "replace"))
    if not gates:
        return []
    # In code and JSON a line break or a quote is written as two signs, which would run into the word that follows.
    plain = _ESCAPE.sub("  ", text) if "\\" in text else text
    starts: list[int] = []
    taken: list[Found] = []
    for gate in sorted(gates):
        _, kind, search = _SEARCHES[gate]
        for start, end in search(plain):
            at = bisect_left(starts, start)
            if (at == 0 or taken[at - 1].end <= start) and (at == len(taken) or taken[at].start >= end):
                starts.insert(at, start)
                taken.insert(at, Found(kind, start, end))
    return taken


# Digits, and the signs between them, as they are typed in Japan, China, Arabia and Iran: one sign for one sign.
_WIDE = "".join(map(chr, [*range(0xFF10, 0xFF1A), *range(0x660, 0x66A), *range(0x6F0, 0x6FA)]))
_OTHER_DIGITS = re.compile(f"[{_WIDE}]")
_PLAIN = str.maketrans(_WIDE + "\uff0b\uff0d\uff08\uff09\uff0e\uff0f\u3000", "0123456789" * 3 + "+-()./ ")
_ESCAPE = re.compile(r"\\[nrt\"'/]")


# ---------------------------------------------------------------------- hiding them
def mask(text: str, only: frozenset[str] | None = None) -> str:
    """The text with each value replaced by its kind in square brackets; `only` narrows the kinds.

    JSON stays JSON: a number that goes leaves a string.
    """
    parts, at = [], 0
    for found in find(text):
        if only is None or found.kind in only:
            parts += [text[at : found.start], f"[{found.kind}]"]
            at = found.end
    if not parts:
        return text
    hidden = "".join([*parts, text[at:]])
    if text.lstrip()[:1] in ("{", "["):
        value = _json(text)
        if value is not None and _json(hidden) is None:
            return orjson.dumps(_everywhere(value, only)).decode()
    return hidden


def _json(text: str) -> Any | None:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _everywhere(value: Any, only: frozenset[str] | None) -> Any:
    """The value with every text and long number in it masked, keys included."""
    if isinstance(value, str):
        return mask(value, only)
    if isinstance(value, int) and abs(value) > _LONG:
        hidden = mask(str(value), only)
        return value if hidden == str(value) else hidden
    if isinstance(value, list):
        return [_everywhere(one, only) for one in value]
    return {mask(key, only): _everywhere(one, only) for key, one in value.items()} if isinstance(value, dict) else value


_LONG = 10**8


@dataclass(frozen=True, slots=True)
class Veil:
    """Hides the values of some kinds where rows are shown. Veil a text before you cut it: half a value is one too."""

    kinds: frozenset[str]

    def text(self, text: str) -> str:
        return mask(text, self.kinds) if self.kinds else text

    def everywhere(self, value: Any) -> Any:
        """The same for every text in a JSON value."""
        return _everywhere(value, self.kinds) if self.kinds else value

    def turns(self, messages: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
        return [{**turn, "content": self.text(turn["content"])} for turn in messages]

    def record(self, record: Record) -> Record:
        return masked(record, self.kinds) if self.kinds else record


def veil(decisions: Mapping[str, Any]) -> Veil:
    """What hides a version's rows on pages: every kind but those that somebody decided to keep as they are.

    decisions: kind -> what was decided, as an action or as it is stored with a version.
    """
    acts = {kind: one if isinstance(one, str) else one["action"] for kind, one in decisions.items()}
    return Veil(frozenset(kind for kind in KINDS if acts.get(kind) != "attest"))


def veil_undecided(found: IdentifierReport | None, decisions: Mapping[str, Any]) -> Veil:
    """What hides the texts of a measurement: kinds that were found in its rows and that nobody has decided on.

    Rows of decided kinds hold no value that has to be hidden, and what a model makes up has to be seen to be judged.
    found: a report's `identifiers`.
    """
    return Veil(frozenset(undecided(found, decisions)))


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
        self.salt = secrets.token_bytes(16)  # thrown away with the scan: nobody can try which address a mark stands for

    def see(self, record: Record, file: int) -> tuple[Record | None, list[str]]:
        """The record as it goes on (None: left out), and the sentences about what nobody has decided on."""
        found: dict[str, list[str]] = {}
        for where, text in _texts(record):
            for one in find(text):
                found.setdefault(one.kind, []).append(where)
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
            hidden = masked(record, self.masked)
            if hidden.group != record.group:  # rows of one group stay together, and apart from those of another
                mark = blake2b(record.group.encode(), key=self.salt, digest_size=6).hexdigest()
                hidden = replace(hidden, group=f"{hidden.group} {mark}")
            record = hidden
        return record, _sentences({kind: where for kind, where in found.items() if kind not in self.decided})

    def laid_down(self) -> dict[str, Any]:
        """Everything as a JSON value, for an attempt that goes on later."""
        names = ("rows", "lines", "test_lines", "any", "left_out")
        return {name: getattr(self, name) for name in names} | {"salt": self.salt.hex()}

    def take_up(self, value: Mapping[str, Any]) -> None:
        self.rows, self.lines, self.test_lines = Counter(value["rows"]), value["lines"], value["test_lines"]
        self.any, self.left_out, self.salt = value["any"], value["left_out"], bytes.fromhex(value["salt"])

    def report(self) -> IdentifierReport:
        """Kinds with how many rows hold them and the first of those lines; no value, ever."""
        kinds = tuple(
            IdentifierKind(
                kind,
                self.rows[kind],
                tuple(self.lines.get(kind, ())),
                tuple(self.test_lines.get(kind, ())),
                self.decided.get(kind, ""),
            )
            for kind in KINDS
            if self.rows[kind]
        )
        every = all(kind in self.decided for kind in self.rows)
        return IdentifierReport(self.any, self.left_out, kinds, self.decided if every else None)


def undecided(found: IdentifierReport | None, decided: Mapping[str, Any]) -> list[str]:
    """The kinds found that nobody has decided on; none where nobody looked. decided: kind -> anything."""
    return found.undecided(decided) if found else []


def masked(record: Record, only: frozenset[str]) -> Record:
    """The record with the values of these kinds replaced, wherever they stand."""
    messages = tuple(replace(turn, content=mask(turn.content, only)) for turn in record.messages)
    source = None if record.source is None else _everywhere(record.source, only)
    group = mask(record.group, only) if record.group else ""
    return replace(record, messages=messages, target=mask(record.target, only), source=source, group=group)


def held(record: Record) -> set[str]:
    """The kinds found anywhere in a record: in what is asked and answered, and in what stands beside."""
    return {found.kind for _, text in _texts(record) for found in find(text)}


def values(record: Record) -> Iterator[tuple[str, str]]:
    """Each value found anywhere in a record, with its kind; never to be shown or stored as it is."""
    for _, text in _texts(record):
        for one in find(text):
            yield one.kind, text[one.start : one.end]


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    for turn in record.messages:
        yield "the question" if turn.role == "user" else f"one {turn.role} message", turn.content
    yield "the answer", record.target
    if record.group:
        yield "the group", record.group
    if record.source is not None:
        for text in _leaves(record.source):
            yield "what stands beside the turns", text


def _leaves(value: Any) -> Iterator[str]:
    """Every text in a JSON value, and every number long enough to be one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and abs(value) > _LONG:
        yield str(value)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _leaves(one)


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
