"""Live streams against a real server: what was said is sent once, in order, and to nobody who may not hear it."""

import asyncio
import json
import time
from collections.abc import AsyncIterable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import pytest
from fastapi import Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import delete

from app.db import reading, utcnow, writing
from app.errors import NotFound
from app.jobs import store as jobs
from app.jobs.tables import JobEventRow
from app.users.deps import Listening
from app.users.tables import SessionRow
from app.web import events
from app.web.context import AppContext
from app.web.deps import App
from app.web.events import Hub, Listener, Sent
from app.web.refusals import TooMany
from app.web.security import Web
from tests.support.browser import serving
from tests.support.processes import until
from tests.support.small_app import People, running

T = TypeVar("T")


@pytest.fixture
def address(app: Web, ears: "Ears") -> Iterator[str]:
    @app.get("/stream", response_class=EventSourceResponse)
    async def stream(
        context: App, listener: Listening, last_event_id: Annotated[int, Header(ge=0)] = 0
    ) -> AsyncIterable[ServerSentEvent]:
        def read(after: int) -> Sequence[Sent]:
            with reading(context.engine) as session:
                rows = jobs.events_after(session, 1, after)
                return [Sent(row.id, f"<p>{row.body['n']}</p>", last=row.kind == "done") for row in rows]

        async for event in events.stream(context.hub, listener, after=last_event_id, read=read):
            yield event

    with writing(app.state.context.engine) as session:
        session.add(running())
    with serving(app) as started:
        ears.address = started
        yield started
        ears.close()


def say(app: Web, *numbers: int, last: bool = False) -> None:
    with writing(app.state.context.engine) as session:
        for number in numbers:
            kind = "done" if last and number == numbers[-1] else "progress"
            session.add(JobEventRow(job_id=1, attempt=1, at=utcnow(), kind=kind, body={"n": number}))


