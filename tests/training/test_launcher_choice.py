"""Which launcher a run has: chosen where the installation offers more than one, and approved with the rest."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.db import reading, writing
from app.gate import reviews
from app.main import findings
from app.recipes import store as recipes
from app.settings import Settings
from app.training import service
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
SEVERAL = {"launcher": "torchrun", "processes": 2}


@pytest.fixture
def offered() -> tuple[str, ...]:
    return ("local", "torchrun", "ray")


@pytest.fixture
def settings(settings: Settings, offered: tuple[str, ...]) -> Settings:
    return settings.model_copy(update={"launcher": offered})


@pytest.fixture
def author(make: Make) -> UserRow:
    return make.author()


@pytest.fixture
def ready(make: Make, author: UserRow) -> AssessmentRow:
    """Lacks a preflight and a review."""
    return make.ready(author)


def test_the_choice_is_saved_shown_and_approved(
    people: People, author: UserRow, make: Make, engine: Engine, ready: AssessmentRow
) -> None:
    client, base = people(author), f"/assessments/{ready.id}"
    with reading(engine) as session:
        model = service.trainable(session)[0].id
        before = service.plan(session, ready.id).digest
    form = {"model_id": str(model), "launcher": "torchrun", "processes": "2", "base_weights": "sharded"}
    page = client.get(f"{base}/plan").text

    assert [name for name in ("torchrun", "ray") if f'<option value="{name}"' in page] == ["torchrun", "ray"]
    alone = client.post(f"{base}/recipe", data={**form, "processes": "1", "base_weights": "whole"})
    assert alone.status_code == 422
    assert "At least 2 with torchrun or Ray." in alone.text
    assert client.post(f"{base}/recipe", data=form).status_code == 303
    with writing(engine) as session:
        made = service.plan(session, ready.id)
        made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest
        review = reviews.request_review(session, ready.id, author)
        frozen = reviews.subject_of(review)
        number = review.id
    assert made.digest != before
    assert frozen.training is not None
    assert {**frozen.training.recipe, **SEVERAL, "base_weights": "sharded"} == frozen.training.recipe
    assert "by 2 processes on this machine (torchrun), base weights sharded." in client.get(f"/reviews/{number}").text


@pytest.mark.parametrize("offered", [("local",)])
def test_where_there_is_one_launcher_nothing_is_asked_and_no_other_is_taken(
    people: People, author: UserRow, engine: Engine, ready: AssessmentRow
) -> None:
    client = people(author)
    with reading(engine) as session:
        model = service.trainable(session)[0].id
    asked = client.get(f"/assessments/{ready.id}/plan").text
    answer = client.put(f"/api/v1/assessments/{ready.id}/recipe", json={"model_id": model, "settings": SEVERAL})

    assert 'name="launcher"' not in asked
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/settings/launcher"
    with reading(engine) as session:
        row = recipes.of_assessment(session, ready.id)
    assert row is not None
    assert "launcher" not in row.settings


def test_doctor_names_a_launcher_that_is_offered_and_cannot_be_used(settings: Settings) -> None:
    said = {finding.what: finding for finding in findings(settings)}

    assert (said["launcher local"].fine, said["launcher torchrun"].fine) == (True, True)
    assert said["launcher ray"].fine is False
    assert "TUNEGATE_RAY_ADDRESS" in said["launcher ray"].detail
