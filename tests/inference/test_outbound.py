import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.inference import addresses, outbound
from app.inference.addresses import Address, Policy
from tests.support.model_server import ModelServer, serving

NOTHING = Policy.read([])

ODD = [
    "",
    "models.example.org",
    "//models.example.org",
    "ftp://models.example.org",
    "file:///etc/passwd",
    "http://",
    "http:///v1",
    "http://user@models.example.org",
    "http://user:pass@models.example.org",
    "http://models.example.org@127.0.0.1",
    "http://127.0.0.1#@models.example.org",
    "http://models.example.org#@127.0.0.1",
    "http://models.example.org?x=1",
    "http://models.example.org/v1?x",
    "http://models.example.org\\@127.0.0.1",
    "http:\\\\models.example.org",
    "http://models.example.org\t/v1",
    "http://models.example.org\n/v1",
    "http://models.example.org\r\nHost: x",
    "http://models.example.org/v1\x00",
    "http://mod els.example.org",
    "http://models.example.org:0",
    "http://models.example.org:65536",
    "http://models.example.org:099999",
    "http://models.example.org:80:80",
    "http://models.example.org:",
    "http://models.example.org:http",
    "http://models。example。org",
    "http://mödels.example.org",
    "http://ⓔxample.org",
    "http://models..example.org",
    "http://.example.org",
    "http://-example.org",
    "http://example.org.",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://017700000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.1",
    "http://127.0.0.01",
    "http://256.0.0.1",
    "http://1.2.3.4.5",
    "http://example.123",
    "http://example.0x1f",
    "http://[::1",
    "http://::1",
    "http://[::1%25eth0]",
    "http://[fe80::1%eth0]",
    "http://[::ffff:127.0.0.1.5]",
    "http://[gggg::]",
    "http://[]",
    "http://models.example.org/../admin",
    "http://models.example.org/./v1",
    "http://models.example.org/%2e%2e/admin",
    "http://models.example.org/v1 ",
    "http://models.example.org/<script>",
    "javascript:alert(1)",
    "gopher://127.0.0.1:6379/_x",
    "http://" + "a" * 64 + ".org",
    "http://" + "a." * 140 + "org",
]


@pytest.mark.parametrize("url", [url for url in ODD if url.strip(" ") == url])
def test_an_odd_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        addresses.read(url)

    assert refused.value.errors[0].pointer == "#/base_url"


@pytest.mark.parametrize(
    ("url", "address", "written"),
    [
        (
            "https://Models.Example.org/v1/",
            Address("https", "models.example.org", 443, "/v1"),
            "https://models.example.org/v1",
        ),
        ("HTTP://a.b:8000", Address("http", "a.b", 8000, ""), "http://a.b:8000"),
        (" http://localhost:80/v1 ", Address("http", "localhost", 80, "/v1"), "http://localhost/v1"),
        ("http://[0:0:0:0:0:0:0:1]:9/v1", Address("http", "::1", 9, "/v1"), "http://[::1]:9/v1"),
        ("http://192.0.2.10/v1", Address("http", "192.0.2.10", 80, "/v1"), "http://192.0.2.10/v1"),
    ],
)
def test_an_address_is_rebuilt_from_its_parts(url: str, address: Address, written: str) -> None:
    assert addresses.read(url) == address
    assert str(address) == written
    assert addresses.read(written) == address


@given(st.text(alphabet="htps:/[]@#?\\.%0127fx-ae\t\n", max_size=40))
def test_what_is_accepted_is_what_the_client_dials(url: str) -> None:
    try:
        address = addresses.read("http://" + url)
    except Invalid:
        return
    dialled = httpx2.URL(str(address))

    assert (dialled.host, dialled.port or 80) == (address.host, address.port)


# fmt: off
PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104 - an address to refuse
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.8", "192.0.2.1",
    "::", "::1", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
    "2001::1", "2001:0:7f00:1::", "2001:db8::1", "fe80::1%eth0", "fec0::1",
]
# fmt: on


