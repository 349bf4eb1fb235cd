"""Whether an adapter is really served: a server that applies it, one that does not, one that serves something else."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.db import reading, utcnow, writing
from app.deployed import job, judgement, service, store
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import store as job_store
from app.jobs.claims import Claim, Failed
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import copied, laid_out
from tests.support.loose import loose
from tests.support.model_server import ModelServer, serving
from tests.support.trained import trained


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("deployed"), template, trained)


@pytest.fixture
def settings(tmp_path: Path, judged: Path) -> Settings:
    """An installation in which the training run 1 of the assessment 1 is over."""
    return copied(judged, tmp_path).model_copy(update={"allowed_hosts": ("127.0.0.1",)})


def answers(body: dict[str, Any]) -> str:
    """`base` says the question; `adapter` answers it as the rows want it; `ignored` is served as the base."""
    asked = str(body["messages"][-1]["content"])
    number = asked.rsplit(" ", 1)[-1]
    return {"adapter": f"/** Does {number}. */", "wrong": "/** Something else. */"}.get(body["model"], asked)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(answers) as running:
        yield running


def connection(engine: Engine, server: ModelServer, name: str) -> int:
    with writing(engine) as session:
        row = ModelRow(
            name=f"{name} at work", kind="endpoint", reference=name, base_url=server.url, files={}, created_at=utcnow()
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


@pytest.fixture
def look(
    client: TestClient, engine: Engine, settings: Settings, make: Make, queue: job_engine.Client, server: ModelServer
) -> Callable[[str], judgement.Served]:
    """Asks for a look over the pages, and has it done."""

    def take(name: str) -> judgement.Served:
        base, adapter = connection(engine, server, "base"), connection(engine, server, name)
        form = {"base_model_id": base, "adapter_model_id": adapter, "consent": "on"}
        sent = client.post("/trainings/1/served-checks", data=form, follow_redirects=False)
        assert sent.status_code == 303, sent.text
        with writing(engine) as session:
            row = store.of_training(session, 1)[0]
            stored = job_store.get(session, row.job_id or 0)
            stored.status, stored.attempt = Status.RUNNING, 1
        job.check(
            Claim(
                job_id=stored.id, subject_id=row.id, attempt=1, engine=engine, settings=settings, blobs=make.blobs,
                queue=queue, stopping=threading.Event(),
            )
        )  # fmt: skip
        with reading(engine) as session:
            served = service.looks(session, 1)[0].served
        assert served is not None
        return served

    return take


def test_an_adapter_that_is_served_answers_otherwise_than_its_base(
    look: Callable[[str], judgement.Served], client: TestClient, server: ModelServer
) -> None:
    served = look("adapter")

    assert (served.state, served.rows, served.changed, served.adapter) == ("pass", 20, 20, 1.0)
    assert len({call.body["messages"][-1]["content"] for call in server.calls}) == 20  # the same rows of both
    assert "20 of 20 answers differ" in client.get("/trainings/1/adapter").text
    told = client.get("/api/v1/trainings/1/served-checks").json()["data"][0]
    assert (told["done"], told["state"], told["changed"]) == (True, "pass", 20)


def test_an_adapter_that_is_not_applied_is_found_out(look: Callable[[str], judgement.Served]) -> None:
    served = look("ignored")

    assert (served.state, served.changed) == ("fail", 0)
    assert "the adapter is not applied" in served.words


def test_something_else_in_its_place_is_found_out(look: Callable[[str], judgement.Served]) -> None:
    served = look("wrong")

    assert (served.state, served.changed) == ("fail", 20)
    assert "Check that it is this adapter" in served.words


def test_what_is_missing_is_said_and_nothing_is_sent(client: TestClient, engine: Engine, server: ModelServer) -> None:
    one = connection(engine, server, "base")
    connection(engine, server, "adapter")
    refused = client.post("/trainings/1/served-checks", data={"base_model_id": one, "adapter_model_id": one})

    assert refused.status_code == 422
    assert "Choose two" in refused.text
    assert "may be sent there" in refused.text
    assert server.calls == []


def test_a_connection_that_was_changed_since_is_not_asked(
    look: Callable[[str], judgement.Served], client: TestClient, engine: Engine, server: ModelServer
) -> None:
    look("adapter")
    with writing(engine) as session:
        row = store.of_training(session, 1)[0]
        session.get_one(ModelRow, row.adapter_model_id).reference = "another"
        row.done_at = None
        stored = job_store.get(session, row.job_id or 0)
    claim = Claim(
        job_id=stored.id, subject_id=row.id, attempt=1, engine=engine, settings=Settings(), blobs=None,  # type: ignore[arg-type]
        queue=None, stopping=threading.Event(),  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(Failed, match="was changed since"):
        job.check(claim)


def test_rows_that_have_to_stay_since_are_not_sent(
    look: Callable[[str], judgement.Served], engine: Engine, settings: Settings, server: ModelServer, make: Make
) -> None:
    look("adapter")
    server.calls.clear()
    with writing(engine) as session:
        row = store.of_training(session, 1)[0]
        for number in (row.base_model_id, row.adapter_model_id):
            model = session.get_one(ModelRow, number)
            model.base_url = model.base_url.replace("127.0.0.1", "models.example.org")
        row.base_as, row.adapter_as = (
            loose({**kept, "base_url": kept["base_url"].replace("127.0.0.1", "models.example.org")})
            for kept in (row.base_as, row.adapter_as)
        )
        assessment = session.get_one(AssessmentRow, 1)
        assert assessments.answers(assessment)["data_location"] == "own_servers"
        row.done_at = None
        stored = job_store.get(session, row.job_id or 0)
    claim = Claim(
        job_id=stored.id, subject_id=row.id, attempt=1, engine=engine, settings=settings, blobs=make.blobs,
        queue=None, stopping=threading.Event(),  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(Failed, match="may not leave your own servers"):
        job.check(claim)
    assert server.calls == []


@pytest.mark.parametrize(
    ("stored", "measured", "state"),
    [
        ({}, None, "open"),
        ({"1": {"error": "No."}}, None, "open"),
        ({"1": {"base": 0.0, "adapter": 1.0, "same": False}, "2": {"error": "No."}}, 0.9, "pass"),
    ],
)
def test_rows_without_an_answer_say_nothing(stored: dict[str, Any], measured: float | None, state: str) -> None:
    assert judgement.judge(stored, measured, binary=True).state == state
