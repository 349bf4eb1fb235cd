"""System prompts and the optimizer by pages without a script and by the API."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.db import writing
from app.inference.tables import ModelRow
from app.instructions import job
from app.jobs import engine as job_engine
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import finish_job
from tests.support.model_server import ModelServer
from tests.support.optimised import PLANTED, SEED, Improvable, Script, improvable, marked, serve, task


@pytest.fixture
def model() -> Iterator[ModelServer]:
    yield from serve(task)


@pytest.fixture
def critic() -> Iterator[ModelServer]:
    yield from serve(Script([marked(PLANTED)]))


@pytest.fixture
def case(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, model: ModelServer, critic: ModelServer
) -> Improvable:
    return improvable(make, engine, settings, queue, (model, critic))


@pytest.fixture
def page(people: Callable[[UserRow], TestClient], case: Improvable) -> TestClient:
    return people(case.case.author)


def test_versions_are_written_compared_and_measured(page: TestClient, case: Improvable) -> None:
    there = f"/assessments/{case.case.assessment.id}/instructions"
    saved = page.post(there, data={"instructions": f"{SEED} One word.", "note": "Shorter.", "start": "1"})
    again = page.post(there, data={"instructions": f" {SEED} One word. ", "note": "<b>"})
    blank = page.post(f"{there}/measure", data={"instructions": "  "})
    shown = page.get(there).text
    changed = page.get(f"{there}/difference?before=1&after=2").text
    begun = page.get(f"{there}?start=2").text
    measured = page.post(
        f"{there}/measure", data={"instructions": f"{SEED} No sentence.", "start": "2", "note": "No chat."}
    )

    assert saved.status_code == 303
    assert again.status_code == 422
    assert "This is version 2. Change it first." in again.text
    assert 'value="&lt;b&gt;"' in again.text
    assert blank.status_code == 422
    assert "Write instructions of 1 to 20,000 characters." in blank.text
    assert "written by hand from version 1" in shown
    assert "Shorter." in shown
    assert "2 words <ins>added</ins>, 0 words <del>removed</del>" in changed
    assert f"{SEED} One word.</textarea>" in begun
    assert measured.headers["location"].endswith("/measure")
    shown = page.get(there).text
    assert "from version 2" in shown
    assert "No chat." in shown
    assert page.get(f"{there}/difference?before=1&after=9").status_code == 404


def test_the_optimizer_is_asked_for_consent_and_a_budget_that_can_be_kept(page: TestClient, case: Improvable) -> None:
    there = f"/assessments/{case.case.assessment.id}/optimisations"
    form = {"critic_id": str(case.critic.id), "candidates": "3"}
    refused = page.post(there, data={**form, "candidates": "99", "money": "5", "minutes": "soon", "train_rows": "2"})
    unsure = page.post(there, data={**form, "candidates": "99", "money": "5", "train_rows": "2"})
    estimate = page.post(f"{there}/estimate", data=form, headers={"HX-Request": "true"})
    started = page.post(there, data={**form, f"consent-{case.critic.id}": "on"})
    run = page.get(started.headers["location"])
    twice = page.post(there, data={**form, f"consent-{case.critic.id}": "on"})

    assert (refused.status_code, unsure.status_code) == (422, 422)
    assert "Use a number, like 0.25." in refused.text
    for fault in (
        "from 1 to 60",
        "needs the prices of both models",
        "at least 8 rows",
        "Confirm that train rows may be",
    ):
        assert fault in unsure.text, fault
    assert 'value="99"' in unsure.text
    assert "51 to 123 calls" in estimate.text
    assert "<html" not in estimate.text
    assert "Waiting for a worker" in run.text
    assert "Cancel run" in run.text
    assert twice.status_code == 409


def test_without_a_critic_a_person_is_sent_to_revise_by_hand(page: TestClient, case: Improvable) -> None:
    there = f"/assessments/{case.case.assessment.id}/instructions"
    with writing(case.engine) as session:
        for row in session.query(ModelRow).filter(ModelRow.kind != "bundled"):
            row.own = False
            row.base_url = "https://models.example.org/v1"
        assessment = session.get_one(AssessmentRow, case.case.assessment.id)
        assessment.answers = {**assessment.answers, "data_location": "own_servers"}

    shown = page.get(there).text

    assert "No model can be the critic here; each says why." in shown
    assert "Start optimizer" not in shown
    assert "Write a version by hand" in shown


def test_a_run_by_program(page: TestClient, case: Improvable) -> None:
    root = f"/api/v1/assessments/{case.case.assessment.id}"
    order = {"critic_id": case.critic.id, "candidates": 2, "consent": True}
    estimate = page.post(f"{root}/optimisations/estimate", json=order).json()
    wrong = page.post(f"{root}/optimisations", json={**order, "consent": False, "dev_rows": 3})
    started = page.post(f"{root}/optimisations", json=order)
    run_id = started.json()["id"]
    early = page.post(f"/api/v1/optimisations/{run_id}/take-over")
    claim = case.claim(run_id)
    job.optimise(claim)
    finish_job(case.engine, claim)
    run = page.get(f"/api/v1/optimisations/{run_id}").json()
    kept = page.get(f"{root}/instructions").json()["data"]
    changed = page.get(f"{root}/instructions/difference?before=1&after=2").json()
    added = page.post(f"{root}/instructions", json={"text": "Be exact.", "from_version": 2})

    assert (estimate["least"], estimate["most"], estimate["winner"]) == (34, 82, 44)
    assert wrong.status_code == 422
    assert {fault["pointer"] for fault in wrong.json()["errors"]} == {"#/consent", "#/dev_rows"}
    assert started.status_code == 201
    assert early.status_code == 409
    assert run["ending"] in ("candidates", "right")
    assert run["candidates"][1]["state"] == "scored"
    assert run["result"]["gain"] > run["result"]["luck"] > 0
    assert [version["why"] for version in kept] == ["optimised", "hand"]
    assert kept[0]["used"][0]["arm_id"] == run["winner_arm_id"]
    assert kept[1]["used"][0]["dev_score"] == run["result"]["first"]
    assert "".join(piece["text"] for piece in changed["pieces"] if piece["kind"] != "removed") == PLANTED
    assert (added.status_code, added.json()["number"], added.json()["from_version"]) == (201, 3, 2)
    assert page.get(f"{root}/optimisations").json()["data"][0]["id"] == run_id
    assert page.post(f"/api/v1/optimisations/{run_id}/go-on").status_code == 409
