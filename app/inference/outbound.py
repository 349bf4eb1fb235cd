"""The one HTTP client for addresses that people typed in.

Whoever may add a model server could otherwise make this server call anything it can reach: its own services, the
cloud's metadata address, the printer. So an address is read once and rebuilt from its parts, a name is resolved
once, every address it stands for is checked, and the connection goes to an address that was checked (a second look-up
could answer differently: DNS rebinding). Redirects are not followed, proxies in the environment are not used, and a
call has a deadline and a size for the whole of it: timeouts of HTTP clients are per read, and a server that drips a
byte a second would hold a thread for ever.

Private addresses are open only to model servers that the operator has listed (TUNEGATE_ALLOWED_HOSTS).
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from app.inference.addresses import Address, Policy, Resolver, resolve

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


class Lost(Exception):
    """The connection failed, or what came over it is no HTTP; the text says how."""


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
    """A connection that looks up from waiting: for the deadline, and for somebody who pressed cancel.

    The socket never blocks, and what is written waits for the next read, so that a request goes out in one piece: with
    many calls under way, every time that a thread lets go of Python another one may keep it for a while.
    """

    def __init__(self, opened: socket.socket, call: _Call, stopping: Callable[[], bool]) -> None:
        opened.setblocking(False)
        self._socket = opened
        self._call = call
        self._stopping = stopping
        self._unsent = bytearray()
        self._waits_for = select.POLLIN
        self._poll = select.poll()
        self._poll.register(opened, self._waits_for)

    def _left(self) -> float:
        if self._stopping():
            raise Stopped
        left = self._call.until - time.monotonic()
        if left <= 0:
            raise TooLong
        return left

    def _wait(self, event: int) -> None:
        """Return when the socket is ready for this, or broken, which the next try tells."""
        if event != self._waits_for:
            self._poll.modify(self._socket, event)
            self._waits_for = event
        while not self._poll.poll(1000 * min(SLICE, self._left())):
            pass

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            with suppress(OSError):  # a server may answer, and hang up, before it has read all of a question
                self._flush()
        try:
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                self._wait(select.POLLIN)
            while True:
                try:
                    return self._socket.recv(max_bytes)
                except (BlockingIOError, ssl.SSLWantReadError):
                    self._wait(select.POLLIN)
                except ssl.SSLWantWriteError:
                    self._wait(select.POLLOUT)
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer

    def _flush(self) -> None:
        """Send what was written.

        Raises: OSError: the other side takes no more of it.
        """
        unsent, self._unsent = memoryview(bytes(self._unsent)), bytearray()
        while unsent:
            try:
                unsent = unsent[self._socket.send(unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            self._socket.settimeout(min(CONNECT_SECONDS, self._left()))
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except OSError as error:
            self._socket.close()
            if untrusted := _untrusted(error):
                raise untrusted from error
            raise httpcore2.ConnectError(str(error)) from error
        return _Stream(secured, self._call, self._stopping)

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
            case "is_readable":  # of an idle connection: the other side has hung up
                return self._socket.fileno() < 0 or bool(self._poll.poll(0))
            case _:
                return None


class _Backend(httpcore2.NetworkBackend):
    """Turns a name into a connection to an address that was checked."""

    def __init__(self, policy: Policy, resolver: Resolver, call: _Call, stopping: Callable[[], bool]) -> None:
        self._policy = policy
        self._resolver = resolver
        self._call = call
        self._stopping = stopping

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
                opened = socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
            except OSError as error:
                failure = httpcore2.ConnectError(str(error))
            else:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(opened, self._call, self._stopping)
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


@dataclass(frozen=True, slots=True)
class Received:
    """What came back. headers: by their names in small letters, those of one name joined (RFC 9110, 5.3)."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transport:
    """Asks one server under the policy and reads its whole answer, within a deadline and a size. Its connections are
    kept for the next call, one for each that was under way at once.

    total_seconds: for one call, from when an answer can be expected to the last byte in (see `_Deadline`). stopping:
    asked a few times a second from the calling threads, so it has to be quick. context: see `trust`.
    """

    def __init__(
        self,
        address: Address,
        policy: Policy,
        *,
        total_seconds: float,
        max_bytes: int,
        stopping: Callable[[], bool] = lambda: False,
        resolver: Resolver = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        self._origin = httpcore2.Origin(address.scheme.encode(), address.host.encode(), address.port)
        self._call = _Call()
        self._lock = threading.Lock()
        self._open: dict[int, _Deadline] = {}
        self._sent = 0
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._context = context or trust()
        self._backend = _Backend(policy, resolver, self._call, stopping)
        self._idle: list[httpcore2.HTTPConnection] = []  # the one that was used last comes last, and is used next
        self._closed = False

    def stretched(self, times: float) -> None:
        """Let the calling thread's next calls take that many times as long as usual."""
        self._call.stretch = times

    def ask(
        self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), content: bytes | None = None
    ) -> Received:
        """One call; what comes back whatever its status. target: what stands behind the address, from its first /.

        Raises:
            Ended: we ended it.
            Lost: there is no answer.
        """
        with self._lock:
            self._sent += 1
            deadline = _Deadline(self._sent, self._total_seconds * self._call.stretch)
            self._open[deadline.number] = deadline
        self._call.deadline = deadline
        try:
            received = self._asked(self._request(method, target, headers, content))
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise Lost(str(error) or type(error).__name__) from error
        else:
            with self._lock:
                for later in self._open.values():
                    if later.number > deadline.number:
                        later.begin_anew()
            return received
        finally:
            with self._lock:
                del self._open[deadline.number]

    def _request(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], content: bytes | None
    ) -> httpcore2.Request:
        address = self._address
        url = httpcore2.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.path + target)
        length = [] if content is None else [("Content-Length", str(len(content)))]
        own = [("Host", address.netloc), ("Accept-Encoding", "identity"), *headers, *length]
        return httpcore2.Request(method, url, headers=own, content=content)

    def _asked(self, request: httpcore2.Request) -> Received:
        connection = self._connection()
        try:
            answered = connection.handle_request(request)
            try:
                body = self._whole(answered)
            finally:
                answered.close()
        finally:
            self._keep(connection)
        return Received(answered.status, _joined(answered.headers), body)

    def _connection(self) -> httpcore2.HTTPConnection:
        """One that is open and idle, or a new one."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                origin = httpcore2.Origin(
                    self._address.scheme.encode(), self._address.host.encode(), self._address.port
                )
                return httpcore2.HTTPConnection(
                    origin, self._context, keepalive_expiry=KEEP_SECONDS, network_backend=self._backend
                )
            if kept.is_available() and not kept.has_expired():
                return kept
            kept.close()

    def _keep(self, connection: httpcore2.HTTPConnection) -> None:
        with self._lock:
            keeps = connection.is_available() and not self._closed
            if keeps:
                self._idle.append(connection)
        if not keeps:
            connection.close()

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
        """Close what is idle now, and everything else when its call is over."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
