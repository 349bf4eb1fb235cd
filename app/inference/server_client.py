"""The client that a model server is asked with: openai's, on our own guarded transport, and nothing else of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from app.inference import addresses, outbound
from app.inference.generator import Unusable
from app.inference.outbound import Received
from app.json_types import JsonObject

MAX_BYTES = 4 << 20  # of one answer, all of it
TOTAL_SECONDS = 120.0  # of one call, from when an answer can be expected
ATTEMPTS = 5
WAIT_LIMIT = 600.0  # seconds we wait at a server's word; one that asks for more is come back to later, by a person
PATIENCE = 300.0  # seconds a server may be away (loading, starting, overloaded) before the run ends


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a server is asked, and how long it is waited for; times in seconds.

    concurrency: requests at once. total_seconds, max_bytes: of one call. attempts: of a row that fails by itself.
    wait_limit: the longest pause of a row. first_wait: the shortest, and the traffic's first step back. patience: how
    long the server may be away for everybody; 0 waits for nobody.
    """

    concurrency: int = 8
    total_seconds: float = TOTAL_SECONDS
    max_bytes: int = MAX_BYTES
    attempts: int = ATTEMPTS
    wait_limit: float = WAIT_LIMIT
    first_wait: float = 0.5
    patience: float = PATIENCE


USUAL = Limits()
RECEIVED = "tunegate.received"
OURS = frozenset((b"host", b"accept-encoding", b"connection", b"content-length"))  # headers that the transport sets


class ServerClient:
    """One server at one address. Safe to use from several threads.

    stopping: asked by calls under way whether they should end. ca_file: certificates (PEM) beside the usual ones.
    """

    def __init__(
        self,
        address: addresses.Address,
        key: str,
        policy: addresses.Policy,
        limits: Limits,
        stopping: Callable[[], bool],
        *,
        ca_file: str,
        resolver: addresses.Resolver,
    ) -> None:
        import openai

        try:
            context = outbound.trust(ca_file)
        except OSError as error:
            raise Unusable(
                f"The file in TUNEGATE_CA_FILE cannot be used: {error.strerror or 'it holds no certificate'}. "
                "The operator has to name a readable file with certificates in PEM form."
            ) from error
        self.transport = outbound.Transport(
            address,
            policy,
            total_seconds=limits.total_seconds,
            max_bytes=limits.max_bytes,
            stopping=stopping,
            resolver=resolver,
            context=context,
        )
        self._http = httpx2.Client(
            transport=_Guarded(self.transport, httpx2.URL(address.before_door).raw_path),
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # the transport has a deadline for the whole call, which no timeout here gives
        )
        by_bearer = bool(key) and not address.classic_azure
        leave_out = ("OpenAI-Organization", "OpenAI-Project", *(() if by_bearer else ("Authorization",)))
        headers: dict[str, str | openai.Omit] = {
            "User-Agent": "tunegate",
            **{name: openai.Omit() for name in leave_out},
        }
        if key and address.classic_azure:
            headers["api-key"] = key
        self._options: Any = {"headers": headers}
        # Every argument that is not given would be read from this process's environment, another key included.
        self._client = openai.OpenAI(
            base_url=address.before_door,
            api_key=key or "none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            default_query={"api-version": address.version} if address.version else None,
            http_client=self._http,
            max_retries=0,
        )

    def post(self, path: str, body: JsonObject) -> Received:
        """Ask one question at a path behind the address; the answer whatever its status.

        Raises:
            Exception: there is no status at all; of which kind is read by `failures.failure_of`.
        """
        return self._whatever(
            lambda: self._client.post(path, body=body, cast_to=httpx2.Response, options=self._options)
        )

    def listed(self) -> Received:
        """Ask which models the server has (`GET /models`); the answer whatever its status.

        Raises:
            Exception: as `post`.
        """
        return self._whatever(lambda: self._client.get("/models", cast_to=httpx2.Response, options=self._options))

    def _whatever(self, ask: Callable[[], httpx2.Response]) -> Received:
        import openai

        try:
            response = ask()
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, Exception):
                raise error.__cause__ from error
            raise
        received: Received = response.extensions[RECEIVED]
        return received

    def close(self) -> None:
        self._http.close()
        self.transport.close()


class _Guarded(httpx2.BaseTransport):
    """The guarded transport where httpx expects one. path: of the address, which the transport sets before a target."""

    def __init__(self, transport: outbound.Transport, path: bytes) -> None:
        self._transport = transport
        self._path = path.rstrip(b"/")

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw
            if name.lower() not in OURS
        ]
        target = request.url.raw_path.removeprefix(self._path).decode("latin-1")
        content = request.read() if request.method == "POST" else None
        received = self._transport.ask(request.method, target, headers, content)
        return httpx2.Response(
            received.status, headers=received.headers, content=received.content, extensions={RECEIVED: received}
        )
