"""A run that failed, was cancelled or still goes on hides no result that was there before."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.db import reading
from app.gate.tables import DecisionRow
from app.standing import service as dossier
from app.users.tables import UserRow
from tests.support.runs_again import run_again

People = Callable[[UserRow], TestClient]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [("failed", "failed"), ("cancelled", "was cancelled"), ("refused", "was refused by the gate"),
     ("running", "is running"), ("evaluating", "is answering the test rows")],
)  # fmt: skip
def test_the_result_before_stays_on_its_page_and_the_later_run_is_named(
    engine: Engine, people: People, state: str, sentence: str
) -> None:
    with reading(engine) as session:
        reviewer = session.scalars(select(UserRow).where(UserRow.name == "Rob")).one()
        decided = session.scalars(select(DecisionRow)).first()
    assert decided is not None
    client = people(reviewer)
    before = client.get("/assessments/1/result").text
    number = run_again(engine, state)

    page = " ".join(client.get("/assessments/1/result").text.split())

    assert f"Run {number}, launched later, {sentence}. The result of run 1 stands." in page
    assert "fixed" in before.lower()
    assert 'href="/trainings/1/adapter.zip"' in page
    found = client.get("/api/v1/trainings/1/result").json()
    assert found["verdict"] == "improved"
    assert found["baselines_ran_on"] == found["trained_on"] != ""
    with reading(engine) as session:
        steps = {step.slug: step for step in dossier.steps(session, session.get_one(AssessmentRow, 1))}
    assert steps["run"].done


def test_without_a_later_run_nothing_is_said_about_one(engine: Engine, people: People) -> None:
    with reading(engine) as session:
        reviewer = session.scalars(select(UserRow).where(UserRow.name == "Rob")).one()

    page = people(reviewer).get("/assessments/1/result").text

    assert "launched later" not in page
    assert re.search(r"baselines on (Model \d+), adapter on \1", page)
