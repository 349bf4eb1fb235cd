"""What pages show, programs get too: of a stored assessment, of a measurement, of a result."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.advice import questions
from app.baselines import store
from app.db import reading, writing
from app.evaluation.metrics import METRICS
from app.gate import subject
from app.results import service as results
from app.settings import Settings
from app.training.recipe import Recipe
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import copied, laid_out, unguard
from tests.support.trained import trained

People = Callable[[UserRow], TestClient]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("judged"), template, trained)


@pytest.fixture
def settings(tmp_path: Path, judged: Path) -> Settings:
    """An installation in which the training run 1 of the assessment 1 is over."""
    return copied(judged, tmp_path)


@pytest.fixture
def client(make: Make, people: People) -> TestClient:
    return people(make.admin("Zoe"))


def got(client: TestClient, path: str) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---------------------------------------------------------------- the questionnaire and what stands beside the advice


def test_the_questionnaire_is_there_in_its_own_words(client: TestClient) -> None:
    found = got(client, "/questions")

    asked = [question for section in found["data"] for question in section["questions"]]
    assert [section["title"] for section in found["data"]] == [section.title for section in questions.SECTIONS]
    assert [question["key"] for question in asked] == [
        question.key for section in questions.SECTIONS for question in section.questions
    ]
    goals = next(question for question in asked if question["key"] == "goals")
    assert {"value": "format", "label": "Follow an output format", "help": goals["choices"][1]["help"]} in goals[
        "choices"
    ]
    assert {choice["value"] for choice in goals["choices"]} == {one.value for one in questions.GOAL_CHOICES}
    assert found["has_more"] is False


def test_what_the_questionnaire_says_can_be_answered(client: TestClient) -> None:
    """Each choice of each question, sent as an answer."""
    made = client.post("/api/v1/assessments", json={"title": "x"}).json()
    for section in got(client, "/questions")["data"]:
        for question in section["questions"]:
            for choice in question["choices"]:
                given: dict[str, Any] = {question["key"]: choice["value"]}
                if question["key"] in {"goals", "main_goal"}:
                    given = {"goals": [choice["value"]], "main_goal": choice["value"]}
                answer = client.patch(f"/api/v1/assessments/{made['id']}", json={"answers": given})
                assert answer.status_code == 200, (given, answer.text)


def test_more_of_a_stored_assessment_is_what_its_own_evidence_gives(client: TestClient) -> None:
    plain = got(client, "/assessments/1/advice")
    told = got(client, "/assessments/1/advice?more=true")
    subject = got(client, "/assessments/1/subject")
    by_file = client.post(
        "/api/v1/advice?more=true", json={"answers": subject["answers"], "measured": subject["evidence"]}
    )

    assert "more" not in plain["advice"]
    assert {key: value for key, value in told["advice"].items() if key != "more"} == plain["advice"]
    assert {"contradictions", "disagreements", "robustness", "instead"} <= told["advice"]["more"].keys()
    assert by_file.status_code == 200
    assert told["advice"] == by_file.json()


# ---------------------------------------------------------------- metrics and the parts of a score


def test_metrics_come_with_their_options_and_what_they_mean(client: TestClient) -> None:
    found = {metric["name"]: metric for metric in got(client, "/metrics")["data"]}

    assert found.keys() == METRICS.keys()
    assert [option["name"] for option in found["json_match"]["options"]] == ["fence", "around"]
    (pattern,) = found["pattern"]["options"]
    assert (pattern["kind"], pattern["required"]) == ("text", True)
    assert (found["chrf"]["binary"], found["exact_match"]["binary"]) == (False, True)
    assert all(len(metric["explanation"]) > 20 for metric in found.values())


def test_the_parts_of_a_score_add_up_to_it(client: TestClient) -> None:
    baseline = got(client, "/baselines/1")
    arm = next(arm for arm in baseline["arms"] if arm["name"] == baseline["best_arm"])
    path = f"/baselines/1/arms/{arm['id']}"
    wanted = [answer["target"] for answer in got(client, f"{path}/answers?split=dev&limit=200")["data"]]

    parts = got(client, f"{path}/parts?split=dev")

    labels = len(set(wanted)) <= len(wanted) / 2
    assert (parts["arm_id"], parts["split"], parts["labels_left_out"]) == (arm["id"], "dev", 0)
    assert bool(parts["labels"]) is labels
    assert sum(label["rows"] for label in parts["labels"]) == (len(wanted) if labels else 0)
    assert parts["fields"] == []


def test_the_parts_of_a_test_score_are_a_look(client: TestClient, engine: Engine) -> None:
    def looks() -> int:
        with reading(engine) as session:
            return len(store.openings(session, [1]))

    arm = next(arm["id"] for arm in got(client, "/baselines/1")["arms"] if arm["test"])
    got(client, f"/baselines/1/arms/{arm}/parts?split=dev")
    before = looks()
    got(client, f"/baselines/1/arms/{arm}/parts?split=test")
    once = looks()
    got(client, f"/baselines/1/arms/{arm}/answers?split=test")

    assert (once, looks()) == (before + 1, before + 1)


# ---------------------------------------------------------------- a run and its result


def test_hyperparameters_are_numbers(client: TestClient, engine: Engine) -> None:
    approved: Any = subject.exact(asdict(Recipe(learning_rate=1e-4)))
    with writing(engine) as session:
        unguard(session, "trainings")
        session.execute(update(TrainingRow).values(recipe=approved | {"of_another_version": "x", "seed": "odd"}))

    found = got(client, "/trainings/1")["hyperparameters"]

    assert found == asdict(Recipe(learning_rate=1e-4)) | {"of_another_version": "x", "seed": "odd"}
    assert isinstance(approved["learning_rate"], str), "what is approved has numbers as texts"
    assert (type(found["rank"]), type(found["learning_rate"]), type(found["dropout"])) == (int, float, float)


@pytest.mark.parametrize("which", ["fixed", "broken"])
def test_rows_that_changed_come_with_both_answers(client: TestClient, engine: Engine, which: str) -> None:
    ids = got(client, "/trainings/1/result")[which]
    with reading(engine) as session:
        told = results.changed(session, results.outcome(session, 1), which, 0, 1000)

    first = got(client, f"/trainings/1/result/rows?which={which}&limit=2")
    rest = got(client, f"/trainings/1/result/rows?which={which}&skip=2&limit=100")

    rows = first["data"] + rest["data"]
    assert [row["example_id"] for row in rows] == ids[: len(rows)]
    assert (first["has_more"], len(rows)) == (len(ids) > 2, min(len(ids), 102))
    assert [(row["before"], row["after"]) for row in rows] == [(one.before, one.after) for one in told[: len(rows)]]
    scores = {(row["before_score"], row["after_score"]) for row in rows}
    assert scores == ({(0.0, 1.0)} if which == "fixed" else {(1.0, 0.0)})


# ---------------------------------------------------------------- what starts a job says which


def test_documents_say_which_job_reads_them(client: TestClient) -> None:
    made = client.put("/api/v1/assessments/1/documents?filename=a.md", content=b"# Cats\n\nCats sleep.")

    assert made.status_code == 201
    job = got(client, f"/jobs/{made.json()['job_id']}")
    assert (job["kind"], job["status"], job["assessment_id"]) == ("read", "queued", 1)
    assert got(client, f"/document-files/{made.json()['id']}")["job_id"] == job["id"]
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel").json()["status"] == "cancelled"
    again = client.post(f"/api/v1/document-files/{made.json()['id']}/read")
    assert (again.status_code, again.json()["job_id"]) == (202, job["id"] + 1)


def test_a_folder_says_which_job_prepares_it(client: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")

    made = client.post("/api/v1/models/folders", json={"name": "Tiny", "path": str(folder)})

    assert made.status_code == 201, made.text
    assert got(client, f"/jobs/{made.json()['job_id']}")["kind"] == "convert"


# ---------------------------------------------------------------- what was not taken as it was sent


@pytest.mark.parametrize(
    ("address", "kept", "cut"),
    [
        ("https://127.0.0.1/v1/chat/completions", "https://127.0.0.1/v1", "/chat/completions"),
        ("https://127.0.0.1/v1/models/ ", "https://127.0.0.1/v1", "/models"),
        ("https://127.0.0.1/v1/", "https://127.0.0.1/v1", ""),
        ("https://127.0.0.1/v1", "https://127.0.0.1/v1", ""),
    ],
)
def test_what_was_cut_off_an_address_is_said(client: TestClient, address: str, kept: str, cut: str) -> None:
    made = client.post("/api/v1/models/endpoints", json={"name": "Server", "base_url": address, "model": "m"}).json()
    changed = client.patch(f"/api/v1/models/{made['id']}", json={"base_url": address}).json()

    assert made["base_url"] == changed["base_url"] == kept
    said = [f"{cut} was cut off the end of the address: the app adds it itself."] if cut else []
    assert made["remarks"] == changed["remarks"] == said
    assert got(client, f"/models/{made['id']}")["remarks"] == []


def test_the_page_says_that_something_was_cut_off(client: TestClient) -> None:
    form = {"name": "Server", "base_url": "https://127.0.0.1/v1/chat/completions", "model": "m"}

    made = client.post("/models/endpoints", data=form)
    page = client.get(made.headers["location"])
    saved = client.post(made.headers["location"].split("?")[0], data=form)

    assert "was cut off" in page.text
    assert "was cut off" in client.get(saved.headers["location"]).text
    plain = client.post(made.headers["location"].split("?")[0], data=form | {"base_url": "https://127.0.0.1/v1"})
    assert "was cut off" not in client.get(plain.headers["location"]).text
