"""What pages and programs ask of the database where a judge decides, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.db import engine_for, utcnow, writing
from app.jobs import engine as job_engine
from app.main import create_app
from app.settings import Settings
from tests.support.deciding import decided, lenient
from tests.support.factories import Make, sign_in
from tests.support.judged import Judgeable, judgeable
from tests.support.measured import clever
from tests.support.model_server import ModelServer
from tests.support.optimised import serve
from tests.support.ready import ready

pytestmark = pytest.mark.deep


@pytest.fixture
def own(either: Settings) -> Iterator[Engine]:
    made = engine_for(either)
    yield made
    made.dispose()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    yield from serve(clever)


@pytest.fixture
def judge() -> Iterator[ModelServer]:
    yield from serve(lenient)


@pytest.fixture
def app(either: Settings) -> Iterator[FastAPI]:
    made = ready(create_app, either)
    yield made
    made.state.context.jobs.close()
    made.state.context.engine.dispose()


@pytest.fixture
def case(either: Settings, own: Engine, model: ModelServer, judge: ModelServer) -> Iterator[Judgeable]:
    queue = job_engine.Client(either.url)
    there = judgeable(Make(own, either), own, either, queue, (model, judge))
    there.write_rubric()
    there.judged()
    with writing(own) as session:
        row = session.get_one(AssessmentRow, there.case.assessment.id)
        row.answers, row.metric_set_at = {**row.answers, "metric": "llm_judge"}, utcnow()
    yield there
    queue.close()


def test_every_page_of_a_measurement_by_a_judge_is_there(
    case: Judgeable, app: FastAPI, own: Engine, either: Settings
) -> None:
    make = Make(own, either)
    lea, max_ = (make.user(name=name, email=f"{name}@example.org") for name in ("lea", "max"))
    case.label(lea)
    baseline = decided(case)
    case.label(max_)
    two = sorted(arm.id for arm in baseline.arms if arm.dev)[:2]
    arms, beside = (f"{a}={two[0]}&{b}={two[1]}&split=dev" for a, b in (("first", "second"), ("a", "b")))
    there = f"/assessments/{case.case.assessment.id}"
    with TestClient(app, base_url="http://127.0.0.1:1", follow_redirects=False) as client:
        sign_in(client, own, case.case.author)
        for address in (
            f"{there}/measure", f"{there}/judging", f"{there}/metrics", f"{there}/verdict", there, "/", "/jobs",
            f"/baselines/{baseline.id}/comparison?{arms}", f"/baselines/{baseline.id}/side-by-side?{beside}",
            f"/baselines/{baseline.id}/reruns", f"/api/v1{there}/judges", f"/api/v1/baselines/{baseline.id}/judge",
            f"/api/v1{there}/judge-runs", f"/api/v1/baselines/{baseline.id}/answers.promptfoo.json",
            "/judge-runs/1", "/judge-runs/1/judgements?show=differ", "/api/v1/judge-runs/1/judgements?show=labelled",
        ):  # fmt: skip
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code, answer.text[:400])
        assert client.post(f"/api/v1/baselines/{baseline.id}/judge/correct").json()["holds"] is True
