"""A real HTTP server on loopback that speaks the chat completion protocol, well or badly.

`reply` makes the answer from the request's body: a string is answered properly, a `Raw` is sent as it is. `calls`
keeps every body and its headers, so that a test can count what was asked twice.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """Bytes as they go out. drip: seconds between single bytes; cut: promise more bytes than are sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float = 0.0
    cut: bool = False
    hang_up: bool = False


Reply = Callable[[Body], "str | Raw"]


@dataclass(frozen=True)
class Call:
    path: str
    headers: Mapping[str, str]
    body: Body


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is what some tests are about."""


class ModelServer:
    def __init__(self, reply: Reply, delay: float = 0.0, model: str = "loopback-1") -> None:
        self.reply = reply
        self.delay = delay
        self.model = model
        self.lists: list[Any] = []  # what it answers to `GET /models`: names, or entries as they stand there
        self.calls: list[Call] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def questions(self) -> list[str]:
        """The last user text of every call, in the order they came."""
        return [last_user(call.body) for call in self.calls]

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, call: Call) -> "str | Raw":
        with self._lock:
            self.calls.append(call)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self.delay)
            return self.reply(call.body)
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def serving(reply: Reply, delay: float = 0.0) -> Iterator[ModelServer]:
    server = ModelServer(reply, delay)
    server.start()
    try:
        yield server
    finally:
        server.close()


def last_user(body: Body) -> str:
    return str([turn["content"] for turn in body["messages"] if turn["role"] == "user"][-1])


def completion(text: Any, *, finish: Any = "stop", model: str = "loopback-1", **more: Any) -> bytes:
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
            **more,
        }
    ).encode()


def _handler(owner: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: of two, the second waits 40 ms for the first to be acknowledged

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = owner.take(Call(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self._send(reply if isinstance(reply, Raw) else Raw(completion(reply, model=owner.model)))

        def do_GET(self) -> None:
            headers = {k.lower(): v for k, v in self.headers.items()}
            owner.calls.append(Call(self.path, headers, {"messages": [{"role": "user", "content": "GET"}]}))
            entries = [{"id": one} if isinstance(one, str) else one for one in owner.lists]
            lists = {"object": "list", "data": entries}
            self._send(Raw(json.dumps(lists if owner.lists else {}).encode()))

        def _send(self, raw: Raw) -> None:
            if raw.hang_up:
                self.close_connection = True
                return
            try:
                self.send_response(raw.status)
                headers = {"Content-Type": "application/json", **raw.headers}
                headers.setdefault("Content-Length", str(len(raw.body) + (100 if raw.cut else 0)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if raw.drip:
                    for at in range(len(raw.body)):
                        self.wfile.write(raw.body[at : at + 1])
                        self.wfile.flush()
                        time.sleep(raw.drip)
                else:
                    self.wfile.write(raw.body)
                self.close_connection = self.close_connection or raw.cut
            except OSError:  # the caller has gone, as it should after its deadline
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    return Handler
