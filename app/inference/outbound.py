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

import h11
import httpx2

from app.inference.addresses import Address, Policy, Resolver, resolve

SLICE = 0.2  # seconds between looks at the deadline and at "stop" while a server is silent
CONNECT_SECONDS = 10.0
KEEP_SECONDS = 15.0  # a connection idle for longer is not used again, so its address is checked anew
READ_BYTES = 64 << 10
MOST_HEAD = 100 << 10  # bytes of an answer's status and headers
NO_ANSWER = "The server hung up without an answer."


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
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


class _Deadline:
    """Until when a call may take, on the monotonic clock.

    A server that answers one question after the other lets the later ones wait. So the time of a call begins when
    those that were sent before it have their answers: it is moved with each of them, and no further.
    """

    __slots__ = ("_stopping", "number", "seconds", "until")

    def __init__(self, number: int, seconds: float, stopping: Callable[[], bool]) -> None:
        self.number = number
        self.seconds = seconds
        self.until = time.monotonic() + seconds
        self._stopping = stopping

    def begin_anew(self) -> None:
        self.until = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that the call may still take.

        Raises: Stopped, TooLong: none.
        """
        if self._stopping():
            raise Stopped
        left = self.until - time.monotonic()
        if left <= 0:
            raise TooLong
        return left


@dataclass(frozen=True, slots=True)
class Received:
    """What came back. headers: by their names in small letters, those of one name joined (RFC 9110, 5.3)."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class _Connection:
    """One connection to a server; h11 knows what is said over it. It looks up from waiting: for the deadline, and for
    somebody who pressed cancel.

    The socket never blocks, and a request goes out in one piece. Each wait is a single one of the system's: with many
    calls under way, every time that a thread lets go of Python another one may keep it for a while.
    """

    def __init__(self, opened: socket.socket) -> None:
        opened.setblocking(False)
        self._socket = opened
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
        self._waits_for = select.POLLIN
        self._poll = select.poll()
        self._poll.register(opened, self._waits_for)
        self._used = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether its last call came to an orderly end, so that another one may follow."""
        return self._http.our_state is h11.IDLE and not self._http.trailing_data[0]

    @property
    def fresh(self) -> bool:
        """Whether an idle one can still be used: not for long after its last call, and not once the server hung up."""
        return time.monotonic() - self._used < KEEP_SECONDS and not self._poll.poll(0)

    def exchange(self, request: h11.Request, content: bytes, deadline: _Deadline, most: int) -> Received:
        """Send a request and read the whole answer. most: bytes of it.

        Raises:
            Ended: we ended it.
            Lost, OSError, h11.ProtocolError: there is no answer.
        """
        events = (request, h11.Data(content), h11.EndOfMessage()) if content else (request, h11.EndOfMessage())
        with suppress(OSError):  # a server may answer, and hang up, before it has read all of a question
            self._send(b"".join(self._http.send(event) or b"" for event in events), deadline)
        while isinstance(answer := self._next(deadline), h11.InformationalResponse):
            pass
        if not isinstance(answer, h11.Response):
            raise Lost(NO_ANSWER)
        headers = _joined(answer.headers)
        if headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise Encoded
        received = bytearray()
        while isinstance(part := self._next(deadline), h11.Data):
            received += part.data
            if len(received) > most:
                raise TooLarge
        if self._http.our_state is self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        self._used = time.monotonic()
        return Received(answer.status_code, headers, bytes(received))

    def _next(self, deadline: _Deadline) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = self._receive(deadline)
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise Lost(NO_ANSWER)
            self._http.receive_data(data)
        return event

    def _send(self, whole: bytes, deadline: _Deadline) -> None:
        unsent = memoryview(whole)
        while unsent:
            deadline.left()
            try:
                unsent = unsent[self._socket.send(unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, deadline)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline)

    def _receive(self, deadline: _Deadline) -> bytes:
        if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            self._wait(select.POLLIN, deadline)
        while True:
            try:
                return self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline)

    def _wait(self, event: int, deadline: _Deadline) -> None:
        """Return when the socket is ready for this, or broken, which the next try tells."""
        if event != self._waits_for:
            self._poll.modify(self._socket, event)
            self._waits_for = event
        while not self._poll.poll(1000 * min(SLICE, deadline.left())):
            pass

    def close(self) -> None:
        self._socket.close()


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


class _Thread(threading.local):
    """What holds for the calls of one thread. stretch: how many times the usual time its next call may take."""

    stretch: float = 1.0


class Transport:
    """Asks one server under the policy and reads its whole answer, within a deadline and a size. Connections are kept
    for the next calls, one for each that was under way at once.

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
        self._policy = policy
        self._resolver = resolver
        self._stopping = stopping
        self._thread = _Thread()
        self._lock = threading.Lock()
        self._open: dict[int, _Deadline] = {}
        self._sent = 0
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._context = context or trust()
        self._idle: list[_Connection] = []  # the one that was used last comes last, and is used next
        self._closed = False

    def stretched(self, times: float) -> None:
        """Let the calling thread's next calls take that many times as long as usual."""
        self._thread.stretch = times

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
            deadline = _Deadline(self._sent, self._total_seconds * self._thread.stretch, self._stopping)
            self._open[deadline.number] = deadline
        try:
            received = self._asked(method, target, headers, content, deadline)
        except (OSError, h11.ProtocolError) as error:
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

    def _asked(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        content: bytes | None,
        deadline: _Deadline,
    ) -> Received:
        length = [] if content is None else [("Content-Length", str(len(content)))]
        own = [("Host", self._address.netloc), ("Accept-Encoding", "identity"), *headers, *length]
        request = h11.Request(method=method, target=self._address.path + target, headers=own)
        connection = self._kept() or self._connected(deadline)
        try:
            return connection.exchange(request, content or b"", deadline, self._max_bytes)
        finally:
            self._keep(connection)

    def _kept(self) -> _Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                kept = self._idle.pop()
            if kept.fresh:
                return kept
            kept.close()

    def _keep(self, connection: _Connection) -> None:
        with self._lock:
            keeps = connection.idle and not self._closed
            if keeps:
                self._idle.append(connection)
        if not keeps:
            connection.close()

    def _connected(self, deadline: _Deadline) -> _Connection:
        """A connection to one of the addresses that the name stands for, all of which were checked.

        Raises: NotAllowed, NotTrusted, NoSuchName, Lost, OSError: there is none.
        """
        failure: Exception = Lost("The name stands for no address.")
        for address in self._checked()[:3]:
            try:
                patience = min(CONNECT_SECONDS, deadline.left())
                opened = socket.create_connection((address, self._address.port), timeout=patience)
            except OSError as error:
                failure = error
            else:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Connection(self._secured(opened, deadline) if self._address.scheme == "https" else opened)
        raise failure

    def _secured(self, opened: socket.socket, deadline: _Deadline) -> ssl.SSLSocket:
        try:
            opened.settimeout(min(CONNECT_SECONDS, deadline.left()))
            return self._context.wrap_socket(opened, server_hostname=self._address.host)
        except OSError as error:
            opened.close()
            if untrusted := _untrusted(error):
                raise untrusted from error
            raise

    def _checked(self) -> list[str]:
        """What the name stands for, if all of it may be called: one bad address spoils the name."""
        host, port = self._address.host, self._address.port
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

    def close(self) -> None:
        """Close what is idle now, and everything else when its call is over."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
