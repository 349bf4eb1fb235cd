"""Keys, tokens and passwords in a text: where they stand.

Most have a form of their own, known from what their makers publish. What has none is found by its name beside it and
only where the value looks drawn by chance: code is full of variables called `token`. Strings that merely look random
and have no name are not looked for; they are hashes far more often than keys. Values that every manual uses for "put
yours here" are passed over.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from math import log2

Span = tuple[int, int]

# One line for each maker or group of makers; a letter or digit right before would make it part of something longer.
_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])"  # AWS
    r"|AIza[0-9A-Za-z_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{30,}|1//0[A-Za-z0-9_-]{40,}"  # Google
    r"|[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"  # Azure, an app's secret
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|v1\.[0-9a-f]{40}(?![0-9a-z])"  # GitHub
    r"|gl(?:pat|dt|ft|soat|rt|rtr|cbt|imt|ptt|agent|oas|ffct)-[A-Za-z0-9_.-]{20,}"  # GitLab
    r"|ATATT3[A-Za-z0-9_=-]{40,}|ATBB[A-Za-z0-9]{32}(?![A-Za-z0-9])|ATCTT3[A-Za-z0-9_=-]{40,}"  # Atlassian
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{30,}|hooks\.slack\.com/services/T\w+/B\w+/\w+"  # Slack
    r"|discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,}|[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"
    r"|\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"  # Telegram
    r"|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{24,}"  # Stripe
    r"|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60}(?![A-Za-z0-9])|shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}"
    r"|hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,}"
    r"|r8_[A-Za-z0-9]{37}|nvapi-[A-Za-z0-9_-]{60,}|lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"  # model hosts
    r"|EAA[A-Z][A-Za-z0-9]{90,}|A{19,24}[A-Za-z0-9]{8,60}(?:%[23][0-9A-Fa-f][A-Za-z0-9]{5,}){1,4}"  # Meta, Twitter
    r"|pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.=-]{32,}|sbp_[0-9a-f]{40}(?![0-9a-z])|secret_[A-Za-z0-9]{43}(?![A-Za-z0-9])"
    r"|npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])|pypi-AgE[A-Za-z0-9_-]{50,}|rubygems_[0-9a-f]{48}|dckr_(?:pat|oat)_[\w-]{27,}"
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|[0-9a-f]{32}-us\d{1,2}(?!\d)|key-[0-9a-f]{32}(?![0-9a-f])"  # mail
    r"|SK[0-9a-f]{32}(?![0-9a-f])|xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}"
    r"|do[opr]_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}|hvs\.[A-Za-z0-9_-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"
    r"|glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{32,}=*|NRAK-[A-Z0-9]{27}|sntrys_[A-Za-z0-9+/=_]{40,}"
    r"|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|lin_api_[A-Za-z0-9]{40}|ntn_[A-Za-z0-9]{40,}|figd_[A-Za-z0-9_-]{40,}"
    r"|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,}|AGE-SECRET-KEY-1[0-9A-Z]{58}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # a signed token (RFC 7519)
    r")"
)
_MODEL_KEY = re.compile(r"(?<![A-Za-z0-9-])sk-[A-Za-z0-9_-]{20,}")  # looks like a class name of a style sheet, too
_BEARER = re.compile(r"\b(?:[Bb]earer|Authorization: (?:ApiKey|[Tt]oken))[ :]\s{0,2}([A-Za-z0-9._~+/-]{20,}=*)")
_BASIC = re.compile(r"\b[Bb]asic ([A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9+/=])")
_ACCOUNT_KEY = re.compile(r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}")
# The signature is the key: an address that opens a place in Azure's storage for everybody who has it.
_SIGNED = re.compile(r"(?<=[?&;]sig=)[A-Za-z0-9%+/]{40,}={0,2}")
_NETRC = re.compile(r"\blogin\s+\S{1,64}\s+password\s+(\S{4,64})")
# The whole block; where its end was cut off, as much of it as there is.
_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----)){0,20000}-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:[\s\"'+]*[A-Za-z0-9+/=]{16,}){0,400})"
    r"|PuTTY-User-Key-File-\d: (?:[^P]|P(?!uTTY-User)){0,20000}?Private-MAC: [0-9a-f]{32,}"
)
# User and password in an address.
_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>]{0,64}:([^\s/:@'\"<>]{3,64}|[^\s:@'\"<>]{3,64})@[\w.-]+"
)
# A password among the parts of a connection's text: `Server=db;User Id=app;Password=...;`
_PART = re.compile(r"(?i)(?<=[;?&])\s?(?:password|passwd|pwd)=([^\s;&\"'<>{}$()]{4,64})")
_USER = re.compile(r"(?i)\b(?:curl|wget|http)\b[^\n]{0,200}?\s(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,64}:([^\s'\"]{4,64})")
# A line of an environment file. Its values are often short; capitals on both sides of nothing else than `=` are enough.
_LINE = re.compile(
    r"(?<![A-Za-z0-9_.$-])[A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY"
    r"|PRIVATE_KEY)[A-Z0-9_]*(?<!_NAME)(?<!_PATH)(?<!_FILE)(?<!_DIR)(?<!_UR[LI])(?<!_HEADER)(?<!_ENDPOINT)(?<!_TYPE)=[\"']?([^\s\"'<>{}$()]{6,200})"
)
# A value given to something that is named like a secret. It has to look random as well: code is full of such names.
_ASSIGNED = re.compile(
    r"(?i)(?:password|passwd|passwor[td]|kennwort|mot de passe|contraseña|senha|wachtwoord|lösenord|hasło|secret|token"
    r"|(?:api|access|private|auth|account|encryption)[ _-]?key|client[_-]?secret|credential)"
    r"\w{0,20}[\"']?[ \t]{0,3}(?:=>?|:=?|\b(?:is|ist|lautet|est|es|é|är|to)\b)"
    r"[ \t]{0,3}[\"'`]?([A-Za-z0-9+/_.~!#$%^&*@-]{8,200}={0,2})(?![\w(])"
)
_PASSWORD = re.compile(r"(?i)passwo|passwd|kennwo|mot de|contra|senha|wachtw|lösen|hasło")
_RANDOM = 3.5  # bits a sign from which on a long value looks random; English identifiers have 2.5 to 3.3
_LONG = 16  # signs
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PLACEHOLDER = re.compile(
    r"(?i)your|example\.|placeholder|change.?me|replace|insert|redacted|dummy|x{4,}|\*{3,}|\.{3,}|^<|^%|_here|-here|todo"
    r"|(?:0123456789|abcdefghij).*(?:0123456789|abcdefghij)"
)
_MANUALS = re.compile(
    r"(?i)(?:my|your)?(?:pass|password|passwd|pwd|secret|secretpassword)|user|username|test|guest|example|changeme|xxx"
    r"|[*]+|root|admin|token|postgres|mysql|none|null|true|false"
)

# What one of them always holds: an expression that a fast automaton looks for first. No look-around in it.
GATE = (
    r"AKIA|ASIA|ABIA|ACCA|AIza|GOCSPX|ya29\.|1//0|\dQ~|gh[pousr]_|github_pat|v1\.[0-9a-f]{8}|gl[a-z]{2,5}-[A-Za-z0-9_]"
    r"|ATATT|ATBB|ATCTT|xox[a-z]-|xapp-|hooks\.slack|/api/webhooks/|[\w-]{23}\.[\w-]{6}\.[\w-]{10}|:AA[A-Za-z0-9_-]{33}"
    r"|_live_|_test_|whsec_|sq0|EAAA|shp[a-z]{2}_|hf_|api_org_|gsk_|xai-|pplx-|r8_|nvapi-|lsv2_|npm_|pypi-|rubygems_"
    r"|dckr_|SG\.|-us\d|key-[0-9a-f]|SK[0-9a-f]{8}|xkeysib|re_[A-Za-z0-9]{8}_|_v1_|dapi|hvs\.|atlasv1|gls?[ac]_|NRAK"
    r"|sntrys|PMAK|lin_api|ntn_|figd_|dp\.[a-z]{2}\.|AGE-SEC|pat[A-Za-z0-9]{14}\.|eyJ|sk-|[Bb]earer|[Bb]asic "
    r"|AccountKey|AccessKey|PRIVATE|PuTTY|://[^\s/]*:[^\s]+@|(?:-u|--user)[ =]\S+:"
    r"|(?i:passw|secret|token|[_ -]key|apikey|pwd=|credential)"
    r"|(?i:kennwort|mot de passe|contrase|senha|wachtw|senord|has\x{0142}o)"
    r"|EAA[A-Z]|AAAAAAAA|pscale_|sbp_|uthorization: |[?&;]sig="
)


def spans(text: str) -> Iterator[Span]:
    """Where secrets stand; overlaps are possible, the surest come first."""
    if "-----BEGIN" in text or "PuTTY" in text:
        yield from (match.span() for match in _BLOCK.finditer(text))
    yield from (match.span() for match in _FORMS.finditer(text) if not _PLACEHOLDER.search(match.group()))
    for match in _MODEL_KEY.finditer(text):
        # Words with a number between hyphens are a class of a style sheet.
        if re.search(r"(?=[A-Za-z0-9]{12})[A-Za-z]*\d", match.group()[3:]) and not _PLACEHOLDER.search(match.group()):
            yield match.span()
    if "://" in text:
        yield from (match.span() for match in _ADDRESS.finditer(text) if _own(match.group(1)))
    if "earer" in text or "uthorization" in text:
        yield from (match.span() for match in _BEARER.finditer(text) if _drawn(match.group(1), 3.0))
    if "asic " in text:
        yield from (match.span(1) for match in _BASIC.finditer(text) if _user_and_password(match.group(1)))
    if "Key=" in text:
        yield from (match.span() for match in _ACCOUNT_KEY.finditer(text))
    if "sig=" in text:
        yield from (match.span() for match in _SIGNED.finditer(text))
    for pattern in (_PART, _USER, _LINE, _NETRC):
        yield from (match.span(1) for match in pattern.finditer(text) if _own(match.group(1)))
    yield from (_trimmed(match) for match in _ASSIGNED.finditer(text) if _secret(match))


def _own(value: str) -> bool:
    """Whether somebody may have chosen this value: not a variable, a type, or what every manual writes."""
    if _MANUALS.fullmatch(value.strip(".,;")) or value[0] in "$%{[<*(" or _PLACEHOLDER.search(value):
        return False
    return not re.fullmatch(
        r"(?:[a-z_]+\.)+[a-z_]+|(?:os|process|env|config|settings|self|this)\b.*|\W+|[\d.,]+", value
    )


def _secret(match: re.Match[str]) -> bool:
    value = match.group(1).rstrip(".,!")
    if _PLACEHOLDER.search(value):
        return False
    if len(value) >= _LONG and _drawn(value, _RANDOM):
        return True
    # A short one only counts where it is a password that mixes all kinds of signs, as the rules of most places ask.
    named = _PASSWORD.match(match.group()) is not None
    return named and all(re.search(kind, value) for kind in ("[a-z]", "[A-Z]", r"\d", r"[+!#$%^&*@~/]"))


def _trimmed(match: re.Match[str]) -> Span:
    """Without the sign that ends the sentence."""
    start, end = match.span(1)
    return start, end - (len(match.group(1)) - len(match.group(1).rstrip(".,")))


def _drawn(value: str, least: float) -> bool:
    """Whether the value looks drawn by chance, by the entropy of its signs."""
    if sum(sign.isdigit() for sign in value) < 2 or not any(sign.isalpha() for sign in value):
        return False
    if _PLACEHOLDER.search(value):
        return False
    if _HEX.fullmatch(value):
        least = min(least, 3.0)  # sixteen signs have 4 bits at most
    shares = [value.count(sign) / len(value) for sign in set(value)]
    return -sum(share * log2(share) for share in shares) >= least


def _user_and_password(value: str) -> bool:
    """RFC 7617: user and password with a colon between, in base64."""
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return text.isprintable() and re.fullmatch(r"[^\s:]{1,64}:\S{3,}", text) is not None
