"""While a password is hashed, everybody else can write."""

import threading

import pytest
from sqlalchemy import text

from app.db import writing
from app.users import passwords
from tests.support.small_app import People

NEW = {"name": "Rob Tuner", "email": "rob.tuner@example.org", "role": "author"}


@pytest.mark.parametrize("way", ["page", "api", "reset"])
def test_others_write_while_a_password_waits_to_be_hashed(people: People, way: str) -> None:
    boss, other = people.add("admin"), people.add("author")
    client = people.browser(boss)
    engine, settings = people.context.engine, people.context.settings
    keeper = passwords.with_cost(settings.hash_time, settings.hash_memory)
    answers: list[int] = []

    def ask() -> None:
        match way:
            case "page":
                answers.append(client.post("/users", data=NEW).status_code)
            case "api":
                answers.append(client.post("/api/v1/users", json=NEW).status_code)
            case _:
                answers.append(client.post(f"/users/{other.id}/reset-password").status_code)

    turns = [keeper._turn.acquire() for _ in range(passwords.AT_ONCE)]  # both places are taken: the request has to wait
    asking = threading.Thread(target=ask)
    try:
        asking.start()
        asking.join(0.3)
        written = threading.Event()

        def write() -> None:
            with writing(engine) as session:
                session.execute(text("update users set name = name"))
            written.set()

        threading.Thread(target=write, daemon=True).start()
        assert written.wait(2), "nobody else could write"
        assert not answers, "it was answered without a hash"
    finally:
        for _ in turns:
            keeper._turn.release()
    asking.join(10)
    assert answers in ([200], [201])
