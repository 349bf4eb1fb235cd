"""Watched metrics, and answers that are run to be scored: what they come to, and what they never touch."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import answer_store, job, standing, watching
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.scoring import store as scoring_store
from app.settings import Settings
from app.users.tables import Role, UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, number_of, started
from tests.support.model_server import last_user, serving

People = Callable[[UserRow], TestClient]
WANTED, READS = "select price from items where id = ?", "SELECT price FROM items WHERE id IN (?);"
DELETES = "DELETE FROM items WHERE id = ?"
SCORER = "def score(answer, expected, row):\n    return 1.0 if answer == expected else 0.25\n"


@pytest.fixture
def case(make: Make, engine: Engine) -> Iterator[Case]:
    with serving(clever) as server:
        yield a_case(make, engine, server, train=20, dev=20, test=20)


def measured(engine: Engine, settings: Settings, queue: job_engine.Client, case: Case, **different: Any) -> int:
    baseline = started(engine, queue, case, variants=("zero_shot",), **different)
    claim = claim_of(engine, settings, queue, baseline.id)
    job.measure(claim)
    finish_job(engine, claim)
    return baseline.id


def decide_by(session: Session, case: Case, metric: str) -> None:
    row = session.get_one(AssessmentRow, case.assessment.id)
    row.answers = {**row.answers, "metric": metric}


def watch(engine: Engine, settings: Settings, queue: job_engine.Client, case: Case, metric: str, **options: Any) -> int:
    with writing(engine) as session:
        jobs.bind(session, queue)
        return watching.watch(session, settings, case.assessment.id, metric, options, by=case.author).id


def test_a_watched_metric_is_scored_with_the_run_and_one_added_later_from_stored_answers(
    engine: Engine, settings: Settings, queue: job_engine.Client, case: Case
) -> None:
    first = watch(engine, settings, queue, case, "length_limits", max_characters="8")
    baseline_id = measured(engine, settings, queue, case)
    baseline = baseline_of(engine, baseline_id)
    with reading(engine) as session:
        before = answer_store.answers_sha256(session, baseline_id), session.get_one(AssessmentRow, 1).revision
        table = watching.table(session, baseline)
    assert table is not None
    assert not table.waiting
    assert len(table.lines) == sum(bool(result) for arm in baseline.arms for result in (arm.dev, arm.test))
    zero = next(arm for arm in baseline.arms if arm.name == "zero_shot")
    with reading(engine) as session:
        outputs = {row.id: row.output for row in answer_store.answers(session, zero.id, "dev")}
        scores = {key: row.score for key, row in scoring_store.scored(session, first, list(outputs)).items()}
    assert scores == {key: float(len(output) <= 8) for key, output in outputs.items()}

    later = watch(engine, settings, queue, case, "exact_match")
    with reading(engine) as session:
        assert (table := watching.table(session, baseline)) is not None
        assert table.waiting
    watching.score_stored(claim_of(engine, settings, queue, later, kind="watch"))

    with reading(engine) as session:
        table = watching.table(session, baseline)
        after = answer_store.answers_sha256(session, baseline_id), session.get_one(AssessmentRow, 1).revision
    assert table is not None
    assert not table.waiting
    for line in table.lines:  # the same metric as the deciding one has to come to the same
        assert line.results[1] is not None
        assert (line.results[1].score, line.results[1].low) == pytest.approx((line.score, line.low))
    assert after == before, "neither the evidence nor the revision has changed"


def test_watching_is_in_the_api_and_on_the_pages(
    engine: Engine, settings: Settings, queue: job_engine.Client, case: Case, people: People
) -> None:
    api, root = people(case.author), f"/api/v1/assessments/{case.assessment.id}"
    added = api.post(f"{root}/watched", json={"metric": "token_f1"})
    assert (added.status_code, added.json()["job_id"]) == (201, None)
    assert api.post(f"{root}/watched", json={"metric": "token_f1"}).json()["id"] == added.json()["id"]
    refused = api.post(f"{root}/watched", json={"metric": "length_limits"})
    assert refused.json()["errors"][0]["pointer"] == "#/metric_options/max_characters"
    sent = {"metric": "format_check", "option_one_sentence": "on"}
    assert api.post(f"/assessments/{case.assessment.id}/watched", data=sent).status_code == 303
    baseline_id = measured(engine, settings, queue, case)

    metrics = api.get(f"{root}/metrics").json()
    results = api.get(f"/api/v1/baselines/{baseline_id}/watched").json()["data"]
    page = api.get(f"/assessments/{case.assessment.id}/measure").text
    arm_id = results[0]["arm_id"]
    answers = api.get(f"/api/v1/baselines/{baseline_id}/arms/{arm_id}/watched").json()["data"]

    assert (metrics["metric"], metrics["target"]) == ("exact_match", 0.9)
    assert [one["metric"] for one in metrics["watched"]] == ["token_f1", "format_check"]
    assert metrics["suggested"][0]["decides"]
    assert {result["watched_id"] for result in results} == {one["id"] for one in metrics["watched"]}
    assert len(answers) == 2 * 20
    assert "Token F1 <small>watched</small>" in page
    assert "Exact match <small>decides</small>" in page
    one = api.get(f"/answers/{answers[0]['answer_id']}").text
    assert "Raw, extracted and compared" in one
    assert "they decide nothing" in one
    shown = api.get(f"/assessments/{case.assessment.id}/metrics?add=length_limits").text
    assert "Watch this metric" in shown
    assert "i must decline" in shown
    assert "One sentence" in shown
    gone = api.delete(f"{root}/watched/{added.json()['id']}")
    assert gone.status_code == 204
    assert len(api.get(f"/api/v1/baselines/{baseline_id}/watched").json()["data"]) == len(results) / 2


def test_sql_is_scored_by_its_result_on_an_uploaded_database(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, people: People, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table items (id integer, price real)")
        made.executemany("insert into items values (?, ?)", [(n, n * 1.5) for n in range(100)])
        made.commit()

    def answers(body: dict[str, Any]) -> str:
        number = number_of(last_user(body))
        return (READS if number % 2 == 0 else DELETES).replace("?", str(number))

    with serving(answers) as server:
        case = a_case(make, engine, server, train=20, dev=20, test=20)
        with writing(engine) as session:
            decide_by(session, case, "sql_result")
            for example in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
                example.target = WANTED.replace("?", str(example.line))
        api, root = people(case.author), f"/api/v1/assessments/{case.assessment.id}"
        uploaded = api.put(f"{root}/databases?filename=shop.db", content=path.read_bytes())
        assert uploaded.json()["tables"] == [{"name": "items", "columns": ["id", "price"], "rows": 100}]
        nothing = api.put(f"{root}/databases?filename=x.db", content=b"not a database at all")
        assert nothing.status_code == 422
        assert "no SQLite database" in nothing.text
        body = {"model_id": case.model.id, "instructions": "Write SQL.", "consent": True, "variants": ["zero_shot"]}
        missing = api.post(f"{root}/baselines", json=body | {"metric_options": {"database": "0" * 64}})
        assert missing.json()["errors"][0]["pointer"] == "#/metric_options/database"
        options = {"database": uploaded.json()["sha256"]}
        baseline_id = measured(engine, settings, queue, case, metric_options=options)

    zero = next(arm for arm in baseline_of(engine, baseline_id).arms if arm.name == "zero_shot")
    with reading(engine) as session:
        rows = answer_store.answers(session, zero.id, "dev")
    assert zero.dev is not None
    assert (zero.dev.errors, zero.dev.score) == (0, 0.5)
    assert {row.details["why"] for row in rows if row.details} == {"It cannot be run: only reading is allowed."}
    page = api.get(f"/assessments/{case.assessment.id}/metrics").text
    assert "shop.db" in page
    assert uploaded.json()["sha256"] in page


def test_a_teams_scorer_is_an_administrators_and_needs_the_operator(
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    case: Case,
    make: Make,
    people: People,
    web: TestClient,
) -> None:
    admin, author = people(make.user(Role.ADMIN)), people(case.author)
    new = {"name": "Half marks", "text": SCORER}
    refused = admin.post("/api/v1/scorers", json=new)
    assert (refused.status_code, "TUNEGATE_TEAM_SCORERS" in refused.text) == (409, True)
    assert "switched off" in author.get("/scorers").text

    web.app.state.context.settings.team_scorers = True  # type: ignore[attr-defined]  # as an operator would start it
    assert author.post("/api/v1/scorers", json=new).status_code == 403
    moody = admin.post("/api/v1/scorers/try", json={"text": "def score(a, b, c):\n    return hash(a + 'x') % 9 / 9\n"})
    assert "same score twice" in moody.text
    added = admin.post("/api/v1/scorers", json=new)
    assert (added.status_code, added.json()["version"]) == (201, 1)
    assert admin.post("/api/v1/scorers", json=new).status_code == 409
    tried = admin.post("/scorers", data={"text": SCORER, "name": "", "try": "yes"})
    assert "Tried on sample rows" in tried.text
    assert "Half marks v1" in author.get("/scorers").text

    with writing(engine) as session:
        decide_by(session, case, "team_scorer")
    body = {"model_id": case.model.id, "instructions": "Give the label.", "consent": True, "variants": ["zero_shot"]}
    sent = author.post(
        f"/api/v1/assessments/{case.assessment.id}/baselines",
        json=body | {"metric_options": {"scorer": added.json()["sha256"]}},
    )
    assert sent.status_code == 201, sent.text
    claim = claim_of(engine, settings.model_copy(update={"team_scorers": True}), queue, sent.json()["id"])
    job.measure(claim)
    best = standing.leading(baseline_of(engine, sent.json()["id"]))
    assert best is not None
    assert best.dev is not None
    assert 0.25 < best.dev.score < 1
    assert sent.json()["metric_options"] == {"scorer": added.json()["sha256"]}
    assert admin.delete(f"/api/v1/scorers/{added.json()['id']}").status_code == 204
    assert author.get("/api/v1/scorers").json()["data"][0]["retired_at"]


def test_labels_have_macro_f1_and_the_rules_that_were_at_work(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, people: People
) -> None:
    names = ("refund", "bug", "other")

    def answers(body: dict[str, Any]) -> str:
        number = number_of(last_user(body))
        return f"**{names[number % 3].title()}**." if number % 4 else "other"

    with serving(answers) as server:
        case = a_case(make, engine, server, train=20, dev=24, test=20)
        with writing(engine) as session:
            decide_by(session, case, "normalised_match")
            for example in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
                example.target = names[example.line % 3]
        baseline_id = measured(engine, settings, queue, case)

    api = people(case.author)
    zero = next(arm for arm in baseline_of(engine, baseline_id).arms if arm.name == "zero_shot")
    parts = api.get(f"/api/v1/baselines/{baseline_id}/arms/{zero.id}/parts").json()
    page = api.get(f"/assessments/{case.assessment.id}/measure").text

    scores = {one["label"]: (one["n"], one["named"], one["right"]) for one in parts["label_scores"]}
    assert scores == {"refund": (8, 6, 6), "bug": (8, 6, 6), "other": (8, 12, 8)}
    assert parts["macro_f1"] == pytest.approx((2 * 12 / 14 + 16 / 20) / 3)
    assert parts["accuracy"] == pytest.approx(20 / 24)
    assert [(pair["expected"], pair["output"], pair["rows"]) for pair in parts["confusions"]] == [
        ("bug", "other", 2), ("refund", "other", 2),
    ]  # fmt: skip
    assert (parts["decoration"]["rows"], parts["decoration"]["changed"]) == (24, 18)
    assert "macro-F1 83.8 %" in page
    assert "changed 75 % of 24 outputs" in page
