"""Precision and recall of what finds personal data and secrets: ours and the libraries that look for the same, by kind.

    python tests/bench/bench_identifiers.py [--scan FILE.jsonl ...]

The texts are those of `tests/support/planted.py`: values planted in prose, chats, JSON, calls and code, and traps
that only look like them. A library is compared where it is installed (pip install detect-secrets scrubadub presidio-
analyzer, in an environment of its own); of presidio the recognizers that need no language model, of all countries,
from a score of 0.4 on. `--scan` times the search alone on every text of these files.
"""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.privacy.detect import find, kinds_in_text
from app.privacy.kinds import ACCOUNT, CARD, EMAIL, KINDS, NATIONAL, NETWORK, PHONE, SECRET, SSN, WALLET
from tests.support import planted

Finder = Callable[[str], Iterable[str]]


def detect_secrets() -> Finder:
    """The plugins that know a token by its form; the guesses by entropy find every hash."""
    util: Any = import_module("detect_secrets.core.plugins.util")
    guessing = {"Base64 High Entropy String", "Hex High Entropy String", "Public IP (ipv4)"}
    plugins = [cls() for name, cls in util.get_mapping_from_secret_type_to_class().items() if name not in guessing]

    def search(text: str) -> Iterable[str]:
        lines = text.splitlines()
        there = any(next(iter(one.analyze_line("x", line, 1)), None) for one in plugins for line in lines)
        return [SECRET] if there else []

    return search


def scrubadub() -> Finder:
    scrubber: Any = import_module("scrubadub").Scrubber()
    names = {"email": EMAIL, "phone": PHONE, "credit_card": CARD, "credential": SECRET, "social_security_number": SSN}

    def search(text: str) -> Iterable[str]:
        return [names[one.type] for one in scrubber.iter_filth(text) if one.type in names]

    return search


_PRESIDIO = {
    "EMAIL_ADDRESS": EMAIL, "CREDIT_CARD": CARD, "IBAN_CODE": ACCOUNT, "PHONE_NUMBER": PHONE, "US_SSN": SSN,
    "US_ITIN": SSN, "IP_ADDRESS": NETWORK, "MAC_ADDRESS": NETWORK, "CRYPTO": WALLET,
}  # fmt: skip
_NATIONAL = re.compile(
    "(?:AU_TFN|CA_SIN|DE_TAX_ID|ES_NI[EF]|FI_PERSONAL|IN_(?:AADHAAR|PAN)|IT_FISCAL|KR_RRN|NG_NIN|UK_N|PL_PESEL|SE_PERSON"
    "|SG_NRIC|TH_TNIN|TR_NATIONAL|ZA_ID)"
)


def presidio() -> Finder:
    module: Any = import_module("presidio_analyzer.predefined_recognizers")
    base: Any = import_module("presidio_analyzer")
    found = []
    for name in dir(module):
        one = getattr(module, name)
        if isinstance(one, type) and issubclass(one, base.PatternRecognizer | module.PhoneRecognizer):
            try:
                found.append(one())
            except TypeError:
                continue  # one that wants to be told what to look for

    def search(text: str) -> Iterable[str]:
        for one in found:
            for hit in one.analyze(text, one.supported_entities, None) or ():
                kind = _PRESIDIO.get(hit.entity_type) or (NATIONAL if _NATIONAL.match(hit.entity_type) else "")
                if kind and hit.score >= 0.4:
                    yield kind

    return search


