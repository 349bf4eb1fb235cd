"""Refusals of the whole app: what is wrong is named where it is in what was sent, and what to do is said."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.users.tables import UserRow
from tests.support.factories import Make


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.admin())


def test_services_faults_are_at_the_place_in_json(client: TestClient) -> None:
    sent = {
        ("POST", "/api/v1/target"): (
            {"success": 1, "kinds": [{"name": "a", "share": 0.5, "cost": 1}, {"share": 0.1, "cost": 1}]},
            "#/kinds/0/share",
        ),
        ("POST", "/api/v1/prices/import"): ({"csv": "nothing"}, "#/csv"),
        ("POST", "/api/v1/policies"): (
            {"based_on": 0, "reason": "x", "thresholds": {"usable_examples": 1}},
            "#/thresholds/usable_examples",
        ),
        ("POST", "/api/v1/advice"): (
            {"measured": {"baseline": {"passed": 5, "total": 4}}},
            "#/measured/baseline/passed",
        ),
        ("POST", "/api/v1/users"): ({"name": "Bob", "email": "bob"}, "#/email"),
    }

    for (method, path), (body, place) in sent.items():
        answer = client.request(method, path, json=body)
        assert answer.status_code == 422, (path, answer.text)
        assert [error["pointer"] for error in answer.json()["errors"]] == [place], path


def test_unknown_weights_and_measured_keys_are_named(client: TestClient) -> None:
    weights = client.post("/api/v1/policies", json={"based_on": 0, "reason": "x", "weights": {"F01.luck": [1, 1, 1]}})
    measured = client.post("/api/v1/advice", json={"measured": {"luck": 1}})

    assert [error["pointer"] for error in weights.json()["errors"]] == ["#/weights/F01.luck"]
    assert [error["pointer"] for error in measured.json()["errors"]] == ["#/measured/luck"]


def test_parameters_and_headers_are_named_as_what_they_are(client: TestClient, make: Make) -> None:
    row = make.assessment(make.user(name="Ada", email="a@example.org"))
    limit = client.get("/api/v1/jobs?limit=0&after=x").json()
    launch = client.post(f"/api/v1/assessments/{row.id}/trainings")
    long = client.post(f"/api/v1/assessments/{row.id}/trainings", headers={"Idempotency-Key": "x" * 300})

    assert limit["errors"] == [
        {"parameter": "after", "detail": "Use a whole number."},
        {"parameter": "limit", "detail": "Use 1 or more."},
    ]
    assert launch.status_code == long.status_code == 422
    assert launch.json()["errors"] == [{"header": "Idempotency-Key", "detail": "Send a key of 1 to 80 characters."}]
    assert long.json()["errors"] == [{"header": "Idempotency-Key", "detail": "Use at most 200 characters."}]


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        ({"content": b'{"title": "x"}'}, 415, "does not say what it is"),
        ({"content": b"title=x", "headers": {"Content-Type": "text/plain"}}, 415, "This address takes JSON"),
        ({"data": {"title": "x"}}, 415, "This address takes JSON"),
        ({}, 422, "Send a JSON object as the body."),
        ({"json": None}, 422, "Send a JSON object as the body."),
        ({"json": ["x"]}, 422, "Send a JSON object, not another kind of value."),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "The body is not JSON."),
    ],
)
def test_a_body_that_is_no_json_says_what_to_send(
    client: TestClient, sent: dict[str, Any], status: int, sentence: str
) -> None:
    answer = client.post("/api/v1/assessments", **sent)

    assert answer.status_code == status
    assert sentence in answer.text
    if status == 415:
        assert "Content-Type: application/json" in answer.json()["detail"]
    if status == 422:
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#"]


def test_a_gate_that_is_closed_gives_its_reasons_as_a_list(client: TestClient, make: Make) -> None:
    row = make.assessment(make.user(name="Ada", email="a@example.org"))

    answer = client.post(f"/api/v1/assessments/{row.id}/trainings", headers={"Idempotency-Key": "k"})

    body = answer.json()
    assert (answer.status_code, body["type"]) == (409, "/problems/gate-closed")
    assert body["detail"] == f"{len(body['reasons'])} things stand in the way."
    assert len(body["reasons"]) == len(set(body["reasons"])) > 5
    about = [reason for reason in body["reasons"] if "config" in reason.lower()]
    assert about == ["There is no training config yet. Save one."]
    assert body["reasons"] == client.get(f"/api/v1/assessments/{row.id}/recipe").json()["reasons_against"]
