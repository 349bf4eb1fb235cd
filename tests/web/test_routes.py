"""Who may come in: every route says a role, and nobody without it gets further."""

import pytest

from app.users.tables import Role
from app.web.security import Web
from tests.route_table import fill, required, routes
from tests.small_app import People

# Open to everybody. Each line here is a decision; there are six at most.
OPEN = {"/openapi.json", "/problems/{slug}", "/setup", "/sign-in", "/static/{version}/{name}", "/health"}


def test_the_list_of_open_addresses_stays_short() -> None:
    assert len(OPEN) <= 6


def test_every_route_says_who_may_come_in(app: Web) -> None:
    assert [
        (method, route.path) for method, route in routes(app) if not required(route) and route.path not in OPEN
    ] == []


def test_nobody_gets_in_without_signing_in(app: Web, people: People) -> None:
    people.add("admin")
    stranger = people.anonymous()

    for method, route in routes(app):
        if route.path in OPEN:
            continue
        answer = stranger.request(method, fill(route.path))
        if fill(route.path).startswith("/api/"):
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


def test_a_token_that_may_only_read_changes_nothing(app: Web, people: People) -> None:
    program = people.program("admin", "read")

    for method, route in routes(app):
        if required(route) and method not in {"GET", "HEAD", "OPTIONS"}:
            assert program.request(method, fill(route.path)).status_code == 403, (method, route.path)
