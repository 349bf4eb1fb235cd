"""E-mail addresses, written for machines or for people, and addresses of machines on the public net."""

import ipaddress
import re
from collections.abc import Iterator

from app.privacy.writing import Span

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
_OBFUSCATED = re.compile(
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
        address, before = match.group(), text[max(0, match.start() - 80) : match.start()]
        if not (_SERVER.search(before) or _MACHINES.match(address) or _FILES.search(address)):
            yield match.span()


def obfuscated_emails(text: str) -> Iterator[Span]:
    """Written for people: jane (at) example.com."""
    for match in _OBFUSCATED.finditer(text):
        # Look at that dot in the sky.
        if _PROSE.search(match.group()) is None or _WRITING.search(text[max(0, match.start() - 40) : match.start()]):
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
        address, before = match.group(), text[max(0, match.start() - 40) : match.start()]
        if address in _RESOLVERS or _VERSION.search(before) or not _public(address):
            continue
        # Four short numbers are a version or a section as often as an address.
        if len(address) >= 12 or _IP_NAMED.search(before):
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
