"""Answers that wait for a job (`Prefer: wait=N`), against a real server: none for ever, and none holds others up."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.db import utcnow, writing
from app.jobs import api as jobs_api
from app.jobs.tables import JobEventRow, JobRow, Status
from app.users.tables import TokenRow
from app.web import waiting
from app.web.context import AppContext
from app.web.events import Hub
from app.web.security import Web
from tests.support.browser import serving
from tests.support.processes import until
from tests.support.small_app import People, running

Answered = tuple[int, dict[str, Any], dict[str, str]]


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("respond-async, wait=5", 5),
        ('WAIT = "7"', 7),
        ("wait=5; x=1, wait=9", 5),
        ("wait=61", 60),
        ("wait=999999999", 60),
        ("wait=9999999999", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait=", 0),
        ("await=3", 0),
        ("", 0),
    ],
)
def test_how_long_is_asked_for(prefer: str, seconds: int) -> None:
    assert waiting.seconds(prefer) == seconds


class Asking:
    """Programs that ask one server, each request in a thread of its own."""

    def __init__(self, app: Web, people: People, address: str, pool: ThreadPoolExecutor) -> None:
        self.app, self.people = app, people
        self.host = urlsplit(address).netloc
        self.pool = pool
        self.token = self.new_token()

    @property
    def hub(self) -> Hub:
        context: AppContext = self.app.state.context
        return context.hub

    def new_token(self) -> str:
        return str(self.people.program().headers["authorization"])

    def ask(self, path: str, wait: int | None = None, token: str = "") -> Answered:
        connection = HTTPConnection(self.host, timeout=60)
        headers = {"Authorization": token or self.token} | ({} if wait is None else {"Prefer": f"wait={wait}"})
        connection.request("GET", f"/api/v1{path}", headers=headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body, {name.lower(): value for name, value in answer.headers.items()}

    def begin(self, path: str, wait: int = 30, token: str = "") -> "Future[Answered]":
        """Ask, and come back once the server lets it wait."""
        before = self.hub.listeners
        asked = self.pool.submit(self.ask, path, wait, token)
        until(lambda: self.hub.listeners > before or asked.done())
        return asked

    def say(self, kind: str = "progress", status: Status = Status.RUNNING) -> None:
        with writing(self.app.state.context.engine) as session:
            session.get_one(JobRow, 1).status = status
            session.add(JobEventRow(job_id=1, attempt=1, at=utcnow(), kind=kind, body={}))


@pytest.fixture
def asking(app: Web, people: People) -> Iterator[Asking]:
    app.include_router(jobs_api.router)
    context: AppContext = app.state.context
    app.state.context = replace(context, hub=Hub(context.hub._newest, every=0.02, recheck=0.2))
    with writing(context.engine) as session:
        session.add(running())
    with ThreadPoolExecutor(60) as pool, serving(app) as address:
        yield Asking(app, people, address, pool)


def test_the_answer_comes_when_the_job_is_over(asking: Asking) -> None:
    asked = asking.begin("/jobs/1")
    asking.say()
    time.sleep(0.1)
    assert not asked.done(), "what it says on the way is no end"

    asking.say("done", Status.DONE)
    status, body, headers = asked.result(10)

    assert (status, body["status"], headers["preference-applied"]) == (200, "done", "wait=30")
    assert asking.hub.listeners == 0


def test_what_a_job_says_is_an_answer_for_its_events(asking: Asking) -> None:
    asked = asking.begin("/jobs/1/events")
    asking.say()
    _, body, _ = asked.result(10)

    again = asking.begin(f"/jobs/1/events?after={body['data'][-1]['id']}")
    assert not again.done()
    asking.say("done", Status.DONE)

    assert [event["kind"] for event in body["data"]] == ["progress"]
    assert [event["kind"] for event in again.result(10)[1]["data"]] == ["done"]


def test_after_the_time_it_is_answered_as_it_stands(asking: Asking) -> None:
    began = time.monotonic()
    status, body, headers = asking.ask("/jobs/1", wait=1)

    assert (status, body["status"], headers["preference-applied"]) == (200, "running", "wait=1")
    assert time.monotonic() - began > 0.9


def test_who_does_not_ask_to_wait_does_not(asking: Asking) -> None:
    status, body, headers = asking.ask("/jobs/1")

    assert (status, body["status"], "preference-applied" in headers) == (200, "running", False)


def test_what_is_not_there_is_not_waited_for(asking: Asking) -> None:
    assert asking.ask("/jobs/2", wait=30)[0] == 404


def test_one_person_waits_in_so_many_places_and_no_more(asking: Asking) -> None:
    with asking.hub.place(1):  # the program's person has the id 1
        held = [asking.begin("/jobs/1") for _ in range(11)]
        status, body, headers = asking.ask("/jobs/1", wait=30)

        assert (status, body["type"]) == (429, "/problems/too-many")
        assert int(headers["retry-after"]) > 0
        asking.say("done", Status.DONE)
        assert {asked.result(10)[0] for asked in held} == {200}
        assert asking.ask("/jobs/1", wait=30)[0] == 200, "what is over needs no place"


def test_those_who_wait_hold_neither_a_thread_nor_a_connection(asking: Asking) -> None:
    """The database has 40 connections and the server 40 threads for its pages."""
    tokens = [asking.new_token() for _ in range(5)]
    held = [asking.pool.submit(asking.ask, "/jobs/1", 60, token) for token in tokens for _ in range(10)]
    until(lambda: asking.hub.listeners == 50)

    assert asking.ask("/me")[0] == 200
    until(lambda: asking.app.state.context.engine.pool.checkedout() == 0)
    asking.say("done", Status.DONE)

    assert {asked.result(20)[0] for asked in held} == {200}


def test_who_goes_away_gives_the_place_back(asking: Asking) -> None:
    connection = HTTPConnection(asking.host, timeout=60)
    connection.request("GET", "/api/v1/jobs/1", headers={"Authorization": asking.token, "Prefer": "wait=60"})
    until(lambda: asking.hub.listeners == 1)

    connection.close()

    until(lambda: asking.hub.listeners == 0)


def test_a_token_that_ends_waits_no_longer(asking: Asking) -> None:
    asked = asking.begin("/jobs/1")
    with writing(asking.app.state.context.engine) as session:
        session.get_one(TokenRow, 1).revoked_at = utcnow()

    assert asked.result(10)[0] == 401


def test_a_server_that_stops_answers_at_once(asking: Asking) -> None:
    asked = asking.begin("/jobs/1", wait=60)
    asking.hub.closing = True

    assert asked.result(10)[1]["status"] == "running"
