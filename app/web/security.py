"""The outermost layer: which requests are looked at, and which headers every answer carries.

Why pure ASGI: Starlette's base class for middleware puts itself between a stream and its reader. Why outermost, around
even the layer that answers crashes: a header that is missing on the 500 page is missing where it is needed most.
"""

import ipaddress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fastapi import Depends, FastAPI, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.json_types import JsonDict
from app.settings import Settings
from app.web import problems
from app.web.deps import SAFE
from app.web.kept_pages import KEEPING, Keeping, key_of
from app.web.params import LARGEST, few_parts
from app.web.shortlist import Shortlist
from app.web.slow_requests import Arriving

BODY_LIMIT = 2 * 1024 * 1024  # bytes; routes that take uploads say their own `max_body_size`

# Scripts and styles only from here, no plugin, no frame; a form can only be sent to us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; "
    "object-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with that, Chromium sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TWO_YEARS = "max-age=63072000; includeSubDomains"


class Guard:
    """Refuse unknown hosts and requests that another site made a browser send; mark every answer."""

    def __init__(self, app: ASGIApp, settings: Settings, owner: FastAPI) -> None:
        self._app = app
        self._settings = settings
        self._owner = owner  # whose templates an error page is drawn with
        self._origin = origin_of(settings.address)
        self._headers = HEADERS | ({"Strict-Transport-Security": TWO_YEARS} if settings.secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        arriving = Arriving(receive, self._settings.patience)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if arriving.late:
                    headers["Connection"] = "close"
                if location := headers.get("location"):
                    headers["location"] = path_of(location)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)  # a download says itself that nothing in it may run
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if refused := self._refuse(scope):
            status, detail = refused
            scope["app"] = self._owner
            closing = {"Connection": "close"} if status == HTTPStatus.BAD_REQUEST else None
            await problems.problem(Request(scope), status, detail, headers=closing)(scope, receive, marked)
            return
        scope["arriving"] = arriving
        pages = self._owner.state.context.kept_pages
        if pages is not None and (key := key_of(scope)) is not None:
            if (page := await pages.find(key)) is not None:
                await page.send(send)
                return
            scope[KEEPING] = send = Keeping(pages, key, send)  # what is kept is what goes out
        await self._app(scope, arriving, self._instead_of_bare(scope, receive, marked))

    def _instead_of_bare(self, scope: Scope, receive: Receive, send: Send) -> Send:
        """Put our problem in place of the two words with which Starlette itself refuses a body that is too large."""
        replaced = False

        async def sender(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                replaced = message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and kind.startswith("text/plain")
                if replaced:
                    scope["app"] = self._owner
                    detail = "The request is larger than what this address takes."
                    await problems.problem(Request(scope), 413, detail)(scope, receive, send)
            if not replaced:
                await send(message)

        return sender

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not known_host(headers.getlist("host"), self._settings.known_hosts):
            return 400, "This server does not answer to that host name. The setting TUNEGATE_PUBLIC_URL names it."
        if "content-length" in headers and "transfer-encoding" in headers:
            # Two servers in a row that believe different ones of them read different requests (RFC 9112, 6.1).
            return 400, "The request says its length in two ways. Send Content-Length or Transfer-Encoding, not both."
        if not decodable(headers.getlist("content-type")):
            return 415, "Send forms and JSON in UTF-8."
        if scope["method"] not in SAFE and not self._own(headers):
            return 403, "This request came from another site. Open the page here and try again."
        if _too_large(scope["path"]):
            return 404, "There is nothing at this address."
        return None

    def _own(self, headers: Headers) -> bool:
        """Say whether an unsafe request comes from our own pages, or from no browser at all.

        Browsers say `Sec-Fetch-Site` themselves and scripts cannot forge it; on plain http with a host name Chromium
        leaves it out, but not `Origin`. A cookie without either cannot be trusted. Several values of one header are
        somebody trying something.
        """
        origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        if len(origins) > 1 or len(sites) > 1:
            return False
        if origins and origins[0] == self._origin:
            return True
        if sites:
            return sites[0] in {"same-origin", "none"} and (not origins or _same_host(origins[0], headers))
        if origins:
            return _same_host(origins[0], headers)
        return "cookie" not in headers


def path_of(address: str) -> str:
    """An address to go on to, without a host: it would be the one that the request named, and that is anybody's word.

    Nothing here leads to another site, so nothing is lost.
    """
    if address.startswith("/") and not address.startswith(("//", "/\\")):
        return address
    parts = urlsplit(address)
    return urlunsplit(("", "", "/" + parts.path.lstrip("/\\"), parts.query, parts.fragment))


def decodable(types: list[str]) -> bool:
    """Whether a form leaves its encoding to us. Python's decoders make halves of characters, and some never end."""
    if len(types) > 1:
        return False
    kind, options = parse_options_header(types[0][:1000] if types else "")
    is_form = kind in {b"multipart/form-data", b"application/x-www-form-urlencoded"}
    return not is_form or options.get(b"charset", b"utf-8").lower() in {b"utf-8", b"utf8", b"us-ascii"}


def _too_large(path: str) -> bool:
    """Whether a number in an address is larger than the id of anything. A file's version may look like one."""
    numbers = (part for part in path.split("/") if part.isdecimal())
    return not path.startswith("/static/") and any(len(part) > 10 or int(part) > LARGEST for part in numbers)


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _same_host(origin: str, headers: Headers) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc == headers.get("host")


def known_host(hosts: list[str], known: frozenset[str]) -> bool:
    """Say whether the one Host header names us.

    Any IP address is accepted: a site cannot make a browser send one that leads to us under the site's own name,
    which is what this check is against (DNS rebinding).
    """
    if len(hosts) != 1 or not set(hosts[0]).isdisjoint("/\\@?# \t,"):
        return False
    try:
        parts = urlsplit(f"//{hosts[0]}")
        name, _port = parts.hostname, parts.port
    except ValueError:
        return False
    return name is not None and (name in known or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Web(FastAPI):
    """A FastAPI app inside the guard. FastAPI's own documentation pages are off: they load scripts from elsewhere."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(
            docs_url=None,
            redoc_url=None,
            max_body_size=BODY_LIMIT,
            dependencies=[Depends(few_parts)],
            generate_unique_id_function=lambda route: getattr(route.endpoint, "__name__", route.name),
            **options,
        )
        self._settings = settings
        limit: Any = self.router.middleware_stack  # on bodies, around what finds the route
        limit.app = self._shortlist = Shortlist(self.router)

    def prepare(self) -> None:
        """Work every route out now and not for the first reader, who would wait for half a second."""
        self._shortlist.build()

    def openapi(self) -> JsonDict:
        """The description of the API; every refusal in it is what it is sent as, a problem document."""
        if self.openapi_schema is None:
            described = super().openapi()
            for scheme in described["components"].get("securitySchemes", {}).values():
                if scheme["type"] == "apiKey" and self._settings.secure:
                    scheme["name"] = f"__Host-{scheme['name']}"
            for operation in (method for path in described["paths"].values() for method in path.values()):
                for status, response in operation["responses"].items():
                    if int(status) >= HTTPStatus.BAD_REQUEST:
                        response["content"] = {problems.JSON_TYPE: {"schema": problems.SCHEMA}}
        return super().openapi()

    def build_middleware_stack(self) -> ASGIApp:
        return Guard(super().build_middleware_stack(), self._settings, self)
