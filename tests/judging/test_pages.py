"""The LLM judge by pages without a script and by the API."""

import json
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.db import writing
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.judged import RULE, Judgeable, fair, judgeable
from tests.support.measured import clever
from tests.support.model_server import ModelServer
from tests.support.optimised import serve


@pytest.fixture
def model() -> Iterator[ModelServer]:
    yield from serve(clever)


@pytest.fixture
def judge() -> Iterator[ModelServer]:
    yield from serve(fair)


@pytest.fixture
def case(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, model: ModelServer, judge: ModelServer
) -> Judgeable:
    return judgeable(make, engine, settings, queue, (model, judge))


@pytest.fixture
def page(people: Callable[[UserRow], TestClient], case: Judgeable) -> TestClient:
    return people(case.case.author)


def test_a_rubric_is_written_and_the_judge_started_without_a_script(page: TestClient, case: Judgeable) -> None:
    there = f"/assessments/{case.case.assessment.id}"
    empty = page.get(f"{there}/judging").text
    wrong = page.post(f"{there}/judging/rubrics", data={"failure": "", "passes_if": "<b>"})
    saved = page.post(
        f"{there}/judging/rubrics", data={"failure": "wrong label", "passes_if": RULE, "with_expected": "on"}
    )
    twice = page.post(
        f"{there}/judging/rubrics", data={"failure": "wrong label", "passes_if": RULE, "with_expected": "on"}
    )
    shown = page.get(f"{there}/judging").text
    form = {
        "judge_id": str(case.judge.id),
        "use": "pass_fail",
        "split": "dev",
        "variant": [str(one) for one in case.arm_ids],
    }
    estimate = page.post(f"{there}/judge-runs/estimate", data=form, headers={"HX-Request": "true"})
    unsure = page.post(f"{there}/judge-runs", data={**form, "calls": "0"})
    started = page.post(f"{there}/judge-runs", data={**form, f"consent-{case.judge.id}": "on"})

    assert "Write rubric" in empty
    assert wrong.status_code == 422
    assert "Name the one failure" in wrong.text
    assert "&lt;b&gt;</textarea>" in wrong.text
    assert saved.status_code == 303
    assert "This is version 1. Change it first." in twice.text
    assert RULE in shown
    assert "they decide nothing" in shown
    assert "Not calibrated: 0 of 50 answers labelled by a person." in shown
    assert "Nobody can tell whether the judge is of the family" in shown
    assert "calls</b>" in estimate.text
    assert "<html" not in estimate.text
    assert unsure.status_code == 422
    assert "Confirm that questions and answers of dev rows may be sent to" in unsure.text
    assert "Use a number above 0, or leave it empty." in unsure.text
    assert started.status_code == 303
    waiting = page.get(started.headers["location"]).text
    assert "Waiting for a worker" in waiting
    assert "Cancel run" in waiting


