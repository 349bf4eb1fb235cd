"""Values planted in the texts that people upload, and texts that only look as if they held some.

Independent of `identifiers`: numbers are examples that authorities, banks and standards publish, or have check digits
worked out here; nothing comes from the libraries that the product uses.
"""

import json
import random
import string
from collections.abc import Iterator

from app.privacy.kinds import ACCOUNT, CARD, EMAIL, NATIONAL, NETWORK, PHONE, SECRET, SSN, WALLET

# How a value stands in what people upload: prose, a chat, JSON, a call's arguments, code, a table.
PLACES = (
    "{}",
    "Please send it to {} before Friday.",
    "user: my data is {}, thanks.\nassistant: Noted ({}).",
    '{{"note": "kept: {}", "n": 1}}',
    '{{"name": "save", "arguments": {{"value": "{}"}}}}',
    'value = "{}"  # from the form',
    "| Ada | {} | yes |",
    "of('{}', [{}], <{}>)",
    "first line\\nsecond: {}\\nthird",
    "You are a helpful assistant. The owner has {}. Never say so.",
)

EMAILS = (
    "jane@example.com", "jane.doe+news@mail.example.co.uk", "o'brien@firma.ie", "müller@büro.de", "anna_k@уни.рф",
    "用户@例子.公司", "x@y.io", "_under@score.net", "first.last@sub.domain.museum", "JANE@EXAMPLE.ORG",
    "jane (at) example.com", "jane [at] example [dot] com", "jane at example dot org", "jane{at}firma.de",
    "jane%40firma.de", "jane&#64;firma.de", "info@xn--bcher-kva.de", "ada@corp.local", "1984@winston.co", "p-t@b-c.eu",
    "max@mustermann.gmbh", "ada@dr-house.dental",
)  # fmt: skip
IBANS = (
    "GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "ES9121000418450200051332",
    "IT60X0542811101000000123456", "NL91ABNA0417164300", "BE68539007547034", "CH9300762011623852957",
    "AT611904300234573201", "PL61109010140000071219812874", "SE4550000000058398257466", "NO9386011117947",
    "DK5000400440116243", "FI2112345600000785", "PT50000201231234567890154", "IE29AIBK93115212345678",
    "CZ6508000000192000145399", "GR1601101250000000012300695", "HU42117730161111101800000000",
    "RO49AAAA1B31007593840000", "TR330006100519786457841326", "SA0380000000608010167519", "LU280019400644750000",
    "IL620108000000099999999",
)  # fmt: skip
# Numbers that payment companies publish for tests, by brand.
CARDS = (
    "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100", "2223003122003222",
    "378282246310005", "371449635398431", "6011111111111117", "6011000990139424", "30569309025904", "38520000023237",
    "3530111333300000", "3566002020360505", "6200000000000005",
)  # fmt: skip
NATIONALS = (
    "12345678Z", "X1234567L", "RSSMRA85T10A562S", "2 55 08 14 168 025 38", "255081416802538", "131052-308T",
    "811228-9874", "13097248022", "CPR 070761-4285", "PESEL 02070803628", "93.05.18-223.61", "756.1234.5678.97",
    "111.444.777-35", "CPF 11144477735", "11010519491231002X", "8001015009087", "HEGG560427MVZRRL04", "20-05536168-2",
    "12.345.678-5", "T.C. kimlik 10000000146", "JG 10 37 59 A", "JG103759A", "BSN 123456782", "PPS number 1234567FA",
    "TFN 123 456 782", "SIN 130 692 544", "OIB 33392005961", "CNP 1800101221144", "EGN 7523169263", "S1234567D",
    "A123456(3)", "L898902C36UTO7408122F1204159ZE184226B<<<<<10", "SVNR 1237 010180", "isikukood 37605030299",
    "asmens kodas 38703181745", "kennitala 120174-3399", "112-233-445 95", "INN 500100732259", "NHS 943 476 5919",
    "Steuer-ID 86095742719", "NIF 123456789", "nhs_number=9434765919", "nhsNumber: 9434765919", "steuer_id 86095742719",
    "dni 12345678z", "12.345.678-Z", "cf rssmra85t10a562s", "NI jg103759a", "personnummer 8112289874",
)  # fmt: skip
SOCIALS = (
    "219-09-9999", "SSN 219099999", "social security number: 219 09 9999", "078-05-1120", "SSN: 457-55-5462",
    "social security no. 219 09 9999",
    "socialSecurityNumber: 219099999",
)  # fmt: skip
PHONES = (
    "212-736-5000", "(415) 555-2671", "415.555.2671", "1-800-275-2273", "+1 415 555 2671", "Tel. 030 901820",
    "0171 1234567", "+49 (0)30 901820", "0049 30 901820", "01 42 68 53 00", "06 12 34 56 78", "+33 6 12 34 56 78",
    "call 020 7946 0958", "07911 123456", "+44 20 7946 0958", "Tel: 347 123 4567", "teléfono 612 34 56 78",
    "06-12345678", "079 123 45 67", "Mobil: 0664 1234567", "tel. 501 234 567", "mobil 070-123 45 67", "090-1234-5678",
    "03-1234-5678", "010-1234-5678", "手机 138 1234 5678", "mobile: 98765 43210", "(11) 91234-5678", "0412 345 678",
    "Cel: 55 1234 5678", "call 082 123 4567", "+91 98765 43210", "+81 3-1234-5678", "+55 11 91234-5678",
    "WhatsApp 0803 123 4567", "phone number is 2127365000", "Call me back on 98765 43210",
    "\u96fb\u8a71\uff1a\uff10\uff13\uff0d\uff13\uff12\uff12\uff14\uff0d\uff15\uff10\uff10\uff10",
)  # fmt: skip
NETWORKS = (
    "84.113.17.201", "client 5.9.1.7", "2a00:1450:4001:81b::200e", "2003:e4:bf0e:8a00:3c5d:1f2e:9a8b:7c6d",
    "3c:22:fb:9a:1e:07", "3C-22-FB-9A-1E-07",
)  # fmt: skip
WALLETS = (
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
)  # fmt: skip
# What stands over two lines, or in a line of a table.
BROKEN = (
    (CARD, "Ada,4242424242424242,10115"), (PHONE, "Ada,415-555-2671,12"), (CARD, "card 4242.4242.4242.4242"),
    (CARD, "4242 4242 4242\n4242"), (CARD, "4242 4242\n4242 4242"), (ACCOUNT, "DE89 3704 0044\n0532 0130 00"),
    (ACCOUNT, "IBAN: DE89 3704 0044 0532 0130 00 BIC COBADEFF"), (ACCOUNT, "GB82 WEST 1234 5698 7654 32 EUR 500"),
    (ACCOUNT, "de89 3704 0044 0532 0130 00 and more"), (NATIONAL, "BSN:\n123456782"), (PHONE, "+49 30\n901820"),
    (NATIONAL, "PESEL\n  02070803628"), (PHONE, "ring (415)\n555-2671"), (PHONE, "at +33 1 42\n    68 53 00"),
    (PHONE, "call 415-555-\n2671"), (PHONE, "Frau Klein, 0171\n1234567"),
)  # fmt: skip


