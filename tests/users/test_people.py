"""What the admin does with people, on the page and by the API."""

from functools import partial

import pytest

from app.db import reading, writing
from app.settings import Settings
from app.users import store
from tests.support.depth import depth
from tests.support.races import at_once
from tests.support.ready import ready
from tests.support.small_app import PASSWORD, People, small_app

ROB = {"name": "Rob", "email": "rob@example.org", "role": "reviewer"}


def test_a_new_person_gets_a_password_once_and_has_to_change_it(people: People) -> None:
    page = people.browser("admin").post("/users", data=ROB)
    given = page.text.split('class="secret">')[1].split("<")[0]
    rob = people.anonymous()

    signed = rob.post("/sign-in", data={"email": "rob@example.org", "password": given})

    assert (page.status_code, signed.status_code) == (201, 303)
    assert rob.get("/account").headers["location"] == "/account/password"
    assert rob.get("/api/v1/me").status_code == 403
    rob.post("/account/password", data={"current": given, "password": PASSWORD, "again": PASSWORD})
    assert rob.get("/account").status_code == 200


def test_until_then_a_fragment_is_led_there_too(people: People) -> None:
    client = people.browser(people.add("author", must_change_password=True))

    answer = client.get("/account", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/account/password")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "#/name"),
        ({"name": "evil\u202egnp.exe"}, "#/name"),
        ({"email": "rob"}, "#/email"),
        ({"email": "rob@example.org\r\nBcc: x@example.org"}, "#/email"),
        ({"role": "root"}, "#/role"),
        ({"password": "short"}, "#/password"),
    ],
)
def test_details_that_cannot_be_used_are_named(people: People, wrong: dict[str, str], field: str) -> None:
    admin = people.add("admin")

    page = people.browser(admin).post("/users", data=ROB | wrong)
    answer = people.program(admin).post("/api/v1/users", json=ROB | wrong)

    assert (page.status_code, answer.status_code) == (422, 422)
    assert field in [error["pointer"] for error in answer.json()["errors"]]
    assert f'id="{field[2:]}-error"' in page.text
    assert 'aria-invalid="true"' in page.text or field == "#/role"


def test_two_people_cannot_share_an_address(people: People) -> None:
    admin = people.browser("admin")
    admin.post("/users", data=ROB)

    again = admin.post("/users", data=ROB | {"email": "ROB@example.org "})

    assert again.status_code == 422
    assert "Somebody has this address already." in again.text


@pytest.mark.parametrize("role", ["author", "reviewer"])
def test_only_an_admin_manages_people(people: People, role: str) -> None:
    other = people.add("author")
    client, program = people.browser(role), people.program(role)

    assert client.get("/users").status_code == 403
    assert client.post("/users", data=ROB).status_code == 403
    for act in ("disable", "enable", "role", "reset-password"):
        assert client.post(f"/users/{other.id}/{act}", data={"role": "admin"}).status_code == 403
    assert program.get("/api/v1/users").status_code == 403
    assert program.get(f"/api/v1/users/{other.id}").status_code == 403
    assert program.post("/api/v1/users", json=ROB).status_code == 403
    assert program.patch(f"/api/v1/users/{other.id}", json={"role": "admin"}).status_code == 403
    with reading(people.context.engine) as session:
        assert [user.role for user in store.everyone(session) if user.id == other.id] == ["author"]


def test_the_last_admin_stays(people: People) -> None:
    admin = people.add("admin")
    people.add("admin", active=False)
    client = people.browser(admin)

    disabled = client.post(f"/users/{admin.id}/disable")
    demoted = client.post(f"/users/{admin.id}/role", data={"role": "author"})

    assert (disabled.status_code, demoted.status_code) == (409, 409)
    assert "last active admin" in disabled.text
    assert client.get("/users").status_code == 200