def test_a_person_labels_blind_and_reads_where_the_judge_differs(
    page: TestClient, case: Judgeable, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    case.write_rubric()
    run_id = case.judged()
    cora = people(make.author("Cora"))
    begun = cora.post(f"/assessments/{case.case.assessment.id}/judge-rounds")
    place = begun.headers["location"]
    blind = cora.get(place).text
    hidden = cora.get(f"/judge-runs/{run_id}/judgements")
    early = cora.post(f"{place}/end")
    for number in range(1, 51):
        cora.post(f"{place}/answers/{number}", data={"label": "fail" if number == 1 else "pass"})
    fragment = cora.post(f"{place}/answers/2", data={"label": "fail"}, headers={"HX-Request": "true"})
    ended = cora.post(f"{place}/end")
    late = cora.post(f"{place}/answers/2", data={"label": "pass"})
    differ = page.get(f"/judge-runs/{run_id}/judgements?show=differ").text
    run = page.get(f"/judge-runs/{run_id}").text

    assert blind.count('data-key="p"') == blind.count('data-key="f"') == 50
    assert not any(word in blind for word in ("Zero-shot", "zero_shot", "Judge says", "Because."))
    assert hidden.status_code == early.status_code == late.status_code == 409
    assert "<b>50 of 50</b>" in fragment.text
    assert ended.status_code == 303
    assert "a person says pass, the judge fail" in differ
    assert "Reply as it came" in differ
    assert "Not calibrated: kappa" in run
    assert "Sensitivity" in run


def test_a_judge_of_the_same_house_is_warned_of_on_the_page(page: TestClient, case: Judgeable) -> None:
    case.write_rubric()
    with writing(case.engine) as session:
        session.get_one(ModelRow, case.judge.id).base_url = session.get_one(ModelRow, case.case.model.id).base_url
        session.get_one(ModelRow, case.judge.id).reference = "loopback-1"
    before = page.get(f"/assessments/{case.case.assessment.id}/judging").text
    run_id = case.start()
    after = page.get(f"/judge-runs/{run_id}").text

    assert "The judge wrote these answers itself: Zero-shot" in before
    assert "The judge wrote these answers itself: Zero-shot" in after


def test_a_judge_by_program(
    page: TestClient, case: Judgeable, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    root = f"/api/v1/assessments/{case.case.assessment.id}"
    rubric = {"failure": "wrong label", "passes_if": RULE}
    order = {"judge_id": case.judge.id, "arms": list(case.arm_ids), "consent": True}
    early = page.post(f"{root}/judge-runs", json=order)
    written = page.post(f"{root}/rubrics", json=rubric)
    estimate = page.post(f"{root}/judge-runs/estimate", json={**order, "price_in": 1.0, "price_out": 2.0}).json()
    wrong = page.post(f"{root}/judge-runs", json={**order, "consent": False, "use": "pairwise", "arms": [1]})
    started = page.post(f"{root}/judge-runs", json=order)
    run_id = started.json()["id"]
    case.work(run_id)
    cora = people(make.author("Cora"))
    number = cora.post(f"{root}/judge-rounds").json()
    labels = [
        {"place": one["place"], "label": "pass" if one["output"] == one["expected"] else "fail"}
        for one in number["answers"]
    ]
    cora.put(f"/api/v1/judge-rounds/{number['id']}/labels", json={"labels": labels})
    ended = cora.post(f"/api/v1/judge-rounds/{number['id']}/end")
    run = page.get(f"/api/v1/judge-runs/{run_id}").json()
    listed = page.get(f"/api/v1/judge-runs/{run_id}/judgements?limit=10").json()
    more = page.get(f"/api/v1/judge-runs/{run_id}/judgements?limit=10&after={listed['data'][-1]['id']}").json()
    every = [json.loads(line) for line in page.get(f"/api/v1/judge-runs/{run_id}/judgements.jsonl").text.splitlines()]

    second = page.post(f"{root}/judge-runs", json=order).json()["id"]
    newest = page.get(f"{root}/judge-runs?limit=1").json()
    before = page.get(f"{root}/judge-runs?limit=1&before={second}").json()
    older = page.get(f"/assessments/{case.case.assessment.id}/judging?before={second}").text

    assert ([one["id"] for one in newest["data"]], newest["has_more"]) == ([second], True)
    assert ([one["id"] for one in before["data"]], before["has_more"]) == ([run_id], False)
    assert (f"/judge-runs/{run_id}" in older, f'href="/judge-runs/{second}"' in older) == (True, False)
    assert "Newest runs" in older
    assert early.status_code == 409
    assert "Write the rubric first" in early.text
    assert (written.status_code, written.json()["number"], written.json()["with_expected"]) == (201, 1, True)
    assert estimate["calls"] > 0
    assert [one["kind"] for one in estimate["warnings"]] == [one["kind"] for one in run["warnings"]] == ["unknown"]
    assert estimate["cost"] == pytest.approx((estimate["tokens_in"] + 2 * estimate["tokens_out"]) / 1e6)
    assert {fault["pointer"] for fault in wrong.json()["errors"]} == {"#/consent", "#/arms"}
    assert (started.status_code, ended.status_code) == (201, 200)
    assert {key for one in number["answers"] for key in one} == {"place", "question", "expected", "output", "label"}
    assert (run["decides"], run["calibration"]["holds"], run["calibration"]["kappa"]) == (False, True, 1.0)
    assert run["spent"]["calls"] == estimate["calls"]
    assert [one["raw"]["share"] for one in run["scores"]] == [pytest.approx(one["deciding"]) for one in run["scores"]]
    assert all(one["corrected"]["low"] <= one["raw"]["share"] for one in run["scores"])
    assert (len(listed["data"]), listed["has_more"]) == (10, True)
    assert not {one["id"] for one in more["data"]} & {one["id"] for one in listed["data"]}
    assert len(every) == run["judged"]
    assert all(json.loads(one["raw"])["verdict"] == one["word"] for one in every)
    assert sum(one["label"] is not None for one in every) == 50
