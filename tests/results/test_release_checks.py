"""The checks as they travel: with the result, on its page, over the API, in the card, in the status."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines.tables import BaselineRow
from app.db import writing
from app.release import service
from app.results import job
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.runs_again import asked


def states(release: service.Release | None) -> dict[str, str]:
    assert release is not None
    return {check.name.removeprefix("release."): check.state for check in release.checks}


@pytest.mark.parametrize(("forgot", "state"), [(0, "pass"), (60, "fail")])
def test_what_was_seen_is_kept_with_the_result(engine: Engine, forgot: int, state: str) -> None:
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        asked(session, forgot=forgot)
        job.conclude(session, run)
        kept = service.of_run(run)

    assert states(kept) == {
        "forgetting": state,
        "refusing": "pass",
        "by_heart": "pass",  # 85 % of the training rows, 86 % of the test rows
        "changing": "pass",
        "slices": "open",  # all rows of the set are alike
    }


def test_nothing_is_passed_by_not_having_been_looked_at(engine: Engine) -> None:
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        run.training_facts = {**run.training_facts, "release_fault": "The process of the model ended."}
        job.conclude(session, run)
        kept = service.of_run(run)

    assert states(kept) == dict.fromkeys(states(kept), "open")
    assert kept is not None
    assert kept.checks[0].words == "Could not be measured: The process of the model ended."


def test_people_and_programs_read_the_same(engine: Engine, make: Make, people: Callable[[UserRow], TestClient]) -> None:
    client = people(make.user(name="Zoe", email="zoe@example.org"))
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        asked(session, forgot=60)
        job.conclude(session, run)
    page = client.get("/assessments/1/result").text
    sent = client.get("/api/v1/trainings/1/release-checks").json()

    assert "100.0 % right before, 75.0 % after" in page
    assert (sent["checks"][0]["name"], sent["checks"][0]["state"]) == ("forgetting", "fail")
    assert sent["slices"] == []


@pytest.mark.parametrize(("forgot", "first"), [(0, "Download adapter"), (60, "See what fails")])
def test_a_target_that_is_reached_leads_to_the_download_only_where_no_check_fails(
    forgot: int, first: str, engine: Engine, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    client = people(make.user(name="Zoe", email="zoe@example.org"))
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        session.get_one(BaselineRow, run.baseline_id).target = 0.8
        asked(session, forgot=forgot)
        job.conclude(session, run)
    page = client.get("/assessments/1/result").text

    assert re.findall(r'<a class="btn" href="[^"]*">([^<]*)</a>', page)[0] == first
