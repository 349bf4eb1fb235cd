"""How long a session holds, and what ends it at once."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db import reading, utcnow, writing
from app.users import sessions
from app.users.tables import SessionRow
from app.web.refusals import SignInFirst
from tests.support.small_app import PASSWORD, People


def age(people: People, **values: object) -> None:
    with writing(people.context.engine) as session:
        session.execute(update(SessionRow).values(**values))


@pytest.mark.parametrize(
    ("used_days_ago", "made_days_ago", "holds"),
    [(0, 0, True), (6.9, 6.9, True), (7.1, 7.1, False), (0, 13.9, True), (0, 14.1, False)],
)
def test_a_session_ends_when_idle_and_in_any_case(
    people: People, used_days_ago: float, made_days_ago: float, holds: bool
) -> None:
    client = people.browser()
    now = utcnow()
    age(
        people,
        seen_at=now - timedelta(days=used_days_ago),
        expires_at=now - timedelta(days=made_days_ago) + sessions.LONGEST_SESSION,
    )

    assert (client.get("/api/v1/me").status_code == 200) is holds


def test_use_is_noted_but_not_every_time(people: People) -> None:
    client = people.browser()
    now = utcnow()

    def seen_after_a_visit(ago: timedelta) -> timedelta:
        age(people, seen_at=now - ago)
        client.get("/account")
        with reading(people.context.engine) as session:
            return now - session.scalars(select(SessionRow)).one().seen_at

    assert seen_after_a_visit(timedelta(minutes=9)) == timedelta(minutes=9)
    assert seen_after_a_visit(timedelta(minutes=11)) < timedelta(seconds=1)


@pytest.mark.parametrize("path", ["disable", "role", "reset-password"])
def test_what_an_admin_does_to_an_account_ends_its_sessions(people: People, path: str) -> None:
    person = people.add("author")
    client, admin = people.browser(person), people.browser("admin")
    assert client.get("/account").status_code == 200

    answer = admin.post(f"/users/{person.id}/{path}", data={"role": "reviewer"})

    assert answer.status_code in {200, 303}
    assert client.get("/account").headers["location"].startswith("/sign-in")


def test_a_new_password_ends_the_other_sessions_and_not_this_one(people: People) -> None:
    person = people.add()
    here, there = people.browser(person), people.browser(person)
    new = {"current": PASSWORD, "password": "five blue dry leaves", "again": "five blue dry leaves"}

    assert here.post("/account/password", data=new).headers["location"] == "/account"

    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    signed = people.anonymous().post("/sign-in", data={"email": person.email, "password": "five blue dry leaves"})
    assert signed.headers["location"] == "/"


def test_signing_out_everywhere_else_leaves_this_session(people: People) -> None:
    person = people.add()
    here, there = people.browser(person), people.browser(person)

    here.post("/account/sessions/end")

    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303


def test_ended_sessions_are_swept_at_the_next_sign_in(people: People) -> None:
    person = people.add()
    people.browser(person)
    age(people, expires_at=utcnow() - timedelta(days=1))

    people.anonymous().post("/sign-in", data={"email": person.email, "password": PASSWORD})

    with reading(people.context.engine) as session:
        assert len(session.scalars(select(SessionRow)).all()) == 1


def test_a_stream_of_somebody_signed_out_is_told_so(people: People) -> None:
    person = people.add()
    client = people.browser(person)
    secret = client.cookies["tunegate"]
    with reading(people.context.engine) as session:
        sessions.by_cookie(session, secret, utcnow())

    client.post("/sign-out")

    with reading(people.context.engine) as session, pytest.raises(SignInFirst):
        sessions.by_cookie(session, secret, utcnow())
