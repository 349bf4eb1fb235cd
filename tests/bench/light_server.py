"""A chat completion server that takes next to no time of its own: one process, one thread, no framework.

    python tests/bench/light_server.py --port 0 --ms 50 [--slow-down 0.05 --retry-after 1] [--broken 0.01] [--seed 7]

Prints its port on the first line. Every POST is answered after the given time with the last user text's first word in
capitals; a share of the calls, drawn by their number, gets 429 with Retry-After, another one 500, at once. `GET /log`
gives what it did as JSON: calls, answers, seconds between the first and the last.
"""

import argparse
import asyncio
import json
import random
import time
from typing import Any


class Server(asyncio.Protocol):
    """One connection. HTTP/1.1 with Content-Length, which is all that clients of models send."""

    def __init__(self, place: "Place") -> None:
        self.place = place
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            size = int(fields.get("content-length", 0))
            if len(self.buffer) < end + 4 + size:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + size], self.buffer[end + 4 + size :]
            self.place.asked(self, head.split(" ", 2)[0], body)

    def send(self, status: int, body: bytes, more: str = "") -> None:
        if not self.transport.is_closing():
            head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)


class Place:
    """What all connections share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.draw = random.Random(options.seed)
        self.calls = self.answers = self.inside = self.most = 0
        self.first = self.last = 0.0

    def asked(self, server: Server, method: str, body: bytes) -> None:
        if method == "GET":
            log = {"calls": self.calls, "answers": self.answers, "most": self.most, "seconds": self.last - self.first}
            server.send(200, json.dumps(log).encode())
            return
        self.calls += 1
        self.first = self.first or time.monotonic()
        fate = self.draw.random()
        if fate < self.options.slow_down:
            error = b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'
            server.send(429, error, f"Retry-After: {self.options.retry_after:g}\r\n")
        elif fate < self.options.slow_down + self.options.broken:
            server.send(500, b'{"error":{"message":"internal"}}')
        else:
            self.inside += 1
            self.most = max(self.most, self.inside)
            asyncio.get_running_loop().call_later(self.options.ms / 1000, self.answer, server, body)

    def answer(self, server: Server, body: bytes) -> None:
        self.inside -= 1
        self.answers += 1
        self.last = time.monotonic()
        asked = json.loads(body)
        question = [turn["content"] for turn in asked["messages"] if turn["role"] == "user"][-1]
        if not isinstance(question, str):
            question = "".join(part.get("text", "") for part in question)
        text = question.split(maxsplit=1)[0].upper() if question.split() else ""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}
        whole = {"id": "c", "object": "chat.completion", "created": 0, "model": asked["model"], "choices": [choice]}
        server.send(200, json.dumps({**whole, "usage": usage}).encode())


async def serve(options: argparse.Namespace) -> None:
    place = Place(options)
    made = await asyncio.get_running_loop().create_server(lambda: Server(place), "127.0.0.1", options.port)
    print(made.sockets[0].getsockname()[1], flush=True)
    await made.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ms", type=float, default=50.0)
    parser.add_argument("--slow-down", type=float, default=0.0)
    parser.add_argument("--retry-after", type=float, default=1.0)
    parser.add_argument("--broken", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=7)
    asyncio.run(serve(parser.parse_args()))
