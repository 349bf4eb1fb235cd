"""The checks as they travel: with the result, on its page, over the API, in the card, in the status."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.baselines.tables import BaselineRow
from app.db import utcnow, writing
from app.release import service, store
from app.results import job
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make


def answer(part: str, item: str, who: str, score: float, output: str = "") -> dict[str, Any]:
    return {
        "training_id": 1,
        "part": part,
        "item": item,
        "who": who,
        "version": "1",
        "output": output,
        "score": score,
        "error": "",
        "at": utcnow(),
    }


def asked(session: Session, *, forgot: int) -> None:
    """240 questions that the base gets right, of which the adapter has forgotten some; 40 requests both decline."""
    for number in range(240):
        store.put(session, [answer("general", f"days/{number}", "base", 1.0, "Friday")])
        store.put(session, [answer("general", f"days/{number}", "adapter", float(number >= forgot), "Monday")])
    for number in range(40):
        store.put(session, [answer("pleas", f"harmful/{number}", who, 1.0) for who in ("base", "adapter")])
    store.put(session, [answer("train", str(number), "adapter", float(number < 85)) for number in range(100)])


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
