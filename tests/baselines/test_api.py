"""Measuring through the REST API."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines import job
from app.jobs import engine as job_engine
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, claim_of, clever, finish_job
from tests.support.model_server import ModelServer, serving


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server)


@pytest.fixture
def api(people: Callable[[UserRow], TestClient], case: Case) -> TestClient:
    return people(case.author)


def body(case: Case, **different: Any) -> dict[str, Any]:
    return {"model_id": case.model.id, "instructions": "Give the label.", "consent": True, **different}


def test_from_estimate_to_answers(
    api: TestClient, case: Case, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    root = f"/api/v1/assessments/{case.assessment.id}/baselines"
    costs = api.post(f"{root}/estimate", json=body(case)).json()
    started = api.post(root, json=body(case))
    claim = claim_of(engine, settings, queue, started.json()["id"])
    job.measure(claim)
    finish_job(engine, claim)

    shown = api.get(f"/api/v1/baselines/{claim.subject_id}").json()
    arms = {arm["name"]: arm for arm in shown["arms"]}
    path = f"/api/v1/baselines/{shown['id']}/arms/{arms['zero_shot']['id']}"
    first = api.get(f"{path}/answers", params={"limit": 20}).json()
    rest = api.get(f"{path}/answers", params={"limit": 20, "after": first["data"][-1]["example_id"]}).json()
    best = f"/api/v1/baselines/{shown['id']}/arms/{arms[shown['best_arm']]['id']}"
    wrong = api.get(f"{best}/answers", params={"show": "wrong"}).json()["data"][0]
    changed = api.put(f"{best}/causes", json={"causes": [{"answer_id": wrong["id"], "cause": "behaviour"}]})

    assert (costs["calls"], costs["most_calls"]) == (190, 190 + 4 * 40)
    assert started.status_code == 201
    assert started.json()["job"]["status"] == "queued"
    assert shown["best_arm"] in arms
    assert (len(first["data"]), first["has_more"]) == (20, True)
    assert (len(rest["data"]), rest["has_more"]) == (10, False)
    assert changed.json() == {"changed": 1}
    assert api.get(f"/api/v1/baselines/{shown['id']}").json()["failure_causes"]["behaviour"] == 1
    assert len(api.get(f"/api/v1/baselines/{shown['id']}/answers.jsonl").text.splitlines()) == 6 * 30 + 5 * 40
    assert len(api.get(root).json()["data"]) == 1
    revised = api.post(f"/api/v1/baselines/{shown['id']}/revisions", json={"instructions": "Only the label."})
    assert revised.status_code == 202
    assert revised.json()["family"] == "revised_prompt"


@pytest.mark.parametrize(
    ("different", "pointer"),
    [
        ({"base_url": "http://elsewhere"}, "#/base_url"),
        ({"k_nearest": 0}, "#/k_nearest"),
        ({"consent": False}, "#/consent"),
        ({"metric_options": {"pattern": "x"}}, "#/metric_options"),
        ({"model_id": "~"}, "#/model_id"),
    ],
)
def test_faults_are_named_by_pointer(api: TestClient, case: Case, different: dict[str, Any], pointer: str) -> None:
    refused = api.post(f"/api/v1/assessments/{case.assessment.id}/baselines", json=body(case, **different))

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]


def test_going_on_when_nothing_is_left_is_a_conflict(
    api: TestClient, case: Case, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    started = api.post(f"/api/v1/assessments/{case.assessment.id}/baselines", json=body(case)).json()
    claim = claim_of(engine, settings, queue, started["id"])
    assert api.post(f"/api/v1/baselines/{started['id']}/go-on").status_code == 409
    job.measure(claim)
    finish_job(engine, claim)

    assert api.post(f"/api/v1/baselines/{started['id']}/go-on").status_code == 409


def test_strangers_get_401(web: TestClient, case: Case) -> None:
    for method, path in (
        ("GET", f"/api/v1/assessments/{case.assessment.id}/baselines"),
        ("POST", f"/api/v1/assessments/{case.assessment.id}/baselines"),
        ("GET", "/api/v1/baselines/1"),
        ("GET", "/api/v1/baselines/1/answers.csv"),
        ("POST", "/api/v1/baselines/1/revisions"),
    ):
        assert web.request(method, path).status_code == 401
