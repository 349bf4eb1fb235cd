"""The one HTTP client for addresses that people typed in.

Whoever may add a model server could otherwise make this server call anything it can reach: its own services, the
cloud's metadata address, the printer. So an address is read once and rebuilt from its parts, a name is resolved
once, every address it stands for is checked, and the connection goes to an address that was checked (a second look-up
could answer differently: DNS rebinding). Redirects are not followed, proxies in the environment are not used, and a
call has a deadline and a size for the whole of it: timeouts of HTTP clients are per read, and a server that drips a
byte a second would hold a thread for ever.

Private addresses are open only to model servers that the operator has listed (TUNEGATE_ALLOWED_HOSTS).
"""

import ssl
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from app.inference.addresses import Policy, Resolver, resolve

SLICE = 0.2  # seconds between looks at the deadline and at "stop" while a server is silent
CONNECT_SECONDS = 10.0
KEEP_SECONDS = 15.0  # a connection idle for longer is not used again, so its address is checked anew


class Ended(Exception):
    """We ended this call ourselves; the subclass says why."""


class NotAllowed(Ended):
    """This address may not be called; the text says which and why."""


class TooLong(Ended):
    """The answer did not end within the call's deadline."""


class TooLarge(Ended):
    """The answer has more bytes than a call may have."""


class Encoded(Ended):
    """The answer is compressed although that was not asked for; it is not unpacked (it may grow without end)."""


class Stopped(Ended):
    """The caller no longer wants the answer."""


class NotTrusted(Ended):
    """The certificate of the other side proves nothing; the text says why and what helps."""


class NoSuchName(Ended):
    """The name in the address stands for nothing; the text names it."""


# ------------------------------------------------------------------ the client


def _untrusted(error: BaseException) -> NotTrusted | None:
    """What stands behind a failed handshake, when asking again cannot help; None when it might."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        match cause.verify_code:
            case 10:
                return NotTrusted("The certificate of the model server has expired. Whoever runs it has to renew it.")
            case 9:
                return NotTrusted("The certificate of the model server is not valid yet. Look at the clocks of both.")
            case 62 | 64:
                return NotTrusted("The certificate of the model server is for another name than the address has.")
            case _:
                return NotTrusted(
                    "The certificate of the model server is signed by nobody we trust. If it is your company's own, "
                    "the operator can name a file with its certificate authority: TUNEGATE_CA_FILE=/path/to/ca.pem."
                )
    if cause is not None and getattr(cause, "reason", "") in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return NotTrusted("The model server does not speak https at this address. Try http, or another port.")
    return None


def trust(ca_file: str = "") -> ssl.SSLContext:
    """Whom we believe: the authorities that come with the client, and those of one file besides. Never everybody.

    Raises:
        OSError: the file cannot be read, or holds no certificate.
    """
    return _trust(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0)


@lru_cache(maxsize=4)
def _trust(ca_file: str, _changed_at: int) -> ssl.SSLContext:
    """Read once, since that takes 20 ms, and again when the file is another one; clients may share a context."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


class _Deadline:
    """Until when a call may take, on the monotonic clock.

    A server that answers one question after the other lets the later ones wait. So the time of a call begins when
    those that were sent before it have their answers: it is moved with each of them, and no further.
    """

    __slots__ = ("number", "seconds", "until")

    def __init__(self, number: int, seconds: float) -> None:
        self.number = number
        self.seconds = seconds
        self.until = time.monotonic() + seconds

    def begin_anew(self) -> None:
        self.until = time.monotonic() + self.seconds


class _Call(threading.local):
    """The call that this thread is in. stretch: how many times the usual time its next call may take."""

    deadline: _Deadline = _Deadline(0, 0.0)
    stretch: float = 1.0

    @property
    def until(self) -> float:
        return self.deadline.until


