"""Set-up and a new person's first token without a browser: by a code that works once, slowed, and on record."""

from functools import partial

import pytest
from httpx2 import Response
from sqlalchemy import delete, func, select

from app.audit.tables import EntryRow
from app.db import reading, utcnow, writing
from app.settings import Settings
from app.users import service, sessions
from app.users.tables import FailureRow, TokenRow, UserRow
from app.web.security import Web
from tests.support.depth import depth
from tests.support.races import at_once
from tests.support.ready import ready
from tests.support.small_app import PASSWORD, People, small_app

DANA = {"name": "Dana", "email": "Dana@Example.org", "password": PASSWORD}
NEW = "seven dry yellow leaves"


def new_code(app: Web) -> str:
    with writing(app.state.context.engine) as session:
        code = service.new_setup_code(session, utcnow())
    assert code
    return code


def added(people: People, role: str = "author") -> dict[str, str]:
    """A person just added by an administrator: what they take the account up with."""
    body = {"name": "Rob Reed", "email": "rob@example.org", "role": role}
    made = people.program("admin").post("/api/v1/users", json=body).json()
    return {"email": made["email"], "one_time_password": made["one_time_password"], "password": NEW}


def acts(app: Web) -> list[str]:
    with reading(app.state.context.engine) as session:
        return list(session.scalars(select(EntryRow.act).order_by(EntryRow.id)))


def count(app: Web, table: type) -> int:
    with reading(app.state.context.engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def bearer(answer: Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']['secret']}"}


# ---------------------------------------------------------------- the first administrator


def test_set_up_gives_an_administrator_and_a_token(app: Web, people: People) -> None:
    program = people.anonymous()

    made = program.post("/api/v1/setup", json=DANA | {"code": new_code(app), "token": {"scope": "launch", "days": 7}})

    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/users/1"
    assert "set-cookie" not in made.headers
    assert (made.json()["user"]["role"], made.json()["token"]["scope"]) == ("admin", "launch")
    assert program.get("/api/v1/users", headers=bearer(made)).status_code == 200
    assert acts(app) == ["user.set_up", "token.add"]


def test_set_up_works_once_and_only_with_the_code(app: Web, people: People) -> None:
    program, code = people.anonymous(), new_code(app)
    wrong = program.post("/api/v1/setup", json=DANA | {"code": "wrong-code"})
    program.post("/api/v1/setup", json=DANA | {"code": code})
    again = program.post("/api/v1/setup", json=DANA | {"code": code, "email": "eve@example.org"})

    assert (wrong.status_code, [error["pointer"] for error in wrong.json()["errors"]]) == (422, ["#/code"])
    assert again.status_code == 409
    assert count(app, UserRow) == 1
    assert acts(app) == ["user.set_up_failed", "user.set_up", "token.add"]


def test_a_set_up_whose_token_cannot_be_made_makes_nobody(app: Web, people: People) -> None:
    program, code = people.anonymous(), new_code(app)

    refused = program.post("/api/v1/setup", json=DANA | {"code": code, "token": {"name": " "}})

    assert (refused.status_code, [e["pointer"] for e in refused.json()["errors"]]) == (422, ["#/token/name"])
    assert count(app, UserRow) == 0
    assert program.post("/api/v1/setup", json=DANA | {"code": code}).status_code == 201


def test_guesses_at_the_code_are_slowed(app: Web, people: People) -> None:
    program, code = people.anonymous(), new_code(app)

    statuses = [program.post("/api/v1/setup", json=DANA | {"code": f"wrong-{n}"}).status_code for n in range(11)]
    right = program.post("/api/v1/setup", json=DANA | {"code": code})

    assert statuses == [422] * 10 + [429]
    assert (right.status_code, int(right.headers["retry-after"]) > 60) == (429, True)


# ---------------------------------------------------------------- a new person


@pytest.mark.parametrize("scope", ["read", "write", "launch", "approve"])
def test_the_one_time_password_becomes_ones_own_and_a_token(app: Web, people: People, scope: str) -> None:
    program = people.anonymous()

    joined = program.post("/api/v1/join", json=added(people, "reviewer") | {"token": {"name": "CI", "scope": scope}})

    assert joined.status_code == 201, joined.text
    assert (joined.json()["user"]["must_change_password"], joined.json()["token"]["scope"]) == (False, scope)
    assert program.get("/api/v1/me", headers=bearer(joined)).json()["email"] == "rob@example.org"
    assert program.post("/sign-in", data={"email": "rob@example.org", "password": NEW}).status_code == 303
    assert acts(app)[-3:-1] == ["user.join", "token.add"]


def test_it_works_once(app: Web, people: People) -> None:
    program, body = people.anonymous(), added(people)
    program.post("/api/v1/join", json=body)

    again = program.post("/api/v1/join", json=body | {"password": "eight wet green stones"})
    with_own = program.post(
        "/api/v1/join", json=body | {"one_time_password": NEW, "password": "eight wet green stones"}
    )

    assert again.status_code == 422
    assert (with_own.status_code, "has a password of its own" in with_own.json()["detail"]) == (409, True)
    assert count(app, TokenRow) == 2, "the administrator's and the first one"
    assert program.post("/sign-in", data={"email": body["email"], "password": NEW}).status_code == 303


def test_a_password_that_somebody_chose_makes_no_token(app: Web, people: People) -> None:
    person = people.add()

    answer = people.anonymous().post(
        "/api/v1/join", json={"email": person.email, "one_time_password": PASSWORD, "password": NEW}
    )

    assert answer.status_code == 409
    assert count(app, TokenRow) == 0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"password": "short"}, "#/password"),
        ({"password": "Reed example reed"}, "#/password"),
        ({"token": {"name": "a\u202eb"}}, "#/token/name"),
        ({"token": {"scope": "root"}}, "#/token/scope"),
        ({"token": {"days": 0}}, "#/token/days"),
        ({"role": "admin"}, "#/role"),
    ],
)
def test_what_cannot_be_used_leaves_the_account_as_it_was(
    app: Web, people: People, change: dict[str, object], place: str
) -> None:
    body = added(people)

    refused = people.anonymous().post("/api/v1/join", json=body | change)

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [place]
    assert people.anonymous().post("/api/v1/join", json=body).status_code == 201


