"""Training through the browser and the API: what each person may do, and what the pages say."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.db import reading, utcnow, writing
from app.economics import service as economics
from app.gate import reviews
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobEventRow, Status
from app.recipes import store as recipes
from app.settings import Settings
from app.training import service, store
from app.training.protocol import Committed, Measured
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.depth import sampled
from tests.support.factories import Make
from tests.support.installed import copied, laid_out

People = Callable[[UserRow], TestClient]
HOUR = {
    "name": "GPU box",
    "unit": "machine_hour",
    "price": 2.5,
    "currency": "EUR",
    "dated": "2026-01-01",
    "source": "x",
}
STATES = ["queued", "running", "evaluating", "done", "cancelled", "failed", "refused"]
FOUND = {
    "train": {"rows": 1000, "tokens": 84075, "trained_tokens": 40648},
    "dev_rows": 100,
    "left_out": 2,
    "untrained": [],
    "steps": 375,
    "steps_per_epoch": 125,
    "longest": [{"id": "683", "prompt": 39, "completion": 156}],
    "samples": [{"id": "4", "prompt": "<|im_start|>user\nAdd <b>", "completion": "Says <i>hello</i>.<|im_end|>"}],
    "dtype": "bfloat16",
    "context": 8192,
    "threads": 1,
    "tokens_per_second": 189.7,
    "dev_seconds": 18.1,
    "seconds": 1548.6,
    "shared_tokens": 25,
    "padding": 0.047,
    "adapter_parameters": 4884480,
    "memory": {"weights": 278798976, "adapter": 87920640, "activations": 2251284480, "logits": 603979776},
    "peak_bytes": 3063984128,
    "available": 20_000_000_000,
    "blockers": [],
}

CHECKPOINT: Committed = {
    "event": "checkpoint", "step": 0, "folder": "x", "manifest_sha256": "0" * 64, "dev_loss": 0.5,
}  # fmt: skip


def lay_out(make: Make) -> None:
    author = make.user(email="ada@example.org")
    assessment = make.ready(author)
    with writing(make.engine) as session:
        model_id = service.trainable(session)[0].id
        service.save_recipe(session, assessment.id, author, model_id, {"epochs": 2})


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("planned"), template, lay_out)


@pytest.fixture
def settings(tmp_path: Path, planned: Path) -> Settings:
    """An installation with an assessment that lacks only preflight and review, with a recipe as the app stores it."""
    return copied(planned, tmp_path)


@pytest.fixture
def ready(engine: Engine) -> int:
    """The id of that assessment."""
    with reading(engine) as session:
        return session.scalars(select(AssessmentRow.id)).one()


@pytest.fixture
def author(engine: Engine) -> UserRow:
    """Who wrote it."""
    with reading(engine) as session:
        return session.scalars(select(UserRow)).one()


def note_preflight(engine: Engine, assessment_id: int, **different: Any) -> None:
    """Write down a preflight of exactly what is stored."""
    with writing(engine) as session:
        planned = service.plan(session, assessment_id)
        note: Any = {**FOUND, **different}
        planned.row.preflight, planned.row.preflight_of = note, planned.digest


def launched(engine: Engine, queue: job_engine.Client, make: Make, author: UserRow, assessment_id: int) -> TrainingRow:
    note_preflight(engine, assessment_id)
    reviewer = make.reviewer()
    with writing(engine) as session:
        review = reviews.request_review(session, assessment_id, author)
        reviews.decide(session, review.id, reviewer, "approve", review.digest)
    with writing(engine) as session:
        jobs.bind(session, queue)
        return service.launch(session, assessment_id, author, "key")[0]


def test_a_stranger_sees_nothing_and_starts_nothing(web: TestClient, ready: int) -> None:
    base = f"/assessments/{ready}"
    for path in (f"{base}/plan", f"{base}/run", f"{base}/train", "/trainings/1"):
        assert web.get(path, headers={"accept": "text/html"}).status_code in {303, 401}
    for path in (f"/assessments/{ready}/launch", f"/assessments/{ready}/recipe", "/trainings/1/resume"):
        assert web.post(path).status_code in {303, 401, 403}


def test_the_form_says_why_each_default_is_what_it_is(people: People, author: UserRow, ready: int) -> None:
    page = people(author).get(f"/assessments/{ready}/plan")
    launch = people(author).get(f"/assessments/{ready}/run")

    assert (page.status_code, launch.status_code) == (200, 200)
    assert "about ten times what training all weights would take" in page.text
    assert "Run the preflight for this config, data and prompt first." in launch.text
    assert "Launch training" not in page.text
    assert "Launch training" not in launch.text


def test_the_old_address_of_the_step_leads_on(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make
) -> None:
    client, base = people(author), f"/assessments/{ready}"
    assert client.get(f"{base}/train").headers["location"] == f"{base}/plan"

    launched(engine, queue, make, author, ready)

    assert client.get(f"{base}/train").headers["location"] == f"{base}/run"


def test_wrong_settings_come_back_as_typed_with_the_reason_beside_them(
    people: People, author: UserRow, ready: int
) -> None:
    page = people(author).post(
        f"/assessments/{ready}/recipe", data={"model_id": "1", "dropout": "0.7000", "epochs": "x"}
    )

    assert page.status_code == 422
    assert 'value="0.7000"' in page.text
    assert "A number from 0 to 0.5." in page.text
    assert '<details class="more" open>' in page.text  # the wrong one is not hidden


def test_saving_stores_it_and_makes_the_person_a_contributor(
    people: People, make: Make, ready: int, engine: Engine
) -> None:
    other = make.author()
    saved = people(other).post(f"/assessments/{ready}/recipe", data={"model_id": "1", "epochs": "1"})

    with writing(engine) as session:
        stored = recipes.of_assessment(session, ready)
        assert saved.status_code == 303
        assert stored is not None
        assert stored.settings["epochs"] == 1
        assert other.id in as_it_stands.contributors(session, ready)


def test_saving_the_same_again_changes_nothing(engine: Engine, ready: int, make: Make) -> None:
    other = make.author()
    with writing(engine) as session:
        service.save_recipe(session, ready, other, service.trainable(session)[0].id, {"epochs": "2"})

        assert other.id not in as_it_stands.contributors(session, ready)


def test_a_model_server_carries_no_adapter(people: People, make: Make, author: UserRow, ready: int) -> None:
    server = make.model(kind="endpoint", base_url="https://models.example.org/v1", reference="large")
    answer = people(author).put(f"/api/v1/assessments/{ready}/recipe", json={"model_id": server.id})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/model_id"


def test_the_preflight_shows_exactly_what_is_trained(
    people: People, author: UserRow, ready: int, engine: Engine
) -> None:
    note_preflight(engine, ready)
    page = people(author).get(f"/assessments/{ready}/plan")

    assert "<ins>Says &lt;i&gt;hello&lt;/i&gt;.&lt;|im_end|&gt;</ins>" in page.text
    assert "40,648" in page.text
    assert "25 min 49 s" in page.text


def test_a_blocker_of_the_preflight_stands_in_the_way(
    people: People, author: UserRow, ready: int, engine: Engine
) -> None:
    note_preflight(engine, ready, blockers=["The run needs about 9.0 GB of memory and 8.0 GB are free."])
    answer = people(author).get(f"/api/v1/assessments/{ready}/recipe").json()

    assert "The run needs about 9.0 GB of memory and 8.0 GB are free." in answer["reasons_against"]
    assert answer["preflight_current"] is True


def test_a_proposal_is_put_into_the_config_with_one_button(
    people: People, author: UserRow, ready: int, engine: Engine
) -> None:
    needs = {"bytes": 3_000_000_000, "low": 2_700_000_000, "high": 3_300_000_000, "tried": True}
    shorter = {"kind": "rows", "change": {"max_row_tokens": 300}, "needs": needs, "left_out": 4, "fits": True}
    parts = {"program": 4e8, "weights": 3e8, "adapter": 1e8, "activations": 2e9, "reserve": 2e8}
    found = {"proposals": [shorter], "needs": needs, "memory": parts}
    note_preflight(engine, ready, blockers=["The run needs about 9.0 GB."], **found)
    client = people(author)
    page = client.get(f"/assessments/{ready}/plan").text

    assert "leaves out 4 rows" in page
    assert "3.0 GB" in page
    button = re.search(
        r'name="model_id" value="(\d+)">\s*<input type="hidden" name="max_row_tokens" value="300">', page
    )
    assert button
    client.post(f"/assessments/{ready}/recipe", data={"model_id": button[1], "max_row_tokens": "300"})
    saved = client.get(f"/api/v1/assessments/{ready}/recipe").json()
    assert (saved["settings"]["max_row_tokens"], saved["settings"]["epochs"]) == (300, 2)
    assert saved["preflight_current"] is False


def test_nothing_is_launched_without_an_approval(people: People, author: UserRow, ready: int, engine: Engine) -> None:
    client = people(author)
    note_preflight(engine, ready)
    page = client.post(f"/assessments/{ready}/launch", data={"idempotency_key": "k"})
    answer = client.post(f"/api/v1/assessments/{ready}/trainings", headers={"idempotency-key": "k"})

    assert (page.status_code, answer.status_code) == (409, 409)
    assert "Nobody has approved this yet" in page.text
    assert answer.json()["type"].endswith("gate-closed")
    with writing(engine) as session:
        assert store.latest(session, ready) is None


@pytest.mark.parametrize("body", [{"epochs": 99}, {"approved": True}, {"digest": "0" * 64}])
def test_a_launch_takes_no_settings(people: People, author: UserRow, ready: int, body: dict[str, Any]) -> None:
    answer = people(author).post(f"/api/v1/assessments/{ready}/trainings", json=body, headers={"idempotency-key": "k"})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "wild", sampled([{"trust_remote_code": 1}, {"output_dir": "x"}, {"rank": 0}, {"precision": "int4"}], every=2)
)
def test_unknown_and_wild_settings_are_refused(
    people: People, author: UserRow, ready: int, wild: dict[str, Any]
) -> None:
    answer = people(author).put(f"/api/v1/assessments/{ready}/recipe", json={"model_id": 1, "settings": wild})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#/settings/{next(iter(wild))}"


def test_a_launch_without_a_key_is_refused(people: People, author: UserRow, ready: int) -> None:
    assert people(author).post(f"/api/v1/assessments/{ready}/trainings").status_code == 422


def test_launching_twice_with_one_key_is_one_run(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make
) -> None:
    row = launched(engine, queue, make, author, ready)
    answer = people(author).post(f"/api/v1/assessments/{ready}/trainings", headers={"idempotency-key": "key"})

    assert answer.status_code == 200
    assert answer.json()["id"] == row.id
    assert answer.json()["status"] == "queued"


@pytest.mark.parametrize("state", sampled(STATES, every=2))
def test_a_run_has_a_page_in_every_state(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make, state: str
) -> None:
    row = launched(engine, queue, make, author, ready)
    with writing(engine) as session:
        stored = store.get(session, row.id)
        stored.state, stored.finished_at = state, utcnow() if state in service.OVER else None
        for step in range(1, 9):
            event: Measured = {"event": "step", "step": step, "of": 8, "loss": 3.0 / step, "tokens_per_second": 200.0}
            store.put_metric(session, row.id, 1, {**event, "learning_rate": 1e-4})
        store.put_metric(session, row.id, 1, {"event": "dev", "of": 16, "step": 8, "loss": 0.5})
        kept: Committed = {**CHECKPOINT, "step": 8}
        store.put_checkpoint(session, row.id, 1, kept)
        if state in service.OVER:
            job_store.get(session, int(stored.job_id or 0)).status = Status.FAILED
    client = people(author)
    page, listed = client.get(f"/trainings/{row.id}"), client.get(f"/assessments/{ready}/run")
    answer = client.get(f"/api/v1/trainings/{row.id}").json()

    assert (page.status_code, listed.status_code, answer["status"]) == (200, 200, state)
    assert ("Resume" in page.text) == answer["resumable"] == (state == "failed")
    assert len(client.get(f"/api/v1/trainings/{row.id}/metrics").json()["steps"]) == 8
    assert client.get(f"/api/v1/trainings/{row.id}/checkpoints").json()["data"][0]["step"] == 8


def test_a_job_that_died_with_its_worker_speaks_for_the_run(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make
) -> None:
    row = launched(engine, queue, make, author, ready)
    client = people(author)
    client.post(f"/jobs/{row.job_id}/cancel")

    assert client.get(f"/api/v1/trainings/{row.id}").json()["status"] == "cancelled"
    assert client.post(f"/api/v1/trainings/{row.id}/resume").status_code == 409


def test_the_live_figures_stand_on_the_page_and_in_the_api_without_scripts(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make
) -> None:
    row = launched(engine, queue, make, author, ready)
    began = utcnow() - timedelta(hours=2)
    with writing(engine) as session:
        for step in range(1, 9):
            store.put_metric(
                session,
                row.id,
                1,
                {"event": "step", "of": 16, "step": step, "loss": 3.0 / step, "tokens_per_second": 200.0},
            )
        store.put_metric(session, row.id, 1, {"event": "dev", "of": 16, "step": 6, "loss": 0.5})
        stored: Committed = {**CHECKPOINT, "step": 6}
        store.put_checkpoint(session, row.id, 1, stored)
        store.get(session, row.id).state = "running"
        job = job_store.get(session, int(row.job_id or 0))
        job.status, job.started_at, job.called_at = Status.RUNNING, began, began
        job.progress = {"memory_bytes": 2_000_000_000, "peak_bytes": 3_000_000_000, "seconds_left": 90}
        session.add(JobEventRow(job_id=job.id, attempt=1, at=began, kind="log", body={"line": "Step 6: dev loss 0.5"}))
        economics.add_price(session, HOUR | {"source": "contract"}, author)
    client = people(author)
    page, found = client.get(f"/trainings/{row.id}").text, client.get(f"/api/v1/trainings/{row.id}/live").json()

    assert (found["memory_bytes"], found["peak_bytes"], found["kept_step"], found["again"]) == (2e9, 3e9, 6, 2)
    assert found["money"] == pytest.approx(5.0, rel=0.01)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in ("Training loss", "Dev loss", "5 EUR", "GPU box", "1 min 30 s", "Step 6: dev loss 0.5",
                 "the checkpoint of step 6. Steps after it, taken again after a crash: 2."):  # fmt: skip
        assert said in words, said


def test_a_run_that_is_not_there_is_not_found(people: People, author: UserRow) -> None:
    client = people(author)
    paths = ("", "/metrics", "/checkpoints")

    assert {client.get(f"/api/v1/trainings/99{path}").status_code for path in paths} == {404}
    assert client.get("/trainings/99").status_code == 404
    assert client.get("/api/v1/trainings").json() == {"data": [], "has_more": False}


def test_the_live_stream_draws_the_loss_and_ends_with_the_job(
    people: People, author: UserRow, ready: int, engine: Engine, queue: job_engine.Client, make: Make
) -> None:
    row = launched(engine, queue, make, author, ready)
    client = people(author)
    client.post(f"/jobs/{row.job_id}/cancel")
    with writing(engine) as session:
        store.put_metric(session, row.id, 1, {"event": "dev", "of": 16, "step": 1, "loss": 0.5})
    stream = client.get(f"/trainings/{row.id}/events")

    assert stream.status_code == 200
    assert "<svg" in stream.text
    assert "event: done" in stream.text
