"""The list of jobs: whose they are, where they stand in line, and what the workers do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.datasets.tables import DatasetRow
from app.db import utcnow, writing
from app.jobs.tables import JobRow, Status, WorkerRow
from app.recipes.tables import RecipeRow
from app.users.tables import UserRow
from app.worker import machine_load
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


@pytest.fixture
def ben(make: Make) -> UserRow:
    return make.author("Ben")


def add(engine: Engine, by: UserRow, status: Status, **different: Any) -> int:
    """A job that is in no line of the engine: only pages look at it."""
    job = JobRow(
        **{
            "kind": "measure",
            "title": "Baselines",
            "subject_id": 1,
            "queue": "model",
            "progress": {},
            "created_by": by.id,
            "created_at": utcnow(),
            **different,
        },
        status=status,
    )
    with writing(engine) as session:
        session.add(job)
        session.flush()
        return job.id


def titles(page: str) -> list[str]:
    table = page.partition('class="stack rows jobs"')[2].partition("</table>")[0]
    return re.findall(r'<a href="/jobs/\d+">([^<]+)</a>', table)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_filters_by_state_kind_and_owner(people: People, make: Make, engine: Engine, ben: UserRow) -> None:
    cora = make.author("Cora")
    add(engine, ben, Status.QUEUED, title="Waits", subject_id=1)
    add(engine, ben, Status.FAILED, title="Broke", failure="The server is away.", kind="check", queue="cpu")
    add(engine, cora, Status.DONE, title="Hers", subject_id=2)
    client = people(ben)

    assert titles(client.get("/jobs").text) == ["Hers", "Broke", "Waits"]
    assert titles(client.get("/jobs?state=open").text) == ["Waits"]
    assert titles(client.get("/jobs?state=failed").text) == ["Broke"]
    assert titles(client.get("/jobs?kind=measure").text) == ["Hers", "Waits"]
    assert titles(client.get("/jobs?mine=yes&state=failed").text) == ["Broke"]
    assert "No job fits these filters" in client.get("/jobs?mine=yes&state=done").text
    assert titles(client.get("/jobs?state=nonsense").text) == ["Hers", "Broke", "Waits"]
    assert client.get("/jobs?state=%27").status_code == 422
    assert "The server is away." in client.get("/jobs").text


def test_a_job_names_its_assessment_and_who_requested_it(
    people: People, make: Make, engine: Engine, ben: UserRow
) -> None:
    assessment = make.assessment(ben, title="Route <messages>")
    job = add(engine, ben, Status.QUEUED, assessment_id=assessment.id)
    page = people(ben).get("/jobs").text

    assert f'<a href="/assessments/{assessment.id}">Route &lt;messages&gt;</a>' in page
    assert "Ben just now" in text_of(page)
    assert "Route &lt;messages&gt;" in people(ben).get(f"/jobs/{job}").text


def test_the_queue_shows_order_reasons_and_who_may_do_what(
    people: People, engine: Engine, ben: UserRow, make: Make
) -> None:
    cora, zoe, now = make.author("Cora"), make.admin("Zoe"), utcnow()
    with writing(engine) as session:
        session.add(WorkerRow(id="host:a", queues="model", pid=1, version="1", started_at=now, seen_at=now))
    progress = {"stage": "Asking", "done": 30, "total": 120, "unit": "rows", "seconds_left": 90}
    add(engine, ben, Status.RUNNING, subject_id=1, worker="host:a", called_at=now, title="Runs", progress=progress)
    first = add(engine, ben, Status.QUEUED, subject_id=2, title="Next of Ben")
    last = add(engine, ben, Status.QUEUED, subject_id=3, title="Last of Ben")
    hers = add(engine, cora, Status.QUEUED, subject_id=4, title="One of Cora")
    alone = add(engine, cora, Status.QUEUED, subject_id=5, queue="cpu", title="Nobody serves it")

    listed = people(ben).get("/api/v1/jobs/queue").json()
    assert [(one["job"]["id"], one["place"], one["why"]) for one in listed["waiting"]] == [
        (alone, 1, "no_worker"), (hers, 1, "slots"), (first, 2, "slots"), (last, 3, "slots"),
    ]  # fmt: skip
    page = people(ben).get("/jobs").text
    queue = text_of(page.partition('id="running"')[2].partition("How the order is made")[0])
    assert "Asking 30 of 120 rows, about 1 min 30 s left Ben" in queue
    assert queue.index("One of Cora") < queue.index("Next of Ben") < queue.index("Last of Ben")
    assert "No worker is online for this queue." in queue
    assert (page.count(f'action="/jobs/{last}/cancel"'), page.count(f'action="/jobs/{hers}/cancel"')) == (1, 0)
    assert "move-up" not in page, "only an administrator moves jobs"

    assert people(ben).post(f"/api/v1/jobs/{last}/move-up").status_code == 403
    assert people(cora).post(f"/api/v1/jobs/{last}/cancel").status_code == 403
    assert people(zoe).post(f"/jobs/{last}/move-up", follow_redirects=True).status_code == 200
    waiting = people(zoe).get("/api/v1/jobs/queue").json()["waiting"]
    assert [one["job"]["id"] for one in waiting] == [alone, last, hers, first]
    assert people(zoe).post(f"/api/v1/jobs/{first}/cancel").json()["status"] == "cancelled"
    assert people(zoe).post(f"/api/v1/jobs/{first}/move-up").status_code == 409


@pytest.mark.parametrize("step", ["data", "plan"])
def test_a_job_that_waits_says_so_on_the_page_of_its_step(
    people: People, engine: Engine, ben: UserRow, make: Make, step: str
) -> None:
    """These pages know how many jobs are before it and not why it waits; the fragment takes both."""
    assessment = make.ready(ben)
    kind = {"data": "check", "plan": "preflight"}[step]
    job = add(engine, ben, Status.QUEUED, kind=kind, subject_id=1, assessment_id=assessment.id, queue="cpu")
    with writing(engine) as session:
        session.execute(update(RecipeRow).values(preflight_job_id=job))
        if step == "data":
            session.execute(update(DatasetRow).values(state="checking"))

    page = people(ben).get(f"/assessments/{assessment.id}/{step}")
    assert page.status_code == 200
    assert "Waiting for a worker" in text_of(page.text)


def test_a_person_at_the_limit_is_told_so(people: People, engine: Engine, ben: UserRow, make: Make) -> None:
    now = utcnow()
    with writing(engine) as session:
        session.add(WorkerRow(id="host:a", queues="cpu,model", pid=1, version="1", started_at=now, seen_at=now))
    for number in range(3):
        add(engine, ben, Status.RUNNING, subject_id=number, queue="cpu", worker="host:a", called_at=now)
    kept = add(engine, ben, Status.QUEUED, subject_id=9, queue="cpu")

    assert "Ben has 3 jobs running; one person may have 3." in text_of(people(ben).get(f"/jobs/{kept}").text).replace(
        "This person", "Ben"
    )
    assert people(ben).get("/api/v1/jobs/queue").json()["waiting"][0]["why"] == "limit"


def test_workers_show_load_current_job_and_heartbeat(people: People, engine: Engine, ben: UserRow) -> None:
    now = utcnow()
    with writing(engine) as session:
        usual: dict[str, Any] = {"queues": "cpu,model", "pid": 1, "version": "1", "started_at": now}
        session.add(WorkerRow(id="host:busy", seen_at=now, load=1.5, cores=4, **usual))
        session.add(WorkerRow(id="host:silent", seen_at=now - timedelta(hours=1), **usual))
        session.add(WorkerRow(id="host:old", seen_at=now - timedelta(days=3), gone_at=now - timedelta(days=3), **usual))
    add(engine, ben, Status.RUNNING, title="Measure with Big", worker="host:busy")
    page = people(ben).get("/jobs").text
    workers = text_of(page.partition('id="workers"')[2])

    assert "host:busy online cpu, model Measure with Big 1.5 of 4 cores just now" in workers
    assert "host:silent silent" in workers
    assert "1 worker stopped more than a day ago" in workers
    assert workers.index("1 worker stopped") < workers.index("host:old")


def test_a_page_without_a_worker_says_how_to_start_one(people: People, ben: UserRow) -> None:
    page = people(ben).get("/jobs").text

    assert "No worker is online" in page
    assert "No jobs yet" in page


def test_this_machine_says_how_busy_it_is() -> None:
    load, cores = machine_load()

    assert load is None or load >= 0
    assert cores is not None
    assert cores >= 1
