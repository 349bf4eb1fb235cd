"""Whatever is sent to whatever address, nothing breaks: it is used or refused."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.users.tables import UserRow
from app.web.security import Web
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.ready import ready
from tests.support.route_table import routes
from tests.support.small_app import People

IDS = (
    "1",
    "0",
    "-1",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 40,
    "x",
    "%00",
    "..%2f1",
    "\u0661",
)
ODD: tuple[Any, ...] = (
    "",
    "x" * 5000,
    "a\x00b",
    -1,
    2**70,
    1.5,
    None,
    [],
    {"a": {"b": [1]}},
    ["x"],
    True,
    "NaN",
)
QUERIES = ("?page=-1", "?page=99999999999999999999", "?q=%00", "?before=x", "?state=%F0%9F%98%80&split=zzz", "?limit=0")
FORMS: tuple[dict[str, str], ...] = ({}, {"name": "a\x00b", "title": "\x00", "answers": "["}, {"text": "x" * 100_000})
# Requests to a route in the quick suite.
MOST = 1
# They would end the sessions of the one who asks, or last for ever.
LEFT_OUT = re.compile(r"/events$|/sign-out|/sessions/end|/users/{user_id}/(disable|role|reset-password)")


@pytest.fixture
def app(settings: Settings) -> Iterator[Web]:
    made = ready(create_app, settings)
    yield made
    made.state.context.jobs.close()
    made.state.context.engine.dispose()


def fields_of(app: Web, method: str, path: str) -> list[str]:
    """The names of the fields that an address of the API takes."""
    described = app.openapi()
    operation = loose(described)["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    name = json.dumps(content).partition("#/components/schemas/")[2].partition('"')[0]
    return list(loose(described)["components"]["schemas"].get(name, {}).get("properties", {}))


def some_to(app: Web, method: str, path: str) -> list[tuple[str, dict[str, Any]]]:
    """What is tried of all there is: the same few of each route in the quick suite, and every one when deep."""
    every = list(requests_to(app, method, path))
    most = min(len(every), depth(MOST, len(every)))
    return Random(f"{method} {path}").sample(every, most)


def requests_to(app: Web, method: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Addresses and bodies to try: odd ids, odd queries, odd fields."""
    for gap in IDS if "{" in path else ("",):
        yield gap, {}
    if method == "GET":
        yield from (("1" + query, {}) for query in QUERIES)
    elif path.startswith("/api/"):
        typed = {"Content-Type": "application/json"}
        fields = fields_of(app, method, path)
        for body in (*ODD[:9], *({name: odd} for name in fields for odd in ODD)):
            yield "1", {"content": json.dumps(body), "headers": typed}
    else:
        yield from (("1", {"data": form}) for form in FORMS)


def straight(app: Web, client: TestClient) -> httpx2.AsyncClient:
    """The same person, without a thread of its own for every request: there are thousands."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(
        transport=transport, base_url=client.base_url, headers=client.headers, cookies=client.cookies
    )


async def what_breaks(app: Web, people: People, admin: UserRow) -> set[tuple[str, str, str]]:
    broken: set[tuple[str, str, str]] = set()
    seen: Counter[int] = Counter()
    people.program("author")  # the token with the id 1, so that nobody ends the one that is used here
    async with straight(app, people.browser(admin)) as browser, straight(app, people.program(admin)) as program:
        for method, route in routes(app):
            path = route.path or ""
            if LEFT_OUT.search(path):
                continue
            client = program if path.startswith("/api/") else browser
            for gap, request in some_to(app, method, path):
                number, _, query = gap.partition("?")
                address = re.sub(r"{[^}]*}", number, path) + ("?" + query if query else "")
                status = (await client.request(method, address, **request)).status_code
                seen[status] += 1
                if status >= 500:
                    broken.add((method, address[:60], str(request)[:60]))
    # Everybody is let in, some find something, most is refused for what it is.
    assert min(seen[200], seen[303], seen[404], seen[422]) > depth(5, 20), seen
    assert not seen[401], seen
    return broken


@pytest.mark.long("asks every address there is, two hundred of them")
def test_nothing_that_is_sent_breaks_anything(app: Web, people: People, make: Make) -> None:
    admin = make.admin()
    make.assessment(admin)

    with start_blocking_portal() as elsewhere:  # Playwright keeps a loop of its own in this thread
        assert elsewhere.call(what_breaks, app, people, admin) == set()
