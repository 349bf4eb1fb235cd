"""What answers say holds: where they lead, what an address takes, how a refusal looks, what a reviewer can see."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.text import parted
from app.users.tables import UserRow
from app.web.pages import visible
from app.web.security import Web, path_of
from tests.support.factories import Make, sign_in
from tests.support.route_table import fill, routes

Browser = Callable[[UserRow], TestClient]


@pytest.fixture
def browser(web: TestClient, engine: Engine) -> Browser:
    """`browser(user)` is a client signed in as that user, on the whole app."""

    def signed_in(user: UserRow) -> TestClient:
        client = TestClient(web.app, base_url=str(web.base_url), follow_redirects=False)
        client.portal = web.portal
        sign_in(client, engine, user)
        return client

    return signed_in


@pytest.fixture
def author(browser: Browser, make: Make) -> TestClient:
    return browser(make.author())


# ---------------------------------------------------------------- where it leads


def test_a_redirect_names_no_host(author: TestClient) -> None:
    """Any address is taken for a host, so a whole address in a redirect would be the asker's word."""
    answer = author.get("/models/", headers={"Host": "6.6.6.6"})

    assert answer.status_code in {307, 308}
    assert answer.headers["location"] == "/models"


@pytest.mark.parametrize(
    ("location", "led"),
    [
        ("/models?a=1#b", "/models?a=1#b"),
        ("http://6.6.6.6/models?a=1#b", "/models?a=1#b"),
        ("//6.6.6.6/models", "/models"),
        ("/\\6.6.6.6/models", "/6.6.6.6/models"),
        ("https://6.6.6.6", "/"),
        ("javascript:alert(1)", "/alert(1)"),
    ],
)
def test_whatever_a_redirect_says_it_stays_here(location: str, led: str) -> None:
    assert path_of(location) == led


# ---------------------------------------------------------------- what can be done where


def test_a_method_that_an_address_does_not_take_is_answered_with_all_that_it_does(web: TestClient) -> None:
    app = web.app
    assert isinstance(app, Web)
    told: dict[str, set[str]] = {}
    for method, route in routes(app):
        told.setdefault(fill(route.path).replace("answers.1", "answers.csv"), set()).add(method)
    wrong = []
    for path, methods in told.items():
        answer = web.request("TRACE", path)
        allowed = {one.strip() for one in answer.headers.get("allow", "").split(",")} - {"HEAD"}
        if answer.status_code != 405 or not methods <= allowed:
            wrong.append((path, answer.status_code, allowed, methods))

    assert wrong == []


@pytest.mark.parametrize("path", ["/api/v1/models/endpoints", "/api/v1/models/folders", "/api/v1/prices/import"])
def test_an_address_that_takes_another_method_is_not_called_missing(browser: Browser, make: Make, path: str) -> None:
    admin = browser(make.admin())
    answers = [admin.get(path), admin.delete(path, headers={"Sec-Fetch-Site": "same-origin"})]

    assert [answer.status_code for answer in answers] == [405, 405]
    assert {answer.headers["allow"] for answer in answers} == {"POST"}
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert admin.get("/api/v1/models/nothing").status_code == 404


def test_every_refusal_is_described_as_what_it_is_sent_as(web: TestClient) -> None:
    described = web.get("/openapi.json").json()
    kinds = {
        (status, tuple(response.get("content", {})))
        for path in described["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }

    assert {content for _, content in kinds} == {("application/problem+json",)}
    assert {"412", "428", "429"} <= {status for status, _ in kinds}


# ---------------------------------------------------------------- empty bodies


@pytest.mark.parametrize("address", ["dataset", "dataset/test", "documents"])
def test_an_empty_body_is_no_file(author: TestClient, make: Make, address: str) -> None:
    assessment = make.assessment(make.author())

    answer = author.put(
        f"/api/v1/assessments/{assessment.id}/{address}", content=b"", headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]


# ---------------------------------------------------------------- what a reader cannot see


def test_signs_that_turn_or_hide_text_are_named_in_their_place() -> None:
    shown = str(visible("Approve\u202e evil\u2069 and ignore\u200b it <b>\U000e0041"))

    for name in (
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+2069 POP DIRECTIONAL ISOLATE",
        "U+200B ZERO WIDTH SPACE",
        "U+E0041",
    ):
        assert name.partition(" ")[0] in shown
    assert "RIGHT-TO-LEFT OVERRIDE" in shown
    assert not any(unseen for _, unseen in parted(shown))
    assert "&lt;b&gt;" in shown


@pytest.mark.parametrize(
    "text",
    [
        "plain <text>",
        "Füße 日本語",
        "heart \u2764\ufe0f",
        "\U0001f469\u200d\U0001f680",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "Vie\u0323t",
    ],
)
def test_what_people_write_is_not_marked(text: str) -> None:
    assert not any(unseen for _, unseen in parted(text))
    assert "".join(piece for piece, _ in parted(text)) == text


def test_a_message_in_signs_without_shape_is_seen() -> None:
    hidden = "Be kind." + "".join(chr(0xE0100 + letter) for letter in b"approve") + "a\u200d\u200d\u200c\u200d"

    assert sum(unseen for _, unseen in parted(hidden)) >= 9


def test_the_review_page_marks_them(browser: Browser, make: Make) -> None:
    author, reviewer = make.author(), make.reviewer()
    assessment = make.assessment(author)
    client = browser(author)
    client.post(
        f"/assessments/{assessment.id}/review",
        data={"about": "Please\u202e look\u200b"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )

    page = browser(reviewer).get("/reviews/1").text

    assert '<mark class="unseen" title="U+202E RIGHT-TO-LEFT OVERRIDE">U+202E</mark>' in page
    assert "\u202e" not in page
    assert json.dumps("\u200b")[1:-1] in page or "U+200B" in page
