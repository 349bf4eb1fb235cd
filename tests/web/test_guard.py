"""Which requests are looked at at all, and what every answer carries."""

import pytest
from fastapi import Request
from fastapi.responses import PlainTextResponse

from app.web.security import Web, known_host
from tests.support.processes import cheap
from tests.support.small_app import BASE, People, small_app

OURS = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}

# What a browser may send with a request for us, and whether it came from our own pages.
SENDERS = [
    (OURS, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Origin": BASE}, True),
    ({"Origin": "http://evil.example"}, False),
    ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
    ({"Origin": "http://evil.example", "Sec-Fetch-Site": "none"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
    ({"Sec-Fetch-Site": "Same-Origin, cross-site"}, False),
    ({"Origin": "http://127.0.0.1:8001"}, False),
    ({"Origin": "http://127.0.0.1:8000.evil.example"}, False),
    ({"Origin": "http://127.0.0.1:8000@evil.example"}, False),
    ({"Origin": "ftp://127.0.0.1:8000"}, False),
    ({"Origin": "http://["}, False),
    ({}, False),  # a cookie, and not a word about where it came from
]


@pytest.mark.parametrize(("headers", "ours"), SENDERS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_a_change_is_asked_for_by_our_own_pages_only(
    people: People, method: str, headers: dict[str, str], ours: bool
) -> None:
    client = people.browser("admin")
    for name in OURS:
        del client.headers[name]

    answer = client.request(method, "/account/sessions/end", headers=headers)

    assert (answer.status_code != 403) is ours
    if not ours:
        assert "from another site" in answer.text


def test_two_values_of_one_header_are_one_too_many(people: People) -> None:
    client = people.browser("admin")
    for name in OURS:
        del client.headers[name]

    answer = client.post("/account/sessions/end", headers=[("Origin", BASE), ("Origin", "http://evil.example")])

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_no_kind_of_form_gets_past_it(people: People, body: str) -> None:
    client = people.browser("admin")
    cross = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": body}

    assert client.post("/api/v1/tokens", headers=cross, content='{"name": "x"}').status_code == 403


def test_json_is_only_read_as_json(people: People) -> None:
    client = people.browser("admin")

    answer = client.post("/api/v1/tokens", content='{"name": "x"}', headers={"Content-Type": "text/plain"})

    assert answer.status_code in {415, 422}


def test_a_program_needs_no_origin(people: People) -> None:
    assert people.program("author").post("/api/v1/tokens", json={"name": "x"}).status_code == 201


# ------------------------------------------------------------------------------------------------------------ hosts


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:9", "192.168.1.7:8000", "[::1]:8000"])
def test_a_host_that_is_ours(people: People, host: str) -> None:
    assert people.anonymous(Host=host).get("/problems/conflict").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost:8000@evil.example",
        "localhost/x",
        "[::1",
        "localhost:x",
        "",
        "a b",
    ],
)
def test_a_host_that_is_not(people: People, host: str) -> None:
    answer = people.anonymous(Host=host).get("/problems/conflict")

    assert answer.status_code == 400
    assert host not in answer.text or len(host) < 4


def test_a_name_that_the_operator_set_is_ours() -> None:
    assert known_host(["tunegate.example:8443"], frozenset({"tunegate.example"}))
    assert not known_host(["tunegate.example", "evil.example"], frozenset({"tunegate.example"}))
    assert not known_host([], frozenset({"tunegate.example"}))


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Original-URL", "Forwarded"]
)
def test_forwarded_headers_change_nothing(people: People, name: str) -> None:
    answer = people.anonymous().get("/account", headers={name: "evil.example"})

    assert answer.headers["location"] == "/sign-in?next=/account"


def test_addresses_in_pages_never_come_from_the_host_header(people: People) -> None:
    answer = people.browser("admin").get("/users", headers={"Host": "192.168.1.7:8000"})

    assert "192.168.1.7" not in answer.text


def test_too_much_is_refused_before_it_is_read(people: People) -> None:
    client = people.browser("admin")

    answer = client.post("/api/v1/tokens", json={"name": "x" * 3_000_000})
    page = client.post("/users", data={"name": "x" * 3_000_000})

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert page.status_code == 413
    assert "<h1>Too much data in one request</h1>" in page.text
    assert "content-security-policy" in page.headers


def test_streams_pass_through(app: Web, people: People) -> None:
    @app.get("/echo")
    def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok", headers={"Cache-Control": "private, max-age=5"})

    assert people.anonymous().get("/echo").headers["cache-control"] == "private, max-age=5"


def test_https_is_remembered_for_two_years(people: People) -> None:
    secure = People(small_app(cheap(people.context.settings.data / "tls", public_url="https://tunegate.example")))

    answer = secure.anonymous(Host="tunegate.example").get("/problems/conflict")

    assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.parametrize(
    ("number", "status"),
    [("2147483647", 404), ("2147483648", 404), ("00000000001", 404), ("1", 200), ("0000000001", 200)],
)
def test_a_number_that_no_id_can_be_is_nobodys_address(people: People, number: str, status: int) -> None:
    """PostgreSQL breaks over an id that its column has no room for; nothing of ours asks it for one."""
    assert people.program(people.add("admin")).get(f"/api/v1/users/{number}").status_code == status