def test_two_admins_cannot_remove_each_other_at_once(either: Settings) -> None:
    app = ready(small_app, either)
    people = People(app)
    for _ in range(depth(3, 200)):
        first, second = people.add("admin"), people.add("admin")
        browsers = people.browser(first), people.browser(second)

        answers = at_once(
            partial(browsers[0].post, f"/users/{second.id}/disable"),
            partial(browsers[1].post, f"/users/{first.id}/disable"),
        )

        with writing(people.context.engine) as session:
            left = store.active_admins(session)
            assert len(left) == 1
            left[0].active = False  # the next two are alone again
        # The one who lost is told that nobody else is left, or is no longer signed in.
        said = sorted((answer.status_code, answer.headers.get("location", "").split("?")[0]) for answer in answers)
        assert said in ([(303, "/sign-in"), (303, "/users")], [(303, "/users"), (409, "")])
        won = next(n for n, answer in enumerate(answers) if answer.headers.get("location", "").startswith("/users"))
        assert left[0].id == (first.id, second.id)[won]
    people.context.engine.dispose()


def test_a_disabled_person_can_come_back(people: People) -> None:
    person, admin = people.add("author"), people.browser("admin")
    admin.post(f"/users/{person.id}/disable")

    admin.post(f"/users/{person.id}/enable")

    signed = people.anonymous().post("/sign-in", data={"email": person.email, "password": PASSWORD})
    assert signed.status_code == 303


def test_the_api_adds_lists_and_changes_people(people: People) -> None:
    admin = people.program("admin")

    made = admin.post("/api/v1/users", json=ROB)
    changed = admin.patch(made.headers["location"], json={"role": "author", "active": False})

    assert made.status_code == 201
    assert made.json()["one_time_password"]
    assert (changed.json()["role"], changed.json()["active"]) == ("author", False)
    assert "rob@example.org" in [user["email"] for user in admin.get("/api/v1/users").json()["data"]]
    assert "password_hash" not in admin.get("/api/v1/users").text


@pytest.mark.parametrize("extra", [{"is_admin": True}, {"password_hash": "x"}, {"id": 7}])
def test_the_api_takes_no_field_it_does_not_know(people: People, extra: dict[str, object]) -> None:
    answer = people.program("admin").post("/api/v1/users", json=ROB | extra)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"] == "There is no such field here."


@pytest.mark.parametrize("wrong", ["~", "*", "%", "_", "all", "0", "-1", "null", "undefined", "1,2", "9" * 30])
def test_an_id_is_a_number_of_somebody(people: People, wrong: str) -> None:
    assert people.program("admin").get(f"/api/v1/users/{wrong}").status_code in {404, 422}


def test_every_act_is_on_record(people: People) -> None:
    person, admin = people.add("author"), people.browser("admin")
    for act in ("role", "reset-password", "disable", "enable"):
        admin.post(f"/users/{person.id}/{act}", data={"role": "reviewer"})
    admin.post("/users", data=ROB)

    page = admin.get("/audit")

    for act in ("user.change_role", "user.reset_password", "user.disable", "user.enable", "user.add"):
        assert act in page.text
    assert "verified" in page.text
    program = people.program("reviewer")
    assert program.get("/api/v1/audit?limit=1").json()["data"][0]["act"] == "token.add"
    assert program.get("/api/v1/audit/chain").json() == {"whole": True, "broken_at": None}
    assert people.program("author").get("/api/v1/audit").status_code == 403


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"current": "wrong"}, "This is not your password."),
        ({"again": "other words altogether"}, "This is not the same."),
        ({"password": "short", "again": "short"}, "Use at least 12 characters"),
        ({"password": PASSWORD, "again": PASSWORD}, "This is the password you have."),
    ],
)
def test_a_password_is_changed_with_the_old_one(people: People, wrong: dict[str, str], sentence: str) -> None:
    person = people.add()
    right = {"current": PASSWORD, "password": "five blue dry leaves", "again": "five blue dry leaves"}

    answer = people.browser(person).post("/account/password", data=right | wrong)

    assert answer.status_code == 422
    assert sentence in answer.text
    signed = people.anonymous().post("/sign-in", data={"email": person.email, "password": PASSWORD})
    assert signed.status_code == 303
