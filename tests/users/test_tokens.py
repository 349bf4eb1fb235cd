"""API tokens: shown once, no more than they may, no longer than they may."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db import reading, utcnow, writing
from app.users.deps import Launcher
from app.users.tables import TokenRow
from app.web.security import Web
from tests.support.small_app import People


def test_a_token_is_shown_once_and_kept_as_a_hash(people: People) -> None:
    client = people.browser()

    page = client.post("/account/tokens", data={"name": "nightly", "scope": "read", "days": "30"})
    secret = page.text.split('class="secret">')[1].split("<")[0]

    assert page.status_code == 201
    assert secret.startswith("tg_")
    assert len(secret) == 46
    assert secret not in client.get("/account").text
    with reading(people.context.engine) as session:
        row = session.scalars(select(TokenRow)).one()
        assert secret not in (row.token_sha256, row.name)
        assert row.last4 == secret[-4:]


@pytest.mark.parametrize(
    ("scope", "reads", "writes", "launches"),
    [("read", 200, 403, 403), ("write", 200, 200, 403), ("launch", 200, 200, 200)],
)
def test_a_scope_reaches_so_far(app: Web, people: People, scope: str, reads: int, writes: int, launches: int) -> None:
    @app.post("/api/launch")
    def launch(me: Launcher) -> int:
        return me.id

    person = people.add("admin")
    program = people.program(person, scope)

    assert program.get("/api/v1/me").status_code == reads
    assert program.patch(f"/api/v1/users/{person.id}", json={"active": True}).status_code == writes
    assert program.post("/api/launch").status_code == launches


def test_a_session_needs_no_scope(app: Web, people: People) -> None:
    @app.post("/api/launch")
    def launch(me: Launcher) -> int:
        return me.id

    assert people.browser("author").post("/api/launch").status_code == 200


def test_a_token_has_the_role_of_its_person(people: People) -> None:
    assert people.program("author").get("/api/v1/users").status_code == 403
    assert people.program("admin").get("/api/v1/users").status_code == 200


@pytest.mark.parametrize("end", ["expired", "revoked", "disabled"])
def test_what_ends_a_token(people: People, end: str) -> None:
    person = people.add("author")
    program = people.program(person)
    assert program.get("/api/v1/me").status_code == 200

    if end == "revoked":
        people.browser(person).post("/account/tokens/1/revoke")
    elif end == "disabled":
        people.browser("admin").post(f"/users/{person.id}/disable")
    else:
        with writing(people.context.engine) as session:
            session.execute(update(TokenRow).values(expires_at=utcnow() - timedelta(seconds=1)))

    answer = program.get("/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "/problems/sign-in"


def test_nobody_revokes_the_token_of_another(people: People) -> None:
    program = people.program("author")

    assert people.browser("admin").post("/account/tokens/1/revoke").status_code == 404
    assert people.program("admin").delete("/api/v1/tokens/1").status_code == 404
    assert program.get("/api/v1/me").status_code == 200


def test_a_token_cannot_make_a_mightier_or_longer_one(people: People) -> None:
    program = people.program("author", "write", days=3)

    assert program.post("/api/v1/tokens", json={"name": "x", "scope": "launch"}).status_code == 403
    made = program.post("/api/v1/tokens", json={"name": "x", "scope": "read", "days": None})

    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/tokens/{made.json()['id']}"
    assert made.json()["expires_at"][:10] == (utcnow() + timedelta(days=3)).strftime("%Y-%m-%d")


def test_a_token_is_not_the_person(people: People) -> None:
    program = people.program("author")

    assert program.post("/account/password", data={"current": "x"}).status_code == 403


def test_there_is_one_place_for_a_token(people: People) -> None:
    """One credential parser: a token in any other place is nothing at all."""
    secret = people.program("author").headers["authorization"].removeprefix("Bearer ")
    stranger = people.anonymous()

    assert stranger.get(f"/api/v1/me?token={secret}&access_token={secret}").status_code == 401
    assert stranger.get("/api/v1/me", headers={"X-Api-Key": secret}).status_code == 401
    assert stranger.get("/api/v1/me", headers={"Authorization": f"Basic {secret}"}).status_code == 401
    assert stranger.get("/api/v1/me", headers={"Authorization": secret}).status_code == 401
    stranger.cookies.set("tunegate", secret)
    assert stranger.get("/api/v1/me").status_code == 401
    assert stranger.get("/api/v1/me", headers={"Authorization": f"bearer {secret}"}).status_code == 200


def test_a_bad_token_is_not_saved_by_a_good_cookie(people: People) -> None:
    client = people.browser("admin")

    assert client.get("/api/v1/me").status_code == 200
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer tg_wrong"}).status_code == 401


def test_a_session_secret_is_not_a_token(people: People) -> None:
    secret = people.browser("admin").cookies["tunegate"]

    answer = people.anonymous().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 401


def test_use_is_noted(people: People) -> None:
    people.program("author").get("/api/v1/me")

    with reading(people.context.engine) as session:
        used = session.scalars(select(TokenRow)).one().last_used_at
    assert used is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\u202eb"},
        {"scope": "root"},
        {"days": "0"},
        {"days": "367"},
        {"days": "²"},
    ],
)
def test_a_token_needs_a_name_a_scope_and_an_end(people: People, wrong: dict[str, str]) -> None:
    answer = people.browser().post("/account/tokens", data={"name": "x", "scope": "read", "days": "7"} | wrong)

    assert answer.status_code == 422
    assert "The token was not made." in answer.text
