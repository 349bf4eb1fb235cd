"""The best prompt is asked dev rows a second time, against a real server."""

import itertools
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
from app.jobs.claims import Cancelled
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, started
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


def test_one_that_was_cancelled_goes_on_and_asks_nothing_twice(
    api: TestClient, measured: int, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    assert api.post(f"/baselines/{measured}/reruns", data={"rows": "20"}).status_code == 303
    first = claim_of(engine, settings, queue, measured, kind="rerun")
    calls = len(server.calls)

    def cancels(body: dict[str, Any]) -> str:
        if len(server.calls) - calls == 6:
            api.post(f"/api/v1/jobs/{first.job_id}/cancel")
        return clever(body)

    server.reply, server.delay = cancels, 0.02
    with pytest.raises(Cancelled):
        reruns_job.rerun(first)
    with writing(engine) as session:
        from app.jobs import store as job_store

        job_store.get(session, first.job_id).status = "cancelled"
        came = len(session.scalars(select(RerunAnswerRow.id)).all())
    assert api.get(f"/api/v1/baselines/{measured}/reruns").json()["data"][0]["state"] == "stopped"
    server.reply, server.delay = clever, 0.0
    so_far = len(server.calls)

    resumed = api.post(f"/api/v1/baselines/{measured}/reruns", json={"rows": 20}).json()
    claim = claim_of(engine, settings, queue, measured, kind="rerun")
    reruns_job.rerun(claim)

    assert 0 < came < 20
    assert len(server.calls) - so_far == 20 - came
    found = api.get(f"/api/v1/baselines/{measured}/reruns").json()["data"]
    assert [(one["id"], one["answered"], one["flipped"]) for one in found] == [(resumed["id"], 20, 0)]


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
        report["split"] = {**report.get("split", {}), "groups": 16}
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
