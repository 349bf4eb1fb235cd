"""The same for programs."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.advice.policy_file import POLICY
from app.users.tables import UserRow
from tests.support.factories import Make

STRICT = {
    "based_on": 0,
    "reason": "Two pilots",
    "thresholds": {"usable_examples": 2000},
    "weights": {"F01.style": [1, -1, 3]},
}


@pytest.fixture
def ada(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.admin("Ada"))


def test_the_built_in_policy_with_every_rule(ada: TestClient) -> None:
    listed = ada.get("/api/v1/policies").json()["data"]
    whole = ada.get("/api/v1/policies/0").json()

    assert [one["version"] for one in listed] == [POLICY.version]
    assert whole["sha256"] == POLICY.sha256
    assert len(whole["weights"]) == len(POLICY.weights)
    assert {key for rule in whole["weights"] for key in rule["sources"]} <= {one["key"] for one in whole["sources"]}
    assert whole["gates"][0]["needed"] == "1,000 usable examples besides the test rows, counted in the uploaded file."


def test_publishing(ada: TestClient) -> None:
    made = ada.post("/api/v1/policies", json=STRICT)

    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/policies/1"
    assert made.json()["version"] == "3.1"
    assert [(one["name"], one["before"], one["after"]) for one in made.json()["changes"]] == [
        ("usable_examples", "1,000 rows", "2,000 rows"),
        ("F01.style", "+2", "+3"),
    ]
    assert ada.get("/api/v1/policies/1").json() == made.json()
    assert [one["number"] for one in ada.get("/api/v1/policies").json()["data"]] == [1, 0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"based_on": 1}, 412),
        ({"reason": " "}, 422),
        ({"reason": None}, 422),
        ({"thresholds": {"usable_examples": 1}}, 422),
        ({"thresholds": {"usable_examples": "2000"}}, 422),
        ({"thresholds": {"luck": 1}}, 422),
        ({"weights": {"F01.style": [1, -1, 4]}}, 422),
        ({"weights": {"F01.style": [1, -1]}}, 422),
        ({"weights": {"F01.style": [1, -1, True]}}, 422),
        ({"gates": {}}, 422),
        ({"thresholds": {}, "weights": {}}, 409),
    ],
)
def test_what_is_refused(ada: TestClient, change: dict[str, object], status: int) -> None:
    refused = ada.post("/api/v1/policies", json=STRICT | change)

    assert refused.status_code == status
    assert len(ada.get("/api/v1/policies").json()["data"]) == 1


def test_only_an_administrator_publishes(make: Make, people: Callable[[UserRow], TestClient]) -> None:
    for user in (make.author(), make.reviewer()):
        client = people(user)
        assert client.post("/api/v1/policies", json=STRICT).status_code == 403
        assert client.get("/api/v1/policies").status_code == 200


def test_an_assessment_under_todays_policy(
    ada: TestClient, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    row = make.ready()
    author = people(make.creator(row))
    address = f"/api/v1/assessments/{row.id}"
    assert author.get(f"{address}/advice").json()["today"] is None

    ada.post("/api/v1/policies", json=STRICT)
    standing = author.get(f"{address}/advice").json()
    assert standing["advice"]["policy"]["version"] == POLICY.version
    assert (standing["advice"]["training"], standing["today"]["training"]) == ("ready", "locked")

    moved = author.post(f"{address}/policy")
    assert moved.status_code == 200
    assert (moved.json()["advice"]["policy"]["version"], moved.json()["today"]) == ("3.1", None)


def test_advice_for_a_file_is_by_the_built_in_policy(ada: TestClient) -> None:
    ada.post("/api/v1/policies", json=STRICT)

    assert ada.post("/api/v1/advice", json={"answers": {}}).json()["policy"]["sha256"] == POLICY.sha256