@pytest.mark.parametrize("address", [*PRIVATE, "not an address"])
def test_only_public_addresses_may_be_called(address: str) -> None:
    assert not NOTHING.permits("models.example.org", 443, address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert NOTHING.permits("models.example.org", 443, address)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "permitted"),
    [
        ("localhost:8000", "localhost", 8000, "127.0.0.1", True),
        ("localhost:8000", "localhost", 8001, "127.0.0.1", False),
        ("localhost:8000", "elsewhere", 8000, "127.0.0.1", False),
        ("gpu-box", "gpu-box", 1234, "10.0.0.4", True),
        ("GPU-Box:80", "gpu-box", 80, "10.0.0.4", True),
        ("10.0.0.0/24", "anything", 80, "10.0.0.4", True),
        ("10.0.0.0/24", "anything", 80, "10.0.1.4", False),
        ("10.0.0.0/24", "anything", 80, "::ffff:10.0.0.4", True),
        ("127.0.0.1", "127.0.0.1", 80, "127.0.0.1", True),
        ("[::1]:9", "::1", 9, "::1", True),
        ("[::1]:9", "::1", 8, "::1", False),
        ("::1", "::1", 8, "::1", True),
    ],
)
def test_the_operator_can_list_private_servers(entry: str, host: str, port: int, address: str, permitted: bool) -> None:
    assert Policy.read([entry]).permits(host, port, address) is permitted


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "host:port", "10.0.0.1/8"])
def test_a_wrong_list_stops_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy.read([entry])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(lambda _: "x") as started:
        yield started


def call(policy: Policy, url: str, resolver: addresses.Resolver) -> None:
    transport = outbound.Transport(addresses.read(url), policy, total_seconds=2, max_bytes=1000, resolver=resolver)
    try:
        transport.ask("GET", "/models")
    finally:
        transport.close()


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled(server: ModelServer) -> None:
    looked_up: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["10.0.0.1"]

    call(Policy.read(["127.0.0.1/32"]), f"http://models.example.org:{server.port}/v1", rebinding)

    assert looked_up == ["models.example.org"]
    assert server.calls[0].headers["host"] == f"models.example.org:{server.port}"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
def test_one_private_address_spoils_a_name(server: ModelServer, addresses: list[str]) -> None:
    with pytest.raises(outbound.NotAllowed):
        call(NOTHING, f"http://models.example.org:{server.port}/v1", lambda *_: addresses)

    assert server.calls == []


def test_an_address_written_as_a_number_is_checked_too(server: ModelServer) -> None:
    with pytest.raises(outbound.NotAllowed):
        call(NOTHING, f"http://127.0.0.1:{server.port}/v1", addresses.resolve)

    assert server.calls == []


def test_a_name_that_means_nothing_is_a_failed_connection() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(outbound.NoSuchName, match="cannot be resolved"):
        call(NOTHING, "http://models.example.org/v1", unknown)
    with pytest.raises(outbound.Lost, match="no address"):
        call(NOTHING, "http://models.example.org/v1", lambda *_: [])


# ------------------------------------------------------------------ connections

LOOPBACK = Policy.read(["127.0.0.0/8"])
Talk = Callable[[socket.socket], None]


def answer(text: str, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(text)}\r\n\r\n{text}".encode()


def heard(line: socket.socket) -> bytes:
    """A whole question with a body of 2 bytes."""
    data = b""
    while not data.endswith(b"\r\n\r\n{}"):
        if not (more := line.recv(65536)):
            return data
        data += more
    return data


