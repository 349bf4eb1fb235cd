"""Texts that hold personal data or secrets, made by rule from numbers that no one has, and texts that only look so.

Check digits are worked out by `python-stdnum`, phone numbers are the examples of `phonenumbers`, tokens are drawn.
"""

import random
import string
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import phonenumbers
from stdnum import iban, luhn

from app.privacy.kinds import ACCOUNT, CARD, EMAIL, NATIONAL, NETWORK, PHONE, SECRET, SSN, WALLET

CARRIERS = (
    "{}",
    "Please note {} for later.",
    "It is {}, she said; call back.",
    'Answer: "{}"',
    "kept under {}\nand nowhere else",
)
# Ids by country: module, how they are written, and the name they are given where the number alone is weak.
NATIONAL_IDS = (
    ("es.dni", "54362315K", ""), ("es.nie", "X2482300W", ""), ("it.codicefiscale", "RCCMNL83S18D969H", ""),
    ("fi.hetu", "131052-308T", ""), ("fr.nir", "2 95 10 99 126 111 93", ""), ("be.nn", "85.07.30-033.28", ""),
    ("br.cpf", "390.533.447-05", ""), ("ch.ssn", "756.9217.0769.85", ""), ("za.idnr", "7503305044089", ""),
    ("se.personnummer", "880320-0016", ""), ("no.fodselsnummer", "15108695088", ""), ("de.idnr", "36 574 261 809", ""),
    ("cz.rc", "710319/2745", ""), ("nl.bsn", "111222333", "BSN "), ("pl.pesel", "44051401359", "PESEL: "),
    ("dk.cpr", "211062-5629", "CPR "), ("gb.nhs", "943 476 5870", "NHS number "), ("ca.sin", "123 456 782", "SIN "),
    ("au.tfn", "123 456 782", "TFN "), ("in_.aadhaar", "2341 2341 2346", "Aadhaar no. "),
)  # fmt: skip


def positives(seed: int = 11) -> Iterator[tuple[str, str]]:
    """A kind and a text that holds one of it."""
    draw = random.Random(seed)
    for kind, value in [
        *_emails(draw), *_cards(draw), *_accounts(draw), *_phones(draw), *_social(draw), *_national(), *_secrets(draw),
        *_networks(draw), *_wallets(draw),
    ]:  # fmt: skip
        yield kind, draw.choice(CARRIERS).format(value)


def negatives(seed: int = 12) -> Iterator[str]:
    """Texts without any: wrong check digits, order numbers, versions, hashes, times, code, addresses of machines."""
    draw = random.Random(seed)

    def digits(number: int) -> str:
        return "".join(draw.choices(string.digits, k=number))

    def hexes(number: int) -> str:
        return "".join(draw.choices("0123456789abcdef", k=number))

    for _ in range(60):
        card = digits(15)
        wrong = str((int(luhn.calc_check_digit("4" + card[1:])) + draw.randint(1, 9)) % 10)
        yield f"order 4{card[1:]}{wrong} was shipped"
        yield f"commit {hexes(40)} fixes it, see {hexes(7)}"
        yield f"id {hexes(8)}-{hexes(4)}-{hexes(4)}-{hexes(4)}-{hexes(12)}"
        yield f"version {digits(1)}.{digits(2)}.{digits(3)}-rc{digits(1)} of 20{digits(2)}-0{draw.randint(1, 9)}-11"
        yield f"took {digits(3)}.{digits(4)} ms, {digits(6)} of {digits(7)} rows, +{digits(2)} %"
        yield f"host 10.{draw.randint(0, 255)}.{draw.randint(0, 255)}.1 port {digits(4)}"
        yield f"invoice {digits(6)}-{digits(3)}, position {digits(2)}, tracking {digits(9)}"
        yield f"$token = $this->getToken({digits(2)}); password = input('password')"
        yield f"the decorator @app.route('/v{digits(1)}/items') and @Assert\\Email"
        yield f"isbn 978-{digits(1)}-{digits(4)}-{digits(4)}-{digits(1)} page {digits(3)}"
        yield f"color #{hexes(6)} at {digits(3)},{digits(3)} size {digits(4)}x{digits(4)}"
        yield f"20{digits(2)}-11-2{digits(1)}T1{digits(1)}:0{digits(1)}:00+01:00 level=info"


