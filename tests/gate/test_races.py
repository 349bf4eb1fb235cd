"""Two at the same moment: whatever comes first, the gate opens once or not at all.

On SQLite a writer waits for the one before it; on PostgreSQL both are at work at the same time, so each race is run
there as well when deep.
"""

from collections.abc import Iterator
from functools import partial

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, select

from app.audit import service as audit
from app.db import make_engine, reading
from app.gate.tables import DecisionRow, ReviewRow
from app.main import create_app
from app.settings import Settings
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.races import at_once, postgres_when_deep
from tests.support.ready import ready
from tests.support.scene import People, Scene, lay_out

pytestmark = postgres_when_deep

# The launch is what the gate is for.
LAUNCHES = range(depth(2, 200))
ROUNDS = range(depth(1, 40))


@pytest.fixture
def engine(either: Settings) -> Iterator[Engine]:
    made = make_engine(either.url)
    yield made
    made.dispose()


@pytest.fixture
def web(either: Settings) -> Iterator[TestClient]:
    with TestClient(ready(create_app, either), base_url="http://127.0.0.1:1", follow_redirects=False) as client:
        yield client


@pytest.fixture
def scene(make: Make, people: People, engine: Engine) -> Iterator[Scene]:
    lay_out(make)
    made = Scene(make, people, engine)
    yield made
    with reading(engine) as session:
        assert audit.broken_at(session) is None


def state(scene: Scene) -> str:
    """Where the newest review stands."""
    with reading(scene.engine) as session:
        return session.scalars(select(ReviewRow.state).order_by(ReviewRow.id.desc())).first() or ""


def test_of_two_launches_one_uses_the_approval(scene: Scene) -> None:
    for number in LAUNCHES:
        scene.approve()

        answers = at_once(partial(scene.launch, key=f"a{number}"), partial(scene.launch, key=f"b{number}"))

        assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
        assert scene.started() == number + 1


def test_the_same_launch_twice_is_one_run(scene: Scene) -> None:
    for number in ROUNDS:
        scene.approve()

        answers = at_once(*[partial(scene.launch, key=f"{number}")] * 2)

        assert sorted(answer.status_code for answer in answers) == [200, 201], [answer.text for answer in answers]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert scene.started() == number + 1


def test_an_approval_is_withdrawn_or_used_and_never_both(scene: Scene) -> None:
    started = 0
    for number in ROUNDS:
        review = scene.approve()

        launched, withdrawn = at_once(partial(scene.launch, key=f"{number}"), partial(scene.withdraw, review))

        won = {(201, 409): "consumed", (409, 200): "withdrawn"}
        assert won.get((launched.status_code, withdrawn.status_code)) == state(scene), (launched.text, withdrawn.text)
        started += launched.status_code == 201
        assert scene.started() == started


def test_changes_are_asked_for_before_the_launch_or_not_at_all(scene: Scene) -> None:
    second = scene.make.reviewer("Sue")
    started = 0
    for number in ROUNDS:
        review = scene.approve()

        launched, decided = at_once(
            partial(scene.launch, key=f"{number}"),
            partial(scene.decide, review, second, kind="request_changes", comment="The target is too low."),
        )

        won = {(201, 409): "consumed", (409, 201): "changes_requested"}
        assert won.get((launched.status_code, decided.status_code)) == state(scene), (launched.text, decided.text)
        started += launched.status_code == 201
        assert scene.started() == started
        if decided.status_code == 201:
            assert scene.withdraw(review).status_code == 200


def test_one_reviewer_approves_once(scene: Scene) -> None:
    for _ in ROUNDS:
        review = scene.ask()

        answers = at_once(*[partial(scene.decide, review)] * 2)

        assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
        with reading(scene.engine) as session:
            kinds = session.scalars(select(DecisionRow.kind).where(DecisionRow.review_id == review["id"])).all()
        assert kinds == ["approve"]
        assert scene.withdraw(review).status_code == 200


def test_two_who_ask_for_review_have_one(scene: Scene) -> None:
    def ask() -> Response:
        return scene.people(scene.author).post(f"/api/v1/assessments/{scene.id}/reviews", json={})

    for _ in ROUNDS:
        answers = at_once(*[ask] * 2)

        assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
        review = next(answer.json() for answer in answers if answer.status_code == 201)
        assert scene.withdraw(review).status_code == 200
