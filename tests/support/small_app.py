"""An app of only web, users and record on a fresh database: enough for tests of the frame, ready in milliseconds.

Fixtures for `tests/web` and `tests/users`; their conftest files import them.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import schema
from app.audit import api as audit_api
from app.audit import routes as audit_routes
from app.audit import service as audit
from app.blobs import Blobs
from app.db import Base, engine_for, reading, utcnow, writing
from app.jobs import store as jobs
from app.jobs.tables import JobRow, Status
from app.settings import Settings
from app.users import api as users_api
from app.users import identity, sessions, tokens
from app.users import routes as users_routes
from app.users.deps import cookie_name
from app.users.passwords import with_cost
from app.users.tables import Role, UserRow
from app.web import files, pages, problems
from app.web.context import AppContext
from app.web.events import Hub
from app.web.protocols import Step
from app.web.security import Web
from tests.support.processes import cheap
from tests.support.ready import ready

BASE = "http://127.0.0.1:8000"
PASSWORD = "four green wet stones"


class NoJobs:
    """Nothing here puts anything into a queue."""

    def enqueue(self, _session: Session, _job_id: int) -> None:
        raise AssertionError("there is no queue here")

    def cancel(self, _job_id: int) -> None:
        raise AssertionError("there is no queue here")

    def close(self) -> None:
        return


STEPS = (
    Step("describe", "Describe", "/assessments/1", "24 of 24"),
    Step("data", "Data", "/assessments/1/data", "1,412 usable"),
    Step("verdict", "Verdict", "/assessments/1/verdict", "ready", "pass"),
    Step("run", "Run and result", "/assessments/1/train", locked="needs an approval"),
)


def running() -> JobRow:
    """A job that says things while it runs, with the id 1."""
    return JobRow(id=1, kind="check", title="x", subject_id=1, queue="cpu", status=Status.RUNNING, created_at=utcnow())


def small_app(settings: Settings) -> Web:
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = engine_for(settings)
    if not (settings.data / "tunegate.db").exists():
        schema.load_tables()
        Base.metadata.create_all(engine)
    static_files = files.Files(settings.assets)

    def newest() -> int:
        with reading(engine) as session:
            return jobs.last_event_id(session)

    def steps(_session: Session, _assessment: Any) -> Sequence[Step]:
        return STEPS

    app = Web(settings)
    app.state.context = AppContext(
        settings=settings,
        engine=engine,
        blobs=Blobs(settings.blobs_dir),
        jobs=NoJobs(),
        templates=pages.make_templates(static_files),
        files=static_files,
        hub=Hub(newest, every=0.05),
        record=audit.record,
        steps=steps,
    )
    problems.install(app)
    for router in (
        files.router,
        problems.router,
        users_routes.router,
        users_api.router,
        audit_routes.router,
        audit_api.router,
    ):
        app.include_router(router)
    return app


@dataclass
class People:
    """Users of an app, and clients that act for them.

    portal: one loop in one thread for the requests of all of them; without it each request starts its own.
    """

    app: Web
    portal: BlockingPortal | None = None

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.context: AppContext = self.app.state.context

    def add(self, role: str = "author", **different: Any) -> UserRow:
        number = next(self._numbers)
        usual = {
            "name": f"{role.title()} {number}",
            "email": f"{role}{number}@example.org",
            "role": Role(role),
            "password_hash": with_cost(1, 8).hash(different.pop("password", PASSWORD)),
            "created_at": utcnow(),
        }
        with writing(self.context.engine) as session:
            user = UserRow(**(usual | different))
            session.add(user)
        return user

    def anonymous(self, **headers: str) -> TestClient:
        """A browser with no cookie, on one of our own pages."""
        return self._client({"Origin": BASE, "Sec-Fetch-Site": "same-origin"} | headers)

    def browser(self, user: UserRow | str = "author") -> TestClient:
        """A browser in which somebody is signed in; a word makes a new person of that role."""
        person = self.add(user) if isinstance(user, str) else user
        client = self.anonymous()
        with writing(self.context.engine) as session:
            secret = sessions.open_session(session, person, "test", utcnow())
        client.cookies.set(cookie_name(self.context.settings), secret)
        return client

    def program(self, user: UserRow | str = "author", scope: str = "launch", days: int | None = 30) -> TestClient:
        """A program with an API token: no cookie, no Origin."""
        person = self.add(user) if isinstance(user, str) else user
        with writing(self.context.engine) as session:
            _, secret = tokens.add_token(
                session, identity.Who(person), name="test", scope=scope, days=days, now=utcnow(), record=audit.record
            )
        return self._client({"Authorization": f"Bearer {secret}"})

    def _client(self, headers: dict[str, str]) -> TestClient:
        client = TestClient(
            self.app, base_url=BASE, headers=headers, follow_redirects=False, raise_server_exceptions=False
        )
        client.portal = self.portal
        return client


@pytest.fixture
def app(tmp_path: Path, template: Path) -> Iterator[Web]:
    shutil.copy(template, tmp_path / "tunegate.db")
    made = ready(small_app, cheap(tmp_path))
    yield made
    made.state.context.engine.dispose()


@pytest.fixture
def people(app: Web) -> Iterator[People]:
    with start_blocking_portal() as portal:
        yield People(app, portal)