def positives(seed: int = 5) -> Iterator[tuple[str, str, str]]:
    """Kind, the value as it is written, and a text that holds it."""
    draw = random.Random(seed)
    for kind, value in [
        *((EMAIL, one) for one in EMAILS), *_accounts(), *_cards(), *((NATIONAL, one) for one in NATIONALS),
        *((SSN, one) for one in SOCIALS), *((PHONE, one) for one in PHONES), *((NETWORK, one) for one in NETWORKS),
        *((WALLET, one) for one in WALLETS),
    ]:  # fmt: skip
        for place in draw.sample(PLACES, 5):
            yield kind, value, place.format(value, value, value)
    for kind, value in BROKEN:
        yield kind, value, f"As agreed: {value}"
    for value, text in secrets(draw):
        yield SECRET, value, text
        yield SECRET, value, json.dumps({"messages": [{"role": "user", "content": f"look:\n{text}"}]})


def _accounts() -> Iterator[tuple[str, str]]:
    for one in IBANS:
        yield ACCOUNT, one
        yield ACCOUNT, " ".join(one[at : at + 4] for at in range(0, len(one), 4))


def _cards() -> Iterator[tuple[str, str]]:
    for one in CARDS:
        cuts = {15: (4, 10), 14: (4, 10)}.get(len(one), (4, 8, 12))
        parts = [one[a:b] for a, b in zip((0, *cuts), (*cuts, len(one)), strict=True)]
        yield from ((CARD, one), (CARD, " ".join(parts)), (CARD, "-".join(parts)))


