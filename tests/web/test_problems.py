"""Every way of saying no, for a browser and for a program."""

from typing import Annotated, Any

import pytest
from fastapi import Body, Response
from pydantic import BaseModel, Field

from app.errors import Conflict, FieldError, Forbidden, GateClosed, Invalid, NotFound, Refusal, Stale
from app.users.deps import Me
from app.web.problems import KINDS
from app.web.refusals import TooMany
from app.web.security import Web
from tests.support.small_app import People

CASES: list[tuple[Refusal, int, str]] = [
    (NotFound("No such run."), 404, "not-found"),
    (Conflict("Measured already."), 409, "conflict"),
    (GateClosed(["Somebody has to own it."]), 409, "gate-closed"),
    (Conflict.because(["Freeze the split first."]), 409, "conflict"),
    (Stale("It changed meanwhile."), 412, "stale"),
    (Forbidden("Not yours."), 403, "forbidden"),
    (Invalid("Wrong.", [FieldError("#/rank", "Use 1 to 256.")]), 422, "invalid"),
    (TooMany("Slower.", 7), 429, "too-many"),
    (Refusal("The disk is full."), 503, "unavailable"),
]


def raising(app: Web, path: str, refusal: Exception) -> None:
    @app.get(path)
    def refuse(me: Me) -> None:
        raise refusal


@pytest.mark.parametrize(("refusal", "status", "slug"), CASES)
def test_a_program_gets_problem_details(app: Web, people: People, refusal: Refusal, status: int, slug: str) -> None:
    raising(app, "/api/v1/refuse", refusal)

    answer = people.program().get("/api/v1/refuse")

    body = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["status"], body["detail"]) == (f"/problems/{slug}", status, refusal.detail)
    assert (body["title"], body["instance"]) == (KINDS[slug].title, "/api/v1/refuse")
    assert ("errors" in body) is isinstance(refusal, Invalid)
    assert ("retry-after" in answer.headers) is isinstance(refusal, TooMany)


def test_a_closed_gate_lists_its_reasons_for_programs_and_people(app: Web, people: People) -> None:
    closed = GateClosed(["Somebody has to own it.", "There is no recipe yet.", "Somebody has to own it."])
    raising(app, "/api/v1/refuse", closed)
    raising(app, "/refuse", closed)

    body = people.program().get("/api/v1/refuse").json()
    page = people.browser().get("/refuse").text

    assert body["reasons"] == ["Somebody has to own it.", "There is no recipe yet."]
    assert body["detail"] == "2 things stand in the way."
    assert page.count("Somebody has to own it.") == 1
    assert "There is no recipe yet." in page


def test_several_reasons_are_a_list_whatever_the_refusal(app: Web, people: People) -> None:
    both = ["Upload examples first.", "Freeze the split first."]
    raising(app, "/api/v1/refuse", Conflict.because(both))
    raising(app, "/refuse", Forbidden.because(both))
    raising(app, "/api/v1/one", Conflict.because(both[:1]))

    body, one = (people.program().get(f"/api/v1/{path}").json() for path in ("refuse", "one"))
    note = people.browser().get("/refuse", headers={"HX-Request": "true"}).text

    assert (body["detail"], body["reasons"]) == ("2 things stand in the way.", both)
    assert (one["detail"], "reasons" in one) == (both[0], False)
    assert all(note.count(reason) == 1 for reason in both)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"json": {"rank": 1}}, {"pointer": "#/rank"}),
        ({"content": b"raw", "params": {"rank": 1}}, {"parameter": "rank"}),
        ({"content": b"raw"}, {"pointer": "#"}),
    ],
)
def test_a_services_fault_is_named_by_how_its_field_came(
    app: Web, people: People, request_: dict[str, Any], expected: dict[str, str]
) -> None:
    @app.post("/api/v1/refuse")
    def refuse(me: Me, body: Annotated[dict[str, int] | None, Body()] = None) -> None:
        raise Invalid("Wrong.", [FieldError("#/rank", "Use 2.")])

    @app.put("/api/v1/refuse")
    def refuse_file(me: Me) -> None:
        raise Invalid("Wrong.", [FieldError("#/rank", "Use 2.")])

    method = "POST" if "json" in request_ else "PUT"

    assert people.program().request(method, "/api/v1/refuse", **request_).json()["errors"] == [
        {**expected, "detail": "Use 2."}
    ]


@pytest.mark.parametrize(("refusal", "status", "slug"), CASES)
def test_a_browser_gets_a_page(app: Web, people: People, refusal: Refusal, status: int, slug: str) -> None:
    raising(app, "/refuse", refusal)

    answer = people.browser().get("/refuse")

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert refusal.detail in answer.text
    assert f'href="/problems/{slug}"' in answer.text