class _Stream(httpcore2.NetworkStream):
    """A connection that looks up from waiting: for the deadline, and for somebody who pressed cancel."""

    def __init__(self, inner: httpcore2.NetworkStream, call: _Call, stopping: Callable[[], bool]) -> None:
        self._inner = inner
        self._call = call
        self._stopping = stopping

    def _left(self) -> float:
        if self._stopping():
            raise Stopped
        left = self._call.until - time.monotonic()
        if left <= 0:
            raise TooLong
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            try:
                return self._inner.read(max_bytes, min(SLICE, self._left()))
            except httpcore2.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            secured = self._inner.start_tls(ssl_context, server_hostname, min(CONNECT_SECONDS, self._left()))
        except httpcore2.ConnectError as error:
            if untrusted := _untrusted(error):
                raise untrusted from error
            raise
        return _Stream(secured, self._call, self._stopping)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Turns a name into a connection to an address that was checked."""

    def __init__(self, policy: Policy, resolver: Resolver, call: _Call, stopping: Callable[[], bool]) -> None:
        self._policy = policy
        self._resolver = resolver
        self._call = call
        self._stopping = stopping
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        addresses = self.checked(host, port)
        failure: Exception = httpcore2.ConnectError("The name stands for no address.")
        for address in addresses[:3]:
            left = self._call.until - time.monotonic()
            if left <= 0:
                raise TooLong
            try:
                inner = self._sockets.connect_tcp(address, port, timeout=min(CONNECT_SECONDS, left))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(inner, self._call, self._stopping)
        raise failure

    def checked(self, host: str, port: int) -> list[str]:
        """What the name stands for, if all of it may be called: one bad address spoils the name."""
        try:
            addresses = self._resolver(host, port)
        except OSError as error:
            raise NoSuchName(f"The name {host} cannot be resolved.") from error
        for address in addresses:
            if not self._policy.permits(host, port, address):
                raise NotAllowed(
                    f"{host}:{port} stands for {address}, which is not a public address. If it is your own model "
                    f"server, the operator can list it: TUNEGATE_ALLOWED_HOSTS={host}:{port}."
                )
        return addresses


class Transport(httpx2.BaseTransport):
    """Sends a request under the policy and reads the whole answer, within a deadline and a size.

    total_seconds: for one call, from when an answer can be expected to the last byte in (see `_Deadline`). stopping:
    asked a few times a second from the calling threads, so it has to be quick. context: see `trust`.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        total_seconds: float,
        max_bytes: int,
        connections: int,
        stopping: Callable[[], bool] = lambda: False,
        resolver: Resolver = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._call = _Call()
        self._lock = threading.Lock()
        self._open: dict[int, _Deadline] = {}
        self._sent = 0
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context or trust(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEP_SECONDS,
            network_backend=_Backend(policy, resolver, self._call, stopping),
        )

    def stretched(self, times: float) -> None:
        """Let the calling thread's next calls take that many times as long as usual."""
        self._call.stretch = times

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with self._lock:
            self._sent += 1
            deadline = _Deadline(self._sent, self._total_seconds * self._call.stretch)
            self._open[deadline.number] = deadline
        self._call.deadline = deadline
        try:
            answered = self._handled(request, deadline.seconds)
            with self._lock:
                for later in self._open.values():
                    if later.number > deadline.number:
                        later.begin_anew()
            return answered
        finally:
            with self._lock:
                del self._open[deadline.number]

    def _handled(self, request: httpx2.Request, seconds: float) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        request.read()
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.content,
            extensions={"timeout": {"pool": seconds}},
        )
        try:
            received = self._pool.handle_request(sent)
            try:
                body = self._whole(received)
            finally:
                received.close()
        except httpcore2.PoolTimeout as error:
            raise TooLong from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise httpx2.TransportError(str(error) or type(error).__name__) from error
        return httpx2.Response(received.status, headers=received.headers, stream=httpx2.ByteStream(body))

    def _whole(self, received: httpcore2.Response) -> bytes:
        headers = {name.lower(): value for name, value in received.headers}
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise Encoded
        body = bytearray()
        for part in received.iter_stream():
            body += part
            if len(body) > self._max_bytes:
                raise TooLarge
        return bytes(body)

    def close(self) -> None:
        self._pool.close()
