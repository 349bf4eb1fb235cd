"""The result as a page and for programs, in every state of a run."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.assessments.tables import AssessmentRow
from app.baselines import arms
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.db import reading, utcnow, writing
from app.inference.tables import ModelRow
from app.jobs.tables import JobRow
from app.results import service
from app.standing import keeping
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.depth import sampled
from tests.support.factories import Make

AFTER_THE_SCORE = {"verdict", "words", "delta", "low", "high", "p", "test", "rows", "reaches_target"}


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    """Somebody who had nothing to do with it: results are for everybody who is signed in."""
    return people(make.user(name="Zoe", email="zoe@example.org"))


def changed(engine: Engine, **values: Any) -> None:
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(**values))


def test_programs_get_what_the_comparison_says(client: TestClient, engine: Engine) -> None:
    with reading(engine) as session:
        found = service.outcome(session, 1)

    answer = client.get("/api/v1/trainings/1/result").json()

    assert found.compared is not None
    assert {name: answer[name] for name in AFTER_THE_SCORE - {"reaches_target"}} == {
        name: getattr(found.compared, name) for name in AFTER_THE_SCORE - {"reaches_target"}
    }
    assert (answer["state"], answer["left_out"], answer["reaches_target"]) == ("done", 0, False)
    assert answer["fixed"] == list(found.compared.fixed)
    assert answer["broken"] == list(found.compared.broken)
    assert answer["evaluation"]["results"]["adapter/1"]["n-samples"] == 220


def test_before_the_score_a_result_has_no_numbers(client: TestClient, engine: Engine) -> None:
    changed(engine, arm_id=None, state="evaluating", result=None)

    answer = client.get("/api/v1/trainings/1/result").json()

    assert answer["state"] == "evaluating"
    assert {name: answer[name] for name in AFTER_THE_SCORE} == dict.fromkeys(AFTER_THE_SCORE)
    assert (answer["fixed"], answer["broken"], answer["evaluation"]["pairwise"]) == ([], [], [])


@pytest.mark.parametrize("path", ["/trainings/1/adapter.zip", "/api/v1/trainings/1/adapter"])
def test_the_adapter_is_downloaded_under_its_name(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="adapter-1.zip"'
    assert answer.content.startswith(b"PK")
    assert client.get(path).content == answer.content


@pytest.mark.parametrize("path", ["/trainings/{}/adapter.zip", "/api/v1/trainings/{}/adapter"])
def test_without_an_adapter_there_is_nothing_to_download(client: TestClient, engine: Engine, path: str) -> None:
    changed(engine, adapter_sha256=None)

    assert [client.get(path.format(number)).status_code for number in (1, 99)] == [404, 404]


@pytest.mark.parametrize("path", ["/assessments/1/result", "/trainings/1/adapter.zip", "/api/v1/trainings/1/result"])
def test_nobody_else_gets_a_result(web: TestClient, path: str) -> None:
    answer = web.get(path)

    assert answer.status_code == (401 if path.startswith("/api/") else 303)


def test_the_page_shows_both_answers_of_the_rows_that_changed(client: TestClient, engine: Engine) -> None:
    with reading(engine) as session:
        found = service.outcome(session, 1)
        first = service.changed(session, found, "broken", 0, 1)[0]

    page = client.get("/assessments/1/result?which=broken")

    assert page.status_code == 200
    assert page.text.count('<details class="more"') == 10
    assert f"Row {first.line}:" in page.text
    assert first.after in page.text
    assert first.target in page.text


@pytest.mark.parametrize(
    ("query", "rows"), [("", 10), ("?first=40", 10), ("?first=45", 5), ("?first=2147483649", None)]
)
def test_the_page_turns_over(client: TestClient, query: str, rows: int | None) -> None:
    page = client.get(f"/assessments/1/result{query}")

    assert page.status_code == (422 if rows is None else 200)
    assert rows is None or page.text.count('<details class="more"') == rows


@pytest.mark.parametrize(
    "state", sampled(["queued", "running", "evaluating", "done", "cancelled", "failed", "refused"], every=3)
)
def test_there_is_a_page_in_every_state_before_a_comparison(client: TestClient, engine: Engine, state: str) -> None:
    changed(engine, arm_id=None, adapter_sha256=None, result=None, state=state)

    page = client.get("/assessments/1/result")

    assert page.status_code == 200
    assert "adapter.zip" not in page.text
    assert '<details class="more"' not in page.text


def test_there_is_a_page_before_the_first_run(client: TestClient, make: Make) -> None:
    other = make.assessment(make.user(name="Kim", email="kim@example.org"))

    assert client.get(f"/assessments/{other.id}/result").status_code == 200
    assert client.get("/assessments/99/result").status_code == 404


def test_what_is_shown_can_be_taken_along(client: TestClient) -> None:
    assert "/trainings/1/adapter.zip" in client.get("/assessments/1/result").text


def test_the_larger_side_is_read_first(client: TestClient, engine: Engine) -> None:
    """The usual run fixes fifty rows and breaks ten."""
    with reading(engine) as session:
        found = service.outcome(session, 1)
    assert found.compared is not None
    assert len(found.compared.fixed) > len(found.compared.broken)

    assert "Read what it fixed" in client.get("/assessments/1/result").text
    with writing(engine) as session:
        broke = session.scalars(select(AnswerRow).join(ArmRow).where(ArmRow.family == "adapter")).all()
        for answer in broke:
            answer.score = 0.0
        arm = session.scalars(select(ArmRow).where(ArmRow.family == "adapter")).one()
        arm.test = arms.tallied([arms.Scored(0.0)] * len(broke), binary=True, seed=7)

    page = client.get("/assessments/1/result").text

    assert "Read what it broke" in page
    assert "Worse than the best prompt: 68.2 % → 0.0 %." in page


def test_after_a_regression_the_first_button_is_not_the_download(client: TestClient, engine: Engine) -> None:
    def first_button() -> str:
        text = client.get("/assessments/1/result").text
        return text.partition('<a class="btn"')[2].partition("</a>")[0].rpartition(">")[2]

    assert first_button() == "Edit training config"  # improved, and short of the target
    with writing(engine) as session:
        session.scalars(select(BaselineRow)).one().target = 0.8
    assert first_button() == "Download adapter"


@pytest.mark.parametrize("path", ["/assessments/1/run", "/trainings/1", "/assessments/1/verdict", "/assessments/1"])
def test_after_a_regression_no_page_has_a_green_answer(client: TestClient, engine: Engine, path: str) -> None:
    with writing(engine) as session:
        run = session.scalars(select(TrainingRow)).one()
        run.result = {**(run.result or {}), "verdict": "regressed", "after": 0.008}
        keeping.keep(session, [1])

    page = client.get(path).text
    first = re.findall(r'<section class="card answer([^"]*)"', page)[0].split()

    assert set(first) & {"fail", "bad"}, first
    assert "regressed" in page


def test_where_the_adapter_is_not_here_the_result_asks_for_no_other_config(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.scalars(select(BaselineRow)).one().target = 0.8
    changed(engine, adapter_sha256=None)

    assert "Edit training config" not in client.get("/assessments/1/result").text


def test_a_run_that_failed_says_why_where_its_status_leads(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        job = JobRow(kind="train", subject_id=1, assessment_id=1, title="Train", queue="model", status="failed",
                     failure="Out of memory at step 3.", attempt=1, progress={}, created_by=1, created_at=utcnow(),
                     finished_at=utcnow())  # fmt: skip
        session.add(job)
        session.flush()
        session.execute(update(TrainingRow).values(state="failed", result=None, job_id=job.id))
        keeping.keep(session, [1])

    page = client.get("/assessments/1/run").text

    assert page.count("Out of memory at step 3.") == 1
    assert "Trained" not in page
    assert "Out of memory at step 3." in client.get("/assessments/1").text


def test_nothing_is_launched_beside_a_run_that_goes_on(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(state="running", result=None, finished_at=None))
        keeping.keep(session, [1])

    page = client.get("/assessments/1/run").text

    assert "The training run is going on." in page
    assert "Before you can start" not in page
    step = client.get("/assessments/1/review").text
    assert "<summary><b>Request another review</b>" in step
    assert "<h2>Request review</h2>" not in step


def test_an_archived_assessment_offers_no_review(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(AssessmentRow).values(archived_at=utcnow()))

    page = client.get("/assessments/1/review").text

    assert "Restore it" in page
    assert "<h2>Request review</h2>" not in page
    for step in ("data", "measure", "plan", "run", "result", "describe/goal"):
        page = client.get(f"/assessments/1/{step}").text
        assert "Restore to change it" in page, step
        assert 'class="page read-only"' in page, step
    assert 'id="upload"' not in client.get("/assessments/1/data").text


def test_two_models_are_said_beside_the_scores(client: TestClient, engine: Engine) -> None:
    assert "not comparable" not in client.get("/assessments/1/result").text
    with writing(engine) as session:
        model = session.scalars(select(ModelRow)).one()
        other = ModelRow(name="Stub small", kind="endpoint", base_url="https://m.example.org", created_at=utcnow())
        session.add(other)
        session.flush()
        session.scalars(select(BaselineRow)).one().model_id = other.id

    page = client.get("/assessments/1/result").text

    assert f"Baselines ran on Stub small, the adapter on {model.name}: the two scores are not comparable." in page
    assert f"Run baselines on {model.name}" in page


def test_how_much_was_seen_is_said(client: TestClient, engine: Engine) -> None:
    changed(engine, training_facts={"train_rows": 1050, "compared_with": "few_shot_nearest"})
    with writing(engine) as session:
        trainings.put_metric(session, 1, 1, {"event": "step", "of": 16, "step": 16, "loss": 1.0})

    assert "Only 256 of 1,050 rows were seen" in " ".join(client.get("/assessments/1/result").text.split())


def test_a_target_that_was_changed_since_is_told_from_the_one_that_counted(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        row = session.get_one(AssessmentRow, 1)
        row.answers = {**row.answers, "target": 0.85}

    text = " ".join(client.get("/assessments/1/result").text.split())

    assert "does not reach the target of 90 % that was set when the baselines ran; it is 85 % now." in text