def stdnum() -> Finder:
    """Every run of signs that may be a number, tried with the check of each number that we know."""
    luhn: Any = import_module("stdnum.luhn")
    iban: Any = import_module("stdnum.iban")
    bitcoin: Any = import_module("stdnum.bitcoin")
    names = re.findall(
        r"\S+",
        "es.dni es.nie it.codicefiscale fr.nir fi.hetu se.personnummer no.fodselsnummer dk.cpr pl.pesel be.nn ch.ssn "
        "br.cpf cn.ric za.idnr mx.curp ar.cuit cl.rut tr.tckimlik nl.bsn ie.pps au.tfn ca.sin hr.oib ro.cnp bg.egn "
        "at.vnr ee.ik lt.asmens is_.kennitala gb.nhs de.idnr pt.nif",
    )
    national: list[Any] = [import_module(f"stdnum.{name}") for name in names]
    runs = re.compile(r"[A-Za-z0-9](?:[ ./-]?[A-Za-z0-9]){7,40}|[A-Za-z0-9]{8,}")

    def valid(check: Any, text: str) -> bool:
        try:
            return bool(check.is_valid(text))
        except (LookupError, ValueError):
            return False

    def search(text: str) -> Iterable[str]:
        for run in {run.group() for run in runs.finditer(text)} | set(re.findall(r"[\w./-]{8,}", text)):
            if valid(iban, run):
                yield ACCOUNT
            if valid(bitcoin, run):
                yield WALLET
            if re.fullmatch(r"[\d -]{13,23}", run) and valid(luhn, re.sub(r"\D", "", run)):
                yield CARD
            if any(valid(check, run) for check in national):
                yield NATIONAL

    return search


def phonenumbers() -> Finder:
    library: Any = import_module("phonenumbers")

    def search(text: str) -> Iterable[str]:
        return [PHONE] if any(True for _ in library.PhoneNumberMatcher(text, "US")) else []

    return search


TOOLS: dict[str, tuple[Callable[[], Finder], tuple[str, ...]]] = {
    "ours": (lambda: kinds_in_text, KINDS),
    "python-stdnum": (stdnum, (CARD, ACCOUNT, NATIONAL, WALLET)),
    "phonenumbers": (phonenumbers, (PHONE,)),
    "detect-secrets": (detect_secrets, (SECRET,)),
    "scrubadub": (scrubadub, (EMAIL, SECRET, CARD, PHONE, SSN)),
    "presidio": (presidio, (EMAIL, CARD, PHONE, SSN, ACCOUNT, NATIONAL, NETWORK, WALLET)),
}


def contest() -> None:
    there = list(planted.positives())
    clean = list(planted.traps())
    number = Counter(kind for kind, _, _ in there)
    print(f"{len(there)} texts with a value, {len(clean)} traps; precision / recall, a text counted once a kind\n")
    cells: dict[str, dict[str, str]] = {}
    last: dict[str, tuple[int, float]] = {}
    for name, (make, known) in TOOLS.items():
        try:
            search = make()
        except ImportError:
            continue
        found: Counter[str] = Counter()
        said: Counter[str] = Counter()
        began = time.process_time()
        for kind, _, text in there:
            named = set(search(text))
            found[kind] += kind in named
            said.update(named)
        alarms = 0
        for text in clean:
            named = set(search(text))
            alarms += bool(named)
            said.update(named)
        last[name] = alarms, 1e6 * (time.process_time() - began) / (len(there) + len(clean))
        cells[name] = {
            kind: f"{found[kind] / max(1, said[kind]):.2f} / {found[kind] / number[kind]:.2f}" for kind in known
        }
    print(f"| kind | texts | {' | '.join(cells)} |\n| --- | --- |{' --- |' * len(cells)}")
    for kind in KINDS:
        print(f"| {kind} | {number[kind]} | {' | '.join(one.get(kind, '') for one in cells.values())} |")
    print(f"| traps with an alarm | {len(clean)} | {' | '.join(str(alarms) for alarms, _ in last.values())} |")
    print(f"| microseconds a text | | {' | '.join(f'{took:.0f}' for _, took in last.values())} |")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def scan(files: Iterable[Path]) -> None:
    """Microseconds a text of the search alone, the best of three rounds."""
    held = [text for file in files for line in file.read_bytes().splitlines() for text in texts(orjson.loads(line))]
    rounds = []
    for _ in range(3):
        began = time.process_time()
        hits = sum(bool(find(text)) for text in held)
        rounds.append(time.process_time() - began)
    size, a_text = sum(map(len, held)), 1e6 * min(rounds) / len(held)
    print(f"{len(held):,} texts, {size:,} characters, {hits:,} with something: {a_text:.2f} microseconds a text")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--scan", type=Path, nargs="+")
    given = parser.parse_args()
    scan(given.scan) if given.scan else contest()