def test_the_given_password_is_nobodys_own(people: People) -> None:
    body = added(people)

    refused = people.anonymous().post("/api/v1/join", json=body | {"password": body["one_time_password"]})

    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/password"]


def test_nothing_tells_whether_there_is_such_an_account(app: Web, people: People) -> None:
    body = added(people)
    program = people.anonymous()

    wrong = program.post("/api/v1/join", json=body | {"one_time_password": "x" * 19})
    unknown = program.post("/api/v1/join", json=body | {"email": "nobody@example.org"})

    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.json()["detail"] == sessions.WRONG
    assert acts(app)[-1] == "user.sign_in_failed"


def test_guesses_are_slowed_and_a_right_one_then_waits(people: People) -> None:
    body, program = added(people), people.anonymous()

    statuses = [
        program.post("/api/v1/join", json=body | {"one_time_password": f"wrong-{n}"}).status_code for n in range(11)
    ]
    right = program.post("/api/v1/join", json=body)

    assert statuses == [422] * 10 + [429]
    assert (right.status_code, int(right.headers["retry-after"]) > 60) == (429, True)


def test_a_closed_account_is_not_taken_up(people: People) -> None:
    body = added(people)
    admin = people.program("admin")
    (rob,) = (user for user in admin.get("/api/v1/users").json()["data"] if user["email"] == body["email"])
    admin.patch(f"/api/v1/users/{rob['id']}", json={"active": False})

    assert people.anonymous().post("/api/v1/join", json=body).json()["detail"] == sessions.WRONG


def test_a_browser_on_another_site_cannot_do_it_for_somebody(people: People) -> None:
    body = added(people)
    cross = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    assert people.anonymous().post("/api/v1/join", json=body, headers=cross).status_code == 403


def test_an_account_is_taken_up_by_one(either: Settings) -> None:
    app = ready(small_app, either)
    people = People(app)
    for number in range(depth(3, 100)):
        body = {"name": f"Rob {number} Reed", "email": f"rob{number}@example.org"}
        made = people.program("admin").post("/api/v1/users", json=body).json()
        sent = {"email": made["email"], "one_time_password": made["one_time_password"]}
        programs = people.anonymous(), people.anonymous()

        answers = at_once(
            partial(programs[0].post, "/api/v1/join", json=sent | {"password": NEW}),
            partial(programs[1].post, "/api/v1/join", json=sent | {"password": f"{NEW} too"}),
        )

        won, lost = sorted(answer.status_code for answer in answers)
        assert (won, lost in {409, 422}) == (201, True)
        with writing(people.context.engine) as session:  # whoever came too late tried a password that opens nothing
            session.execute(delete(FailureRow))
    people.context.engine.dispose()


# ---------------------------------------------------------------- by an administrator


def test_a_reset_by_program_ends_what_was_there_and_starts_anew(app: Web, people: People) -> None:
    body, admin, program = added(people), people.program("admin"), people.anonymous()
    joined = program.post("/api/v1/join", json=body)
    rob = joined.json()["user"]["id"]

    reset = admin.post(f"/api/v1/users/{rob}/reset-password")

    assert (reset.status_code, reset.json()["must_change_password"]) == (200, True)
    assert program.get("/api/v1/me", headers=bearer(joined)).status_code == 401
    again = body | {"one_time_password": reset.json()["one_time_password"], "password": "eight wet green stones"}
    assert program.post("/api/v1/join", json=again).status_code == 201
    assert "user.reset_password" in acts(app)


@pytest.mark.parametrize("role", ["author", "reviewer"])
def test_only_an_administrator_resets(people: People, role: str) -> None:
    other = people.add()

    assert people.program(role).post(f"/api/v1/users/{other.id}/reset-password").status_code == 403
    assert people.program("admin", scope="read").post(f"/api/v1/users/{other.id}/reset-password").status_code == 403


def test_people_and_tokens_come_in_pages(people: People) -> None:
    admin = people.program("admin")
    for _ in range(4):
        people.add()
        admin.post("/api/v1/tokens", json={"name": "x"})

    first = admin.get("/api/v1/users?limit=2").json()
    rest = admin.get(f"/api/v1/users?after={first['data'][-1]['id']}").json()
    newest = admin.get("/api/v1/tokens?limit=3").json()
    older = admin.get(f"/api/v1/tokens?before={newest['data'][-1]['id']}").json()

    assert (len(first["data"]), first["has_more"]) == (2, True)
    assert (len(rest["data"]), rest["has_more"]) == (3, False)
    assert [token["id"] for token in newest["data"] + older["data"]] == [5, 4, 3, 2, 1]
    assert (newest["has_more"], older["has_more"]) == (True, False)
