"""What becomes of adapters: who may say so, of which ones, and what stays on record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.db import reading, utcnow, writing
from app.evaluation.kept_result import KeptCheck, KeptResult
from app.serving import service as serving
from app.settings import Settings
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import copied, laid_out
from tests.support.trained import trained

REASON = "Better on the test rows, and the team has read twenty answers."


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("registry"), template, trained)


@pytest.fixture
def settings(tmp_path: Path, judged: Path) -> Settings:
    """An installation in which the training run 1 of the assessment 1 is over, and improved."""
    return copied(judged, tmp_path)


@pytest.fixture
def reviewer(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.reviewer("Vera"))


def state(client: TestClient) -> str:
    return str(client.get("/api/v1/trainings/1/registry").json()["state"])


def said(client: TestClient, act: str, reason: str = REASON) -> Any:
    return client.post(f"/trainings/1/adapter/{act}", data={"reason": reason}, follow_redirects=False)


def test_an_adapter_is_a_candidate_until_somebody_else_promotes_it(reviewer: TestClient) -> None:
    assert state(reviewer) == "candidate"
    assert said(reviewer, "promote").status_code == 303
    assert state(reviewer) == "promoted"

    page = reviewer.get("/trainings/1/adapter").text
    assert "promoted by Vera" in page
    assert REASON in page
    assert "Retire adapter" in page
    assert REASON in reviewer.get("/audit").text


def test_an_improved_adapter_that_misses_the_target_is_said_to(reviewer: TestClient, engine: Engine) -> None:
    pages = ("/adapters", "/trainings/1/adapter", "/assessments/1/run", "/assessments/1/result?run=1")

    for page in pages:  # 86.4 % of 90 %
        assert "improved, short of target" in reviewer.get(page).text, page
    assert reviewer.get("/api/v1/adapters").json()["data"][0]["reaches_target"] is False

    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        run.result = {**(run.result or {}), "reaches_target": True}
    for page in pages[:2]:
        assert "short of target" not in reviewer.get(page).text, page


def test_who_launched_the_run_does_not_promote_its_adapter(
    engine: Engine, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    person = make.reviewer("Vera")
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(launched_by=person.id))
    refused = said(people(person), "promote")

    assert refused.status_code == 403
    assert "Somebody other than who launched" in refused.text


def test_nor_does_an_account_that_they_made(
    engine: Engine, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    puppet = make.reviewer("Puppet")
    with writing(engine) as session:
        launcher = session.get_one(UserRow, session.get_one(TrainingRow, 1).launched_by)
        audit.record(session, launcher, "user.add", "user", puppet.id, {})
    refused = said(people(puppet), "promote")

    assert refused.status_code == 403
    assert "no second person" in refused.text


@pytest.mark.parametrize("put_away", [{"archived_at": utcnow()}, {"recorded": "example"}])
def test_of_what_was_put_away_none_is_promoted(reviewer: TestClient, engine: Engine, put_away: dict[str, Any]) -> None:
    with writing(engine) as session:
        session.execute(update(AssessmentRow).values(**put_away))

    assert said(reviewer, "promote").status_code == 409
    assert state(reviewer) == "candidate"


def test_an_author_promotes_nothing(make: Make, people: Callable[[UserRow], TestClient]) -> None:
    author = people(make.user(name="Otto", email="otto@example.org"))

    assert said(author, "promote").status_code == 403
    assert said(author, "retire").status_code == 403
    assert state(author) == "candidate"


def test_what_is_not_shown_to_be_better_is_not_promoted(reviewer: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        run.result = {**(run.result or {}), "verdict": "inconclusive"}
    refused = said(reviewer, "promote")

    assert refused.status_code == 409
    assert "not shown to be better" in refused.text
    assert "not shown to be better" in reviewer.get("/trainings/1/adapter").text


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_is_asked_for_and_kept_in_the_form(reviewer: TestClient, reason: str) -> None:
    refused = said(reviewer, "promote", reason)

    assert refused.status_code == 422
    assert reason.strip() in refused.text
    assert state(reviewer) == "candidate"


def test_a_retired_adapter_stays_retired_and_is_not_served(reviewer: TestClient, engine: Engine) -> None:
    said(reviewer, "retire", "Its base model is no longer served.")

    with reading(engine) as session:
        assert serving.offered(session, "assessment-1/adapter-1").against.startswith("It is retired")
    assert state(reviewer) == "retired"
    assert said(reviewer, "promote").status_code == 409
    assert said(reviewer, "retire").status_code == 409
    listed = reviewer.get("/api/v1/adapters").json()["data"]
    assert [(entry["training_id"], entry["state"], entry["reason"]) for entry in listed] == [
        (1, "retired", "Its base model is no longer served.")
    ]
    assert "retired" in reviewer.get("/adapters").text


def test_what_was_needed_stands_beside_what_was_gained(reviewer: TestClient) -> None:
    entry = reviewer.get("/api/v1/adapters").json()["data"][0]

    # The best prompt is right on 150 of 220 test rows, the adapter on 190; the target is 90 %.
    assert entry["gained"] == pytest.approx(40 / 220)
    assert entry["needed"] == pytest.approx(0.9 - 150 / 220, abs=0.06)


FAILED: KeptCheck = {
    "name": "release.forgetting", "state": "fail", "words": "It forgot 9 of 100 general answers.", "rows": 100,
}  # fmt: skip


def fail_a_check(engine: Engine) -> None:
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        kept: KeptResult = run.result or {}
        run.result = {**kept, "release": {"checks": [FAILED], "slices": []}}


def test_one_with_failing_checks_is_promoted_only_by_whoever_names_them(reviewer: TestClient, engine: Engine) -> None:
    fail_a_check(engine)
    page = reviewer.get("/trainings/1/adapter").text
    refused = said(reviewer, "promote")
    by_program = reviewer.post("/api/v1/trainings/1/registry", json={"state": "promoted", "reason": REASON})
    none = reviewer.post(
        "/api/v1/trainings/1/registry", json={"state": "promoted", "reason": " ", "despite": ["release.refusals"]}
    )

    assert 'name="despite" value="release.forgetting"' in page
    assert FAILED["words"] in page
    assert refused.status_code == by_program.status_code == none.status_code == 422
    assert str(FAILED["words"]) in refused.text
    assert REASON in refused.text, "what was typed is still there"
    assert by_program.json()["errors"][0]["pointer"] == "#/despite"
    assert {error["pointer"] for error in none.json()["errors"]} == {"#/reason", "#/despite"}
    assert state(reviewer) == "candidate"
    listed = reviewer.get("/api/v1/trainings/1/registry").json()
    assert listed["failed"] == [{"name": FAILED["name"], "words": FAILED["words"]}]

    data = {"reason": REASON, "despite": ["release.forgetting"]}
    assert reviewer.post("/trainings/1/adapter/promote", data=data, follow_redirects=False).status_code == 303
    assert state(reviewer) == "promoted"
    assert "Despite failing: " in reviewer.get("/trainings/1/adapter").text


def test_who_launched_the_run_retires_its_adapter_by_program_too(
    engine: Engine, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    otto, other = (make.user(name=name, email=f"{name}@example.org") for name in ("Otto", "Olga"))
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(launched_by=otto.id))
    address, why = "/api/v1/trainings/1/registry/retire", {"reason": "Its base model is gone."}

    assert people(other).post(address, json=why).status_code == 403
    assert people(otto).post(address, json={"reason": ""}).status_code == 422
    assert people(otto).post(address, json=why).json()["state"] == "retired"
