"""Signing in and out, and how often somebody may fail."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audit import service as audit
from app.audit.tables import EntryRow
from app.db import reading, utcnow, writing
from app.errors import Invalid
from app.users import identity, sessions
from app.users.deps import cookie_name
from app.users.passwords import with_cost
from app.users.tables import SessionRow
from app.web.refusals import TooMany
from app.web.security import Web
from tests.support.processes import cheap
from tests.support.small_app import PASSWORD, People, small_app


def test_the_right_password_opens_a_session(people: People) -> None:
    person = people.add("author")
    client = people.anonymous()

    answer = client.post("/sign-in", data={"email": person.email.upper(), "password": PASSWORD, "next": "/account"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("tunegate=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=1209600"))
    assert "Secure" not in cookie
    assert client.get("/account").status_code == 200


def test_over_https_the_cookie_is_bound_to_the_host(people: People) -> None:
    secure = People(small_app(cheap(people.context.settings.data / "tls", public_url="https://tunegate.example")))
    person = secure.add()
    client = secure.anonymous(Host="tunegate.example", Origin="https://tunegate.example")

    answer = client.post("/sign-in", data={"email": person.email, "password": PASSWORD})

    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-tunegate=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age=63072000" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("email", ["author1@example.org", "nobody@example.org", "", "' or 1=1 --"])
def test_a_wrong_password_and_an_unknown_account_sound_the_same(people: People, email: str) -> None:
    people.add("author")

    answer = people.anonymous().post("/sign-in", data={"email": email, "password": "wrong"})

    assert answer.status_code == 422
    assert "The e-mail address or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers


def test_a_disabled_account_cannot_sign_in(people: People) -> None:
    person = people.add("author", active=False)

    assert people.anonymous().post("/sign-in", data={"email": person.email, "password": PASSWORD}).status_code == 422


def test_a_session_handed_to_the_browser_before_sign_in_is_not_taken_over(people: People) -> None:
    person = people.add("author")
    client = people.anonymous()
    name = cookie_name(people.context.settings)
    client.cookies.set(name, "chosen-by-somebody-else")

    client.post("/sign-in", data={"email": person.email, "password": PASSWORD})
    fixed = people.anonymous()
    fixed.cookies.set(name, "chosen-by-somebody-else")

    assert fixed.get("/account").status_code == 303


def test_signing_out_ends_the_session_itself(people: People) -> None:
    client = people.browser("author")
    stolen = people.anonymous()
    stolen.cookies.update(client.cookies)

    answer = client.post("/sign-out")

    assert answer.headers["location"] == "/sign-in"
    assert 'tunegate=""' in answer.headers["set-cookie"]
    assert stolen.get("/account").status_code == 303


def test_only_the_hash_of_the_cookie_is_kept(people: People) -> None:
    client = people.browser("author")

    with reading(people.context.engine) as session:
        row = session.scalars(select(SessionRow)).one()

    assert row.token_sha256 == identity.digest(client.cookies["tunegate"])


# ------------------------------------------------------------------------------------------------------ the limits


def attempt(app: Web, email: str, address: str = "10.0.0.1", password: str = "", minutes: float = 0) -> sessions.Opened:
    return sessions.sign_in(
        app.state.context.engine,
        with_cost(1, 8),
        email=email,
        password=password,
        address=address,
        user_agent="test",
        now=utcnow() + timedelta(minutes=minutes),
        record=audit.record,
    )


def fail(app: Web, times: int, email: str, address: str = "10.0.0.1") -> None:
    for _ in range(times):
        with pytest.raises(Invalid):
            attempt(app, email, address)


def test_after_ten_failures_no_password_is_looked_at(app: Web, people: People) -> None:
    person = people.add()
    fail(app, 10, person.email)

    with pytest.raises(TooMany, match=r"Try again in 1[56] minutes"):
        attempt(app, person.email, password=PASSWORD)


def test_it_is_over_when_it_was_said_to_be(app: Web, people: People) -> None:
    person = people.add()
    fail(app, 10, person.email)
    with pytest.raises(TooMany) as refused:
        attempt(app, person.email)

    assert attempt(app, person.email, password=PASSWORD, minutes=refused.value.seconds / 60 + 0.1)


def test_the_owner_can_still_sign_in_from_elsewhere(app: Web, people: People) -> None:
    person = people.add()
    fail(app, 10, person.email, "10.0.0.66")

    assert attempt(app, person.email, "10.0.0.1", PASSWORD)


def test_one_address_cannot_try_many_accounts(app: Web, people: People) -> None:
    for number in range(30):
        fail(app, 1, f"nobody{number}@example.org")

    with pytest.raises(TooMany):
        attempt(app, people.add().email, password=PASSWORD)


def test_many_addresses_cannot_try_one_account(app: Web, people: People) -> None:
    person = people.add()
    for number in range(100):
        fail(app, 1, person.email, f"10.1.0.{number}")

    with pytest.raises(TooMany):
        attempt(app, person.email, "10.2.0.1")


def test_a_household_is_one_address() -> None:
    assert sessions.network_of("2001:db8:1:2:3::4") == sessions.network_of("2001:db8:1:2::9")
    assert sessions.network_of("2001:db8:1:2::9") != sessions.network_of("2001:db8:1:3::9")
    assert sessions.network_of("unknown") == "unknown"


def test_success_wipes_the_slate(app: Web, people: People) -> None:
    person = people.add()
    for _ in range(3):
        fail(app, 9, person.email)
        attempt(app, person.email, password=PASSWORD)


def test_the_page_says_when_to_try_again(people: People) -> None:
    person = people.add()
    client = people.anonymous()
    answers = [client.post("/sign-in", data={"email": person.email, "password": "wrong"}) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert "Try again in" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 800


def test_failures_of_known_people_are_on_record(app: Web, people: People) -> None:
    person = people.add()
    fail(app, 1, person.email)
    fail(app, 1, "not-an-account-but-perhaps-a-password")

    with reading(app.state.context.engine) as session:
        acts = session.scalars(select(EntryRow)).all()

    assert [(entry.act, entry.subject_id) for entry in acts] == [("user.sign_in_failed", person.id)]
    assert "perhaps-a-password" not in str([entry.detail for entry in acts])


def test_a_wrong_password_leaves_no_session(app: Web, people: People) -> None:
    fail(app, 1, people.add().email)

    with writing(app.state.context.engine) as session:
        assert session.scalars(select(SessionRow)).all() == []
