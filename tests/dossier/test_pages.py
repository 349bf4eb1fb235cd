"""The overview of an assessment, and the answer for whoever watches over the process."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, update

from app.assessments import store as assessments
from app.db import reading, writing
from app.gate.tables import ReviewRow
from app.standing import service
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import unguard


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


def card(page: str, label: str) -> str:
    """A card of the page, by its label or by its heading."""
    cards = [part.split("</section>")[0] for part in page.split("<section")[1:]]
    return next(
        one for one in cards if f'aria-label="{label}"' in one or re.search(rf"<h2>\s*(<a [^>]*>)?{label}", one)
    )


def test_every_step_leads_to_a_page_and_the_page_names_it(client: TestClient, engine: Engine) -> None:
    with reading(engine) as session:
        found = service.steps(session, assessments.get(session, 1))

    page = client.get("/assessments/1").text

    for step in found:
        assert f'href="{step.url}"' in page
        assert client.get(step.url, follow_redirects=True).status_code == 200, step.url


def test_it_names_who_is_what_to_it_and_nobody_else(client: TestClient, make: Make) -> None:
    make.user(name="Nobody Here", email="nobody@example.org")

    page = client.get("/assessments/1").text

    people = re.findall(r"<dt>(\w+)</dt><dd>([^<]*)</dd>", card(page, "People"))
    assert people == [("Owner", "Ada"), ("Reviewers", "Rob")]
    assert "Nobody Here" not in page


@pytest.mark.parametrize(
    ("training", "review", "button"),
    [
        ("done", "consumed", "/assessments/1/plan"),  # it improved, short of the target
        ("running", "consumed", "/assessments/1/run"),
        (None, "approved", "/assessments/1/run"),
        (None, "open", "/reviews/1"),
        (None, "changes_requested", "/reviews/1"),
    ],
)
def test_the_first_card_has_one_button_to_what_comes_next(
    client: TestClient, engine: Engine, training: str | None, review: str, button: str
) -> None:
    with writing(engine) as session:
        unguard(session, "reviews")
        if training is None:
            session.execute(delete(TrainingRow))
        else:
            session.execute(update(TrainingRow).values(state=training))
        session.execute(update(ReviewRow).values(state=review))

    status = card(client.get("/assessments/1").text, "Status")

    assert re.findall(r'class="btn" href="([^"]*)"', status) == [button]


def test_what_is_archived_is_restored_from_its_first_card(client: TestClient) -> None:
    client.post("/assessments/1/archive")
    status = card(client.get("/assessments/1").text, "Status")
    assert 'action="/assessments/1/restore"' in status

    assert client.post("/assessments/1/restore").headers["location"] == "/assessments/1"
    assert "archive" not in card(client.get("/assessments/1").text, "Status")


def test_what_stands_in_the_way_is_named_with_the_way_to_it(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(delete(TrainingRow))
        row = assessments.get(session, 1)
        row.answers = {**row.answers, "recurrence": "once", "owner": None, "training_rights": "no", "target": None}

    criteria = card(client.get("/assessments/1").text, "Criteria")

    assert criteria.count("<li>") == 3
    assert 'href="/assessments/1/verdict#G3"' in criteria
    assert re.search(r"\d+ of \d+ met", criteria)


def test_the_evidence_leads_to_where_each_number_comes_from(client: TestClient) -> None:
    evidence = card(client.get("/assessments/1").text, "Evidence")

    assert re.findall(r'<a href="([^"]*)">([^<]*)</a>', evidence) == [
        ("/assessments/1/describe/success#target", "Target"),
        ("/assessments/1/measure", "Best prompt"),
        ("/assessments/1/result", "Adapter"),
        ("/assessments/1/data", "Data"),
    ]
    assert "below the target" in evidence
    assert "+18.2 points against the best prompt" in evidence


def test_the_activity_tells_of_everything_that_belongs_to_it(client: TestClient) -> None:
    activity = card(client.get("/assessments/1").text, "Activity")

    assert 'href="/reviews/1">approved review 1' in activity
    assert "Adapter evaluated: improved" in activity
    assert 'href="/assessments/1/measure">Baselines finished' in activity


def test_a_page_leads_on_to_the_next_step_and_not_to_itself(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(delete(TrainingRow))
        unguard(session, "reviews")
        session.execute(update(ReviewRow).values(state="approved"))

    page = client.get("/assessments/1/describe").text

    assert 'class="btn" href="/assessments/1/run">Start training' in page


@pytest.mark.parametrize("number", ["99", "0", "x", "9" * 30])
def test_there_is_no_page_of_what_is_not_there(client: TestClient, number: str) -> None:
    assert client.get(f"/assessments/{number}").status_code == 404


def test_anybody_may_ask_whether_the_process_lives_and_learns_nothing_else(web: TestClient) -> None:
    answer = web.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert web.get("/assessments/1").status_code == 303
