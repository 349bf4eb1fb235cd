"""The best prompt is asked dev rows a second time, against a real server."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.baselines import belonging, job, reruns_job, standing, store
from app.baselines.tables import AnswerRow, RerunAnswerRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.jobs.claims import Stopping
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, question, started
from tests.support.model_server import ModelServer, serving


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=20, dev=24, test=20)


@pytest.fixture
def api(people: Callable[[UserRow], TestClient], case: Case) -> TestClient:
    return people(case.author)


@pytest.fixture
def measured(case: Case, engine: Engine, settings: Settings, queue: job_engine.Client) -> int:
    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)
    job.measure(claim)
    finish_job(engine, claim)
    return claim.subject_id


def forgetful(every: int) -> Callable[[dict[str, Any]], str]:
    """The same server on another day: each so many answers come out otherwise."""
    number = itertools.count(1)
    return lambda body: "another" if next(number) % every == 0 else clever(body)


def test_rows_are_asked_again_and_flips_are_counted(
    api: TestClient, measured: int, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    before, calls = baseline_of(engine, measured), len(server.calls)
    assert before.concluded_at is not None
    price = api.get(f"/baselines/{measured}/reruns")
    ordered = api.post(f"/api/v1/baselines/{measured}/reruns", json={"rows": 24})
    again = api.post(f"/api/v1/baselines/{measured}/reruns", json={"rows": 24})
    server.reply = forgetful(3)
    claim = claim_of(engine, settings, queue, measured, kind="rerun")
    reruns_job.rerun(claim)
    finish_job(engine, claim)

    found = api.get(f"/api/v1/baselines/{measured}/reruns").json()["data"][0]
    page = api.get(f"/baselines/{measured}/reruns").text

    assert "24 calls, about 336 tokens" in " ".join(price.text.split())
    assert (ordered.status_code, ordered.json()["state"], again.status_code) == (202, "running", 409)
    assert len(server.calls) - calls == 24  # every row is a call of its own, whatever was answered before
    assert (found["state"], found["answered"], found["errors"]) == ("done", 24, 0)
    assert found["texts_changed"] == 8
    assert found["two_runs"] is (found["flipped"] > 0)
    assert found["flip_rate"] == found["flipped"] / 24
    assert found["words"][0] in page
    with reading(engine) as session:
        after = store.get(session, measured)
        assert [arm.dev for arm in after.arms] == [arm.dev for arm in before.arms]


def test_one_that_was_interrupted_goes_on_and_asks_nothing_twice(
    api: TestClient, measured: int, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    assert api.post(f"/baselines/{measured}/reruns", data={"rows": "24"}).status_code == 303
    stopping = threading.Event()
    claim = claim_of(engine, settings, queue, measured, stopping, kind="rerun")
    calls = len(server.calls)

    def stops(body: dict[str, Any]) -> str:
        if stopping.is_set():
            time.sleep(0.5)  # what is asked from now on does not come before the run is over
        stopping.set()
        return clever(body)

    server.reply = stops
    with pytest.raises(Stopping):
        reruns_job.rerun(claim)
    with reading(engine) as session:
        query = select(ExampleRow.line).join(RerunAnswerRow, RerunAnswerRow.example_id == ExampleRow.id)
        kept = [question(line) for line in session.scalars(query)]
    page = api.get(f"/baselines/{measured}/reruns").text
    server.reply, claim.stopping = clever, threading.Event()
    reruns_job.rerun(claim)

    found = api.get(f"/api/v1/baselines/{measured}/reruns").json()["data"]
    assert 0 < len(kept) < 24
    assert f"{len(kept)} of 24 rows asked again so far." in page
    assert [server.questions[calls:].count(asked) for asked in kept] == [1] * len(kept)
    assert [(one["answered"], one["flipped"], one["state"]) for one in found] == [(24, 0, "done")]


def test_orders_that_cannot_be_carried_out(api: TestClient, case: Case, measured: int, engine: Engine) -> None:
    assert api.post(f"/api/v1/baselines/{measured}/reruns", json={"rows": 500}).status_code == 422
    form = api.post(f"/baselines/{measured}/reruns", data={"rows": "three"})
    assert form.status_code == 422
    assert "Between 20 and 24 dev rows can be asked again." in form.text
    assert 'value="three"' in form.text
    with writing(engine) as session:
        store.get(session, measured).concluded_at = None
    assert api.post(f"/api/v1/baselines/{measured}/reruns", json={"rows": 24}).status_code == 409


def test_a_measurement_notes_margin_and_groups_when_it_begins(
    case: Case, engine: Engine, settings: Settings, queue: job_engine.Client, make: Make
) -> None:
    """Rows of a version that was checked before groups were kept get them from its file of canonical rows."""
    with writing(engine) as session:
        rows = session.scalars(select(ExampleRow).order_by(ExampleRow.id)).all()
        lines = [orjson.dumps({"id": row.id, "group": f"customer {row.line // 4}"}) for row in rows]
        blob = make.blobs.put_bytes(b"\n".join(lines))
        report = dict(session.get_one(DatasetRow, case.dataset.id).report_json)
        report["split"] = {**loose(report.get("split", {})), "groups": 16}
        session.execute(update(DatasetRow).values(rows_sha256=blob.sha256, report_json=report))
    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)

    job.measure(claim)

    with reading(engine) as session:
        baseline = store.get(session, claim.subject_id)
        best = standing.best(baseline)
        assert standing.margin(baseline) == 0.03
        assert len(belonging.groups_of(session, baseline)) >= 40
        assert best is not None
        assert best.test is not None
        assert best.test.groups == 6
        assert session.scalars(select(AnswerRow.id).limit(1)).all()
