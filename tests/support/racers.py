"""Two processes that act at the same moment: each has the whole app, on one database, as two web servers have.

Forked, so that importing the app is paid once. They agree on a moment, wait for it, and ask; what one of them sees of
the other is what the database shows it.
"""

import json
import os
import random
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient

from app.db import engine_for, writing
from app.main import create_app
from app.settings import Settings
from app.users import sessions
from app.users.tables import UserRow
from tests.support.ready import ready

AHEAD = 0.02  # seconds between telling both and the moment they agreed on
JITTER = 0.01  # seconds that each of them may come later, drawn anew each time


@dataclass(frozen=True, slots=True)
class Act:
    """One request: by whom (a session's secret), where, and with what."""

    secret: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str


class Racer:
    """One of the processes."""

    def __init__(self, settings: Settings) -> None:
        ready(create_app, settings)  # routes and templates are built before the fork, for all of them
        child_in, self._to = os.pipe()
        self._from, child_out = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._to)
            os.close(self._from)
            _serve(settings, child_in, child_out)
        os.close(child_in)
        os.close(child_out)
        self._lines = os.fdopen(self._from, encoding="utf-8")

    def begin(self, act: Act, moment: float) -> None:
        line = {"at": moment, "act": [act.secret, act.path, act.body, act.headers, act.method]}
        os.write(self._to, (json.dumps(line) + "\n").encode())

    def end(self) -> Answer:
        return Answer(*json.loads(self._lines.readline()))

    def close(self) -> None:
        os.write(self._to, b"\n")  # a word, and not the end of the pipe: the other process holds a copy of that
        os.waitpid(self._pid, 0)
        os.close(self._to)
        self._lines.close()


def race(first: Racer, second: Racer, one: Act, other: Act) -> tuple[Answer, Answer]:
    """Both at once."""
    moment = time.monotonic() + AHEAD
    first.begin(one, moment)
    second.begin(other, moment)
    return first.end(), second.end()


def _serve(settings: Settings, incoming: int, outgoing: int) -> None:
    """Only in the fork: never returns."""
    try:
        client = TestClient(
            ready(create_app, settings),
            base_url="http://127.0.0.1:1",
            follow_redirects=False,
            raise_server_exceptions=False,
            headers={"origin": "http://127.0.0.1:1"},
        )
        chance = random.Random(os.getpid())
        pipe = os.fdopen(incoming, encoding="utf-8")
        while (line := pipe.readline()).strip():
            order = json.loads(line)
            secret, path, body, headers, method = order["act"]
            client.cookies.set("tunegate", secret)
            time.sleep(max(0.0, order["at"] + chance.uniform(0, JITTER) - time.monotonic()))
            got = client.request(method, path, json=body, headers=headers)
            os.write(outgoing, (json.dumps([got.status_code, got.text[:500]]) + "\n").encode())
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        raise
    finally:
        os._exit(0)


def secret_of(settings: Settings, user: UserRow) -> str:
    """A session for somebody, which both processes know."""
    from app.db import utcnow

    engine = engine_for(settings)
    try:
        with writing(engine) as session:
            return sessions.open_session(session, user, "race", utcnow())
    finally:
        engine.dispose()
