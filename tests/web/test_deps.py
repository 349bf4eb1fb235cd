"""The session of a request: committed before the answer leaves, gone when it is refused."""

import threading
from typing import Annotated

import pytest
from fastapi import Form, Request, Response
from sqlalchemy.exc import OperationalError

from app.db import reading, utcnow, writing
from app.errors import Conflict
from app.users import store
from app.users.deps import Me
from app.users.tables import FailureRow, UserRow
from app.web.deps import Db
from app.web.security import Web
from tests.support.small_app import People


def names(app: Web) -> set[str]:
    with reading(app.state.context.engine) as session:
        return {user.name for user in store.everyone(session)}


def test_what_was_saved_is_there_before_the_answer(app: Web, people: People) -> None:
    """Looked at from outside at the moment when the first byte of the answer is sent."""
    seen: list[set[str]] = []

    class Looking(Response):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            seen.append(names(app))
            await super().__call__(scope, receive, send)  # type: ignore[arg-type]  # passed on as they came

    @app.post("/rename")
    def rename(db: Db, me: Me, name: Annotated[str, Form()]) -> Response:
        store.get(db, me.id).name = name
        return Looking()

    people.browser().post("/rename", data={"name": "New name"})

    assert seen == [{"New name"}]


@pytest.mark.parametrize("error", [Conflict("No."), RuntimeError("broken")])
def test_what_was_refused_left_nothing(app: Web, people: People, error: Exception) -> None:
    @app.post("/rename")
    def rename(db: Db, me: Me) -> None:
        store.get(db, me.id).name = "New name"
        db.flush()
        raise error

    assert people.browser().post("/rename").status_code in {409, 500}
    assert "New name" not in names(app)


def test_looking_cannot_write(app: Web, people: People) -> None:
    seen: list[str] = []

    @app.get("/look")
    def look(db: Db, me: Me) -> Response:
        db.add(FailureRow(account="x", address="y", at=utcnow()))
        with pytest.raises(OperationalError, match="readonly"):
            db.flush()
        db.rollback()
        seen.append("refused")
        return Response()

    people.browser().get("/look")

    assert seen == ["refused"]


def test_two_that_read_and_then_write_do_not_lose_one(app: Web, people: People) -> None:
    """Each adds a letter to what it read; with both letters in the end, neither read something stale."""

    @app.post("/append/{user_id}")
    def append(user_id: int, db: Db, me: Me) -> Response:
        user = store.get(db, user_id)
        user.name = user.name + "x"
        return Response()

    person = people.add("author", name="n")
    clients = [people.browser() for _ in range(8)]
    threads = [threading.Thread(target=client.post, args=(f"/append/{person.id}",)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "n" + "x" * 8 in names(app)


def test_who_asks_holds_no_write_lock(app: Web, people: People) -> None:
    """A long upload knows who sends it without keeping everybody else from writing."""
    seen: list[str] = []

    @app.post("/upload")
    def upload(request: Request, me: Me) -> Response:
        with writing(app.state.context.engine) as session:
            session.get_one(UserRow, me.id).name = "written meanwhile"
        seen.append(me.name)
        return Response()

    assert people.browser().post("/upload").status_code == 200
    assert "written meanwhile" in names(app)
    assert seen