def _emails(draw: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(60):
        name = draw.choice(("ada.mayr", "o'neil", "jan_1988", "mailbox+tag", "b-c", "J.R.Long"))
        host = draw.choice(("firma", "post.uni", "mail-1", "x9"))
        yield EMAIL, f"{name}@{host}.{draw.choice(('de', 'com', 'co.uk', 'museum'))}"


def _cards(draw: random.Random) -> Iterator[tuple[str, str]]:
    for start, length in (("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("36", 14)):
        for _ in range(12):
            body = start + "".join(draw.choices(string.digits, k=length - len(start) - 1))
            number = body + luhn.calc_check_digit(body)
            sign = draw.choice(("", " ", "-"))
            yield CARD, sign.join(number[at : at + 4] for at in range(0, length, 4))


def _accounts(draw: random.Random) -> Iterator[tuple[str, str]]:
    for country, length in (("DE", 18), ("FR", 23), ("NL", 14), ("AT", 16), ("PL", 24), ("SE", 20), ("DK", 14)):
        for _ in range(8):
            while True:
                body = "".join(draw.choices(string.digits, k=length))
                if country == "NL":
                    body = "ABNA" + body[4:]
                number = country + iban.calc_check_digits(country + "00" + body) + body
                if iban.is_valid(number):
                    break
                if not iban.is_valid(number, check_country=False):
                    raise AssertionError("the check digits are wrong")
                if country in ("FR", "PL", "NL"):  # these hold check digits of their own, which a draw does not meet
                    number = {"FR": "FR1420041010050500013M02606", "PL": "PL61109010140000071219812874",
                              "NL": "NL91ABNA0417164300"}[country]  # fmt: skip
                    break
            spaced = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
            yield ACCOUNT, draw.choice((number, spaced))


def _phones(draw: random.Random) -> Iterator[tuple[str, str]]:
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number: Any = phonenumbers.example_number_for_type(region, draw.choice(kinds))
        if number is not None:
            form = draw.choice((phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164))
            yield PHONE, phonenumbers.format_number(number, form)
    for _ in range(20):
        yield PHONE, f"({draw.randint(201, 989)}) 555-01{draw.randint(10, 99)}"


def _social(draw: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(40):
        yield SSN, f"{draw.randint(1, 665):03}-{draw.randint(1, 99):02}-{draw.randint(1, 9999):04}"


def _national() -> Iterator[tuple[str, str]]:
    for module, number, name in NATIONAL_IDS:
        if not import_module(f"stdnum.{module}").is_valid(number):
            raise AssertionError(f"{module} does not take {number}")
        for _ in range(3):
            yield NATIONAL, f"{name}{number}"
    yield NATIONAL, "AB 12 34 56 C"


def _networks(draw: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(20):
        yield (
            NETWORK,
            f"{draw.randint(100, 126)}.{draw.randint(100, 255)}.{draw.randint(10, 255)}.{draw.randint(10, 255)}",
        )
        yield NETWORK, f"IP {draw.randint(11, 99)}.{draw.randint(1, 9)}.{draw.randint(1, 9)}.{draw.randint(1, 9)}"
        yield NETWORK, f"2a02:8{draw.randint(10, 99)}:1a2b:{draw.randint(10, 99)}::{draw.randint(1, 99)}"
        yield NETWORK, ":".join(f"{draw.randint(16, 255):02x}" for _ in range(6))


def _wallets(draw: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(10):
        yield WALLET, f"0x{''.join(draw.choices('0123456789abcdefABCDEF', k=40))}"
    yield WALLET, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
    yield WALLET, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def _secrets(draw: random.Random) -> Iterator[tuple[str, str]]:
    def signs(number: int, of: str = string.ascii_letters + string.digits) -> str:
        return "".join(draw.choices(of, k=number))

    hexes = "0123456789abcdef"
    upper = string.ascii_uppercase + string.digits
    for _ in range(6):
        yield SECRET, f"AKIA{signs(16, upper)}"
        yield SECRET, f"aws_secret_access_key = {signs(40)}"
        yield SECRET, f"sk-{signs(20)}T3BlbkFJ{signs(20)}"
        yield SECRET, f"sk-proj-{signs(74)}"
        yield SECRET, f"ghp_{signs(36)}"
        yield SECRET, f"github_pat_{signs(22)}_{signs(59)}"
        yield SECRET, f"glpat-{signs(20)}"
        yield SECRET, f"xoxb-{signs(12, string.digits)}-{signs(12, string.digits)}-{signs(24)}"
        yield SECRET, f"https://hooks.slack.com/services/T{signs(8, upper)}/B{signs(8, upper)}/{signs(24)}"
        yield SECRET, f"sk_live_{signs(24)}"
        yield SECRET, f"AIza{signs(35)}"
        yield SECRET, f"hf_{signs(34, string.ascii_letters)}"
        yield SECRET, f"npm_{signs(36)}"
        yield SECRET, f"pypi-AgEIcHlwaS5vcmc{signs(70)}"
        yield SECRET, f"SG.{signs(22)}.{signs(43)}"
        yield SECRET, f"{signs(32, hexes)}-us12"
        yield SECRET, f"{signs(9, '123456789')}:AA{signs(33)}"
        yield SECRET, f"eyJ{signs(20)}.eyJ{signs(40)}.{signs(43)}"
        yield SECRET, f"-----BEGIN RSA PRIVATE KEY-----\n{signs(64)}\n-----END RSA PRIVATE KEY-----"
        yield SECRET, f"postgres://app:{signs(14)}@db.internal:5432/app"
        yield SECRET, f"DefaultEndpointsProtocol=https;AccountKey={signs(86)}=="
        yield SECRET, f"Authorization: Bearer {signs(40)}"
        yield SECRET, f'"api_key": "{signs(32)}"'
        yield SECRET, f"password: {signs(20)}"
