"""A thousand at once: there are answers for as many as there are places, the others come again, pages go on."""

import asyncio
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.browser import serving
from tests.support.processes import until
from tests.support.served import Measured

pytestmark = [pytest.mark.deep, pytest.mark.torch]

CROWD = 1_000


async def _status(host: str, port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def _crowd(host: str, port: int, request: bytes, look: bytes) -> tuple[Counter[int], list[int]]:
    asked = [asyncio.create_task(_status(host, port, request)) for _ in range(CROWD)]
    looked = [await _status(host, port, look) for _ in range(5)]
    return Counter(await asyncio.gather(*asked)), looked


def test_a_crowd_is_turned_away_and_nothing_else_breaks(tiny: Measured) -> None:
    tiny.serve("tiny", kind="model")
    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "alpha"}], "max_tokens": 8}).encode()
    app: Any = tiny.web.app
    with serving(app) as address:
        host, port = address.removeprefix("http://").split(":")
        head = f"Host: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {tiny.token()}\r\n"
        request = f"POST /v1/chat/completions HTTP/1.1\r\n{head}Content-Type: application/json\r\n".encode()
        request += f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        look = f"GET /health/live HTTP/1.1\r\n{head}\r\n".encode()
        with ThreadPoolExecutor(1) as apart:  # in this thread a browser of another test may have a loop of its own
            statuses, looked = apart.submit(lambda: asyncio.run(_crowd(host, int(port), request, look))).result()
        server = app.state.serving.server
        until(lambda: server.line == 0)

        assert set(statuses) == {200, 429}, statuses
        assert server.limits.each <= statuses[200] <= server.limits.a_minute
        assert looked == [200] * 5
