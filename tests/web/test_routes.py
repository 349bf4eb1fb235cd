"""Who may come in: every route says a role, and nobody without it gets further."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from app.audit.tables import EntryRow
from app.db import reading
from app.main import create_app
from app.settings import Settings
from app.users.deps import Me
from app.users.tables import Role
from app.web.security import Web
from tests.support.ready import ready
from tests.support.route_table import fill, required, routes
from tests.support.small_app import BASE, People

OURS = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def app(settings: Settings) -> Iterator[Web]:
    """The whole app, so that no concept is forgotten."""
    made = ready(create_app, settings)
    yield made
    made.state.context.jobs.close()
    made.state.context.engine.dispose()


# Open to everybody. Each line here is a decision; there are nine at most. A shared link is its own credential, and so
# is the one-time code or password of whoever sets up or takes up an account by program.
OPEN = {
    "/openapi.json",
    "/problems/{slug}",
    "/setup",
    "/sign-in",
    "/static/{version}/{name}",
    "/health/live",
    "/shared/{secret}",
    "/api/v1/setup",
    "/api/v1/join",
}


def test_the_list_of_open_addresses_stays_short() -> None:
    assert len(OPEN) <= 9


def test_every_route_says_who_may_come_in(app: Web) -> None:
    undeclared = [(method, route.path) for method, route in routes(app) if not required(route)]

    assert [one for one in undeclared if one[1] not in OPEN] == []


def test_nobody_gets_in_without_signing_in(app: Web, people: People) -> None:
    people.add("admin")
    stranger = people.anonymous()

    for method, route in routes(app):
        if route.path in OPEN:
            continue
        answer = stranger.request(method, fill(route.path))
        if fill(route.path).startswith(("/api/", "/v1/")):
            assert answer.status_code == 401, (method, route.path)
            assert answer.headers["www-authenticate"], (method, route.path)
        else:
            assert answer.status_code == 303, (method, route.path)
            assert answer.headers["location"].startswith("/sign-in"), (method, route.path)


@pytest.mark.parametrize("role", list(Role))
def test_no_role_reaches_above_itself(app: Web, people: People, role: Role) -> None:
    client, program = people.browser(role.value), people.program(role.value)

    for method, route in routes(app):
        need = required(route)
        if need and need.role.rank > role.rank:
            assert client.request(method, fill(route.path)).status_code == 403, (method, route.path)
            assert program.request(method, fill(route.path)).status_code == 403, (method, route.path)


def test_whoever_is_sent_away_is_on_record_whatever_the_route_opens(app: Web, people: People) -> None:
    """Routes with a transaction of their own, with the usual one, and without any."""
    client = people.browser("author")
    paths = ["/models/endpoints", "/models/1", "/models/1/retire", "/users", "/api/v1/models/endpoints"]

    for path in paths:
        assert client.post(path).status_code == 403, path

    with reading(app.state.context.engine) as session:
        entries = session.scalars(select(EntryRow).where(EntryRow.act == "gate.denied")).all()
        assert [entry.detail["path"] for entry in entries] == paths


def test_a_token_that_may_only_read_changes_nothing(app: Web, people: People) -> None:
    program = people.program("admin", "read")

    for method, route in routes(app):
        if required(route) and method not in {"GET", "HEAD", "OPTIONS"}:
            assert program.request(method, fill(route.path)).status_code == 403, (method, route.path)


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_no_route_forgets_the_check(app: Web, people: People, headers: dict[str, str]) -> None:
    client = people.browser("admin")
    program = people.program("admin")
    for name in OURS:
        del client.headers[name]

    for method, route in routes(app):
        if method not in {"GET", "HEAD", "OPTIONS"}:
            assert client.request(method, fill(route.path), headers=headers).status_code == 403, (method, route.path)
            # A token does not help a browser past it, either.
            assert program.request(method, fill(route.path), headers=headers).status_code == 403, (method, route.path)


def test_looking_changes_nothing(app: Web, people: People) -> None:
    """Every address that only looks is opened inside a read-only transaction, so a write would be an error."""
    client = people.browser("admin")

    for method, route in routes(app):
        if method == "GET":
            assert client.get(fill(route.path)).status_code < 500, route.path


# ---------------------------------------------------------------------------------------------------------- headers

NEEDED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICIES = ("default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'")


def test_every_answer_is_marked(app: Web, people: People) -> None:
    @app.get("/crash")
    def crash(me: Me) -> None:
        raise RuntimeError("the secret inside")

    client, stranger = people.browser("admin"), people.anonymous()
    answers = [client.get("/crash"), client.get("/nowhere"), client.get("/api/nowhere"), client.put("/users")]
    answers += [client.post("/users"), client.post("/api/v1/users", content="{"), stranger.get("/account")]
    answers += [
        stranger.post("/users", headers={"Origin": "http://evil.example"}),
        stranger.get("/", headers={"Host": "x"}),
    ]
    answers += [client.get(fill(route.path)) for method, route in routes(app) if method == "GET"]
    seen = {answer.status_code for answer in answers}

    assert {200, 303, 400, 403, 404, 405, 422, 500} <= seen
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert all(part in policy for part in (*POLICIES, "frame-ancestors 'none'")), answer.url
        assert "unsafe" not in policy
        assert {name: answer.headers[name] for name in NEEDED} == NEEDED, answer.url
        assert "access-control-allow-origin" not in answer.headers
        assert "strict-transport-security" not in answer.headers
        kept = answer.headers["cache-control"]
        streamed = answer.headers.get("content-type", "").startswith("text/event-stream")
        assert kept == ("no-cache" if streamed else "no-store"), answer.url