@contextmanager
def talking(talk: Talk, **limits: float) -> Iterator[tuple[outbound.Transport, list[int]]]:
    """A server that does on each of its connections what `talk` says; the client, and the connections so far."""
    came: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = listening.accept()
                came.append(len(came))
                threads.append(threading.Thread(target=spoken, args=(line,)))
                threads[-1].start()

    def spoken(line: socket.socket) -> None:
        with line, suppress(OSError):  # the client may have gone
            talk(line)

    threads = [threading.Thread(target=serve)]
    threads[0].start()
    address = addresses.read(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
    transport = outbound.Transport(
        address,
        LOOPBACK,
        total_seconds=limits.get("seconds", 20.0),
        max_bytes=100_000,
        stopping=lambda: time.monotonic() > limits.get("stop_at", float("inf")),
    )
    try:
        yield transport, came
    finally:
        transport.close()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in threads:
            thread.join()


def ask(transport: outbound.Transport, content: bytes = b"{}") -> str:
    return transport.ask("POST", "/chat/completions", [], content).content.decode()


def test_one_connection_serves_call_after_call() -> None:
    def talk(line: socket.socket) -> None:
        while heard(line):
            line.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer("x"))

    with talking(talk) as (transport, came):
        assert [ask(transport) for _ in range(20)] == ["x"] * 20
    assert len(came) == 1


@pytest.mark.parametrize("said", ["Connection: close\r\n", ""])
def test_a_server_that_hangs_up_between_calls_is_called_again(said: str) -> None:
    gone = threading.Semaphore(0)

    def talk(line: socket.socket) -> None:
        heard(line)
        line.sendall(answer("x", said))
        line.shutdown(socket.SHUT_RDWR)
        gone.release()

    with talking(talk) as (transport, came):
        for _ in range(3):
            assert ask(transport) == "x"
            assert gone.acquire(timeout=10)
    assert len(came) == 3


def test_what_nobody_asked_for_is_no_answer_to_the_next_question() -> None:
    """Two answers to one question: a connection that is one ahead would give every later row the answer of another."""

    def talk(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(answer("mine") + answer("nobody's"))
        while heard(line):
            line.sendall(answer("mine"))

    with talking(talk) as (transport, _):
        assert [ask(transport) for _ in range(4)] == ["mine"] * 4


def test_a_refusal_before_the_question_was_read_is_heard() -> None:
    """A server that takes no long prompts says so at once and stops reading."""

    def talk(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(answer("too long").replace(b"200 OK", b"413 Content Too Large"))
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass

    with talking(talk) as (transport, _):
        received = transport.ask("POST", "/chat/completions", [], b"x" * 8_000_000)
    assert (received.status, received.content) == (413, b"too long")


def test_a_long_question_arrives_whole() -> None:
    sizes = []

    def talk(line: socket.socket) -> None:
        data = line.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        while left > 0:
            time.sleep(0.0005)  # slower than we send, so that we have to wait for room
            left -= len(line.recv(65536))
        sizes.append(left)
        line.sendall(answer("x"))

    with talking(talk) as (transport, _):
        assert ask(transport, b"x" * 8_000_000) == "x"
    assert sizes == [0]


@pytest.mark.parametrize("content", [b"{}", b"x" * 8_000_000])
def test_the_deadline_and_cancelling_end_a_call_that_nobody_reads_or_answers(content: bytes) -> None:
    """The server goes away only when we have."""

    def talk(line: socket.socket) -> None:
        gone.wait(30)

    for ends, limits in ((outbound.TooLong, {"seconds": 0.2}), (outbound.Stopped, {"stop_at": time.monotonic() + 0.4})):
        gone = threading.Event()
        with talking(talk, **limits) as (transport, _):
            with pytest.raises(ends):
                ask(transport, content)
            assert not gone.is_set()
            gone.set()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"220 smtp\r\n\r\n"])
def test_half_an_answer_is_none(said: bytes) -> None:
    def talk(line: socket.socket) -> None:
        heard(line)
        line.sendall(said)

    with talking(talk) as (transport, _), pytest.raises(outbound.Lost, match=r"\w"):
        ask(transport)
