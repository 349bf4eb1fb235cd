"""The first admin: by the one-time code, once, by one person."""

from functools import partial

from httpx2 import Response
from sqlalchemy import func, select

from app.db import reading, utcnow, writing
from app.settings import Settings
from app.users import service
from app.users.tables import SetupRow, UserRow
from app.web.security import Web
from tests.support.races import at_once
from tests.support.ready import ready
from tests.support.small_app import PASSWORD, People, small_app

DANA = {"name": "Dana", "email": "Dana@Example.org", "password": PASSWORD}


def new_code(app: Web) -> str:
    with writing(app.state.context.engine) as session:
        code = service.new_setup_code(session, utcnow())
    assert code
    return code


def how_many(app: Web) -> int:
    with reading(app.state.context.engine) as session:
        return session.scalar(select(func.count()).select_from(UserRow)) or 0


def test_a_fresh_installation_leads_to_set_up(people: People) -> None:
    client = people.anonymous()

    assert client.get("/account").headers["location"] == "/sign-in?next=/account"
    assert client.get("/sign-in").headers["location"] == "/setup"
    assert client.get("/setup").status_code == 200


def test_the_code_makes_an_admin_who_is_signed_in(app: Web, people: People) -> None:
    client = people.anonymous()

    answer = client.post("/setup", data=DANA | {"code": new_code(app)})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = client.get("/api/v1/me").json()
    assert (me["email"], me["role"]) == ("dana@example.org", "admin")


def test_the_code_works_once(app: Web, people: People) -> None:
    code = new_code(app)
    people.anonymous().post("/setup", data=DANA | {"code": code})

    again = people.anonymous().post("/setup", data=DANA | {"code": code, "email": "eve@example.org"})

    assert again.status_code == 409
    assert how_many(app) == 1


def test_without_the_code_nobody_becomes_admin(app: Web, people: People) -> None:
    new_code(app)

    for guess in ("", "x", "aaaa-aaaa-aaaa-aaaa"):
        answer = people.anonymous().post("/setup", data=DANA | {"code": guess})
        assert answer.status_code == 422
        assert "set-up code" in answer.text
    assert how_many(app) == 0


def test_an_older_code_is_dead(app: Web, people: People) -> None:
    old = new_code(app)
    new_code(app)

    assert people.anonymous().post("/setup", data=DANA | {"code": old}).status_code == 422


def test_of_six_at_once_one_becomes_admin(either: Settings) -> None:
    app = ready(small_app, either)
    people, code = People(app), new_code(app)

    def claim(number: int) -> Response:
        return people.anonymous().post("/setup", data=DANA | {"code": code, "email": f"p{number}@example.org"})

    answers = at_once(*(partial(claim, number) for number in range(6)))

    # Who came too late is told that set-up is over, or that the code is: it depends on when they looked.
    assert {answer.status_code for answer in answers if answer.headers.get("location") != "/"} <= {409, 422}
    assert [answer.headers["location"] for answer in answers if answer.status_code == 303] == ["/"]
    assert how_many(app) == 1
    app.state.context.engine.dispose()


def test_only_the_hash_of_the_code_is_kept(app: Web) -> None:
    code = new_code(app)
    with reading(app.state.context.engine) as session:
        row = session.get(SetupRow, 1)

    assert row is not None
    assert code not in row.code_sha256


def test_with_users_there_is_no_code_and_no_page(people: People) -> None:
    people.add("admin")

    assert people.anonymous().get("/setup").headers["location"] == "/sign-in"
    with writing(people.context.engine) as session:
        assert service.new_setup_code(session, utcnow()) is None


def test_a_form_that_comes_back_keeps_what_was_typed_but_no_password(people: People) -> None:
    answer = people.anonymous().post("/setup", data=DANA | {"code": "nonsense", "name": "Dana <b>"})

    assert "Dana &lt;b&gt;" in answer.text
    assert PASSWORD not in answer.text