class Ears:
    """Listeners to one server; all their connections are closed at the end."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.address = ""
        self._open: list[HTTPConnection] = []

    def connect(self, after: int | None = None) -> HTTPResponse:
        cookie = "tunegate=" + self.people.browser().cookies["tunegate"]
        return self.listen({"Cookie": cookie} | ({} if after is None else {"Last-Event-ID": str(after)}))

    def listen(self, headers: dict[str, str]) -> HTTPResponse:
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        self._open.append(connection)
        connection.request("GET", "/stream", headers=headers)
        return connection.getresponse()

    def close(self) -> None:
        for connection in self._open:
            if connection.sock:
                connection.sock.close()
            connection.close()


@pytest.fixture
def ears(people: People) -> Iterator[Ears]:
    made = Ears(people)
    yield made
    made.close()


def heard(response: HTTPResponse, count: int | None = None) -> list[dict[str, str]]:
    """The next messages of a stream; all until it ends when `count` is None."""
    messages: list[dict[str, str]] = []
    message: dict[str, str] = {}
    while count is None or len(messages) < count:
        line = response.readline().decode()
        if not line:
            return messages
        if line == "\n":
            if message:
                messages.append(message)
            message = {}
        elif not line.startswith(":"):
            name, _, value = line.rstrip("\n").partition(": ")
            message[name] = value
    return messages


def test_what_is_said_while_listening_arrives_on_the_same_stream(app: Web, ears: Ears, address: str) -> None:
    response = ears.connect()
    say(app, 1)
    first = heard(response, 1)
    say(app, 2)
    second = heard(response, 1)

    assert [message["data"] for message in first + second] == ["<p>1</p>", "<p>2</p>"]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert "content-security-policy" in response.headers


@pytest.mark.alone
def test_what_is_said_while_listening_arrives_within_a_second(app: Web, ears: Ears, address: str) -> None:
    response = ears.connect()
    say(app, 1)
    heard(response, 1)
    started = time.monotonic()
    say(app, 2)
    second = heard(response, 1)

    assert [message["data"] for message in second] == ["<p>2</p>"]
    assert time.monotonic() - started < 1


def test_a_broken_stream_goes_on_where_it_ended(app: Web, ears: Ears, address: str) -> None:
    say(app, 1, 2, 3, 4, last=True)

    again = heard(ears.connect(after=2))

    assert [message.get("id") for message in again] == ["3", "4", None]


def test_the_end_is_said_so_that_nobody_connects_for_ever(app: Web, ears: Ears, address: str) -> None:
    say(app, 1, last=True)

    assert heard(ears.connect())[-1]["event"] == "done"


def test_everybody_who_listens_hears_everything(app: Web, ears: Ears, address: str) -> None:
    responses = [ears.connect() for _ in range(8)]
    for number in range(1, 21):
        say(app, number, last=number == 20)

    for response in responses:
        assert [message["data"] for message in heard(response)[:-1]] == [f"<p>{n}</p>" for n in range(1, 21)]


def test_a_stranger_hears_nothing(people: People, ears: Ears, address: str) -> None:
    people.add()

    assert ears.listen({}).status == 303
    assert ears.listen({"Cookie": "tunegate=wrong"}).status == 303


def sign_out(app: Web, ears: Ears) -> list[str | None]:
    """Somebody listens and is signed out: the events that still come."""
    response = ears.connect()
    say(app, 1)
    heard(response, 1)
    with writing(app.state.context.engine) as session:
        session.execute(delete(SessionRow))
    return [message.get("event") for message in heard(response)]


def test_who_is_signed_out_hears_no_more(app: Web, ears: Ears, address: str) -> None:
    context: AppContext = app.state.context
    app.state.context = replace(context, hub=Hub(context.hub._newest, every=0.05, recheck=0.1))

    assert sign_out(app, ears) == ["done"]


@pytest.mark.alone
def test_who_is_signed_out_hears_no_more_after_five_seconds(app: Web, ears: Ears, address: str) -> None:
    started = time.monotonic()

    assert sign_out(app, ears) == ["done"]
    assert time.monotonic() - started < 5


def stop_serving(app: Web, ears: Ears) -> float:
    """Three listen when the server is asked to stop: each stream is ended and not cut off. Seconds that it took."""

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream(context: App, listener: Listening) -> AsyncIterable[ServerSentEvent]:
        async for event in events.stream(context.hub, listener, after=0, read=lambda _after: []):
            yield event

    with serving(app) as started:
        ears.address = started
        responses = [ears.connect() for _ in range(3)]
        stopping = time.monotonic()
    seconds = time.monotonic() - stopping

    assert [heard(response) for response in responses] == [[], [], []]
    return seconds


def test_the_server_stops_with_streams_open(app: Web, ears: Ears) -> None:
    stop_serving(app, ears)


@pytest.mark.alone
def test_the_server_stops_within_two_seconds_with_streams_open(app: Web, ears: Ears) -> None:
    assert stop_serving(app, ears) < 2


def test_nobody_keeps_a_stream_after_leaving(app: Web, ears: Ears, address: str) -> None:
    hub: Hub = app.state.context.hub
    response = ears.connect()
    say(app, 1)
    heard(response, 1)
    assert hub.listeners == 1

    response.close()
    ears.close()
    say(app, 2)
    until(lambda: hub.listeners == 0)


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: Playwright keeps a loop in ours for as long as its browser lives."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(60)


def test_what_is_not_there_is_an_end() -> None:
    def read(_after: int) -> list[Sent]:
        raise NotFound("There is no such job.")

    async def listening() -> list[str | None]:
        stream = events.stream(Hub(lambda: 0), Listener(1, lambda: True), after=0, read=read)
        return [event.event async for event in stream]

    assert in_a_loop(listening()) == ["done"]


def test_one_person_gets_so_many_streams(people: People) -> None:
    hub = Hub(lambda: 0, per_person=2)

    with hub.place(1), hub.place(1):
        with pytest.raises(TooMany), hub.place(1):
            pass
        with hub.place(2):
            pass
    with hub.place(1):
        pass


def test_a_database_that_is_away_for_a_moment_silences_nobody() -> None:
    answers: list[int | Exception] = [RuntimeError("away"), 1, 2]

    def newest() -> int:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def listening() -> str:
        hub = Hub(newest, every=0.01)
        read = [[], [Sent(1, "one", last=True)]]
        stream = events.stream(hub, Listener(1, lambda: True), after=0, read=lambda _after: read.pop(0))
        return json.dumps([event.raw_data async for event in stream])

    assert in_a_loop(listening()) == '["one", ""]'
