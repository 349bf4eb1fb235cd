"""Text that may not leave the team's own servers is sent to none that nobody declared to be one."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.assessments import service as assessments
from app.baselines import facts, job
from app.db import reading, writing
from app.inference import addresses
from app.inference import service as models
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs.claims import Failed
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.measured import Case, a_case, claim_of, clever, finish_job, started
from tests.support.model_server import serving

People = Callable[[UserRow], TestClient]
ELSEWHERE = "https://models.example.org/v1"


@pytest.fixture
def case(make: Make, engine: Engine) -> Case:
    """Rows that have to stay, and a connection to a server elsewhere that nobody declared to be own."""
    made = a_case(make, engine, None)
    server = make.model(name="Elsewhere", kind="endpoint", base_url=ELSEWHERE, reference="m-1", files={})
    keep(engine, made, "own_servers")
    return Case(made.assessment, made.dataset, server, made.author)


def keep(engine: Engine, case: Case, where: str) -> None:
    with writing(engine) as session:
        assessments.patch(session, case.assessment.id, {"data_location": where}, case.author, has_results=False)


def start(people: People, case: Case) -> Any:
    body = {"model_id": case.model.id, "instructions": "Give the label.", "consent": True}
    return people(case.author).post(f"/api/v1/assessments/{case.assessment.id}/baselines", json=body)


def declare(engine: Engine, own: bool | None) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).where(ModelRow.name == "Elsewhere").values(own=own))


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:8080/v1", True), ("http://localhost:8080", True), ("http://10.1.2.3/v1", True),
        ("https://192.168.0.9/v1", True), ("http://172.31.0.1", True), ("http://172.32.0.1", False),
        ("http://[::1]:80/v1", True), ("http://[fd00::7]/v1", True), ("http://[::ffff:10.0.0.1]/v1", True),
        ("http://[::ffff:8.8.8.8]/v1", False), ("http://100.64.0.1/v1", False), ("http://169.254.169.254", False),
        ("https://models.example.org/v1", False), ("https://localhost.example.org", False), ("http://0.0.0.0", False),
        ("nonsense", False),
    ],
)  # fmt: skip
def test_only_what_is_written_as_inside_is_inside(url: str, inside: bool) -> None:
    assert addresses.inside(url) is inside


def test_rows_that_must_stay_are_not_sent_elsewhere_whatever_is_ticked(people: People, case: Case) -> None:
    answer = start(people, case)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/model_id"
    for part in ("may not leave your own servers", "Elsewhere", ELSEWHERE, "this machine", "administrator", "answer"):
        assert part in error["detail"]


def test_where_the_text_may_go_to_a_vendor_consent_is_enough(people: People, engine: Engine, case: Case) -> None:
    keep(engine, case, "approved_vendor")

    assert start(people, case).status_code == 201


def test_an_administrator_declares_a_server_to_be_own_and_another_address_is_another_server(
    make: Make, people: People, case: Case
) -> None:
    admin = people(make.admin())
    path = f"/api/v1/models/{case.model.id}"
    assert people(case.author).patch(path, json={"own": True}).status_code == 403
    assert admin.get(path).json()["own"] is None

    assert admin.patch(path, json={"own": True}).json()["own"] == "declared"
    assert start(people, case).status_code == 201
    assert admin.patch(path, json={"base_url": "https://other.example.org/v1"}).json()["own"] is None


def test_the_page_declares_it_and_shows_it(make: Make, people: People, case: Case) -> None:
    admin = people(make.admin())
    form = {"name": "Elsewhere", "base_url": ELSEWHERE, "model": "m-1", "own": "yes"}

    author, page = people(case.author), f"/models/{case.model.id}"

    assert "no: rows that must stay on your own servers are not sent to it" in author.get(page).text
    assert admin.post(f"/models/{case.model.id}", data=form).status_code == 303

    assert "yes, as an administrator declared" in author.get(page).text


def test_a_run_that_waits_is_asked_again_before_it_sends_anything(
    engine: Engine, settings: Settings, queue: job_engine.Client, case: Case
) -> None:
    declare(engine, True)
    baseline = started(engine, queue, case)
    declare(engine, None)

    with pytest.raises(Failed, match="may not leave your own servers"):
        job.measure(claim_of(engine, settings, queue, baseline.id))


def test_an_answer_that_changes_during_a_run_ends_it(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    with serving(clever) as server:
        made = a_case(make, engine, server, dev=20, test=20)
        baseline = started(engine, queue, made)
        claim = claim_of(engine, settings, queue, baseline.id)

        first = threading.Lock()

        def reply(body: dict[str, Any]) -> str:
            if first.acquire(blocking=False):  # rows are on their way when somebody finds out that they should not be
                keep(engine, made, "own_servers")
                with writing(engine) as session:
                    session.execute(update(ModelRow).values(base_url="https://models.example.org/v1"))
            return clever(body)

        server.reply = reply
        with pytest.raises(Failed, match="may not leave your own servers"):
            job.measure(claim)

        assert len(server.calls) == 20  # one arm


def test_a_server_on_this_machine_is_own(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    with serving(clever) as server:
        made = a_case(make, engine, server, dev=20, test=20)
        keep(engine, made, "own_servers")
        claim = claim_of(engine, settings, queue, started(engine, queue, made).id)
        job.measure(claim)
        finish_job(engine, claim)

    with reading(engine) as session:
        assert loose(facts.measured(session, made.assessment.id).to_json())["baseline"]["total"] == 20
        assert models.own(session.get_one(ModelRow, made.model.id)) == "private address"


def test_twenty_rows_asked_by_a_real_run_are_twenty_rows(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    with serving(clever) as server:
        made = a_case(make, engine, server, dev=20, test=40)
        claim = claim_of(engine, settings, queue, started(engine, queue, made, test_rows=20).id)
        job.measure(claim)

    with reading(engine) as session:
        assert loose(facts.measured(session, made.assessment.id).to_json())["baseline"]["total"] == 20
