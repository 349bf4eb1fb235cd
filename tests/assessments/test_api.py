"""Assessments and advice for programs."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.advice.case import parse
from app.advice.verdict import advise
from app.db import writing
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.golden import GOLDEN, case

People = Callable[[UserRow], TestClient]
API = "/api/v1/assessments"


@pytest.fixture
def client(people: People, make: Make) -> TestClient:
    return people(make.author())


def test_an_assessment_is_begun_read_and_changed(client: TestClient) -> None:
    made = client.post(API, json={"title": "Comments", "answers": {"goals": ["style"], "owner": None}})

    assert made.status_code == 201
    at = made.headers["location"]
    read = client.get(at)
    assert read.json() == made.json()
    assert read.json()["answers"] == {"goals": ["style"], "owner": None}
    assert (read.json()["answered"], read.json()["asked"]) == (3, 24)

    changed = client.patch(at, json={"team": "Docs", "answers": {"target": 0.9, "metric": "chrf", "goals": None}})

    assert changed.status_code == 200
    assert changed.json()["answers"] == {"owner": None, "target": 0.9, "metric": "chrf"}
    assert (changed.json()["title"], changed.json()["team"]) == ("Comments", "Docs")
    assert changed.json()["revision"] == 2


def test_a_change_can_be_bound_to_what_was_read(client: TestClient, make: Make) -> None:
    at = f"{API}/{make.assessment().id}"
    tag = client.get(at).headers["etag"]

    first = client.patch(at, json={"answers": {"recurrence": "once"}}, headers={"If-Match": tag})
    second = client.patch(at, json={"answers": {"recurrence": "months"}}, headers={"If-Match": tag})

    assert first.status_code == 200
    assert first.headers["etag"] != tag
    assert second.status_code == 412
    assert second.headers["content-type"] == "application/problem+json"
    assert client.get(at).json()["answers"]["recurrence"] == "once"


@pytest.mark.parametrize(
    ("answers", "pointer"),
    [
        ({"target": 90}, "target"),
        ({"calls_per_month": -1}, "calls_per_month"),
        ({"gaols": ["style"]}, "gaols"),
        ({"recurrence": "sometimes"}, "recurrence"),
        ({"main_goal": "facts"}, "main_goal"),
        ({"owner": "x\x00y"}, "owner"),
        ({"calls_per_month": True}, "calls_per_month"),
    ],
)
def test_wrong_answers_are_named_and_nothing_is_kept(
    client: TestClient, make: Make, answers: dict[str, Any], pointer: str
) -> None:
    row = make.assessment()

    refused = client.patch(f"{API}/{row.id}", json={"answers": answers | {"stakes": "high"}})

    assert refused.status_code == 422
    assert any(pointer in error["pointer"] for error in refused.json()["errors"])
    after = client.get(f"{API}/{row.id}").json()
    assert (after["version"], after["answers"]["stakes"]) == (1, "normal")


def test_the_list_goes_back_from_the_newest(client: TestClient, make: Make) -> None:
    ids = [make.assessment(title=f"Case {number}").id for number in range(5)]

    first = client.get(API, params={"limit": 2}).json()
    rest = client.get(API, params={"limit": 3, "before": first["data"][-1]["id"]}).json()

    assert [one["id"] for one in first["data"]] == [ids[4], ids[3]]
    assert first["has_more"] is True
    assert [one["id"] for one in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False
    assert [one["id"] for one in client.get(API, params={"q": "case 3"}).json()["data"]] == [ids[3]]


def test_an_assessment_is_copied_and_archived(client: TestClient, make: Make) -> None:
    row = make.assessment()

    assert client.post(f"{API}/{row.id}/copy").json()["title"] == f"Copy of {row.title}"
    assert client.post(f"{API}/{row.id}/archive").json()["archived_at"]
    assert client.patch(f"{API}/{row.id}", json={"title": "x"}).status_code == 409
    assert row.id in [one["id"] for one in client.get(API, params={"archived": True}).json()["data"]]
    assert client.post(f"{API}/{row.id}/restore").json()["archived_at"] is None


def test_a_target_changed_by_a_program_after_results_is_counted_too(client: TestClient, make: Make) -> None:
    row = make.ready()

    client.patch(f"{API}/{row.id}", json={"answers": {"target": 0.5}})

    with writing(make.engine) as session:
        after = session.merge(row)
        session.refresh(after)
        assert after.target_changes == 1


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden.number))
def test_advice_is_that_of_the_command_line(client: TestClient, golden: Any) -> None:
    given = client.post("/api/v1/advice", json=golden.data)

    assert given.status_code == 200
    assert given.json() == json.loads(json.dumps(advise(parse(golden.data)).to_json()))


def test_more_comes_when_it_is_asked_for(client: TestClient) -> None:
    body = case({"recurrence": "once", "examples_declared": 9000})

    plain = client.post("/api/v1/advice", json=body).json()
    given = client.post("/api/v1/advice?more=true", json=body).json()

    more = given.pop("more")
    assert given == plain
    assert more == json.loads(json.dumps(advise(parse(body)).more()))
    assert [found["key"] for found in more["disagreements"]] == ["examples_declared"]


def test_advice_for_nothing_is_advice(client: TestClient) -> None:
    assert client.post("/api/v1/advice", json={}).json()["approach"] == "prompt"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (case(measured={"usable_examples": -1}), "#/measured/usable_examples"),
        ({"measured": {"baseline": {"passed": 5, "total": 4}}}, "#/measured/baseline/passed"),
        ({"answers": {"target": 3}}, "target"),
        ({"answer": {}}, "answer"),
        ([], ""),
    ],
)
def test_what_is_no_case_is_a_problem(client: TestClient, body: Any, pointer: str) -> None:
    refused = client.post("/api/v1/advice", json=body)

    assert refused.status_code == 422
    assert any(pointer in error["pointer"] for error in refused.json()["errors"])


def test_no_number_gets_through_as_one(client: TestClient) -> None:
    refused = client.post(
        "/api/v1/advice",
        content='{"answers": {"target": NaN}, "measured": {"oracle_gain": NaN}}',
        headers={"content-type": "application/json"},
    )

    assert refused.status_code in (400, 422)


def test_strangers_get_nothing(web: TestClient) -> None:
    assert web.get(API).status_code == 401
    assert web.post(API, json={"title": "x"}).status_code == 401
    assert web.post("/api/v1/advice", json={}).status_code == 401


def test_a_program_begins_from_a_situation_and_its_own_answers_win(client: TestClient) -> None:
    points = client.get("/api/v1/starting-points").json()["data"]
    slug = next(point["slug"] for point in points if point["answers"]["goals"] == ["facts"])

    made = client.post(
        "/api/v1/assessments", json={"title": "Rules", "starting_point": slug, "answers": {"sources": "no"}}
    )

    assert made.status_code == 201
    assert made.json()["answers"]["fact_change"] == "daily"
    assert made.json()["answers"]["sources"] == "no"
    refused = client.post("/api/v1/assessments", json={"title": "Rules", "starting_point": "anything"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#/starting_point"