def secrets(draw: random.Random) -> Iterator[tuple[str, str]]:
    """The secret part, and a text as people paste it."""

    def some(number: int, of: str = string.ascii_letters + string.digits) -> str:
        return "".join(draw.choices(of, k=number))

    low, upper = "0123456789abcdef", string.ascii_uppercase + string.digits
    body = "\n".join(some(64) for _ in range(5))
    plain = (
        f"AKIA{some(16, upper)}", f"ASIA{some(16, upper)}", f"AIza{some(35)}", f"ya29.{some(60)}", f"GOCSPX-{some(28)}",
        f"{some(3)}8Q~{some(34)}", f"ghp_{some(36)}", f"gho_{some(36)}", f"ghs_{some(36)}",
        f"github_pat_{some(22)}_{some(59)}", f"glpat-{some(20)}", f"xoxb-{some(12, string.digits)}-{some(24)}",
        f"xoxp-{some(12, string.digits)}-{some(30)}",
        f"xapp-1-A{some(10, upper)}-{some(13, string.digits)}-{some(60, low)}",
        f"sk_live_{some(24)}", f"sk_test_{some(24)}", f"rk_live_{some(24)}", f"sk-{some(48)}", f"sk-proj-{some(90)}",
        f"sk-ant-api03-{some(93)}AA", f"hf_{some(34)}", f"npm_{some(36)}", f"pypi-AgEIcHlwaS5vcmc{some(80)}",
        f"SG.{some(22)}.{some(43)}", f"key-{some(32, low)}", f"SK{some(32, low)}", f"dop_v1_{some(64, low)}",
        f"dapi{some(32, low)}", f"hvs.{some(24)}", f"glsa_{some(32)}_{some(8, low)}", f"dckr_pat_{some(27)}",
        f"eyJ{some(30)}.eyJ{some(60)}.{some(43)}", f"gsk_{some(52)}", f"r8_{some(37)}", f"shpat_{some(32, low)}",
        f"{some(9, '123456789')}:AA{some(33)}", f"PMAK-{some(24, low)}-{some(34, low)}", f"ATATT3{some(60)}",
    )  # fmt: skip
    for one in plain:
        yield (
            one,
            draw.choice(("{}", "the key is {}.", "export KEY={}", "key: '{}'", "curl -H 'X-Key: {}' host")).format(one),
        )
    for kind in ("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
        yield body.split("\n")[2], f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"
    sealed = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n"
    yield body.split("\n")[1], f"-----BEGIN RSA PRIVATE KEY-----\n{sealed}{body}\n-----END RSA PRIVATE KEY-----"
    yield body.split("\n")[0], f"-----BEGIN PRIVATE KEY-----\n{body}"
    for before, value, after in (
        ("postgres://app:", some(12), "@db.internal/app"), ("mongodb+srv://u:", some(16), "@c0.mongodb.net"),
        ("redis://:", some(20), "@cache:6379/0"), ("https://bob:", "s3cr3tpw", "@host.io/x"),
        ("Server=db;Database=x;User Id=sa;Password=", "Gr8-Pass!", ";Encrypt=yes"),
        ("jdbc:mysql://db/x?user=app&password=", some(14), ""), ("DB_PASSWORD=", "hunter22", ""),
        ("export API_KEY=", some(32), ""), ("SECRET_KEY='", some(40), "'"), ("aws_secret_access_key = ", some(40), ""),
        ('"client_secret": "', some(32), '"'), ("Authorization: Bearer ", some(40), ""),
        ("password: ", "Tr0ub4dor&3x", ""),
        ("Your new password is ", "Summer-2024!x", "."), ("curl -u admin:", "Zx81spectrum", " https://host"),
        ("Authorization: Basic ", "YWRtaW46c2VjcmV0LXBhc3M=", ""), ("AccountKey=", some(86), "=="),
        ("machine api.firma.de login ada password ", "Kirsche77", ""), ("Das Passwort lautet ", "Blau+Wolke7", "."),
        ("https://x.blob.core.windows.net/c/f?sp=r&sig=", some(43), "%3D"), ("", f"pscale_pw_{some(43)}", ""),
        ("", f"sbp_{some(40, low)}", ""), ("Authorization: ApiKey ", some(48), ""),
        ("auth_token: '", some(32, low), "'"), ("passwd=", some(24), ""), ('{"private_key_id": "', some(40, low), '"}'),
    ):  # fmt: skip
        yield value, f"{before}{value}{after}"


def traps(seed: int = 6) -> Iterator[str]:
    """What looks like one of them and is none."""
    draw = random.Random(seed)

    def some(number: int, of: str = string.digits) -> str:
        return "".join(draw.choices(of, k=number))

    low, mixed = "0123456789abcdef", string.ascii_letters + string.digits
    day = "24{:02}{:02}"
    for _ in range(40):
        month, date = draw.randint(1, 12), draw.randint(1, 28)
        yield f"order number {some(16)} of {some(12)}, tracking {some(18)}"
        yield f"Order #{day.format(month, date)}-{some(4)} and invoice no. {day.format(month, date)}/{some(4)}"
        yield f"uuid {some(8, low)}-{some(4, low)}-4{some(3, low)}-a{some(3, low)}-{some(12, low)}"
        yield f"commit {some(40, low)}, sha256:{some(64, low)}, md5 {some(32, low)}"
        yield f"ISBN 978-3-{some(2)}-{some(6)}-{some(1)}, ISSN {some(4)}-{some(4)}, DOI 10.{some(4)}/{some(8)}"
        yield f"version 1.{some(2)}.{some(3)}.{some(1)}, v10.{some(1)}.{some(3)}, section 4.2.{some(1)}.{some(1)}"
        yield f"at 17{some(8)} s, 17{some(11)} ms"
        yield f"2024-0{draw.randint(1, 9)}-1{some(1)}T0{some(1)}:1{some(1)}:2{some(1)}.{some(6)}Z"
        yield f"color: #{some(6, low)}; background: #{some(8, low)}; z-index: {some(4)}"
        yield f'<img src="data:image/png;base64,iVBORw0KGgo{some(120, mixed)}+/==">'
        yield f"{some(3)},{some(3)},{some(3)} people; {some(2)}.{some(6)}, {some(3)}.{some(7)}; {some(1)}/{some(2)}"
        yield f"192.168.{some(1)}.{some(2)}, 127.0.0.1, 10.0.{some(2)}.{some(2)}, ::1, fe80::1, 203.0.113.{some(2)}"
        yield f"[{', '.join(str(draw.randint(1, 9999)) for _ in range(12))}]"
        yield (
            "\n".join(f"{some(4)} {some(4)} {some(4)} {some(4)}" for _ in range(2)) if _ % 8 == 7 else f"sku {some(13)}"
        )
        yield f"train {some(4)}-{some(4)}, row {some(5)}-{some(2)}, part AB{some(6)}C, model XJ-{some(4)}-{some(2)}"
        yield f"{some(2)}:{some(2)}:{some(2)}:{some(2)} of tape; ratio {some(1)}:{some(2)}; ns::Class::{some(3)}"
    yield from (
        "api_key = 'your-api-key-here'", "OPENAI_API_KEY=sk-your-openai-api-key-here",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "password = getpass.getpass('Password: ')", "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "postgres://user:password@localhost:5432/db", "mysql://root:${DB_PASS}@db", "http://user:pass@example.com/",
        "https://user:<password>@host", "PASSWORD=changeme", "SECRET_KEY=os.environ['SECRET_KEY']", "TOKEN=None",
        "div class='sk-folding-cube-container sk-child-of-another'", "class='sk-estimator-doc-link fitted'",
        "def get_access_token_for_user_by_name_2(self, token):", "AccessKeyPermissionDenied2Exception",
        "logo@2x.png and icon@3x.svg", "npm install react@18.2.0 lodash@4.17.21",
        "git clone git@github.com:org/repo.git",
        "from noreply@github.com", "@app.route('/x'), @Assert\\Email, @property", "C = A @ B.T",
        "redis://default@cache:6379",
        "the year 1984-2024, pages 123-145", "score 3-2, sets 6-4 7-5 6-3", "8.8.8.8 and 1.1.1.1 are resolvers",
        "Chrome/119.0.6045.105 Safari/537.36", "the password must have 12 characters, 1 digit and 1 symbol",
        "Reset your password: click the button", "tokenizer_config.json, secret_santa_2024_list",
        "public key: ssh-rsa AAAAB3NzaC1yc2E",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "01 02 03 04 05 06 07", "phone: see the website", "call 911 or 112",
        "0x0000000000000000000000000000000000000000",
        "mac 00:00:00:00:00:00", "Tel Aviv 1948-2024", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "token_type_ids=[0, 0, 0, 1, 1]",
        "19*x + 496944762 + 61*y", "routes 192.31.196.0/24",
        "look at the dot in the sky", "y = x@self.w.to(dtype)", "SECRET_PATH=/run/secrets/app",
        "PASSWORD_FILE=/run/secrets/db", "API_KEY_HEADER=X-API-Key", "TOKEN_URL=https://auth.firma.de/oauth/token",
        "sk-container-fluid-medium-2", "po/en@shaw.po", "sin(123 456 782)", "+30\n901820", "12 345\n678 901 22",
        "0171\n1234567", "call 3 times\n1234567", "rows 49 30\n901820", "the token is abcdefgh",
 "self.embed_tokens = SeamlessM4Tv2ScaledWordEmbedding(n)",
    )  # fmt: skip