@pytest.mark.parametrize(("refusal", "status", "slug"), CASES)
def test_htmx_gets_a_note_for_the_place_of_notes(
    app: Web, people: People, refusal: Refusal, status: int, slug: str
) -> None:
    raising(app, "/refuse", refusal)

    answer = people.browser().get("/refuse", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-retarget"]) == (status, "#note")
    assert "<html" not in answer.text
    assert refusal.detail in answer.text


@pytest.mark.parametrize("slug", KINDS)
def test_each_type_leads_to_a_page(people: People, slug: str) -> None:
    assert KINDS[slug].title in people.anonymous().get(f"/problems/{slug}").text


def test_what_a_problem_says_is_text_and_not_markup(app: Web, people: People) -> None:
    raising(app, "/refuse", Conflict("<script>alert(1)</script>"))
    client = people.browser()

    assert "<script>alert" not in client.get("/refuse").text
    assert "<script>alert" not in client.get("/refuse", headers={"HX-Request": "true"}).text


@pytest.mark.parametrize("path", ["/crash", "/api/v1/crash"])
def test_a_crash_tells_a_number_and_nothing_else(app: Web, people: People, path: str) -> None:
    raising(app, path, RuntimeError("the secret inside"))

    answer = people.browser().get(path)

    assert answer.status_code == 500
    assert "Reference " in answer.text
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text


def test_a_crash_can_be_found_in_the_log(app: Web, people: People, caplog: pytest.LogCaptureFixture) -> None:
    raising(app, "/api/v1/crash", RuntimeError("the secret inside"))

    reference = people.browser().get("/api/v1/crash").json()["detail"].split()[1].rstrip(".")

    assert f"Crash {reference} at GET /api/v1/crash" in caplog.text
    assert "the secret inside" in caplog.text


# ------------------------------------------------------------------------------------- what the framework refuses


class Recipe(BaseModel):
    rank: int = Field(ge=1, le=256)
    name: str = Field(min_length=2)


@pytest.fixture
def recipes(app: Web) -> None:
    @app.post("/api/v1/recipes/{recipe_id}")
    def make(recipe_id: int, recipe: Recipe, me: Me) -> Response:
        return Response(status_code=204)


@pytest.mark.usefixtures("recipes")
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"#/rank": "This is needed.", "#/name": "This is needed."}),
        ({"rank": 0, "name": "ab"}, {"#/rank": "Use 1 or more."}),
        ({"rank": 257, "name": "ab"}, {"#/rank": "Use 256 or less."}),
        ({"rank": "x", "name": "a"}, {"#/rank": "Use a whole number.", "#/name": "Use at least 2 characters."}),
        ({"rank": 1, "name": 5}, {"#/name": "Use text."}),
    ],
)
def test_wrong_fields_are_named_in_plain_words(people: People, body: object, errors: dict[str, str]) -> None:
    answer = people.program().post("/api/v1/recipes/1", json=body)

    assert answer.status_code == 422
    assert {error["pointer"]: error["detail"] for error in answer.json()["errors"]} == errors


@pytest.mark.usefixtures("recipes")
def test_what_is_not_json_is_a_bad_request(people: People) -> None:
    program = people.program()
    json = {"Content-Type": "application/json"}

    for body in (b"{", b"\xff\xfe", b"[1,"):
        answer = program.post("/api/v1/recipes/1", content=body, headers=json)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request"), body


@pytest.mark.usefixtures("recipes")
def test_a_word_where_a_number_belongs_is_no_address(people: People) -> None:
    answer = people.program().post("/api/v1/recipes/all", json={"rank": 1, "name": "ab"})

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_unknown_addresses_and_methods(people: People) -> None:
    program, browser = people.program(), people.browser()

    assert program.get("/api/v1/nothing").json()["detail"] == "There is nothing at this address."
    assert browser.get("/nothing").status_code == 404
    wrong = program.put("/api/v1/me", json={})
    assert (wrong.status_code, wrong.json()["type"]) == (405, "/problems/method")
    assert "GET" in wrong.headers["allow"]


def test_headers_are_never_told_back(people: People) -> None:
    client = people.browser()
    strange = {"Content-Type": "text/<script>", "X-Strange": "<script>", "Accept": "<script>"}

    assert "<script>" not in client.post("/api/v1/tokens", content=b"x", headers=strange).text


# ------------------------------------------------------------------------------------------------- to the sign-in


def test_who_is_not_signed_in_is_led_there_and_back(people: People) -> None:
    people.add()
    client = people.anonymous()

    answer = client.get("/audit?before=7&subject=user")

    assert answer.headers["location"] == "/sign-in?next=/audit%3Fbefore%3D7%26subject%3Duser"
    assert 'value="/audit?before=7&amp;subject=user"' in client.get(answer.headers["location"]).text


def test_after_an_action_there_is_no_way_back_to_it(people: People) -> None:
    assert people.anonymous().post("/account/sessions/end").headers["location"] == "/sign-in"


def test_a_fragment_leads_the_whole_page_there(people: People) -> None:
    answer = people.anonymous().get("/account", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=/account")


GOOD = ["/account", "/account?some=thing", "/audit?before=7#end"]
BAD = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/account",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "",
    " /account",
    "/account\r\nSet-Cookie: a=b",
    "/account\tx",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/..//evil.example",
    "/nothing/here",
    "/static/1/app.css",
    "/api/v1/me",
    "/sign-out",
    "//[",
    "http://[",
    "/\u202eaccount",
]


@pytest.mark.parametrize("address", GOOD)
def test_after_sign_in_the_reader_is_where_they_were(people: People, address: str) -> None:
    data = {"email": people.add().email, "password": "four green wet stones", "next": address}

    assert people.anonymous().post("/sign-in", data=data).headers["location"] == address


@pytest.mark.parametrize("address", BAD)
def test_no_address_leads_elsewhere(people: People, address: str) -> None:
    data = {"email": people.add().email, "password": "four green wet stones", "next": address}

    assert people.anonymous().post("/sign-in", data=data).headers["location"] == "/"
    theme = people.browser().post("/account/theme", data={"theme": "dark", "next": address})
    assert theme.headers["location"] == "/"
