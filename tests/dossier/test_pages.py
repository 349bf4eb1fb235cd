"""The dossier's page and the answer for whoever watches over the process."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, update

from app.assessments import store as assessments
from app.db import reading, writing
from app.standing import service
from app.gate.tables import ReviewRow
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import unguard


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


def test_every_step_leads_to_a_page_and_the_page_names_it(client: TestClient, engine: Engine) -> None:
    with reading(engine) as session:
        found = service.steps(session, assessments.get(session, 1))

    page = client.get("/assessments/1").text

    for step in found:
        assert f'href="{step.url}"' in page
        assert client.get(step.url, follow_redirects=True).status_code == 200, step.url


def test_it_names_who_worked_on_it_and_nobody_else(client: TestClient, make: Make) -> None:
    make.user(name="Nobody Here", email="nobody@example.org")

    page = client.get("/assessments/1").text

    assert "Ada worked on it" in page
    assert "Nobody Here" not in page


@pytest.mark.parametrize(
    ("training", "review", "next_step"),
    [
        ("done", "consumed", "/assessments/1/result"),
        ("running", "consumed", "/assessments/1/train"),
        (None, "approved", "/assessments/1/train"),
        (None, "open", "/reviews/1"),
        (None, "changes_requested", "/reviews/1"),
        (None, "withdrawn", "/assessments/1/review"),
    ],
)
def test_it_leads_to_what_comes_next(
    client: TestClient, engine: Engine, training: str | None, review: str, next_step: str
) -> None:
    with writing(engine) as session:
        unguard(session, "reviews")
        if training is None:
            session.execute(delete(TrainingRow))
        else:
            session.execute(update(TrainingRow).values(state=training))
        session.execute(update(ReviewRow).values(state=review))

    page = client.get("/assessments/1").text

    card = page.split("<h2>Next</h2>")[1].split("</section>")[0]
    assert f'href="{next_step}"' in card


def test_what_stands_in_the_way_comes_first_when_training_is_locked(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(delete(TrainingRow))
        row = assessments.get(session, 1)
        row.answers = {**row.answers, "recurrence": "once", "owner": None, "training_rights": "no", "target": None}

    card = client.get("/assessments/1").text.split("<h2>Next</h2>")[1].split("</section>")[0]

    assert card.count("<li>") == 3
    assert 'href="/assessments/1/verdict"' in card


@pytest.mark.parametrize("number", ["99", "0", "x", "9" * 30])
def test_there_is_no_page_of_what_is_not_there(client: TestClient, number: str) -> None:
    assert client.get(f"/assessments/{number}").status_code == 404


def test_anybody_may_ask_whether_the_process_lives_and_learns_nothing_else(web: TestClient) -> None:
    answer = web.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert web.get("/assessments/1").status_code == 303
