"""Addresses that people typed in: read strictly, and which of them may be called.

An address is read once and rebuilt from its parts, so that no two programs read it differently. A name is resolved once
and every address it stands for is checked. Private addresses are open only to model servers that the operator has
listed (TUNEGATE_ALLOWED_HOSTS).
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from app.errors import FieldError, Invalid

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]
# Given away for special purposes, and not known as such to every Python version we run on (IANA registries).
# The last line: addresses that look public and are a cloud's own or nobody's. Azure's internal services, documentation
# (RFC 9637), segment routing (RFC 9602), the dummy prefix (RFC 9780), translation inside one network (RFC 8215).
SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "fec0::/10"),
            *("168.63.129.16/32", "3fff::/20", "5f00::/16", "100:0:0:1::/64", "64:ff9b:1::/48"),
        ),
    )
)
PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)  # RFC 1918, 4193
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses written as IPv6 ones (RFC 6052)
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>(?:/[A-Za-z0-9._~!$'()*+,;=:-]*)*)"
    r"(?:\?api-version=(?P<version>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:-preview)?|preview|latest))?",
    re.IGNORECASE,
)
# What people copy together with an address: the door itself, where only the way to it is wanted.
TAIL = re.compile(r"/(?:chat/completions|completions|responses|embeddings|models)/*\Z")
CLASSIC_AZURE = "/openai/deployments/"
AZURE = (
    "Azure's older form of an address needs a version at its end: .../openai/deployments/NAME?api-version=2024-10-21. "
    "The newer one needs none: https://YOUR-NAME.openai.azure.com/openai/v1, with the name of the deployment as the "
    "model."
)
NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address in parts; `str()` puts it together again, and nothing else is ever dialled. version: what
    Azure wants to be asked with every call (`api-version`); empty elsewhere."""

    scheme: str
    host: str  # lower case; an IPv6 address without brackets
    port: int
    path: str
    version: str = ""

    def __str__(self) -> str:
        return self.before_door + (f"?api-version={self.version}" if self.version else "")

    @property
    def before_door(self) -> str:
        """What stands before `/chat/completions` in the address of a call."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port as they stand in an address: no usual port, and IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def classic_azure(self) -> bool:
        """Whether it is of Azure's older form, which takes its key in a header of its own."""
        return CLASSIC_AZURE in self.path + "/"


def tail(url: str) -> str:
    """What `read` cuts off the end of an address because people copy it along; empty where it is taken as it is."""
    parts = URL.fullmatch(url.strip(" \t\r\n"))
    cut = TAIL.search(parts["path"].rstrip("/")) if parts else None
    return cut.group() if cut else ""


def read(url: str) -> Address:
    """Take an address apart, strictly: what two programs could read differently is refused.

    Raises:
        Invalid: it is not a plain http(s) address; the sentence says what is wrong.
    """
    url = url.strip(" \t\r\n")
    parts = URL.fullmatch(url)
    if not parts and CLASSIC_AZURE in url:
        raise _wrong(AZURE)
    if not parts:
        raise _wrong(
            "Write it like https://models.example.org/v1: http or https, a host name, no user name, no question "
            "mark, no blanks. A name with other letters has to be in its xn-- form."
        )
    host = parts["host"].lower()
    port = int(parts["port"] or {"http": 80, "https": 443}[parts["scheme"].lower()])
    if port > 65535:
        raise _wrong("A port number is at most 65535.")
    if host.startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise _wrong("This is not an IPv6 address.") from None
    elif NUMERIC.fullmatch(host.split(".")[-1]):
        # Many resolvers read 127.1, 0x7f000001 or 017700000001 as an address; only the usual form is taken.
        try:
            host = str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _wrong("Write an IPv4 address as four numbers, like 192.0.2.10.") from None
    elif ".." in host or len(host) > 253 or any(len(label) > 63 for label in host.split(".")):
        raise _wrong("This is not a host name.")
    path = TAIL.sub("", parts["path"].rstrip("/")).rstrip("/")
    if any(part in (".", "..") for part in path.split("/")):
        raise _wrong("The path may not hold . or .. parts.")
    return Address(parts["scheme"].lower(), host, port, path, parts["version"] or "")


def _wrong(detail: str) -> Invalid:
    return Invalid("The address of the model server cannot be used.", [FieldError("#/base_url", detail)])


def inside(url: str) -> bool:
    """Whether an address is written as one inside: this machine, or a private network's number. Names are not resolved.

    Shared address space (RFC 6598) and link-local addresses are none: a provider may answer there.
    """
    try:
        host = read(url).host
        if host == "localhost" or host.endswith(".localhost"):
            return True
        address = ipaddress.ip_address(host)
    except (Invalid, ValueError):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or any(address.version == net.version and address in net for net in PRIVATE)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, in the system's order."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be called: public addresses, and what the operator listed.

    names: (host, port), port None for any. networks: CIDR ranges.
    """

    names: frozenset[tuple[str, int | None]]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @classmethod
    def read(cls, entries: Iterable[str]) -> Self:
        """Entries are `host`, `host:port` or a CIDR range.

        Raises:
            ValueError: an entry is none of these. A wrong list is an operator's mistake and stops the start.
        """
        names: set[tuple[str, int | None]] = set()
        networks = []
        for entry in (entry.strip().lower() for entry in entries):
            if "/" in entry:
                networks.append(ipaddress.ip_network(entry))
                continue
            try:
                names.add((str(ipaddress.ip_address(entry.strip("[]"))), None))
                continue
            except ValueError:
                pass
            host, colon, port = entry.rpartition(":")
            if not colon:
                host, port = entry, ""
            elif not port.isdigit():
                raise ValueError(f"{entry!r} in TUNEGATE_ALLOWED_HOSTS is not a host, host:port or CIDR range")
            names.add((host.strip("[]"), int(port) if port else None))
        return cls(frozenset(names), tuple(networks))

    def listed(self, host: str, port: int) -> bool:
        return (host, port) in self.names or (host, None) in self.names

    def permits(self, host: str, port: int, address: str) -> bool:
        """Whether this address, which `host` stands for, may be connected to."""
        if self.listed(host, port):
            return True
        try:
            plain = _plain(ipaddress.ip_address(address))
        except ValueError:  # a zone id, or nothing we know
            return False
        if any(plain in network for network in self.networks):
            return True
        if any(plain in network for network in SPECIAL):
            return False
        return plain.is_global and not (
            plain.is_multicast or plain.is_reserved or plain.is_unspecified or plain.is_loopback or plain.is_link_local
        )


def _plain(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 one that only wraps it; Teredo becomes the unspecified address: never allowed."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.teredo:
        return ipaddress.IPv4Address(0)
    if wrapped := address.ipv4_mapped or address.sixtofour:
        return wrapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, given up long ago but still understood
        return ipaddress.IPv4Address(int(address))
    return address
